//! What passes through the gateway: byte for byte what was judged, and nothing a client could have made up.

mod blame;
mod cookies;
mod edits;
mod framing;
mod headers;
mod hop_by_hop;
mod interim;
mod limits;
mod look_alikes;
mod matching;
mod matrix;
mod mounts;
mod own_answers;
mod paths;
mod pipeline;
mod streams;
mod streams_http2;
mod upstream_faults;
mod upstream_names;
mod upstream_protocols;
mod upstream_servers;
mod websocket;

use crate::support::browser::Browser;
use crate::support::raw::{RawAnswer, exchange};
use crate::support::rig::Rig;

/// A rig and the `Cookie` line of somebody who is signed in.
async fn signed_in(rig: &Rig) -> String {
    let browser = Browser::new();
    rig.sign_in(&browser, "/app", "maya").await;
    format!("Cookie: {}\r\n", browser.cookie_header("localhost"))
}

/// Sends `bytes` and asserts that they were refused with one of `statuses`, that the connection was closed, and that
/// the app behind the gateway did not see one byte.
async fn refused(rig: &Rig, bytes: &[u8], statuses: &[u16]) -> RawAnswer {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    let (before, connections) = (rig.upstream.bytes(), rig.upstream.connections());
    let answer = exchange(rig.address, bytes).await;
    assert!(statuses.contains(&answer.status()), "{shown:?}: {}", answer.text);
    assert_eq!((rig.upstream.bytes(), rig.upstream.connections()), (before, connections), "{shown:?} reached the app");
    if answer.status() == 400 {
        assert_eq!((answer.header("connection"), answer.closed), (Some("close"), true), "{shown:?}: {}", answer.text);
    }
    plain(&answer, &shown);
    answer
}

/// Asserts that a refusal gives nothing away: a code, an id, no server's name, nothing to be kept.
fn plain(answer: &RawAnswer, shown: &str) {
    let text = &answer.text;
    assert!(answer.body().len() <= 4096, "{shown:?}: {text}");
    assert_eq!(answer.header("server"), None, "{shown:?}: {text}");
    assert!(!text.to_ascii_lowercase().contains("pingora"), "{shown:?}: {text}");
    if answer.status() >= 400 {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{shown:?}: {text}");
        assert!(answer.header("content-length").is_some(), "{shown:?}: {text}");
    }
}
