//! A demanding page of another host than the one that signs in: what comes back in a ticket is held against who is signed in on
//! the page's host, and against what the page demands.

use zengate_simulator::Factor;

use super::step_up::{agrees, confirms_by, rig};
use super::{assert_refused, only, token_calls, until, value, with};
use crate::support::browser::{Browser, Page};

// The page lies on another host than the one that signs in: the session there is not handed over as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_host_is_stepped_up_to_as_well() {
    let rig = rig().await;
    let browser = Browser::new();
    let second = |path: &str| rig.url(path).replace("://localhost", "://second.localhost");
    assert_eq!(browser.go(second("/open")).await.status, 200);
    confirms_by(&rig, Factor::Pin);
    let calls = token_calls(&rig);
    let page = browser.go(second("/x?y=1")).await;
    assert_eq!((page.status.as_u16(), page.url.path(), page.url.query()), (200, "/x", Some("y=1")), "{}", page.body);
    assert_eq!(token_calls(&rig), calls + 1);
    let asked = rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap();
    assert_eq!((only(&asked, "acr_values").unwrap(), only(&asked, "prompt").unwrap()), ("a3".into(), "login".into()));
}

// The host that signs in may know nobody, or somebody else: whom it hands over is held against who is signed in here.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_somebody_else_changes_nothing_on_its_host() {
    let rig = rig().await;
    let browser = Browser::new();
    let second = |path: &str| rig.url(path).replace("://localhost", "://second.localhost");
    let session = || browser.cookies("second.localhost")["__Host-gw"].clone();
    assert_eq!(browser.go(second("/open")).await.status, 200);
    let before = session();
    confirms_by(&rig, Factor::Pin);
    agrees(&rig, Some("tomas"));
    browser.forget("localhost", "__Host-gw");
    assert_refused(&browser.go(second("/x")).await, 403, "other_person");
    // Now that one is signed in over there, as strongly as the page demands, and handed over without being asked.
    let calls = token_calls(&rig);
    assert_refused(&browser.go(second("/x")).await, 403, "other_person");
    assert_eq!((token_calls(&rig), session()), (calls, before));
    assert_eq!(browser.go(second("/open")).await.status, 200);
    // The twin: the same person, after the same loss.
    browser.forget("localhost", "__Host-gw");
    agrees(&rig, None);
    let page = browser.go(second("/x")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/x"), "{}", page.body);
}

// What the page demands stands in the address, which the browser may bend: the ticket is judged where the page is.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_a_weaker_sign_in_does_not_open_the_page() {
    let rig = rig().await;
    let browser = Browser::new();
    let second = |path: &str| rig.url(path).replace("://localhost", "://second.localhost");
    assert_eq!(browser.go(second("/open")).await.status, 200);
    confirms_by(&rig, Factor::Pin);
    let wish = || async {
        let told = |page: &Page| page.location().is_some_and(|to| value(&to, "for").is_some());
        until(&browser, second("/x"), told).await.location().unwrap()
    };
    let count = rig.upstream.count();
    for demanded in [None, Some("/open"), Some("/nowhere")] {
        assert_refused(&browser.go(with(&wish().await, "for", demanded)).await, 403, "acr_unmet");
    }
    assert_eq!(rig.upstream.count(), count);
    // The twin: as it was written.
    let page = browser.go(wish().await).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/x"), "{}", page.body);
}
