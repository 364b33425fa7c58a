//! A session that was handed over to another host ends with the session that it came from.

use std::time::Instant;

use super::{AT_MOST, Node, SECOND, nobody_is_in, rig, until_ticket};
use crate::support::browser::Browser;
use crate::support::redis::Redis;

const STORES: [&str; 2] = ["  store: memory\n", "  store: embedded\n  path: DIR/sessions.redb\n"];

/// The stores of [`STORES`], and a Redis where there is one.
fn stores() -> (Vec<String>, Option<Redis>) {
    let redis = Redis::start("families of sessions in Redis");
    let all = STORES.iter().map(|store| (*store).to_owned()).chain(redis.iter().map(Redis::sessions)).collect();
    (all, redis)
}

// RB01: a thief with the parent's cookie visits the other host first, its owner later.
#[tokio::test(flavor = "multi_thread")]
async fn every_child_on_a_host_ends_with_its_parent() {
    let (stores, _redis) = stores();
    for store in stores {
        let rig = rig(&store).await;
        let node = Node::of(rig.app());
        let owner = Browser::new();
        assert_eq!(owner.go(node.url("localhost", "/app")).await.status, 200);
        let thieves: Vec<_> = (0..3).map(|_| owner.fork()).collect();
        for visitor in thieves.iter().chain([&owner]) {
            assert_eq!(visitor.go(node.url(SECOND, "/app")).await.status, 200);
        }
        let stranger = Browser::new();
        assert_eq!(stranger.go(node.url(SECOND, "/app")).await.status, 200);
        let left = owner.fork();
        assert_eq!(node.sign_out(&owner, "localhost").await.status, 200);
        let mut people: Vec<_> = thieves.iter().map(|thief| ("a thief", thief)).collect();
        people.push(("the owner's other window", &left));
        nobody_is_in(&[node], &people, Instant::now(), AT_MOST).await;
        // The twin: whoever signed in on their own stays.
        assert!(node.has(&stranger, "localhost").await && node.has(&stranger, SECOND).await, "{store}");
    }
}

// RB01: leaving by way of any child ends the parent and all the others.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_by_one_child_ends_the_others() {
    let (stores, _redis) = stores();
    for store in stores {
        let rig = rig(&store).await;
        let node = Node::of(rig.app());
        let owner = Browser::new();
        assert_eq!(owner.go(node.url("localhost", "/app")).await.status, 200);
        let other = owner.fork();
        for browser in [&owner, &other] {
            assert_eq!(browser.go(node.url(SECOND, "/app")).await.status, 200);
        }
        let left = owner.fork();
        assert_eq!(node.sign_out(&owner, SECOND).await.status, 200);
        let people = [("the other window", &other), ("a copy of the first", &left)];
        nobody_is_in(&[node], &people, Instant::now(), AT_MOST).await;
    }
}

// RB02: a ticket that was on its way when its person left opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_nothing_after_its_person_left() {
    let (stores, _redis) = stores();
    for store in stores {
        let rig = rig(&store).await;
        let node = Node::of(rig.app());
        let (leaver, stayer) = (Browser::new(), Browser::new());
        for (browser, leaves) in [(&leaver, true), (&stayer, false)] {
            assert_eq!(browser.go(node.url("localhost", "/app")).await.status, 200);
            let ticket = until_ticket(browser, node.url(SECOND, "/app/x")).await;
            let elsewhere = browser.fork();
            if leaves {
                assert_eq!(node.sign_out(browser, "localhost").await.status, 200);
            }
            let page = elsewhere.open(&ticket).await;
            assert_eq!(page.gives_session(), !leaves, "{store}: {}", page.body);
            assert_eq!(node.has(&elsewhere, SECOND).await, !leaves);
            assert!(!leaves || page.status == 400, "{} {}", page.status, page.body);
        }
    }
}
