//! Whoever leaves is out: on every gateway, on every host, whatever was under way, and whether or not the store was there
//! to hear it.

mod copied;
mod embedded;
mod family;
mod hosts;
mod outage;

use std::time::{Duration, Instant};

use url::Url;
use zengate::app::App;
use zengate_simulator::AutoConsent;

use crate::support::browser::{Browser, Page};
use crate::support::rig::{Choices, Rig};

/// The other host that the gateways protect.
const SECOND: &str = "127.0.0.1";

/// How soon after the store is back nobody may be in any more.
const AT_MOST: Duration = Duration::from_secs(2);

/// What tells a rig of this room from others: a second host.
fn two_hosts(sessions: &str) -> Choices {
    Choices {
        sessions: sessions.to_owned(),
        routes: format!("  - {{ host: {SECOND}, path: /app, access: session, upstream: 'UPSTREAM' }}\n"),
        ..Choices::default()
    }
}

/// A rig with `sessions` where one `go` is a whole sign-in of Maya.
async fn rig(sessions: &str) -> Rig {
    let rig = Rig::with(two_hosts(sessions)).await;
    for carrier in rig.simulator.carriers() {
        carrier.set(|rules| rules.auto_consent = Some(AutoConsent::default()));
    }
    rig.simulator.ui().set(|rules| rules.auto_choose = Some("maya".to_owned()));
    rig
}

/// Where a gateway is.
#[derive(Clone, Copy)]
struct Node(u16);

impl Node {
    fn of(app: &App) -> Self {
        Self(app.address().port())
    }

    fn url(self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.0)
    }

    /// Whether `browser` is in on `host`: what an app would see.
    async fn has(self, browser: &Browser, host: &str) -> bool {
        browser.fork().open(self.url(host, "/app")).await.status == 200
    }

    async fn sign_out(self, browser: &Browser, host: &str) -> Page {
        browser.post(self.url(host, "/oauth2/sign_out"), &[]).await
    }
}

/// Follows redirects up to the one that brings a ticket to the second host.
async fn until_ticket(browser: &Browser, url: String) -> Url {
    let mut page = browser.open(url).await;
    for _ in 0..15 {
        let next = page.location().unwrap_or_else(|| panic!("the way ends at {} with {}", page.url, page.body));
        if next.query_pairs().any(|(name, _)| name == "ticket") {
            return next;
        }
        page = browser.open(next).await;
    }
    panic!("a redirect loop at {}", page.url)
}

/// Waits until none of `people` is in at any of `nodes`, on either host. Panics if somebody still is `limit` after `since`.
async fn nobody_is_in(nodes: &[Node], people: &[(&str, &Browser)], since: Instant, limit: Duration) {
    for node in nodes {
        for (who, browser) in people {
            for host in ["localhost", SECOND] {
                loop {
                    let asked = Instant::now();
                    if !node.has(browser, host).await {
                        break;
                    }
                    assert!(asked - since < limit, "{who} is still in on {host}, {:?} after", asked - since);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}
