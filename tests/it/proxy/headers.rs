//! G: who somebody is, an app hears from the gateway and from nobody else.

use super::{plain, refused, signed_in};
use crate::support::raw::{Connection, exchange, get};
use crate::support::rig::{Choices, Rig};
use crate::support::upstream::Seen;

/// A value that must never arrive.
const FORGED: &str = "root-the-forged";

/// Names that belong to us, to a preset, or to a gateway somebody migrated from.
const RESERVED: &[&str] = &[
    "x-auth-sub",
    "x-auth-issuer",
    "x-auth-email",
    "x-auth-assertion",
    "x-auth-whatever",
    "x-zenkey-sub",
    "x-zenkey-issuer",
    "x-zenkey-email",
    "x-zenkey-acr",
    "x-zenkey-phone",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "remote-user",
    "remote-email",
    "remote-groups",
    "x-webauth-user",
    "cf-access-jwt-assertion",
];

/// Spellings of `name` that some back end folds to the same variable.
fn spellings(name: &str) -> Vec<String> {
    let alternate = |(at, c): (usize, char)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c };
    let title = |part: &str| part[..1].to_uppercase() + &part[1..];
    let mut all = vec![
        name.to_owned(),
        name.to_uppercase(),
        name.split('-').map(title).collect::<Vec<_>>().join("-"),
        name.chars().enumerate().map(alternate).collect(),
        name.replacen('-', "_", 1),
        name.to_uppercase().replace('-', "_"),
        format!("{name}-"),
        format!("{name}_"),
        format!("{name}.x"),
    ];
    if let Some(last) = name.rfind('-') {
        all.push(format!("{}_{}", &name[..last], &name[last + 1..]));
    }
    all.extend("_.~!#$%&'*+^`|".chars().map(|separator| name.replace('-', &separator.to_string())));
    all
}

/// What an app is told about a request, but for the request's own id.
fn known(seen: &Seen) -> Vec<(String, String)> {
    seen.fields().into_iter().filter(|(name, _)| name != "x-request-id").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_reserved_name_changes_what_an_app_is_told() {
    // G01–G05, G09
    let rig = Rig::start().await;
    let cookie = signed_in(&rig).await;
    let names: Vec<String> = RESERVED.iter().flat_map(|name| spellings(name)).collect();
    assert!(names.len() >= 300, "{}", names.len());
    for (path, cookie) in [("/app", cookie.as_str()), ("/public", ""), ("/public", cookie.as_str())] {
        let mut connection = Connection::open(rig.address).await;
        connection.exchange(get(path, cookie)).await;
        let honest = known(&rig.upstream.last());
        let identity = honest.iter().filter(|(name, _)| RESERVED.contains(&name.as_str())).count();
        assert_eq!(identity > 0, path == "/app", "{honest:?}");
        for (turn, name) in names.iter().enumerate() {
            let lines = match turn % 5 {
                0 => format!("{name}: {FORGED}\r\n"),
                1 => format!("{name}: {FORGED}\r\n{name}: {FORGED}2\r\n"),
                2 => format!("{name}: {FORGED}, x, {FORGED}\r\n"),
                3 => format!("Connection: {name}\r\n{name}: {FORGED}\r\n"),
                _ => format!("{name}:\r\n{name}: {FORGED}\r\nConnection: keep-alive, {name}\r\n"),
            };
            let before = rig.upstream.count();
            let answer = connection.exchange(get(path, &format!("{cookie}{lines}"))).await;
            assert_eq!(answer.status(), 200, "{lines}: {}", answer.text);
            assert_eq!(rig.upstream.count(), before + 1);
            let seen = rig.upstream.last();
            assert!(!seen.head.contains(FORGED), "{lines}: {}", seen.head);
            assert_eq!(known(&seen), honest, "{lines}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_the_session_has_no_value_for_is_absent() {
    // G04: nobody shared a phone number, a birthdate or groups
    let rig = Rig::start().await;
    let cookie = signed_in(&rig).await;
    for name in ["X-ZenKey-Phone", "X-ZenKey-Birthdate", "X-Auth-Request-Groups", "Remote-Groups", "X-Forwarded-Groups"]
    {
        exchange(rig.address, get("/app", &format!("{cookie}{name}: {FORGED}\r\n")).as_bytes()).await;
        assert_eq!(rig.upstream.last().all(name), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nomination_takes_nothing_from_an_app_that_it_needs() {
    // G09, G10: CVE-2026-105299, CVE-2024-45410, CVE-2026-29054
    let rig = Rig::start().await;
    let cookie = signed_in(&rig).await;
    exchange(rig.address, get("/app", &format!("{cookie}Cookie: theirs=1\r\n")).as_bytes()).await;
    let honest = known(&rig.upstream.last());
    for nominated in [
        "X-Auth-Sub",
        "x-auth-sub",
        "close, X-Auth-Sub, X-Auth-Issuer",
        "keep-alive,X-ZenKey-Sub,x-forwarded-user",
        "x-forwarded-for",
        "X-Forwarded-Proto, x-forwarded-host",
        "cookie",
        "Cookie, cookie",
        "authorization",
        "content-length",
        "host",
        "Host, X-Auth-Email",
        "transfer-encoding",
        "X_Auth_Sub",
        ",,X-Auth-Sub,,",
    ] {
        let lines = format!("{cookie}Cookie: theirs=1\r\nConnection: {nominated}\r\n");
        let answer = exchange(rig.address, get("/app", &lines).as_bytes()).await;
        assert_eq!(answer.status(), 200, "{nominated}: {}", answer.text);
        assert_eq!(known(&rig.upstream.last()), honest, "{nominated}");
    }
    // Two fields are one list.
    let lines = format!("{cookie}Cookie: theirs=1\r\nConnection: X-Auth-Sub\r\nConnection: x-auth-issuer, cookie\r\n");
    exchange(rig.address, get("/app", &lines).as_bytes()).await;
    assert_eq!(known(&rig.upstream.last()), honest);
    // Without a cookie there is no session, nominated or not.
    let answer = exchange(rig.address, get("/app", "Connection: cookie\r\n").as_bytes()).await;
    assert_eq!(answer.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nomination_that_is_no_name_is_refused() {
    // G11
    let rig = Rig::start().await;
    for value in ["\"x\"", "a b", "x:y", "x;y", "x/y", "(x)", "x-auth-sub\u{e9}", "{", "x,y z"] {
        refused(&rig, get("/public", &format!("Connection: {value}\r\n")).as_bytes(), &[400]).await;
    }
    let answer = exchange(rig.address, get("/public", "Connection: x, close\r\n").as_bytes()).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speaks_of_the_connection_is_rebuilt_or_removed() {
    // G06: nobody is trusted unless configured
    let rig = Rig::start().await;
    let names = [
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Forwarded-Method",
        "X-Forwarded-Ssl",
        "X-Forwarded-Scheme",
        "X-Forwarded-Server",
        "X-Forwarded-Client-Cert",
        "Forwarded",
        "X-Real-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Original-Host",
        "X-Host",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "Proxy",
        "X_Forwarded_For",
        "x_real_ip",
        "X-HTTP-Host-Override",
        "Front-End-Https",
    ];
    for path in ["/public", "/app"] {
        let cookie = if path == "/app" { signed_in(&rig).await } else { String::new() };
        exchange(rig.address, get(path, &cookie).as_bytes()).await;
        let honest = known(&rig.upstream.last());
        for name in names {
            for value in ["203.0.113.9", "https", "for=203.0.113.9;proto=https;host=evil.test", "/admin"] {
                exchange(rig.address, get(path, &format!("{cookie}{name}: {value}\r\n")).as_bytes()).await;
                assert_eq!(known(&rig.upstream.last()), honest, "{name}: {value}");
            }
        }
        let value = |wanted: &str| honest.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(value("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(value("x-forwarded-proto"), Some("http"));
        assert_eq!(value("x-forwarded-host"), Some("localhost"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_speaks_for_the_client_and_for_nothing_else() {
    // G07
    let top = "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]\n".to_owned();
    let rig = Rig::with(Choices { top, ..Choices::default() }).await;
    let lines = "X-Forwarded-For: 203.0.113.9, 10.1.2.3\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n\
                 X-Real-IP: 198.51.100.1\r\nX-Auth-Sub: root-the-forged\r\nX-Original-URL: /admin\r\nForwarded: for=1.2.3.4\r\n";
    exchange(rig.address, get("/public", lines).as_bytes()).await;
    let seen = rig.upstream.last();
    assert_eq!(seen.one("x-forwarded-for").unwrap(), "203.0.113.9, 10.1.2.3, 127.0.0.1");
    assert_eq!(seen.one("x-forwarded-proto").unwrap(), "https");
    assert_eq!(seen.one("x-forwarded-host").unwrap(), "localhost");
    for name in ["x-real-ip", "x-auth-sub", "x-original-url", "forwarded"] {
        assert_eq!(seen.one(name), None, "{name}");
    }
    // Several fields are one list, in order.
    let lines = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 10.1.2.3\r\n";
    exchange(rig.address, get("/public", lines).as_bytes()).await;
    assert_eq!(rig.upstream.last().one("x-forwarded-for").unwrap(), "203.0.113.9, 10.1.2.3, 127.0.0.1");
    // What is no scheme is not one from a trusted mouth either.
    exchange(rig.address, get("/public", "X-Forwarded-Proto: javascript\r\n").as_bytes()).await;
    assert_eq!(rig.upstream.last().one("x-forwarded-proto").unwrap(), "http");
    // Attacks, class G: a scheme that is said twice is not said, and no hop before one that cannot be read is told.
    let twice = "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n";
    exchange(rig.address, get("/public", twice).as_bytes()).await;
    assert_eq!(rig.upstream.last().one("x-forwarded-proto").unwrap(), "http");
    let hidden = [b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: \xff\r\n".to_vec()].concat();
    let mut request = get("/public", "").into_bytes();
    let end = request.len() - 2;
    request.splice(end..end, hidden);
    exchange(rig.address, &request).await;
    assert_eq!(rig.upstream.last().one("x-forwarded-for").unwrap(), "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_for_one_hop_end_here() {
    // G12
    let rig = Rig::start().await;
    let lines = "Keep-Alive: timeout=5\r\nTE: trailers\r\nTrailer: X-Auth-Sub\r\nProxy-Connection: keep-alive\r\n\
                 Proxy-Authorization: Basic eDp5\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n";
    exchange(rig.address, get("/public", "").as_bytes()).await;
    let honest = known(&rig.upstream.last());
    exchange(rig.address, get("/public", lines).as_bytes()).await;
    let seen = known(&rig.upstream.last());
    let extra: Vec<_> = seen.iter().filter(|field| !honest.contains(field) && field.0 != "http2-settings").collect();
    assert!(extra.is_empty(), "{extra:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailer_is_no_header() {
    // G13
    let rig = Rig::start().await;
    let cookie = signed_in(&rig).await;
    for (path, cookie) in [("/public", ""), ("/app", cookie.as_str())] {
        let before = rig.upstream.count();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{cookie}Trailer: X-Auth-Sub\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\nhello\r\n0\r\nX-Auth-Sub: {FORGED}\r\nX_Auth_Sub: {FORGED}\r\n\r\n"
        );
        let answer = exchange(rig.address, request.as_bytes()).await;
        assert!(matches!(answer.status(), 200 | 400), "{}", answer.text);
        if answer.status() == 200 {
            assert_eq!(rig.upstream.count(), before + 1);
            assert_eq!(rig.upstream.last().body, b"5\r\nhello\r\n0\r\n\r\n");
        }
    }
    assert!(!String::from_utf8_lossy(&rig.upstream.raw()).contains(FORGED));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_and_no_path_is_an_exception() {
    // G14, H12
    let rig = Rig::start().await;
    let forged = format!("X-Auth-Sub: {FORGED}\r\nX_Auth_Email: {FORGED}\r\nRemote-User: {FORGED}\r\n");
    for method in ["OPTIONS", "HEAD", "DELETE", "PROPFIND", "GET"] {
        let preflight = "Origin: http://evil.test\r\nAccess-Control-Request-Method: POST\r\n";
        let request = |path: &str| {
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{forged}{preflight}\r\n")
        };
        let before = rig.upstream.count();
        let answer = exchange(rig.address, request("/public/there").as_bytes()).await;
        assert_eq!((answer.status(), rig.upstream.count()), (200, before + 1), "{method}");
        let bytes = rig.upstream.bytes();
        for (path, status) in
            [("/app", 401), ("/nowhere", 403), ("/oauth2/nothing", 404), ("/healthz", 403), ("/ping", 403)]
        {
            let answer = exchange(rig.address, request(path).as_bytes()).await;
            assert_eq!(answer.status(), status, "{method} {path}: {}", answer.text);
            plain(&answer, path);
        }
        assert_eq!(rig.upstream.bytes(), bytes, "{method}");
    }
    assert!(!String::from_utf8_lossy(&rig.upstream.raw()).contains(FORGED));
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_bytes_in_a_value_arrive_whole_or_not_at_all() {
    // G16
    let rig = Rig::start().await;
    let mut request = b"GET /public HTTP/1.1\r\nHost: localhost\r\nX-Note: a\tb \xe9\xff c\r\n\r\n".to_vec();
    let answer = exchange(rig.address, &request).await;
    assert_eq!(answer.status(), 200);
    let raw = rig.upstream.raw();
    assert!(raw.windows(8).any(|window| window == b"a\tb \xe9\xff c"), "{}", String::from_utf8_lossy(&raw));
    for byte in [0_u8, 0x01, 0x0b, 0x0c, 0x1b, 0x7f, b'\r'] {
        let at = request.iter().position(|byte| *byte == 0xe9).unwrap_or(40);
        request[at] = byte;
        refused(&rig, &request, &[400]).await;
        request[at] = 0xe9;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_passes_only_where_the_operator_says_so() {
    // G18; W24: on anonymous routes, where nobody but the app could want it, the operator says so by default
    let routes =
        "  - { host: localhost, path: /basic, access: session, upstream: 'UPSTREAM', pass_authorization: true }
  - { host: localhost, path: /closed, access: anonymous, upstream: 'UPSTREAM', pass_authorization: false }\n";
    let rig = Rig::with(Choices { routes: routes.to_owned(), ..Choices::default() }).await;
    let cookie = signed_in(&rig).await;
    let lines = format!("{cookie}Authorization: Bearer theirs\r\n");
    for (path, passed) in
        [("/app", None), ("/closed", None), ("/public", Some("Bearer theirs")), ("/basic", Some("Bearer theirs"))]
    {
        exchange(rig.address, get(path, &lines).as_bytes()).await;
        assert_eq!(rig.upstream.last().one("authorization").as_deref(), passed, "{path}");
    }
    // A token is no session.
    let answer = exchange(rig.address, get("/basic", "Authorization: Bearer theirs\r\n").as_bytes()).await;
    assert_eq!(answer.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_keep_their_spelling_where_an_app_minds() {
    let routes = "  - { host: localhost, path: /new, access: session, upstream: 'UPSTREAM' }\n  \
                  - { host: localhost, path: /old, access: session, upstream: 'UPSTREAM', preserve_header_case: true }\n";
    let rig = Rig::with(Choices { routes: routes.to_owned(), ..Choices::default() }).await;
    let cookie = signed_in(&rig).await;
    let lines = format!("{cookie}X-wItH-cAsE: 1\r\nX-With-Case: 2\r\nX-ZenKey-Sub: {FORGED}\r\nUser-Agent: Old\r\n");
    let fields = "Content-Type: text/plain\r\nX-mY-aPp: 1\r\nX-My-App: 2\r\nETag: x";
    rig.upstream.answer(&format!("HTTP/1.1 200 Fine By Me\r\nContent-Length: 2\r\n{fields}\r\n\r\nok"));
    let mut told = Vec::new();
    for (path, spelled, answered) in [
        (
            "/new/%61?b",
            ["x-with-case: 1", "x-with-case: 2", "user-agent: Old"],
            "x-my-app: 1\r\nx-my-app: 2\r\netag: x",
        ),
        (
            "/old/%61?b",
            ["X-wItH-cAsE: 1", "X-wItH-cAsE: 2", "User-Agent: Old"],
            "X-mY-aPp: 1\r\nX-My-App: 2\r\nETag: x",
        ),
    ] {
        let before = rig.upstream.raw().len();
        let answer = exchange(rig.address, get(path, &lines).as_bytes()).await;
        let answered = format!("\r\nContent-Type: text/plain\r\n{answered}\r\n");
        assert!(answer.text.starts_with("HTTP/1.1 200 Fine By Me\r\n"), "{}", answer.text);
        assert!(answer.text.contains(&answered) && answer.text.ends_with("\r\n\r\nok"), "{}", answer.text);
        let raw = String::from_utf8_lossy(&rig.upstream.raw()[before..]).into_owned();
        for line in spelled {
            assert!(raw.contains(&format!("\r\n{line}\r\n")), "{line}: {raw}");
        }
        assert!(raw.contains("/%61?b HTTP/1.1\r\n") && raw.contains("\r\nx-zenkey-sub: "), "{raw}");
        assert!(!raw.contains(FORGED) && !raw.contains("__Host-gw"), "{raw}");
        told.push(known(&rig.upstream.last()).into_iter().collect::<std::collections::BTreeSet<_>>());
    }
    assert_eq!(told[0], told[1], "but for their spelling the two are the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_reserved_names_is_refused_or_removed() {
    // G19
    let rig = Rig::start().await;
    let flood =
        |count: usize| (0..count).map(|n| format!("X-Auth-{n}: {FORGED}{}\r\n", "x".repeat(200))).collect::<String>();
    let answer = exchange(rig.address, get("/public", &flood(90)).as_bytes()).await;
    assert_eq!(answer.status(), 200);
    refused(&rig, get("/public", &flood(120)).as_bytes(), &[431]).await;
    refused(&rig, get("/public", &flood(500)).as_bytes(), &[431]).await;
    assert!(!String::from_utf8_lossy(&rig.upstream.raw()).contains(FORGED));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_told_the_host_that_was_judged_and_no_port_of_the_clients_making() {
    // A16, G06
    let rig = Rig::start().await;
    let ours = format!("localhost:{}", rig.address.port());
    let hosts = [("localhost", "localhost"), (&ours, &ours), ("LOCALHOST.:9999", &ours), ("localhost:1", &ours)];
    for (said, told) in hosts {
        let request = format!("GET /public HTTP/1.1\r\nHost: {said}\r\n\r\n");
        assert_eq!(exchange(rig.address, request.as_bytes()).await.status(), 200, "{said}");
        let seen = rig.upstream.last();
        assert_eq!(
            (seen.one("host").unwrap(), seen.one("x-forwarded-host").unwrap()),
            (told.to_owned(), told.to_owned())
        );
    }
}
