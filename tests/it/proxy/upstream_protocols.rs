//! How upstreams are spoken to: TLS with authorities and certificates of their own, HTTP/2, sockets of this machine, and the
//! `Host` they are told.

use std::fs;
use std::time::Duration;

use super::upstream_servers::node;
use crate::support::app::{Speaks, WebApp};
use crate::support::certificates::{Authority, Leaf};
use crate::support::raw::{RawAnswer, exchange, get};
use crate::support::rig::Rig;

fn write(rig: &Rig, name: &str, text: &str) -> String {
    let path = format!("{}/{name}", rig.dir());
    fs::write(&path, text).unwrap();
    if name.ends_with(".key") {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    path
}

async fn ask(rig: &mut Rig, upstream: &str, path: &str) -> RawAnswer {
    let node = node(rig, upstream).await;
    let answer = exchange(node.address(), get(path, "").as_bytes()).await;
    node.stop(Duration::ZERO).await;
    answer
}

async fn tls_app(leaf: &Leaf, alpn: &[&str], clients: Option<&Authority>) -> WebApp {
    WebApp::start_with("app", "127.0.0.1:0", Speaks::Either, Some(leaf.server(alpn, clients))).await
}

// O08
#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_an_upstream_is_checked() {
    let mut rig = Rig::start().await;
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (ca, other) = (write(&rig, "ca.pem", ours.pem()), write(&rig, "other.pem", theirs.pem()));
    let app = tls_app(&ours.leaf(&["127.0.0.1", "app.internal"]), &["http/1.1"], None).await;
    let url = format!("https://{}", app.address);
    let with = |tls: &str| format!("{{ servers: ['{url}'], tls: {{ {tls} }} }}");
    for (tls, status) in [
        (format!("ca_file: {ca}"), 200),
        (format!("ca_file: {ca}, server_name: app.internal"), 200),
        // The same with one thing wrong each.
        (format!("ca_file: {other}"), 502),
        (format!("ca_file: {ca}, server_name: else.internal"), 502),
        ("verify: false".to_owned(), 200),
    ] {
        let answer = ask(&mut rig, &with(&tls), "/pool").await;
        assert_eq!(answer.status(), status, "{tls}: {}", answer.text);
    }
    // The machine's authorities do not know it.
    let before = app.requests();
    assert_eq!(ask(&mut rig, &format!("'{url}'"), "/pool").await.status(), 502);
    assert_eq!(app.requests(), before, "nothing was sent to whom we do not trust");
}

/// One address, two authorities: were the connections of one taken for the other's, a route would send what it holds to a
/// server that it does not trust.
#[tokio::test(flavor = "multi_thread")]
async fn two_upstreams_with_one_address_and_two_authorities_never_share_a_connection() {
    let mut rig = Rig::start().await;
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (ca, other) = (write(&rig, "ca.pem", ours.pem()), write(&rig, "other.pem", theirs.pem()));
    for alpn in [["http/1.1"], ["h2"]] {
        let app = tls_app(&ours.leaf(&["127.0.0.1"]), &alpn, None).await;
        let route = |path: &str, ca: &str| {
            format!(
                "  - {{ host: localhost, path: {path}, access: anonymous, upstream: {{ servers: ['https://{}'], http2: {}, tls: {{ ca_file: {ca} }} }} }}\n",
                app.address,
                alpn == ["h2"]
            )
        };
        rig.choices.routes = route("/good", &ca) + &route("/bad", &other);
        let node = rig.another_node().await;
        for (path, status) in [("/good", 200), ("/bad", 502), ("/good", 200), ("/bad", 502), ("/good", 200)] {
            let answer = exchange(node.address(), get(path, "").as_bytes()).await;
            assert_eq!(answer.status(), status, "{path}: {}", answer.text);
        }
        assert_eq!(app.requests(), 3);
        node.stop(Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_wants_to_know_who_we_are_is_shown_our_certificate() {
    let mut rig = Rig::start().await;
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let app = tls_app(&servers.leaf(&["127.0.0.1"]), &["http/1.1"], Some(&clients)).await;
    let ca = write(&rig, "ca.pem", servers.pem());
    let (good, forged) = (clients.leaf(&["gateway"]), Authority::new("clients").leaf(&["gateway"]));
    let url = format!("https://{}", app.address);
    for (leaf, status) in [(Some(good), 200), (Some(forged), 502), (None, 502)] {
        let shown = leaf.map_or_else(String::new, |leaf| {
            let (certificate, key) =
                (write(&rig, "client.pem", &leaf.certificate), write(&rig, "client.key", &leaf.key));
            format!(", certificate: {certificate}, key: {key}")
        });
        let answer =
            ask(&mut rig, &format!("{{ servers: ['{url}'], tls: {{ ca_file: {ca}{shown} }} }}"), "/pool").await;
        assert_eq!(answer.status(), status, "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_spoken_where_it_is_asked_for_and_agreed_to() {
    let mut rig = Rig::start().await;
    let ours = Authority::new("ours");
    let ca = write(&rig, "ca.pem", ours.pem());
    let leaf = ours.leaf(&["127.0.0.1"]);
    let (both, old) = (tls_app(&leaf, &["h2", "http/1.1"], None).await, tls_app(&leaf, &["http/1.1"], None).await);
    let plain = WebApp::start_with("app", "127.0.0.1:0", Speaks::Http2, None).await;
    let socket = format!("{}/two.sock", rig.dir());
    let _two = WebApp::start_unix("app", socket.clone().into(), Speaks::Http2);
    let tls = |app: &WebApp, http2| {
        format!("{{ servers: ['https://{}'], http2: {http2}, tls: {{ ca_file: {ca} }} }}", app.address)
    };
    for (upstream, version) in [
        (tls(&both, true), "HTTP/2.0"),
        (tls(&both, false), "HTTP/1.1"),
        (tls(&old, true), "HTTP/1.1"),
        (format!("{{ servers: ['http://{}'], http2: true }}", plain.address), "HTTP/2.0"),
        (format!("{{ servers: ['unix:{socket}'], http2: true }}"), "HTTP/2.0"),
    ] {
        let answer = ask(&mut rig, &upstream, "/pool/who?x=1").await;
        assert_eq!(answer.status(), 200, "{upstream}: {}", answer.text);
        let wanted = format!("app {version} GET /pool/who host=localhost forwarded=localhost");
        assert_eq!(answer.body(), wanted, "{upstream}");
    }
    // A body goes through in both directions, and a POST is a POST.
    let node = node(&mut rig, &tls(&both, true)).await;
    let body = "x".repeat(200_000);
    let post = format!(
        "POST /pool/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(node.address(), post.as_bytes()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.text.matches('x').count() - answer.text.split("\r\n\r\n").next().unwrap().matches('x').count(),
        body.len()
    );
    node.stop(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_this_machine_is_an_upstream_like_any_other() {
    let mut rig = Rig::start().await;
    let socket = format!("{}/app.sock", rig.dir());
    // Nobody is there yet.
    let answer = ask(&mut rig, &format!("'unix:{socket}'"), "/pool").await;
    assert_eq!(answer.status(), 502, "{}", answer.text);
    let app = WebApp::start_unix("app", socket.clone().into(), Speaks::Http1);
    let node = node(&mut rig, &format!("'unix:{socket}'")).await;
    for _ in 0..3 {
        let answer = exchange(node.address(), get("/pool/who", "").as_bytes()).await;
        assert_eq!(answer.body(), "app HTTP/1.1 GET /pool/who host=localhost forwarded=localhost", "{}", answer.text);
    }
    assert_eq!(app.connections(), 1, "its connections are kept");
    node.stop(Duration::ZERO).await;
}

// W30
#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_told_the_host_that_it_wants_to_hear() {
    let mut rig = Rig::start().await;
    let app = WebApp::start("app").await;
    let http2 = WebApp::start_with("app", "127.0.0.1:0", Speaks::Http2, None).await;
    let server = format!("{{ servers: ['http://{}'], host: upstream }}", app.address);
    let fixed = format!("{{ servers: ['http://{}'], host: 'wiki.internal:8080' }}", app.address);
    let by_http2 = format!("{{ servers: ['http://{}'], http2: true, host: wiki.internal }}", http2.address);
    let keep = format!("'http://{}'", app.address);
    for (upstream, version, host) in [
        (server, "HTTP/1.1", app.address.to_string()),
        (fixed, "HTTP/1.1", "wiki.internal:8080".to_owned()),
        (by_http2, "HTTP/2.0", "wiki.internal".to_owned()),
        (keep, "HTTP/1.1", "localhost".to_owned()),
    ] {
        let answer = ask(&mut rig, &upstream, "/pool/who").await;
        // What the client asked for is said beside it, whatever the rule.
        assert_eq!(answer.body(), format!("app {version} GET /pool/who host={host} forwarded=localhost"), "{upstream}");
    }
}
