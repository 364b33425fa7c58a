//! A session is one host's: its cookie, carried to another, is nothing there.

use super::{Node, SECOND, rig};
use crate::support::browser::Browser;

const COOKIE: &str = "__Host-gw";

fn cookie(browser: &Browser, host: &str) -> String {
    browser.cookies(host).remove(COOKIE).expect("a session")
}

// Class C: both ways, for the session that somebody signed in to and for the one that was handed over.
#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_of_one_host_opens_no_other() {
    let rig = rig("  store: memory\n").await;
    let node = Node::of(rig.app());
    let person = Browser::new();
    assert_eq!(person.go(node.url(SECOND, "/app")).await.status, 200);
    let of = |host| cookie(&person, host);
    for (from, to) in [("localhost", SECOND), (SECOND, "localhost")] {
        let carrier = Browser::new();
        carrier.plant(to, COOKIE, &of(from));
        let seen = rig.upstream.count();
        assert!(!node.has(&carrier, to).await, "the session of {from} is none at {to}");
        assert_eq!(rig.upstream.count(), seen);
        for path in ["/oauth2/session", "/oauth2/userinfo"] {
            assert_eq!(carrier.fork().open(node.url(to, path)).await.status, 401, "{path}");
        }
        // Carried away, it hands nothing over either.
        let page = carrier.fork().open(node.url(to, "/oauth2/start?rd=/app")).await;
        assert!(!page.location().is_some_and(|url| url.query_pairs().any(|(name, _)| name == "ticket")));
        // Nor does it end anybody's session.
        node.sign_out(&carrier, to).await;
        assert!(node.has(&person, "localhost").await && node.has(&person, SECOND).await, "carried from {from}");
        // The twin: at home.
        let twin = Browser::new();
        twin.plant(from, COOKIE, &of(from));
        assert!(node.has(&twin, from).await);
    }
}

// Class C: memory is as strict as the store. A copy that was loaded at its own host opens no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_memory_opens_no_other_host_either() {
    let mut rig = rig("  store: embedded\n  path: DIR/sessions.redb\n").await;
    let person = Browser::new();
    assert_eq!(person.go(Node::of(rig.app()).url(SECOND, "/app")).await.status, 200);
    for loaded_at_home_first in [true, false] {
        // Nothing is in memory after a restart.
        rig.restart().await;
        let node = Node::of(rig.app());
        if loaded_at_home_first {
            assert!(node.has(&person, "localhost").await && node.has(&person, SECOND).await);
        }
        for (from, to) in [("localhost", SECOND), (SECOND, "localhost")] {
            let carrier = Browser::new();
            carrier.plant(to, COOKIE, &cookie(&person, from));
            assert!(!node.has(&carrier, to).await, "from {from} to {to}");
        }
        assert!(node.has(&person, "localhost").await && node.has(&person, SECOND).await, "the twin");
    }
}
