//! Which route judges a request: wildcard hosts and conditions.

use zengate_simulator::AutoConsent;

use super::signed_in;
use crate::support::browser::Browser;
use crate::support::raw::{exchange, get};
use crate::support::rig::{Choices, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn one_gate_for_all_hosts_below_a_name() {
    // W39, H14, B04: each host has its own session, and the one sign-in of all
    let routes = "  - { host: '*.localhost', path: /app, access: session, upstream: 'UPSTREAM' }\n".to_owned();
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    let at = |host: &str, path: &str| format!("http://{host}:{}{path}", rig.address.port());
    rig.simulator.ui().set(|rules| rules.auto_choose = Some("maya".to_owned()));
    for carrier in rig.simulator.carriers() {
        carrier.set(|rules| rules.auto_consent = Some(AutoConsent::default()));
    }
    let browser = Browser::new();
    for host in ["second.localhost", "third.localhost"] {
        assert_eq!(browser.open(at(host, "/oauth2/session")).await.status, 401, "{host}");
        let page = browser.go(at(host, "/app/x?y=1")).await;
        assert_eq!((page.status.as_u16(), page.url.as_str()), (200, at(host, "/app/x?y=1").as_str()));
        assert_eq!(rig.upstream.last().one("host"), Some(format!("{host}:{}", rig.address.port())));
    }
    let session = |host: &str| browser.cookies(host).get("__Host-gw").cloned().unwrap();
    assert_ne!(session("second.localhost"), session("third.localhost"));
    // What no route covers, and whoever only looks like one of them.
    let port = rig.address.port();
    for (host, status) in
        [("second.localhost", 403), ("a.second.localhost", 421), ("localhost.evil.test", 421), ("evillocalhost", 421)]
    {
        let before = rig.upstream.count();
        let request = format!("GET /other HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
        assert_eq!(exchange(rig.address, request.as_bytes()).await.status(), status, "{host}");
        assert_eq!(rig.upstream.count(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_is_what_the_app_takes_it_for() {
    // MV10, W39: what is open for GET alone is open for nothing else, whatever a header says of the method
    let routes = "  - { host: localhost, path: /m, access: session, upstream: 'UPSTREAM' }
  - { host: localhost, path: /m, methods: [GET], access: anonymous, upstream: 'UPSTREAM' }
  - { host: localhost, path: /m/alone, exact: true, access: anonymous, upstream: 'UPSTREAM' }
  - { host: localhost, path: /m, headers: { X-Release: beta }, access: session, upstream: 'UPSTREAM', require: { claims: { groups: [x] } } }\n";
    let rig = Rig::with(Choices { routes: routes.to_owned(), ..Choices::default() }).await;
    let cookie = signed_in(&rig).await;
    let status = async |method: &str, path: &str, lines: &str| {
        exchange(rig.address, get(path, lines).replacen("GET", method, 1).as_bytes()).await.status()
    };
    for (method, path, lines, wanted) in [
        ("GET", "/m/x", "", 200),
        ("DELETE", "/m/x", "", 401),
        ("DELETE", "/m/x", cookie.as_str(), 200),
        ("get", "/m/x", "", 403),
        ("get", "/m/x", &cookie, 403),
        ("DELETE", "/m/alone", "", 200),
        ("DELETE", "/m/alone/", "", 401),
        ("DELETE", "/m/alone/x", "", 401),
        ("GET", "/m/x", "X-Release: beta\r\n", 401),
        ("GET", "/m/x", &format!("{cookie}X-Release: beta\r\n"), 403),
        ("GET", "/m/x", "X-Release: Beta\r\n", 200),
    ] {
        assert_eq!(status(method, path, lines).await, wanted, "{method} {path} {lines}");
    }
    for name in ["X-HTTP-Method-Override", "X_HTTP_Method-Override", "x-http-method", "X-Method-Override"] {
        let told = format!("{name}: DELETE\r\nX-Other: here\r\n");
        assert_eq!(status("GET", "/m/x", &told).await, 200);
        let seen = rig.upstream.last();
        assert!(!seen.head.contains("DELETE") && seen.head.contains("here"), "{}", seen.head);
    }
    // The twin: where no method counts, it is the app's own business.
    let rig = Rig::start().await;
    let told = "X-HTTP-Method-Override: DELETE\r\n";
    assert_eq!(exchange(rig.address, get("/public", told).as_bytes()).await.status(), 200);
    assert!(rig.upstream.last().head.contains("DELETE"));
}
