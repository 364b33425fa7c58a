//! Whose fault it is, what is dropped, and what caches are told.

use std::time::Duration;

use super::signed_in;
use crate::support::puppet::Puppet;
use crate::support::raw::{Connection, exchange, get};
use crate::support::rig::{Choices, Rig};
use crate::support::upstream::Then;
use crate::support::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_went_away_is_nobodys_failure() {
    // Item 7 of the proxy's promises: blame lies on the right side
    let puppet = Puppet::start(|mut strings| async move {
        if strings.head.contains("/begun") {
            strings.say("HTTP/1.1 200 OK\r\n\r\nsome").await;
        }
        strings.listen().await;
    })
    .await;
    let routes =
        format!("  - {{ host: localhost, path: /puppet, access: session, upstream: 'http://{}' }}\n", puppet.address);
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    let cookie = signed_in(&rig).await;
    let metrics = rig.app().metrics();
    let refusals = || metrics.render().lines().filter(|line| line.starts_with("zengate_refusals_total")).count();
    let (before, gone) = (refusals(), || requests(&rig, "client_gone"));
    for (turn, path) in ["/puppet/silent", "/puppet/begun"].into_iter().enumerate() {
        let mut connection = Connection::open(rig.address).await;
        connection.send(get(path, &cookie)).await;
        if turn == 1 {
            connection.bytes(20).await;
        } else {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        drop(connection);
        wait_until(|| gone() == turn + 1).await;
    }
    assert_eq!((refusals(), requests(&rig, "upstream_failed")), (before, 0));
    // The twin: an app that breaks off is to blame, and nobody else.
    rig.upstream.script("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome", Then::HangUp);
    let mut connection = Connection::open(rig.address).await;
    connection.send(get("/app", &cookie)).await;
    connection.rest(Duration::from_secs(5)).await;
    wait_until(|| requests(&rig, "upstream_failed") == 1).await;
    assert_eq!(gone(), 2);
}

fn requests(rig: &Rig, outcome: &str) -> usize {
    let text = rig.app().metrics().render();
    let line = text.lines().find(|line| line.starts_with(&format!("zengate_requests_total{{outcome=\"{outcome}\"}}")));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_for_the_app_pass_where_nobody_else_takes_them() {
    // W24: by default on anonymous routes; elsewhere it is counted that they do not
    let routes =
        "  - { host: localhost, path: /closed, access: anonymous, upstream: UPSTREAM, pass_authorization: false }\n";
    let rig = Rig::with(Choices { routes: routes.to_owned(), ..Choices::default() }).await;
    let cookie = signed_in(&rig).await;
    let basic = format!("{cookie}Authorization: Basic Zzpn\r\n");
    for (path, passes, dropped) in [("/public", true, 0), ("/closed", false, 1), ("/app", false, 2)] {
        assert_eq!(exchange(rig.address, get(path, &basic).as_bytes()).await.status(), 200);
        assert_eq!(rig.upstream.last().one("authorization").is_some(), passes, "{path}");
        assert_eq!(rig.app().metrics().dropped.with_label_values(&["authorization"]).get(), dropped, "{path}");
    }
    // MV11: names that other gateways write are nobody's to say; what only begins like one passes.
    let lines = "X-User: root\r\nX_User: root\r\nX-Consumer-Username: root\r\nX-Userinfo: root\r\nX-Jwt-Assertion: root\r\n\
                 X-Groups: root\r\nX-Email: root\r\nX-Access-Token: root\r\nX-User-Agent: grpc-web\r\n";
    assert_eq!(exchange(rig.address, get("/public", lines).as_bytes()).await.status(), 200);
    let head = rig.upstream.last().head;
    assert!(!head.contains("root") && head.contains("grpc-web"), "{head}");
    assert_eq!(rig.app().metrics().dropped.with_label_values(&["identity_header"]).get(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_somebody_is_for_no_cache_between_unless_the_app_says_so() {
    // FD11, item 7
    let rig = Rig::start().await;
    let cookie = signed_in(&rig).await;
    for (says, told) in [
        ("", Some("private")),
        ("Cache-Control: public, max-age=60\r\n", Some("public, max-age=60")),
        ("Cache-Control: no-store\r\n", Some("no-store")),
        ("Expires: Thu, 01 Dec 2050 16:00:00 GMT\r\n", None),
    ] {
        rig.upstream.answer(&format!("HTTP/1.1 200 OK\r\n{says}Content-Length: 2\r\n\r\nok"));
        let answer = exchange(rig.address, get("/app", &cookie).as_bytes()).await;
        assert_eq!(answer.header("cache-control"), told, "{says}: {}", answer.text);
        // The twin: an answer to nobody is the app's own business.
        let answer = exchange(rig.address, get("/public", "").as_bytes()).await;
        assert_eq!(answer.header("cache-control"), told.filter(|told| *told != "private"), "{says}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_names_the_request_its_prefix_and_its_port() {
    // W15, MV19, G07; G06: from anybody else nothing of it is believed
    let trusted = Rig::with(Choices { top: "trusted_proxies: [127.0.0.1]\n".to_owned(), ..Choices::default() }).await;
    let stranger = Rig::start().await;
    let told = async |rig: &Rig, lines: &str| {
        assert_eq!(exchange(rig.address, get("/public", lines).as_bytes()).await.status(), 200);
        let seen = rig.upstream.last();
        let id = seen.one("x-request-id").unwrap();
        (id, seen.one("x-forwarded-prefix"), seen.one("x-forwarded-port"), seen.one("x-forwarded-for").unwrap())
    };
    let text = |text: &str| Some(text.to_owned());
    let lines =
        "X-Request-Id: trace-1/a.b\r\nX-Forwarded-Prefix: /apps/one\r\nX-Forwarded-Port: 8443\r\nX-Forwarded-For:\r\n";
    let honest = told(&trusted, lines).await;
    assert_eq!(honest, ("trace-1/a.b".into(), text("/apps/one"), text("8443"), "127.0.0.1".into()));
    let (id, prefix, port, client) = told(&stranger, lines).await;
    assert_eq!((id.len(), prefix, port, client.as_str()), (16, None, None, "127.0.0.1"));
    for odd in [
        "X-Request-Id: a b\r\nX-Forwarded-Prefix: //evil.example\r\nX-Forwarded-Port: 0\r\n".to_owned(),
        "X-Request-Id: a\r\nX-Request-Id: b\r\nX-Forwarded-Prefix: /a\r\nX-Forwarded-Prefix: /b\r\nX-Forwarded-Port: 8a\r\n".into(),
        format!("X-Request-Id: {}\r\nX-Forwarded-Prefix: /<script>\r\nX-Forwarded-Port: 65536\r\n", "a".repeat(129)),
    ] {
        let (id, prefix, port, _) = told(&trusted, &odd).await;
        assert_eq!((id.len(), prefix, port), (16, None, None), "{odd}");
    }
}
