//! FD13: whatever is refused, and wherever in the gateway, is counted and logged under the code that the client reads; a
//! limit is named by its key.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::net::TcpListener;

use super::sound;
use crate::support::process::{Home, Process};
use crate::support::raw::{Connection, RawAnswer, exchange, get};

/// What a person's browser asks for.
const PAGE: &str = "Accept: text/html\r\n";

/// Small limits, an app that is not there, and one at `stalled` that takes everything and says nothing.
fn config(stalled: SocketAddr) -> String {
    let (before, after) = sound().split_once("provider:\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let rest = after.split_once("sessions:\n").unwrap().1;
    format!(
        "{before}provider:
  oidc: {{ issuer: 'http://127.0.0.1:9', client_id: a, client_secret: s }}
  allow_private_addresses: true
bearer:
  issuers: [{{ issuer: 'http://127.0.0.1:9', audiences: [api] }}]
sign_in: {{ starts_per_minute: 4, form_bytes: 1KiB }}
limits:
  uri_bytes: 2KiB
  header_bytes: 16KiB
  header_count: 20
  cookie_bytes: 1KiB
  header_deadline: 1s
  read_timeout: 1s
sessions:
{rest}  - {{ host: localhost, path: /api, access: bearer, upstream: 'http://127.0.0.1:9' }}
  - host: localhost
    path: /stalled
    access: anonymous
    upstream: http://{stalled}
    max_body: 1KiB
    timeouts: {{ read: 1s }}
  - {{ host: localhost, path: /patient, access: anonymous, upstream: 'http://{stalled}' }}
"
    )
}

/// The code in an answer, and the id beside it.
fn told(answer: &RawAnswer) -> (String, String) {
    let quoted = |name: &str| Some(answer.body().split_once(name)?.1.split('<').next()?.to_owned());
    if let (Some(code), Some(id)) = (quoted("Code: "), quoted("Request: ")) {
        return (code, id);
    }
    let body: Value = serde_json::from_str(answer.body()).unwrap_or_else(|_| panic!("no JSON: {}", answer.text));
    let text = |key: &str| body[key].as_str().unwrap_or_else(|| panic!("no {key}: {body}")).to_owned();
    (text("error"), text("request_id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_reads_is_what_is_counted_and_logged_at_every_way_out() {
    let app = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stalled = app.local_addr().unwrap();
    let _app = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((connection, _)) = app.accept().await {
            kept.push(connection);
        }
    });
    let home = Home::new();
    let (process, address, private) = Process::serve(&home.write("zengate.yaml", &config(stalled)));
    let (address, private): (SocketAddr, SocketAddr) = (address.parse().unwrap(), private.parse().unwrap());

    let post = |path: &str, lines: &str| format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
    let token = |times| format!("Authorization: Bearer {}\r\n", "a.b.c").repeat(times);
    let signed_by_nobody = "Authorization: Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AAAA\r\n";
    let mut asked: Vec<(String, u16, &str, &str)> = vec![
        (get("/app", ""), 401, "unauthenticated", ""),
        (get("/oauth2/session", ""), 401, "unauthenticated", ""),
        (get("/oauth2/userinfo", ""), 401, "unauthenticated", ""),
        (get("/api", ""), 401, "unauthenticated", ""),
        (get("/api", &token(2)), 400, "invalid_request", ""),
        (get("/api", signed_by_nobody), 401, "invalid_token", ""),
        (get("/public", ""), 502, "upstream_unavailable", ""),
        (get("/stalled", ""), 504, "upstream_timeout", ""),
        (post("/stalled", "Content-Length: 1025\r\n"), 413, "body_too_large", "`max_body`"),
        (
            format!("{}401\r\n{}\r\n0\r\n\r\n", post("/stalled", "Transfer-Encoding: chunked\r\n"), "a".repeat(1025)),
            413,
            "body_too_large",
            "`max_body`",
        ),
        (
            format!("{}{}", post("/oauth2/callback", "Content-Length: 1025\r\n"), "a".repeat(1025)),
            413,
            "body_too_large",
            "`sign_in.form_bytes`",
        ),
        (post("/patient", "Content-Length: 5\r\n"), 408, "client_too_slow", "`limits.read_timeout` of 1s"),
        ("GET / HTTP/1.1\r\nHost:".to_owned(), 408, "client_too_slow", "`limits.header_deadline` of 1s"),
        (
            get("/public", &format!("X: {}\r\n", "a".repeat(17_000))),
            431,
            "head_too_large",
            "`limits.header_bytes` of 16384",
        ),
        (get("/public", &"X: a\r\n".repeat(21)), 431, "head_too_large", "`limits.header_count` of 20"),
        (
            get("/public", &format!("Cookie: a={}\r\n", "a".repeat(1024))),
            431,
            "head_too_large",
            "`limits.cookie_bytes` of 1024",
        ),
        (get(&format!("/{}", "a".repeat(2048)), ""), 414, "target_too_long", "`limits.uri_bytes` of 2048"),
        (get("/%zz", ""), 400, "request_malformed", "target"),
        (get("/public", "Host: localhost\r\n"), 400, "request_malformed", "unreadable"),
        (get("/public", "").replace("GET", "TRACE"), 405, "method_not_served", "method"),
        (get("/nowhere", ""), 403, "no_route", ""),
        (get("/public", "").replace("localhost", "elsewhere"), 421, "unknown_host", ""),
        (get("/oauth2/nowhere", ""), 404, "not_found", ""),
        (post("/oauth2/session", "Content-Length: 0\r\n"), 405, "method_not_allowed", ""),
        (get("/oauth2/callback?code=c&code=c", ""), 400, "callback_malformed", ""),
        (get("/oauth2/callback?code=c", ""), 400, "login_unknown", ""),
        (get("/oauth2/start?iss=https://other.test", PAGE), 400, "unknown_issuer", ""),
        (get("/oauth2/start", PAGE), 503, "provider_unavailable", ""),
        (post("/oauth2/sign_out", "Origin: https://other.test\r\nContent-Length: 0\r\n"), 403, "cross_site", ""),
    ];
    // Budgets are used up last; nobody pays for a provider that is away.
    asked.extend(std::iter::repeat_n((get("/oauth2/start", PAGE), 503, "provider_unavailable", ""), 10));
    asked.extend(std::iter::repeat_n((get("/oauth2/start?iss=https://other.test", PAGE), 400, "", ""), 12));
    asked.push((get("/oauth2/start", PAGE), 429, "too_many_sign_ins", "`sign_in.starts_per_minute`"));

    let mut counts = BTreeMap::<String, u64>::new();
    for (request, status, code, key) in asked {
        let mut connection = Connection::open(address).await;
        let answer = connection.exchange(&request).await;
        let (said, id) = told(&answer);
        *counts.entry(said.clone()).or_default() += 1;
        if code.is_empty() {
            continue;
        }
        assert_eq!((answer.status(), said.as_str()), (status, code), "{request:.300}");
        let line = process.line(&format!("\"event\":\"refusal\",\"request_id\":\"{id}\""));
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((line["code"].as_str(), line["status"].as_u64()), (Some(code), Some(status.into())), "{line}");
        assert!(line["reason"].as_str().unwrap_or_default().contains(key), "{key}: {line}");
    }
    let metrics = exchange(private, get("/metrics", "").as_bytes()).await.text;
    for (code, count) in counts {
        let line = format!("zengate_refusals_total{{code=\"{code}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}");
    }
}
