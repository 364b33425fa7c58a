"""People use the console and its API; programs query and federate with a token."""
import urllib.parse

from kit.processes import until

PACKAGE = "Prometheus 2.42 (Debian)"
SERVED = '{job="prometheus"}'


def use(scene):
    where = scene.install(scene.cache.debian, "prometheus", "prometheus")
    port = scene.port()
    (scene.directory / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: prometheus, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n")
    (scene.directory / "consoles").mkdir()
    (scene.directory / "consoles/served.html").write_text('<h1>Served</h1>{{ range query "up" }}<p>{{ .Labels.job }} is up</p>{{ end }}\n')
    scene.start([where / "usr/bin/prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}",
                 "--web.console.templates=consoles", "--web.external-url=http://localhost/", "--web.route-prefix=/"], port)
    gate = scene.behind({9090: port})
    page = gate.signed_in("/consoles/served.html")                      # the graph's own files would have to lie in /usr/share
    scene.see("a console", page.status == 200 and "<h1>Served</h1>" in page.text, f"{page.trail()} {page.text[:200]}")
    query = urllib.parse.urlencode({"query": f"up{SERVED}"})
    until(lambda: '"metric"' in scene.ask(page, "GET", f"/api/v1/query?{query}").text, 20, "the first samples of Prometheus itself")
    scene.see("a query with braces and quotes", page.status == 200 and '"up"' in page.text, page.text[:200])
    answer = scene.ask(page, "POST", "/api/v1/query_range", urllib.parse.urlencode({"query": "up", "start": "1700000000", "end": "1700000060", "step": "15"}),
                       Content_Type="application/x-www-form-urlencoded")
    scene.see("a query by POST", answer.status == 200 and "matrix" in answer.text, answer.text[:200])
    status, _, body = scene.program("GET", f"/federate?{urllib.parse.urlencode({'match[]': SERVED})}", token=gate.token())
    scene.see(f"a federation by a program with a token ({len(body)} bytes)", status == 200 and b"prometheus" in body, f"{status} {body[:100]}")
    status, headers, _ = scene.program("GET", f"/api/v1/query?{query}", Accept="application/json")
    scene.see("a program without one is refused", status == 401, f"{status} {headers}")
    answer = scene.ask(page, "POST", "/-/reload")
    scene.see("its reload is out of reach", answer.status != 200, answer.text[:100])
