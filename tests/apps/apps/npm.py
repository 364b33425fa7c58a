"""The npm program publishes and installs packages with a token, one of them in a scope: `/@harbour%2fboat`."""
import json
import os

from kit.processes import run

PACKAGE = "npm client, verdaccio 6.1.2 (npm)"
CONFIG = """storage: ./storage
uplinks: {{}}
packages: {{'@*/*': {{access: $all, publish: $all}}, '**': {{access: $all, publish: $all}}}}
listen: 127.0.0.1:{port}
log: {{type: stdout, format: pretty, level: warn}}
"""


def use(scene):
    modules = scene.install(lambda: scene.cache.npm_packages("verdaccio", "verdaccio@6.1.2", overrides={"node-fetch": "2.7.0"}))
    port = scene.port()
    (scene.directory / "config.yaml").write_text(CONFIG.format(port=port))
    scene.start(["node", modules / "verdaccio/bin/verdaccio", "--config", scene.directory / "config.yaml"], port)
    gate = scene.behind({4873: port})
    registry = f"{gate.programs}/"
    (scene.directory / "npmrc").write_text(f"registry={registry}\n{registry.removeprefix('http:')}:_authToken={gate.token()}\n")
    environment = {**os.environ, "HOME": str(scene.directory), "npm_config_userconfig": str(scene.directory / "npmrc"), "npm_config_cache": str(scene.directory / "cache"),
                   "npm_config_globalconfig": "/dev/null", "npm_config_update_notifier": "false", "npm_config_registry": registry}

    def npm(where, *what):
        return run(["npm", *what], cwd=where, env=environment)

    for name in ("boat", "@harbour/boat"):
        source = scene.directory / name.replace("/", "-")
        source.mkdir()
        (source / "package.json").write_text(json.dumps({"name": name, "version": "1.0.0", "main": "index.js"}))
        (source / "index.js").write_text(f"module.exports = {json.dumps(name)};\n")
        for what, command in ((f"publish {name}", ["publish", "--access=public"]), (f"view {name}", ["view", name, "version"])):
            try:
                npm(source, *command)
                scene.see(what, True)
            except Exception as error:
                lines = [line for line in str(error).splitlines() if "error" in line]
                scene.see(what, False, " ".join(lines)[:200])
    home = scene.directory / "home"
    home.mkdir()
    (home / "package.json").write_text('{"private": true}')
    npm(home, "install", "--no-audit", "--no-fund", "boat", "@harbour/boat")
    said = run(["node", "-p", "require('boat') + ' ' + require('@harbour/boat')"], cwd=home).strip()
    scene.see("install both, and use them", said == "boat @harbour/boat", said)
    status, _, body = scene.program("GET", "/boat")
    scene.see("without a token npm is refused", status == 401, f"{status} {body[:100]}")
    page = gate.signed_in("/")
    scene.see("a person sees the registry's page", page.status == 200 and "verdaccio" in page.text.lower(), page.trail())
