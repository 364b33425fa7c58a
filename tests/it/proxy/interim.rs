//! An interim answer announces another one, and another one always comes.

use std::time::Duration;

use super::signed_in;
use crate::support::puppet::{Puppet, Strings};
use crate::support::raw::{Connection, get};
use crate::support::rig::{Choices, Rig};

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A rig with `/puppet` for `puppet`, and everything that `send` and the gateway say to each other until it ends.
async fn rig(puppet: &Puppet) -> Rig {
    let routes = format!(
        "  - {{ host: localhost, path: /puppet, access: session, upstream: 'http://{}', max_body: 8B, timeouts: {{ read: 300ms }} }}\n",
        puppet.address
    );
    Rig::with(Choices { routes, top: "limits:\n  read_timeout: 1s\n".to_owned(), ..Choices::default() }).await
}

/// What comes back of `request`, until the connection is closed or nothing more is to come.
async fn told(rig: &Rig, request: &str, more: &[&str]) -> String {
    let mut connection = Connection::open(rig.address).await;
    connection.send(request).await;
    for piece in more {
        connection.send(piece).await;
    }
    String::from_utf8(connection.rest(Duration::from_secs(5)).await).unwrap()
}

/// The status lines in `text`, in their order.
fn statuses(text: &str) -> Vec<u16> {
    text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()).collect()
}

async fn dies(mut strings: Strings, first: &'static str) {
    strings.say(first).await;
}

async fn falls_silent(mut strings: Strings, first: &'static str) {
    strings.say(first).await;
    strings.listen().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_interim_answer_the_app_that_dies_or_falls_silent_is_blamed() {
    // W12
    for first in [HINTS, "HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let interim = statuses(first)[0];
        let puppet = Puppet::start(move |strings| dies(strings, first)).await;
        let rig = rig(&puppet).await;
        let cookie = signed_in(&rig).await;
        let text = told(&rig, &get("/puppet", &cookie), &[]).await;
        assert_eq!(statuses(&text), [interim, 502], "{text}");
        assert!(text.contains("upstream_unavailable"), "{text}");
        let puppet = Puppet::start(move |strings| falls_silent(strings, first)).await;
        let rig = self::rig(&puppet).await;
        let cookie = signed_in(&rig).await;
        let text = told(&rig, &get("/puppet", &cookie), &[]).await;
        assert_eq!(statuses(&text), [interim, 504], "{text}");
        assert_eq!(rig.app().metrics().refusals.with_label_values(&["upstream_timeout"]).get(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_continue_a_body_over_its_limit_and_one_that_stops_are_refused_in_words() {
    // W12, class 5: `Expect: 100-continue`, and then more than the route takes, or nothing
    let puppet = Puppet::start(|strings| falls_silent(strings, "HTTP/1.1 100 Continue\r\n\r\n")).await;
    let routes = format!(
        "  - {{ host: localhost, path: /puppet, access: session, upstream: 'http://{}', max_body: 8B }}\n",
        puppet.address
    );
    let top = "limits:\n  read_timeout: 1s\n".to_owned();
    let rig = Rig::with(Choices { routes, top, ..Choices::default() }).await;
    let cookie = signed_in(&rig).await;
    let head = format!(
        "PUT /puppet HTTP/1.1\r\nHost: localhost\r\n{cookie}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for (pieces, status, code) in [
        (vec!["9\r\n123456789\r\n"], 413, "body_too_large"),
        (vec!["8\r\n1234"], 408, "client_too_slow"),
        (vec!["8\r\n12345678\r\nXX"], 400, "request_malformed"),
    ] {
        let mut connection = Connection::open(rig.address).await;
        connection.send(&head).await;
        let interim = connection.bytes(25).await;
        assert_eq!(interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        for piece in pieces {
            connection.send(piece).await;
        }
        let text = String::from_utf8(connection.rest(Duration::from_secs(5)).await).unwrap();
        assert!(statuses(&text) == [status] && text.contains(code), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interim_answer_passes_without_what_is_not_the_apps_to_say() {
    // W12, the twin: an app that goes on is heard to its end; cookies of ours and lengths are for final answers
    let first = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Length: 5\r\nX-Auth-Sub: root\r\nConnection: X-Priv\r\n\
                 X-Priv: 1\r\nSet-Cookie: __Host-gw=stolen\r\n\r\n";
    let puppet = Puppet::start(move |mut strings| async move {
        for text in [first, "HTTP/1.1 102 Processing\r\n\r\n", OK] {
            strings.say(text).await;
        }
    })
    .await;
    let rig = rig(&puppet).await;
    let cookie = signed_in(&rig).await;
    let text = told(&rig, &get("/puppet", &format!("{cookie}Connection: close\r\n")), &[]).await;
    assert_eq!(statuses(&text), [103, 102, 200], "{text}");
    assert!(text.ends_with("\r\n\r\nok"), "{text}");
    let hints = text.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
    assert!(hints.contains("link: </a.css>"), "{hints}");
    for theirs in ["content-length", "x-auth-sub", "connection", "x-priv", "set-cookie"] {
        assert!(!hints.contains(theirs), "{theirs}: {hints}");
    }
}
