//! A store that takes nothing new: nobody begins a sign-in that cannot be kept, and nobody is signed out by it.

use std::fs;
use std::time::{Duration, Instant};

use super::{assert_refused, at_once, start_url};
use crate::support::browser::Browser;
use crate::support::rig::Rig;

// FT02, FT14, RB04. Another file in the place of the session file is what can be done to a disk without privileges that
// makes the store refuse writes; a full disk takes the same way (see the tests of the embedded store).
#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_to_their_phone_for_a_sign_in_that_cannot_be_kept() {
    let rig = Rig::embedded().await;
    at_once(&rig, "maya");
    let inside = Browser::new();
    assert_eq!(inside.go(rig.url("/app")).await.status, 200);
    let (file, aside) = (format!("{}/sessions.redb", rig.dir()), format!("{}/aside", rig.dir()));
    fs::rename(&file, &aside).unwrap();
    fs::write(&file, "another file").unwrap();
    let ready = async |status| {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let page = rig.admin("/readyz?strict").await;
            if page.status == status {
                return page;
            }
            assert!(Instant::now() < deadline, "readiness is {} and not {status}", page.status);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(ready(503).await.body.contains("another file lies in the place"));
    let ui = rig.simulator.ui().count();
    let page = Browser::new().open(start_url(&rig, &[])).await;
    assert_refused(&page, 503, "store_not_writable");
    assert!(page.headers.contains_key("retry-after"));
    assert_eq!(rig.simulator.ui().count(), ui, "nobody was sent away to fail later");
    assert_eq!(inside.open(rig.url("/app")).await.status, 200, "whoever is signed in goes on");
    assert_eq!(rig.admin("/livez").await.status, 200);
    let metrics = rig.admin("/metrics").await.body;
    let refused =
        metrics.lines().find(|line| line.contains("store_writes_refused_total{fault=\"displaced\"}")).unwrap();
    assert!(!refused.ends_with(" 0"), "{refused}");

    fs::rename(&aside, &file).unwrap();
    ready(200).await;
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200, "and signing in works again");
}
