//! Headers that the operator writes or takes away, and names that no client may say.

use super::{refused, signed_in};
use crate::support::raw::{exchange, get};
use crate::support::rig::{Choices, Rig};
use crate::support::upstream::Then;

const ROUTES: &str = r#"  - host: localhost
    path: /edited
    access: anonymous
    upstream: 'UPSTREAM'
    request_headers:
      set:
        X-Api-Key: { file: DIR/key }
        Authorization: { prefix: "Bearer ", file: DIR/key }
        X-Several: [one, two]
      add: { X-Tag: ours }
      remove: [X-Debug, Cookie]
    response_headers:
      set: { X-Frame-Options: DENY, Cache-Control: no-cache }
      add: { Vary: Cookie }
      remove: [Server, Set-Cookie]
  - host: localhost
    path: /basic
    access: session
    upstream: 'UPSTREAM'
    pass_authorization: true
    request_headers: { set: { Authorization: { basic: { user: gate, password: { file: DIR/key } } } } }
    response_headers: { remove: [Cache-Control] }
"#;

async fn rig() -> Rig {
    let mut rig = Rig::with(Choices { top: "reserved_headers: [X-Corp-]\n".into(), ..Choices::default() }).await;
    std::fs::write(std::path::Path::new(rig.dir()).join("key"), "canary-key\n").unwrap();
    rig.stop_gateway().await;
    rig.choices.routes = ROUTES.to_owned();
    rig.start_gateway().await;
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_gets_the_operators_headers_and_not_the_clients_of_that_name() {
    let rig = rig().await;
    let forged = "X-Api-Key: forged\r\nX_Api_Key: forged\r\nx.api.key: forged\r\nAuthorization: Basic Zm9yZ2Vk\r\nX-Several: forged\r\nX-Tag: \
                  theirs\r\nX_Debug: 1\r\nCookie: a=b\r\nX-Kept: yes\r\n";
    for target in ["/edited", "/edited/again"] {
        let answer = exchange(rig.address, get(target, forged).as_bytes()).await;
        assert_eq!(answer.status(), 200, "{}", answer.text);
        let seen = rig.upstream.last();
        assert!(!seen.head.contains("forged") && !seen.head.contains("Zm9yZ2Vk"), "{}", seen.head);
        assert_eq!(seen.all("x-api-key"), ["canary-key"], "{}", seen.head);
        assert_eq!(seen.all("authorization"), ["Bearer canary-key"]);
        assert_eq!(seen.all("x-several"), ["one", "two"]);
        assert_eq!(seen.all("x-tag"), ["theirs", "ours"]);
        assert_eq!((seen.one("x_debug"), seen.one("cookie"), seen.one("x-kept")), (None, None, Some("yes".into())));
    }
    // A route without edits passes the same on, but for what is never passed on.
    exchange(rig.address, get("/public", "X-Api-Key: mine\r\nCookie: a=b\r\n").as_bytes()).await;
    assert_eq!(rig.upstream.last().all("x-api-key"), ["mine"]);
    // What is set takes the place of what `pass_authorization` would pass.
    let head = get("/basic", &format!("{}Authorization: Basic Zm9yZ2Vk\r\n", signed_in(&rig).await));
    exchange(rig.address, head.as_bytes()).await;
    assert_eq!(rig.upstream.last().all("authorization"), ["Basic Z2F0ZTpjYW5hcnkta2V5"]);
    // A WebSocket is a request too.
    let switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nServer: x\r\n\r\n";
    rig.upstream.script(switched, Then::HangUp);
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let answer = exchange(rig.address, get("/edited", upgrade).as_bytes()).await;
    assert_eq!((answer.status(), answer.header("server")), (101, None), "{}", answer.text);
    assert_eq!(rig.upstream.last().all("x-api-key"), ["canary-key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_answers_are_edited_and_the_gateways_own_are_not() {
    let rig = rig().await;
    let fields = "Server: app/1\r\nX-Frame-Options: ALLOW\r\nX_Frame_Options: ALLOW\r\nVary: Accept\r\nSet-Cookie: a=b\r\nX-Other: kept\r\n";
    for status in ["200 OK", "304 Not Modified", "404 Not Found"] {
        let length = if status.starts_with("304") { "" } else { "Content-Length: 0\r\n" };
        rig.upstream.answer(&format!("HTTP/1.1 {status}\r\n{fields}{length}\r\n"));
        let answer = exchange(rig.address, get("/edited", "Connection: close\r\n").as_bytes()).await;
        assert_eq!(answer.text.matches("DENY").count(), 1, "{}", answer.text);
        for gone in ["ALLOW", "app/1", "a=b"] {
            assert!(!answer.text.contains(gone), "{gone}: {}", answer.text);
        }
        assert!(answer.text.contains("Accept") && answer.text.contains("Cookie\r"), "{}", answer.text);
        assert_eq!((answer.header("x-other"), answer.header("cache-control")), (Some("kept"), Some("no-cache")));
    }
    let refused = refused(&rig, get("/edited/../x", "").as_bytes(), &[400]).await;
    assert_eq!(refused.header("x-frame-options").filter(|said| *said != "DENY"), None);
    assert_eq!(refused.header("vary"), None, "{}", refused.text);
    // An answer for one person alone stays that, whatever is taken away.
    rig.upstream.answer("HTTP/1.1 200 OK\r\nCache-Control: public\r\nContent-Length: 0\r\n\r\n");
    let answer = exchange(rig.address, get("/basic", &signed_in(&rig).await).as_bytes()).await;
    assert_eq!(answer.header("cache-control"), Some("private"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_operator_reserves_is_nobodys_to_say() {
    // MV11
    let rig = rig().await;
    let said = "X-Corp-User: root\r\nx_corp_groups: root\r\nX-Corporate: fine\r\n";
    rig.upstream.answer("HTTP/1.1 200 OK\r\nX-Corp-User: root\r\nContent-Length: 0\r\n\r\n");
    let answer = exchange(rig.address, get("/public", said).as_bytes()).await;
    let seen = rig.upstream.last();
    assert!(!seen.head.contains("root") && !answer.text.contains("root"), "{} {}", seen.head, answer.text);
    assert_eq!(seen.all("x-corporate"), ["fine"]);
}
