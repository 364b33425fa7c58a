//! Leaving with sessions in a file beside the gateway.

use std::time::{Duration, Instant};

use super::{AT_MOST, Node, SECOND, nobody_is_in, rig, until_ticket};
use crate::support::browser::Browser;

const FILE: &str = "  store: embedded\n  path: DIR/sessions.redb\n";

// Must show: during a restart, with a second child on the same host, with a ticket on its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_during_a_restart_holds_after_it() {
    let mut rig = rig(FILE).await;
    let node = Node::of(rig.app());
    for round in 0..3 {
        let owner = Browser::new();
        assert_eq!(owner.go(node.url("localhost", "/app")).await.status, 200);
        let (first, second) = (owner.fork(), owner.fork());
        for child in [&first, &second] {
            assert_eq!(child.go(node.url(SECOND, "/app")).await.status, 200);
        }
        let waiting = owner.fork();
        let ticket = until_ticket(&waiting, node.url(SECOND, "/app")).await;
        // Its answer may be lost with the gateway; whatever was begun is done.
        let (answer, ()) =
            tokio::join!(tokio::time::timeout(Duration::from_secs(10), try_to_leave(&owner, node)), async {
                tokio::time::sleep(Duration::from_millis(round * 2)).await;
                rig.restart().await;
            });
        let left = owner.fork();
        if answer.unwrap() != Some(200) {
            // Nobody told them that they are out: they try again.
            assert_eq!(node.sign_out(&owner, "localhost").await.status, 200);
        }
        let page = waiting.open(&ticket).await;
        assert!(!page.gives_session(), "{}", page.body);
        let people = [("a first child", &first), ("a second", &second), ("the owner", &left), ("a ticket", &waiting)];
        nobody_is_in(&[node], &people, Instant::now(), AT_MOST).await;
    }
}

/// Signs out at a gateway that may go away meanwhile; the status of what it answered, if it did.
async fn try_to_leave(browser: &Browser, node: Node) -> Option<u16> {
    let copy = browser.fork();
    let asked = tokio::spawn(async move { node.sign_out(&copy, "localhost").await.status.as_u16() });
    asked.await.ok()
}
