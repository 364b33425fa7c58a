"""The console and its API: queues of the virtual host `/`, whose name stands in paths as `%2F`; messages in and out."""
import json
import os
import urllib.parse

from kit.processes import until

PACKAGE = "RabbitMQ management 3.10.8 (Debian)"
VERSION = "3.10.8"


def use(scene):
    where = scene.install(scene.cache.debian, "rabbitmq", "rabbitmq-server")
    port, amqp, dist, epmd = (scene.port() for _ in range(4))
    home = where / f"usr/lib/rabbitmq/lib/rabbitmq_server-{VERSION}"
    (scene.directory / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}\nloopback_users = none\n")
    (scene.directory / "plugins").write_text("[rabbitmq_management].\n")
    erlang = where / "usr/lib/erlang"
    starter = scene.directory / "erl"                                   # Debian's knows no other place than /usr/lib/erlang
    starter.write_text(f'#!/bin/sh\nexport ROOTDIR={erlang} BINDIR={next(erlang.glob("erts-*"))}/bin EMU=beam PROGNAME=erl\nexec "$BINDIR/erlexec" "$@"\n')
    starter.chmod(0o755)
    environment = {**scene.cache.debian_environment(where), "HOME": str(scene.directory), "PATH": f"{scene.directory}:{os.environ['PATH']}",
                   "RABBITMQ_NODENAME": "zengate-apps@localhost", "RABBITMQ_DIST_PORT": str(dist), "ERL_EPMD_PORT": str(epmd), "ERL_EPMD_ADDRESS": "127.0.0.1",
                   "RABBITMQ_MNESIA_BASE": str(scene.directory / "mnesia"), "RABBITMQ_LOGS": "-", "RABBITMQ_CONF_ENV_FILE": "/dev/null",
                   "RABBITMQ_CONFIG_FILE": str(scene.directory / "rabbitmq"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(scene.directory / "plugins"),
                   "RABBITMQ_PID_FILE": str(scene.directory / "pid")}
    scene.start([next(erlang.glob("erts-*")) / "bin/epmd", "-port", epmd, "-address", "127.0.0.1"], epmd)
    scene.start([home / "sbin/rabbitmq-server"], port, 120, env=environment)
    gate = scene.behind({15672: port})
    page = gate.signed_in("/")
    scene.see("the page of the console", page.status == 200 and "RabbitMQ Management" in page.text, f"{page.trail()} {page.text[:200]}")
    own = {"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="}                   # guest, guest: RabbitMQ's own first account
    until(lambda: scene.ask(page, "GET", "/api/overview", **own).status != 503, 20, "its API")
    answer = scene.ask(page, "GET", "/api/vhosts/%2F", **own)
    scene.see("the virtual host /", answer.status == 200 and json.loads(answer.text)["name"] == "/", f"{answer.status} {answer.text[:150]}")
    answer = scene.ask(page, "PUT", "/api/queues/%2F/q1", json_body={"durable": True}, **own)
    scene.see("a queue was declared", answer.status in (201, 204), f"{answer.status} {answer.text[:150]}")
    answer = scene.ask(page, "POST", "/api/exchanges/%2F/amq.default/publish", **own,
                       json_body={"properties": {}, "routing_key": "q1", "payload": "a message", "payload_encoding": "string"})
    scene.see("a message was published", '"routed":true' in answer.text, f"{answer.status} {answer.text[:150]}")
    answer = scene.ask(page, "POST", "/api/queues/%2F/q1/get", json_body={"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}, **own)
    scene.see("and taken out", "a message" in answer.text, f"{answer.status} {answer.text[:150]}")
    name = urllib.parse.quote("a/b c", safe="")
    answer = scene.ask(page, "PUT", f"/api/queues/%2F/{name}", json_body={}, **own)
    scene.see("a queue of the name a/b c", answer.status in (201, 204), f"{answer.status} {answer.text[:150]}")
    answer = scene.ask(page, "GET", f"/api/queues/%2F/{name}", **own)
    scene.see("found by it", answer.status == 200 and json.loads(answer.text)["name"] == "a/b c", f"{answer.status} {answer.text[:150]}")
