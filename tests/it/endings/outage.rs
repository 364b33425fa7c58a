//! Three gateways on one Redis: whoever leaves while it is away is out here at once, and everywhere when it is back.

use std::time::{Duration, Instant};

use zengate::app::App;

use super::{AT_MOST, Node, SECOND, nobody_is_in, rig, until_ticket};
use crate::support::browser::{Browser, Page};
use crate::support::redis::Redis;
use crate::support::rig::Rig;

/// What happens to Redis.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// It accepts, and does not answer.
    Stopped,
    /// It dies, and comes back with what it had.
    Killed,
}

/// The store away; gone when [`Outage::end`] returns.
enum Outage {
    Stopped(Redis),
    Killed(Redis),
}

impl Outage {
    fn begin(redis: Redis, fault: Fault) -> Self {
        match fault {
            Fault::Stopped => {
                redis.signal("STOP");
                Self::Stopped(redis)
            }
            // The signal reaches it at once; what is left of it is cleared up at the end.
            Fault::Killed => {
                redis.signal("KILL");
                Self::Killed(redis)
            }
        }
    }

    fn end(self) -> (Redis, Instant) {
        match self {
            Self::Stopped(redis) => {
                redis.signal("CONT");
                (redis, Instant::now())
            }
            Self::Killed(redis) => {
                let redis = redis.restart();
                (redis, Instant::now())
            }
        }
    }
}

/// Everybody who could still be in with what one person had.
struct Household {
    owner: Browser,
    first_child: Browser,
    second_child: Browser,
    waits_with_ticket: Browser,
    ticket: url::Url,
}

impl Household {
    /// Signs in at `node`, twice at the second host, and has one more ticket on its way; known to all `nodes`.
    async fn of(node: Node, nodes: &[Node]) -> Self {
        let owner = Browser::new();
        assert_eq!(owner.go(node.url("localhost", "/app")).await.status, 200);
        let (first_child, second_child) = (owner.fork(), owner.fork());
        for child in [&first_child, &second_child] {
            assert_eq!(child.go(node.url(SECOND, "/app")).await.status, 200);
        }
        let waits_with_ticket = owner.fork();
        let ticket = until_ticket(&waits_with_ticket, node.url(SECOND, "/app")).await;
        for node in nodes {
            assert!(node.has(&owner, "localhost").await);
            assert!(node.has(&first_child, SECOND).await && node.has(&second_child, SECOND).await);
        }
        Self { owner, first_child, second_child, waits_with_ticket, ticket }
    }

    fn everybody<'a>(&'a self, left: &'a Browser) -> [(&'static str, &'a Browser); 4] {
        [
            ("the owner", left),
            ("the first child", &self.first_child),
            ("the second child", &self.second_child),
            ("whoever had a ticket", &self.waits_with_ticket),
        ]
    }
}

#[track_caller]
fn assert_said_truthfully(page: &Page) {
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(page.body.contains("Code: sign_out_unheard"), "{}", page.body);
    assert!(!page.body.contains("sign in and out again"), "advice that does not help: {}", page.body);
}

async fn three(redis: &Redis) -> (Rig, Vec<App>) {
    let rig = rig(&redis.sessions()).await;
    let others = vec![rig.another_node().await, rig.another_node().await];
    (rig, others)
}

async fn stop(others: Vec<App>) {
    for node in others {
        node.stop(Duration::ZERO).await;
    }
}

// RB03, FT01, must show 4
#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_during_an_outage_is_out_everywhere_when_it_is_over() {
    for fault in [Fault::Stopped, Fault::Killed] {
        let Some(redis) = Redis::persistent("signing out while Redis is away") else { return };
        let (rig, others) = three(&redis).await;
        let nodes: Vec<_> = [rig.app()].into_iter().chain(&others).map(Node::of).collect();
        let household = Household::of(nodes[0], &nodes).await;
        let stayer = Browser::new();
        assert_eq!(stayer.go(nodes[0].url(SECOND, "/app")).await.status, 200);
        let left = household.owner.fork();

        let outage = Outage::begin(redis, fault);
        let page = nodes[1].sign_out(&household.owner, "localhost").await;
        assert_said_truthfully(&page);
        assert!(!nodes[1].has(&left, "localhost").await, "{fault:?}: the gateway that knows refuses at once");
        let metrics = Browser::new().open(format!("http://{}/metrics", others[0].admin_address())).await.body;
        assert!(metrics.contains("zengate_revocations_pending 1"), "{fault:?}: {metrics}");

        let (redis, back) = outage.end();
        nobody_is_in(&nodes, &household.everybody(&left), back, AT_MOST).await;
        let page = household.waits_with_ticket.open(&household.ticket).await;
        assert!(!page.gives_session(), "{fault:?}: {}", page.body);
        // And it stays so, also for a gateway that knows nothing yet.
        let newcomer = rig.another_node().await;
        nobody_is_in(&[Node::of(&newcomer)], &household.everybody(&left), Instant::now(), Duration::ZERO).await;
        // The twin: whoever did not leave is in.
        for node in &nodes {
            assert!(node.has(&stayer, "localhost").await && node.has(&stayer, SECOND).await, "{fault:?}");
        }
        newcomer.stop(Duration::ZERO).await;
        stop(others).await;
        drop(redis);
    }
}

// FT01: leaving by way of a child, at a gateway that has never seen it and cannot ask what it was handed over from.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_by_a_child_nobody_knows_ends_the_whole_family_when_the_store_is_back() {
    let Some(redis) = Redis::persistent("signing out by a child while Redis is away") else { return };
    let (rig, others) = three(&redis).await;
    let nodes: Vec<_> = [rig.app()].into_iter().chain(&others).map(Node::of).collect();
    let household = Household::of(nodes[0], &nodes[..2]).await;
    let left = household.first_child.fork();
    let outage = Outage::begin(redis, Fault::Stopped);
    assert_said_truthfully(&nodes[2].sign_out(&household.first_child, SECOND).await);
    let (_redis, back) = outage.end();
    nobody_is_in(&nodes, &household.everybody(&left), back, AT_MOST).await;
    nobody_is_in(&nodes, &[("a copy of the owner", &household.owner)], back, AT_MOST).await;
    stop(others).await;
}

// Must show 4: the gateway that was told goes away before the store is back.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_did_not_hear_outlives_the_gateway_that_was_told() {
    let Some(redis) = Redis::persistent("a restart before Redis is back") else { return };
    let mut rig = rig(&format!("{}  state_directory: DIR\n", redis.sessions())).await;
    let others = vec![rig.another_node().await, rig.another_node().await];
    let nodes: Vec<_> = [rig.app()].into_iter().chain(&others).map(Node::of).collect();
    let household = Household::of(nodes[0], &nodes).await;
    let left = household.owner.fork();
    let outage = Outage::begin(redis, Fault::Stopped);
    assert_said_truthfully(&nodes[0].sign_out(&household.owner, "localhost").await);
    rig.restart().await;
    assert!(!nodes[0].has(&left, "localhost").await, "the gateway that knows refuses, also after its restart");
    let (_redis, back) = outage.end();
    nobody_is_in(&nodes, &household.everybody(&left), back, AT_MOST).await;
    stop(others).await;
}
