//! What belongs to one connection ends there, in both directions.

use super::signed_in;
use crate::support::raw::{exchange, get};
use crate::support::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn what_an_app_says_of_its_own_connection_does_not_reach_the_client() {
    // W16, W41, MV09
    let rig = Rig::start().await;
    let cookie = signed_in(&rig).await;
    rig.upstream.answer(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Priv, content-length\r\nX-Priv: 1\r\nx-priv: 2\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authenticate: Basic\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X-Sum\r\nUpgrade: h2,h2c\r\n\
         X-Public: 1\r\nContent-Length: 2\r\n\r\nok",
    );
    for path in ["/public", "/app"] {
        let answer = exchange(rig.address, get(path, &cookie).as_bytes()).await;
        assert_eq!((answer.status(), answer.body()), (200, "ok"), "{}", answer.text);
        for theirs in ["x-priv", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "upgrade"] {
            assert_eq!(answer.header(theirs), None, "{theirs}: {}", answer.text);
        }
        assert_eq!((answer.header("x-public"), answer.header("connection")), (Some("1"), Some("keep-alive")));
    }
    // The twins: whoever demands another protocol has to say which, and a field that nobody named passes.
    rig.upstream.answer(
        "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Priv: 1\r\nContent-Length: 2\r\n\r\nok",
    );
    let answer = exchange(rig.address, get("/app", &cookie).as_bytes()).await;
    assert_eq!(answer.status(), 426);
    assert_eq!((answer.header("upgrade"), answer.header("x-priv")), (Some("websocket"), Some("1")), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_was_meant_for_us_does_not_reach_the_app() {
    // MV09, G12; what the app needs cannot be taken from it (G09, G10)
    let rig = Rig::start().await;
    let lines = "X-Priv: 1\r\nX-Other: 2\r\nX-Forwarded-For: 203.0.113.1\r\nAccept: x/y\r\n";
    for (said, priv_reaches) in [("keep-alive", true), ("keep-alive, X-Priv, Accept, x-forwarded-for", false)] {
        let answer = exchange(rig.address, get("/public", &format!("{lines}Connection: {said}\r\n")).as_bytes()).await;
        assert_eq!(answer.status(), 200, "{}", answer.text);
        let seen = rig.upstream.last();
        assert_eq!(seen.one("x-priv").is_some(), priv_reaches, "{}", seen.head);
        assert_eq!((seen.one("x-other").as_deref(), seen.one("accept").as_deref()), (Some("2"), Some("x/y")));
        assert_eq!(seen.one("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    }
}
