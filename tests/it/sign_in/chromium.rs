//! What a person meets in a real browser: cookies, history, frames and policies as Chromium understands them, to the last
//! hop.

use serde_json::json;

use super::{at_once, token_calls};
use crate::support::browser::{Browser, Page};
use crate::support::chromium::{Chromium, Tab};
use crate::support::rig::{Choices, Rig};

/// A plain issuer whose consent page is shown: two hops, and one page to press a button on.
async fn rig() -> Rig {
    Rig::with(Choices { plain: Some("    scopes: [openid, name, email]\n".into()), ..Choices::default() }).await
}

#[track_caller]
fn assert_content(tab: &Tab) {
    assert_eq!(tab.policy_complaints(), Vec::<String>::new());
}

// XS01, class E: Android's built-in browsers name the app with every page.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_a_chat_app_leads_to_the_sign_in_and_to_its_page() {
    let Some(chromium) = Chromium::start("signing in inside an app") else { return };
    let rig = rig().await;
    let tab = chromium.tab();
    tab.send_always(&json!({ "X-Requested-With": "com.chat.app" }));
    tab.open(&rig.url("/app/x?y=1"));
    tab.click("#agree");
    assert_eq!((tab.at().as_str(), tab.status()), ("/app/x?y=1", 200));
    assert_content(&tab);
}

// XS19
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_leads_out_of_itself_to_the_sign_in_and_ends_on_its_page() {
    let Some(chromium) = Chromium::start("signing in out of a frame") else { return };
    let rig = rig().await;
    rig.upstream.serve("/public/portal", "<h1>Portal</h1><iframe src=/app/inner width=600 height=400></iframe>");
    let tab = chromium.tab();
    tab.open(&rig.url("/public/portal"));
    tab.until("document.querySelector('iframe').contentDocument.body.innerText.includes('Please sign in')");
    tab.settles_after(|| {
        tab.evaluate("document.querySelector('iframe').contentDocument.querySelector('a').click()");
    });
    tab.click("#agree");
    assert_eq!((tab.at().as_str(), tab.status()), ("/app/inner", 200));
    assert_content(&tab);
    // Whoever is signed in sees the page inside the frame.
    tab.open(&rig.url("/public/portal"));
    tab.until("!document.querySelector('iframe').contentDocument.body.innerText.includes('sign in')");
    assert_content(&tab);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_the_whole_way_fits_its_screen() {
    let Some(chromium) = Chromium::start("signing in on a phone") else { return };
    let rig = rig().await;
    let tab = chromium.tab();
    tab.as_phone();
    tab.open(&rig.url("/oauth2/sign_in"));
    let fits = "document.documentElement.scrollWidth <= window.innerWidth && window.innerWidth < 500";
    assert_eq!(tab.evaluate(fits), true, "{}", tab.text());
    tab.click("a");
    tab.click("#agree");
    tab.open(&rig.url("/admin"));
    assert_eq!(tab.status(), 403);
    assert_eq!(tab.evaluate(fits), true, "{}", tab.text());
    assert_content(&tab);
}

// Two tabs, each on its own page, in whichever order.
#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_end_on_their_own_pages() {
    let Some(chromium) = Chromium::start("two tabs") else { return };
    let rig = rig().await;
    let (one, two) = (chromium.tab(), chromium.tab());
    one.open(&rig.url("/app/one"));
    two.open(&rig.url("/app/two"));
    one.click("#agree");
    two.click("#agree");
    assert_eq!((one.at().as_str(), two.at().as_str()), ("/app/one", "/app/two"));
    assert_content(&one);
    assert_content(&two);
}

// FD01, KC04: Back, and then what the provider does by itself or the person again.
#[tokio::test(flavor = "multi_thread")]
async fn back_after_a_sign_in_ends_on_the_page_again() {
    let Some(chromium) = Chromium::start("Back after a sign-in") else { return };
    let rig = rig().await;
    let tab = chromium.tab();
    tab.open(&rig.url("/app/x?y=1"));
    tab.click("#agree");
    assert_eq!((tab.at().as_str(), tab.status()), ("/app/x?y=1", 200));
    let calls = token_calls(&rig);
    tab.back();
    tab.click("#agree");
    assert_eq!((tab.at().as_str(), tab.status()), ("/app/x?y=1", 200), "agreed once more with the same request");
    tab.back();
    at_once(&rig, "maya");
    tab.reload();
    assert_eq!((tab.at().as_str(), tab.status()), ("/app/x?y=1", 200), "the provider knows them and asks nothing");
    assert_eq!(token_calls(&rig), calls, "no code of a used request is redeemed");
    assert_content(&tab);
}

// XS07: a double click, or a slow network and an impatient person: the same answer comes twice.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_answer_twice_ends_on_the_page_both_times() {
    let Some(chromium) = Chromium::start("an answer that comes twice") else { return };
    let rig = rig().await;
    let tab = chromium.tab();
    tab.open(&rig.url("/oauth2/sign_in?rd=%2Fapp%2Fx"));
    tab.click_often("a", 2);
    tab.until("document.querySelector('#agree') !== null");
    tab.click("#agree");
    tab.until_at("/app/x");
    let answer = tab.requested().into_iter().rfind(|url| url.contains("/oauth2/callback")).unwrap();
    let calls = token_calls(&rig);
    for _ in 0..2 {
        tab.open(&answer);
        assert_eq!((tab.at().as_str(), tab.status()), ("/app/x", 200));
    }
    assert_eq!(token_calls(&rig), calls);
    assert_content(&tab);
    // FD18: whoever is signed in is told so, and goes on.
    tab.open(&rig.url("/oauth2/sign_in?rd=%2Fapp%2Fy"));
    assert!(tab.text().contains("You are signed in"), "{}", tab.text());
    tab.click("a");
    assert_eq!(tab.at(), "/app/y");
}

// XS07: an impatient person at the provider itself: the form of its page is sent twice before the first answer is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_on_agree_ends_on_the_page() {
    let rig = rig().await;
    for wait in [0, 300] {
        let Some(chromium) = Chromium::start("a double click on Agree") else { return };
        // The provider, or the gateway's call to it, is slow: the second click comes while the first is under way.
        rig.simulator.carrier("aurora").unwrap().set(|rules| {
            rules.latency_ms.insert("token".to_owned(), wait);
        });
        let tab = chromium.tab();
        let page = format!("/app/x?wait={wait}");
        tab.open(&rig.url(&page));
        let calls = token_calls(&rig);
        let used = tab.url();
        tab.click_often("#agree", 2);
        // The answer to the first click may be lost with its cookie when the second one goes out: then the person is not
        // signed in here, and is led into one fresh round, for the same page.
        let arrived = format!("location.pathname + location.search === {page:?}");
        let asked = format!("document.querySelector('#agree') !== null && location.href !== {used:?}");
        tab.until(&format!("document.readyState === 'complete' && ({arrived} || {asked})"));
        if tab.at() != page {
            tab.click("#agree");
            tab.until_at(&page);
        }
        assert_eq!((tab.at(), tab.status()), (page, 200));
        let redeemed = token_calls(&rig) - calls;
        assert!((1..=2).contains(&redeemed), "each round's code once: {redeemed}");
        assert_content(&tab);
    }
}

// FD03, FD02
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_can_be_reloaded_and_keeps_its_way_back() {
    let Some(chromium) = Chromium::start("reloading a refusal") else { return };
    let rig = rig().await;
    let tab = chromium.tab();
    let page = format!("/app/x?y=1&long={}", "z".repeat(600));
    tab.open(&rig.url(&page));
    tab.click("#deny");
    let said = tab.text();
    assert!(said.contains("You were not signed in") && tab.status() == 403, "{said}");
    for _ in 0..2 {
        tab.reload();
        assert_eq!((tab.text(), tab.status()), (said.clone(), 403));
    }
    tab.click("a");
    tab.click("#agree");
    assert_eq!((tab.at(), tab.status()), (page, 200));
    assert_content(&tab);
}

// XM14: a form of the provider's, our own page, and its script, in the order in which a browser takes them.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_by_form_is_posted_again_without_a_click_and_ends_on_the_page() {
    let Some(chromium) = Chromium::start("an answer by form") else { return };
    let plain = Some("    scopes: [openid]\n    response_mode: form_post\n".to_owned());
    let rig = Rig::with(Choices { plain, ..Choices::default() }).await;
    let tab = chromium.tab();
    tab.open(&rig.url("/app/x"));
    let body = tab.evaluate("document.documentElement.outerHTML").as_str().unwrap().to_owned();
    let (status, headers) = (reqwest::StatusCode::OK, reqwest::header::HeaderMap::new());
    let consent = Page { status, headers, body, url: tab.url().parse().unwrap() };
    let callback = rig.agree(&Browser::new(), &consent).await.location().unwrap();
    let fields = callback.query_pairs().map(|(name, value)| format!("<input name=\"{name}\" value=\"{value}\">"));
    let action = rig.url("/oauth2/callback");
    let form = format!("<form method=post action=\"{action}\">{}<button>x</button></form>", fields.collect::<String>());
    rig.upstream.serve("/answer", &form);
    tab.open(&format!("http://{}/answer", rig.upstream.address));
    tab.click("button");
    tab.until_at("/app/x");
    assert_eq!(tab.status(), 200);
    assert_content(&tab);
}

// What tells a session cookie from one that outlives the window: with the same profile, started again.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_is_closed_and_opened_again_has_its_profile() {
    let Some(chromium) = Chromium::start("a browser restart") else { return };
    let rig = rig().await;
    at_once(&rig, "maya");
    let tab = chromium.tab();
    tab.open(&rig.url("/app/x"));
    assert_eq!(tab.status(), 200);
    tab.evaluate("document.cookie = 'kept=1; max-age=600; path=/'");
    drop(tab);
    let chromium = chromium.restart();
    let tab = chromium.tab();
    tab.open(&rig.url("/public/x"));
    assert!(tab.evaluate("document.cookie").as_str().unwrap().contains("kept=1"));
}
