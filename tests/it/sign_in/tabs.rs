//! Ten tabs opened at once end on ten right pages, in whatever order people finish them.

use futures_util::future::join_all;
use url::Url;

use super::{assert_begun_anew, assert_refused, at_once, start_url, token_calls, until_code, with};
use crate::support::browser::{Browser, Page};
use crate::support::rig::Rig;

const TABS: usize = 10;

fn page_of(tab: usize) -> String {
    format!("/app/tab/{tab}?of={TABS}")
}

#[track_caller]
fn assert_small(browser: &Browser) {
    let header = browser.cookie_header("localhost");
    assert!(header.len() < 4096, "{} bytes of cookies", header.len());
}

/// Every tab as far as the carrier's answer, one after the other, none of them finished.
async fn opened_in_turn(rig: &Rig, browser: &Browser) -> Vec<Url> {
    let mut callbacks = Vec::new();
    for tab in 0..TABS {
        callbacks.push(until_code(browser, rig.url(&page_of(tab))).await);
        assert_small(browser);
    }
    callbacks
}

/// The same, all at the very same moment.
async fn opened_together(rig: &Rig, browser: &Browser) -> Vec<Url> {
    let callbacks = join_all((0..TABS).map(|tab| until_code(browser, rig.url(&page_of(tab))))).await;
    assert_small(browser);
    callbacks
}

/// Finishes the tabs in `order`; each must show its own page.
async fn finish(rig: &Rig, browser: &Browser, callbacks: &[Url], order: impl IntoIterator<Item = usize>) {
    for tab in order {
        let back = browser.open(&callbacks[tab]).await;
        assert_eq!(back.raw_location(), page_of(tab), "tab {tab}: {} {}", back.status, back.body);
        let page = browser.open(back.location().unwrap()).await;
        assert_eq!((page.status.as_u16(), rig.upstream.last().target()), (200, page_of(tab).as_str()));
        assert_small(browser);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_opened_in_turn_or_together_end_on_their_own_pages_in_any_order() {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let orders: [Vec<usize>; 4] = [
        (0..TABS).collect(),
        (0..TABS).rev().collect(),
        vec![3, 8, 0, 9, 1, 7, 5, 2, 6, 4],
        vec![9, 0, 8, 1, 7, 2, 6, 3, 5, 4],
    ];
    for order in orders {
        let browser = Browser::new();
        let callbacks = opened_in_turn(&rig, &browser).await;
        finish(&rig, &browser, &callbacks, order.clone()).await;
        let browser = Browser::new();
        let callbacks = opened_together(&rig, &browser).await;
        finish(&rig, &browser, &callbacks, order).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_that_run_all_the_way_at_once_end_on_their_own_pages() {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    for _ in 0..3 {
        let browser = Browser::new();
        let pages: Vec<Page> = join_all((0..TABS).map(|tab| browser.go(rig.url(&page_of(tab))))).await;
        for (tab, page) in pages.iter().enumerate() {
            assert_eq!((page.status.as_u16(), page.url.as_str()), (200, rig.url(&page_of(tab)).as_str()));
        }
        assert_small(&browser);
        assert_eq!(browser.go(rig.url("/app/after")).await.url.path(), "/app/after");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_finished_at_once_end_on_their_own_pages() {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    for together in [false, true] {
        let browser = Browser::new();
        let callbacks =
            if together { opened_together(&rig, &browser).await } else { opened_in_turn(&rig, &browser).await };
        let pages = join_all(callbacks.iter().map(|callback| browser.go(callback))).await;
        for (tab, page) in pages.iter().enumerate() {
            assert_eq!((page.status.as_u16(), page.url.as_str()), (200, rig.url(&page_of(tab)).as_str()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tab_denied_does_not_hurt_the_others() {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    for together in [false, true] {
        for denied in [0, 4, TABS - 1] {
            let browser = Browser::new();
            let callbacks =
                if together { opened_together(&rig, &browser).await } else { opened_in_turn(&rig, &browser).await };
            let denial = with(&with(&callbacks[denied], "code", None), "error", Some("access_denied"));
            assert_refused(&browser.open(denial).await, 403, "access_denied");
            finish(&rig, &browser, &callbacks, (0..TABS).filter(|tab| *tab != denied)).await;
            // Trying again in that tab.
            aurora.set(|rules| rules.next_authorize_error = None);
            assert_eq!(browser.go(rig.url(&page_of(denied))).await.status, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_tab_finds_its_page_and_redeems_nothing() {
    // B04 holds in every other browser.
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    let callbacks = opened_together(&rig, &browser).await;
    finish(&rig, &browser, &callbacks, [0]).await;
    let calls = token_calls(&rig);
    // Each tab's answer once more: it was used, and the person is signed in.
    for _ in 0..2 {
        let back = browser.open(&callbacks[0]).await;
        assert_eq!((back.raw_location(), back.gives_session()), (page_of(0).as_str(), false));
    }
    assert_eq!(token_calls(&rig), calls);
    assert_begun_anew(&Browser::new().open(&callbacks[1]).await, "/");
    // A browser that dropped its cookies, all but the session's, cannot be told from any other.
    for name in browser.cookies("localhost").into_keys().filter(|name| name.starts_with("__Host-gwtx-")) {
        browser.forget("localhost", &name);
    }
    assert_eq!(browser.open(&callbacks[1]).await.raw_location(), "/");
    assert_eq!(token_calls(&rig), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_tab_cannot_make_another_tab_lose_its_cookie() {
    // Tab one is on its way while tab two begins; then tab one is denied.
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    let ui = browser.open(start_url(&rig, &[("rd", "/app/one")])).await.location().unwrap();
    let slow_window = browser.fork();
    let two = until_code(&browser, start_url(&rig, &[("rd", "/app/two")])).await;
    let one = until_code(&slow_window, ui).await;
    // What the slow answer set, it set in the one jar that both tabs have.
    for (name, value) in slow_window.cookies("localhost") {
        let own = browser.cookies("localhost").get(&name).cloned();
        assert_eq!(own.is_some(), value.starts_with('1'), "the slow answer set nothing new");
    }
    let denial = with(&with(&one, "code", None), "error", Some("access_denied"));
    assert_refused(&browser.open(denial).await, 403, "access_denied");
    assert_eq!(browser.open(two).await.raw_location(), "/app/two");
}
