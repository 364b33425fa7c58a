//! P03: a restart of the gateway, at any moment of a sign-in or of a session, is noticed by nobody.

use url::Url;

use super::{at_once, is_signed_in, start_url, until, value};
use crate::support::browser::{Browser, Page};
use crate::support::redis::Redis;
use crate::support::rig::{Choices, Rig};

/// What the browser brings back to the gateway next.
async fn until_back(browser: &Browser, url: impl AsRef<str>, what: &str) -> Url {
    let brings =
        |page: &Page| page.location().is_some_and(|to| to.path() == "/oauth2/callback" && value(&to, what).is_some());
    until(browser, url, brings).await.location().unwrap()
}

async fn nobody_notices(mut rig: Rig) {
    at_once(&rig, "noor");
    let (browser, witness) = (Browser::new(), Browser::new());
    assert_eq!(witness.go(rig.url("/app")).await.status, 200);
    let start = start_url(&rig, &[("rd", "/app/after?x=1")]);
    let from_discovery = until_back(&browser, start, "mccmnc").await;
    rig.restart().await;
    let from_carrier = until_back(&browser, from_discovery, "code").await;
    rig.restart().await;
    let signed_in = browser.open(from_carrier).await;
    assert_eq!((signed_in.status.as_u16(), signed_in.raw_location()), (302, "/app/after?x=1"));
    rig.restart().await;
    assert_eq!(browser.open(signed_in.location().unwrap()).await.status, 200);
    for _ in 0..2 {
        rig.restart().await;
        for person in [&browser, &witness] {
            assert_eq!(person.open(rig.url("/app")).await.status, 200);
            assert!(rig.upstream.last().one("x-auth-sub").is_some());
        }
    }
    // Leaving lasts, too.
    browser.fork().post(rig.url("/oauth2/sign_out"), &[]).await;
    rig.restart().await;
    assert!(!is_signed_in(&rig, &browser).await && is_signed_in(&rig, &witness).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_sessions_in_a_file() {
    // P03
    nobody_notices(Rig::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_sessions_in_redis() {
    // P03
    let Some(redis) = Redis::start("restarts with Redis") else { return };
    nobody_notices(Rig::with(Choices { sessions: redis.sessions(), ..Choices::default() }).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_may_begin_at_one_replica_and_end_at_another() {
    // P06
    let Some(redis) = Redis::start("sign-ins across replicas") else { return };
    let rig = Rig::with(Choices { sessions: redis.sessions(), ..Choices::default() }).await;
    at_once(&rig, "maya");
    let replica = rig.another_node().await;
    let browser = Browser::new();
    let to_replica = |mut url: Url| {
        url.set_port(Some(replica.address().port())).unwrap();
        url
    };
    let from_discovery = until_back(&browser, rig.url("/app/x"), "mccmnc").await;
    let from_carrier = until_back(&browser, to_replica(from_discovery), "code").await;
    let signed_in = browser.open(from_carrier).await;
    assert_eq!(signed_in.raw_location(), "/app/x");
    assert_eq!(browser.open(rig.url_at(&replica, "/app/x")).await.status, 200);
    replica.stop(std::time::Duration::ZERO).await;
}
