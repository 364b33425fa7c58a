//! A record that somebody copied out of the store and put back after its person left is not believed.

use std::time::{Duration, Instant};

use super::{Node, SECOND, nobody_is_in, rig};
use crate::support::browser::Browser;
use crate::support::redis::Redis;

/// Every session record there is.
fn records(redis: &Redis) -> Vec<(Vec<u8>, Vec<u8>)> {
    let keys = redis.keys("zengate:session:");
    keys.into_iter().map(|key| (key.clone(), redis.ask(&[b"GET", &key]))).collect()
}

fn put_back(redis: &Redis, records: &[(Vec<u8>, Vec<u8>)]) {
    for (key, record) in records {
        redis.ask::<()>(&[b"SET", key, record, b"EX", b"3600"]);
    }
}

// Class A, second row: at the gateway that was told, at another one, at one that was started later.
#[tokio::test(flavor = "multi_thread")]
async fn a_copied_record_opens_nothing_anywhere() {
    let Some(redis) = Redis::start("copied session records") else { return };
    let mut rig = rig(&redis.sessions()).await;
    let other = rig.another_node().await;
    let (leaver, stayer) = (Browser::new(), Browser::new());
    let node = Node::of(rig.app());
    for browser in [&leaver, &stayer] {
        assert_eq!(browser.go(node.url(SECOND, "/app")).await.status, 200);
        assert!(Node::of(&other).has(browser, "localhost").await);
    }
    let thief = leaver.fork();
    let copies = records(&redis);
    assert_eq!(copies.len(), 4);
    assert_eq!(node.sign_out(&leaver, SECOND).await.status, 200);
    let nodes = [node, Node::of(&other)];
    put_back(&redis, &copies);
    nobody_is_in(&nodes, &[("the thief", &thief)], Instant::now(), Duration::from_secs(2)).await;
    // However long it is used: no write of "last seen" and no check makes it good again.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        put_back(&redis, &copies);
        for node in nodes {
            assert!(!node.has(&thief, "localhost").await && !node.has(&thief, SECOND).await);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    rig.restart().await;
    let later = rig.another_node().await;
    for node in [Node::of(rig.app()), Node::of(&later)] {
        put_back(&redis, &copies);
        assert!(!node.has(&thief, "localhost").await && !node.has(&thief, SECOND).await, "after a restart");
        // The twin: a record of somebody who did not leave.
        assert!(node.has(&stayer, "localhost").await && node.has(&stayer, SECOND).await);
    }
    for node in [other, later] {
        node.stop(Duration::ZERO).await;
    }
}
