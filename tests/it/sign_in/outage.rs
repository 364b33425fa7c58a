//! M01, M03, M04: the store away never lets anybody in, and signs nobody out who is signed in.

use std::time::{Duration, Instant};

use super::{assert_refused, at_once, start_url, until, until_code};
use crate::support::browser::{Browser, Page};
use crate::support::redis::Redis;
use crate::support::rig::{Choices, Rig};

/// A rig on a Redis of its own, with `more` below `sessions:`.
async fn rig(redis: &Redis, more: &str) -> Rig {
    let rig = Rig::with(Choices { sessions: redis.sessions() + more, ..Choices::default() }).await;
    at_once(&rig, "maya");
    rig
}

#[track_caller]
fn assert_away(page: &Page) {
    assert_refused(page, 503, "store_unavailable");
    let after: u64 = page.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&after));
    assert!(page.set_cookies().is_empty(), "nobody loses a cookie to an outage: {:?}", page.set_cookies());
}

/// Starts Redis again, and waits until a sign-in works.
async fn recovered(rig: &Rig, port: u16) -> Redis {
    let redis = Redis::start_on(port).expect("its old port");
    let deadline = Instant::now() + Duration::from_secs(5);
    while Browser::new().open(start_url(rig, &[])).await.status != 302 {
        assert!(Instant::now() < deadline, "no sign-in five seconds after Redis came back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    redis
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_signed_in_goes_on_for_the_grace_and_nobody_else_gets_in() {
    // M01
    let Some(redis) = Redis::start("Redis going away") else { return };
    let rig = rig(&redis, "  grace: 4s\n").await;
    let (inside, elsewhere) = (Browser::new(), Browser::new());
    // `elsewhere` signed in at another replica: this one has never seen them.
    let replica = rig.another_node().await;
    assert_eq!(elsewhere.go(rig.url("/app")).await.status, 200);
    let unseen = rig.another_node().await;
    assert_eq!(inside.go(rig.url("/app")).await.status, 200);
    assert_eq!(inside.open(rig.url_at(&unseen, "/app")).await.status, 200);
    let strict = rig.admin("/readyz?strict").await;
    assert!(
        strict.status == 200 && strict.body.contains("sign-in: possible\nstore: takes writes\n"),
        "{}",
        strict.body
    );
    let port = redis.kill();
    let killed = Instant::now();

    let ui = rig.simulator.ui().count();
    for path in ["/oauth2/start", "/oauth2/start?rd=/app"] {
        assert_away(&Browser::new().open(rig.url(path)).await);
    }
    assert_eq!(rig.simulator.ui().count(), ui, "nobody was sent away to fail later");
    let seen = rig.upstream.count();
    assert_away(&elsewhere.open(rig.url_at(&unseen, "/app")).await);
    let program = elsewhere
        .send(reqwest::Method::GET, rig.url_at(&unseen, "/app"), None, &[("accept", "application/json")])
        .await;
    assert_eq!((program.status.as_u16(), program.json()["error"].as_str()), (503, Some("store_unavailable")));
    assert_eq!(rig.upstream.count(), seen);
    assert_eq!(rig.admin("/readyz").await.status, 200, "FD05: what needs no session works");
    let strict = rig.admin("/readyz?strict").await;
    assert!(strict.status == 503 && strict.body.contains("sign-in: not possible\nstore: "), "{}", strict.body);
    assert_eq!(rig.admin("/readyz?verbose").await.status, 200);
    assert_eq!(rig.admin("/healthz").await.status, 200);
    assert_eq!(Browser::new().open(rig.url("/public")).await.status, 200, "what needs no session works");

    let mut served_for = Duration::ZERO;
    loop {
        let page = inside.open(rig.url_at(&unseen, "/app")).await;
        if page.status != 200 {
            assert_away(&page);
            break;
        }
        served_for = killed.elapsed();
        assert!(served_for < Duration::from_secs(6), "served far beyond the grace");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(served_for > Duration::from_millis(2_500), "signed out after {served_for:?} of outage");

    // A Redis that comes back empty, as this one does, has nobody; nobody gets in, and everybody can sign in.
    let _redis = recovered(&rig, port).await;
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    let deadline = Instant::now() + Duration::from_secs(5);
    while rig.admin("/readyz?strict").await.status != 200 {
        assert!(Instant::now() < deadline, "not ready again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for node in [replica, unseen] {
        node.stop(Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_under_way_when_the_store_goes_away_can_be_begun_again() {
    // M03
    let Some(redis) = Redis::start("Redis going away during a sign-in") else { return };
    let rig = rig(&redis, "").await;
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app/x")).await;
    // Another one is not yet as far: where it was to lead stands in its browser's own cookie.
    let begins = Browser::new();
    let found = |page: &Page| page.location().is_some_and(|to| to.path() == "/oauth2/callback");
    let first = until(&begins, rig.url("/app/y?z=1"), found).await.location().unwrap();
    let port = redis.kill();
    let page = begins.go(first).await;
    assert!(page.status == 503 && page.body.contains("/oauth2/start?rd=%2Fapp%2Fy%3Fz%3D1"), "{}", page.body);
    let page = browser.open(&callback).await;
    assert_eq!(page.status, 503);
    assert!(page.headers.contains_key("retry-after") && !page.gives_session());
    assert_eq!(rig.simulator.carrier("aurora").unwrap().count("token"), 0);
    let _redis = recovered(&rig, port).await;
    let page = browser.go(rig.url("/app/x")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_stored_session_there_is_no_cookie() {
    // M04
    let Some(redis) = Redis::start("Redis going away before a session is stored") else { return };
    let rig = rig(&redis, "").await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app")).await;
    aurora.set(|rules| rules.latency_ms = [("userinfo".to_owned(), 500)].into());
    let (page, port) = tokio::join!(browser.open(&callback), async {
        let deadline = Instant::now() + Duration::from_secs(5);
        while aurora.count("userinfo") == 0 {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        redis.kill()
    });
    assert_refused(&page, 503, "store_unavailable");
    assert!(!browser.cookies("localhost").contains_key("__Host-gw"));
    assert_eq!(rig.upstream.count(), 0);
    aurora.set(|rules| rules.latency_ms.clear());
    let _redis = recovered(&rig, port).await;
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_while_the_store_is_away_ends_the_session_here_and_says_how_far_it_reached() {
    // M08
    let Some(redis) = Redis::start("signing out while Redis is away") else { return };
    let rig = rig(&redis, "").await;
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    let stolen = browser.fork();
    redis.kill();
    let page = browser.post(rig.url("/oauth2/sign_out"), &[]).await;
    assert_refused(&page, 503, "sign_out_unheard");
    assert!(!browser.cookies("localhost").contains_key("__Host-gw"), "gone from this browser");
    assert_ne!(stolen.open(rig.url("/app")).await.status, 200, "and dead at this gateway");
}
