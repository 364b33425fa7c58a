//! Requests that a client sends before it was answered.

use std::time::Duration;

use super::signed_in;
use super::websocket::head;
use crate::support::puppet::Puppet;
use crate::support::raw::{Connection, get};
use crate::support::rig::{Choices, Rig};

async fn rig() -> (Rig, Puppet) {
    let puppet = Puppet::start(|mut strings| async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        strings.say("HTTP/1.1 200 OK\r\n\r\none").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        strings.say("two").await;
    })
    .await;
    let routes =
        format!("  - {{ host: localhost, path: /slow, access: anonymous, upstream: 'http://{}' }}\n", puppet.address);
    (Rig::with(Choices { routes, ..Choices::default() }).await, puppet)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_requests_ahead_is_told_that_the_connection_ends() {
    // MV10: never lost with keep-alive said
    let (rig, _puppet) = rig().await;
    // In one piece, and in two while the first request is under way: that one is answered whole in either case.
    let mut connection = Connection::open(rig.address).await;
    connection.send(get("/public/1", "") + &get("/public/2", "")).await;
    let text = String::from_utf8(connection.rest(Duration::from_secs(5)).await).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("\r\n\r\nok"), "{text}");
    assert!(
        text.to_ascii_lowercase().contains("connection: close") && text.matches("HTTP/1.1 ").count() == 1,
        "{text}"
    );
    let mut connection = Connection::open(rig.address).await;
    connection.send(get("/slow", "")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    connection.send(get("/public/2", "")).await;
    let text = String::from_utf8(connection.rest(Duration::from_secs(5)).await).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("3\r\ntwo\r\n0\r\n\r\n"), "{text}");
    assert!(text.to_ascii_lowercase().contains("connection: close"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_after_keep_alive_was_said_is_answered_in_its_turn_and_judged_by_itself() {
    // MV10, I13
    let (rig, _puppet) = rig().await;
    let cookie = signed_in(&rig).await;
    for (lines, status) in [("", 401), (cookie.as_str(), 200)] {
        let mut connection = Connection::open(rig.address).await;
        connection.send(get("/slow", "")).await;
        let told = head(&mut connection).await.to_ascii_lowercase();
        assert!(told.starts_with("http/1.1 200 ") && told.contains("connection: keep-alive"), "{told}");
        let next = get("/app/next", lines);
        let (first, second) = next.split_at(20);
        connection.send(first).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        connection.send(second).await;
        let body = b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";
        assert_eq!(connection.bytes(body.len()).await, body);
        let answer = connection.answer().await;
        assert_eq!(answer.status(), status, "{}", answer.text);
    }
}
