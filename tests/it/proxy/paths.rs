//! H: one reading of a path, judged and forwarded byte for byte.

use super::{refused, signed_in};
use crate::support::raw::{Connection, exchange, get};
use crate::support::rig::{Choices, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn a_path_of_two_readings_is_refused() {
    // H01–H04, H06, H07, H09, H11
    let routes = "  - { host: localhost, path: /svc, access: anonymous, upstream: 'UPSTREAM' }\n".to_owned();
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    for path in [
        "/public/../admin",
        "/public/./../admin",
        "/public/..",
        "/public/.",
        "/./admin",
        "/../admin",
        "/public/.../admin",
        "/public/%2e%2e/admin",
        "/public/%2E./admin",
        "/public/.%2e/admin",
        "/public/%2e/admin",
        "/%2e%2e/admin",
        "/public%2f..%2fadmin",
        "/public/..%2fadmin",
        "/public/%2fadmin",
        "/public%2Fadmin",
        "/public%5c..%5cadmin",
        "/public/..%5cadmin",
        "/public/..\\admin",
        "/public\\..\\admin",
        "\\admin",
        "/public/%252e%252e/admin",
        "/public/%252e%252e%252fadmin",
        "/public/%25%32%65%25%32%65/admin",
        "/public/%c0%ae%c0%ae/admin",
        "/public/%ff/x",
        "/admin#/public",
        "/public#/../admin",
        "/public#",
        "/public?x#y",
        "//admin",
        "/.//admin",
        "///admin",
        "//evil.test/admin",
        "/public//admin",
        "/public//../admin",
        "/public/..;/admin",
        "/public;x=1/../admin",
        "/public/..;x=1/admin",
        "/public/%2e%2e;/admin",
        "/public/.;/admin",
        "/public/;/../admin",
        "/svc/../admin",
        "/svc%2f..",
        "/svc%2f../admin",
        "/public/%00",
        "/public/%0d%0aX-Auth-Sub:%20root",
        "/public/%1b",
        "/public/%",
        "/public/%zz",
        "/public/%4",
        "/public/%7f",
    ] {
        refused(&rig, get(path, "").as_bytes(), &[400]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_an_odd_sign_is_refused_not_repaired() {
    // H10
    let rig = Rig::start().await;
    for sign in [" ", "\t", "\x7f", "\x01", "\x0b", "\x1b", "<", ">", "\"", "ü", "\u{202e}", "\\"] {
        for target in [format!("/public/{sign}x"), format!("/public?x={sign}y")] {
            // W11: in a query these are data, and nobody reads them as anything else.
            if target.contains('?') && ["\\", "<", ">", "\"", "ü", "\u{202e}"].contains(&sign) {
                continue;
            }
            refused(&rig, get(&target, "").as_bytes(), &[400]).await;
        }
    }
    let latin = b"GET /public/\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    refused(&rig, latin, &[400]).await;
    refused(&rig, b"GET /public/\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_never_part_of_the_rule() {
    // H05
    let rig = Rig::start().await;
    for path in ["/app?x=/public", "/admin?/public/", "/admin?skip=/public", "/app?/../public", "/app/?..;/public"] {
        refused(&rig, get(path, "").as_bytes(), &[401]).await;
    }
    for path in ["/public?x=/app", "/public?/../admin", "/public/?a=%2e%2e%2f", "/public?a=%zz&b"] {
        let answer = exchange(rig.address, get(path, "").as_bytes()).await;
        assert_eq!((answer.status(), rig.upstream.last().target()), (200, path));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_cover_whole_segments_decoded_once_and_case_matters() {
    // H08, H11, H18
    let rig = Rig::start().await;
    for (path, status) in [
        ("/%61dmin", 401),
        ("/%61%64%6d%69%6e", 401),
        ("/adm%69n/", 401),
        ("/admin/", 401),
        ("/admin/x", 401),
        ("/a%70p/x", 401),
        ("/ADMIN", 403),
        ("/adminX", 403),
        ("/admin.json", 403),
        ("/Public", 403),
        ("/publicity", 403),
        ("/", 403),
        ("/svc../admin", 403),
        ("/appx", 403),
        ("/nowhere", 403),
    ] {
        refused(&rig, get(path, "").as_bytes(), &[status]).await;
    }
    // What is forwarded is what was judged.
    for (sent, forwarded) in [
        ("/public/%61%2D%7e", "/public/%61%2D%7e"),
        ("/p%75blic/x", "/public/x"),
        ("/public/%c3%bc", "/public/%c3%bc"),
        ("/public/a%20b", "/public/a%20b"),
        ("/public/x;y=1", "/public/x;y=1"),
        ("/public/%40@", "/public/%40@"),
    ] {
        let answer = exchange(rig.address, get(sent, "").as_bytes()).await;
        assert_eq!(answer.status(), 200, "{sent}: {}", answer.text);
        assert_eq!(rig.upstream.last().target(), forwarded);
    }
    let cookie = signed_in(&rig).await;
    for (path, status) in [("/%61pp/%78?%61", 200), ("/%61dmin", 403)] {
        let answer = exchange(rig.address, get(path, &cookie).as_bytes()).await;
        assert_eq!(answer.status(), status, "{path}");
    }
    assert_eq!(rig.upstream.last().target(), "/app/x?%61");
}

/// A rig with RabbitMQ, as it were, on a host of its own, and an app below a prefix.
async fn as_is() -> Rig {
    let routes = concat!(
        "  - { host: rabbit.test, access: session, paths: as-is, upstream: 'UPSTREAM' }\n",
        "  - { host: open.test, access: anonymous, paths: as-is, upstream: 'UPSTREAM' }\n",
        "  - { host: localhost, path: /dav, access: anonymous, paths: as-is, upstream: 'UPSTREAM' }\n",
    );
    Rig::with(Choices { routes: routes.to_owned(), ..Choices::default() }).await
}

fn on(host: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_says_so_gets_paths_as_they_are() {
    // W07, W09
    let rig = as_is().await;
    for (host, target) in [
        ("open.test", "/api/vhosts/%2F"),
        ("open.test", "/api/queues/%2f/q1?%61=//"),
        ("open.test", "/@t3%2fx"),
        ("open.test", "/x/https://host/a"),
        ("open.test", "//d1//a.txt"),
        ("open.test", "/100%2525.txt"),
        ("open.test", "/caf%E9/%61%7e"),
        ("open.test", "/a%5cb/%20/;x"),
        ("localhost", "/dav/d1//a.txt"),
        ("localhost", "/dav/%2F/x"),
        ("localhost", "/dav//oauth2/start"),
    ] {
        let answer = exchange(rig.address, on(host, target).as_bytes()).await;
        assert_eq!(answer.status(), 200, "{target}: {}", answer.text);
        assert_eq!(rig.upstream.last().target(), target);
        // The twin: the same on a route that does not say so.
        refused(&rig, get(&format!("/public{target}"), "").as_bytes(), &[400]).await;
    }
    // Who must be signed in must be here too, and is nowhere led around it.
    for target in ["/api/vhosts/%2F", "//x", "/x%2f..x"] {
        refused(&rig, on("rabbit.test", target).as_bytes(), &[401]).await;
    }
    for (host, target) in [
        ("localhost", "/dav/../admin"),
        ("localhost", "/dav/..%2fadmin"),
        ("localhost", "/dav%2f..%2fadmin"),
        ("localhost", "/dav/%252e%252e/admin"),
        ("localhost", "//dav/x"),
        ("localhost", "/dav/%c0%ae%c0%ae%c0%afadmin"),
        ("localhost", "/dav/..%5cadmin"),
        ("localhost", "/dav/x%00"),
        ("localhost", "/x//dav"),
        ("open.test", "//oauth2/start"),
        ("open.test", "/%2Foauth2/start"),
        ("open.test", "/oauth2%2fstart"),
        ("open.test", "//x/oauth2/start"),
        ("open.test", "/a/../b"),
        ("open.test", "/%0d%0aX-A:%20b"),
        ("unknown.test", "/x//y"),
    ] {
        refused(&rig, on(host, target).as_bytes(), &[400]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reads_in_two_ways_is_taken() {
    // W11
    let routes = "  - { host: even.test, access: anonymous, upstream: 'UPSTREAM' }\n".to_owned();
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    for (sent, forwarded) in [
        ("/?q={app=\"x\"}", "/?q={app=%22x%22}"),
        ("/?x=<é>|^`", "/?x=%3Cé%3E|^`"),
        ("/?x=é\u{202e}", "/?x=é\u{202e}"),
        ("/caf%E9", "/caf%E9"),
        ("/...", "/..."),
        ("/;x", "/;x"),
        ("/%7Eu/%e2%82%ac", "/%7Eu/%e2%82%ac"),
        ("/x[1]{2}|3^4`5'6", "/x[1]{2}|3^4%605'6"),
    ] {
        for before in ["", "\r\n"] {
            let answer = exchange(rig.address, format!("{before}{}", on("even.test", sent)).as_bytes()).await;
            assert_eq!(answer.status(), 200, "{sent}: {}", answer.text);
            assert_eq!(rig.upstream.last().target(), forwarded);
        }
    }
    // An empty line behind the request before, as old clients send it.
    let mut connection = Connection::open(rig.address).await;
    for _ in 0..3 {
        let answer = connection.exchange(format!("\r\n{}", on("even.test", "/again"))).await;
        assert_eq!(answer.status(), 200, "{}", answer.text);
    }
    // Where the host has routes of different strength, a path that some server may fold is refused as before.
    for target in ["/public/caf%E9", "/public/...", "/public/;x"] {
        refused(&rig, get(target, "").as_bytes(), &[400]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_passes_for_what_they_call_themselves() {
    // H12: CVE-2026-34457
    let rig = Rig::start().await;
    for agent in ["GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0", "Prometheus/3.0", "zengate-health"] {
        refused(&rig, get("/app", &format!("User-Agent: {agent}\r\n")).as_bytes(), &[401]).await;
        let answer =
            refused(&rig, get("/app", &format!("User-Agent: {agent}\r\nAccept: text/html\r\n")).as_bytes(), &[302])
                .await;
        assert_eq!(answer.header("location"), Some("/oauth2/start?rd=%2Fapp"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_addresses_never_reach_an_app() {
    // H13
    let routes = "  - { host: localhost, path: /, access: anonymous, upstream: 'UPSTREAM' }\n".to_owned();
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    for (path, statuses) in [
        ("/oauth2/auth/../../app", &[400_u16][..]),
        ("/oauth2/callback/x", &[404]),
        ("/oauth2/nothing", &[404]),
        ("/oauth2", &[404]),
        ("/oauth2/", &[404]),
        ("/%6fauth2/nothing", &[404]),
        ("/oauth2/start/", &[404]),
        ("/OAUTH2/start", &[403, 404]),
        ("/Oauth2", &[403, 404]),
        ("/oauth2;x/start", &[400, 403, 404]),
        ("/oauth2%2fstart", &[400]),
        ("//oauth2/start", &[400]),
        ("/oauth2/auth", &[404]),
        ("/oauth2/backchannel-logout", &[404]),
    ] {
        refused(&rig, get(path, "").as_bytes(), statuses).await;
    }
    let answer = exchange(rig.address, get("/oauth2x", "").as_bytes()).await;
    assert_eq!((answer.status(), rig.upstream.last().target()), (200, "/oauth2x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_nobody_configured_has_no_app() {
    // H14, H16, H17
    let rig = Rig::start().await;
    for host in ["evil.test", "localhost.evil.test", "127.0.0.1", "[::1]", "localhost_", "xlocalhost", "LOCALHOST.evil"]
    {
        let request = format!("GET /public HTTP/1.1\r\nHost: {host}\r\n\r\n");
        refused(&rig, request.as_bytes(), &[421]).await;
    }
    for host in ["LocalHost", "localhost:1", "localhost.", "localhost.:80"] {
        let answer = exchange(rig.address, format!("GET /public HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
        assert_eq!(answer.status(), 200, "{host}: {}", answer.text);
    }
    for target in [
        "http://evil.test/public",
        "http://localhost@evil.test/public",
        "https://localhost/public",
        "http://x@localhost/public",
        "http:/public",
        "http://",
        "ftp://localhost/public",
        "localhost/public",
        "public",
        "*",
        "?x",
        "http://localhost\\@evil.test/",
        "http://localhost/public/../admin",
        "http://localhost//admin",
        "http://localhost/public#x",
    ] {
        refused(&rig, get(target, "").as_bytes(), &[400]).await;
    }
    refused(&rig, b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400, 200, 204]).await;
    refused(&rig, get("http://localhost/admin", "").as_bytes(), &[401]).await;
    for (target, forwarded) in [("http://localhost/public?x", "/public?x"), ("HTTP://localhost/public", "/public")] {
        let answer = exchange(rig.address, get(target, "").as_bytes()).await;
        assert_eq!((answer.status(), rig.upstream.last().target()), (200, forwarded));
    }
}
