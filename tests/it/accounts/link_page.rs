//! Somebody who is signed in at the app links their sign-in here to that account: by a ticket of the app and their own word.

use serde_json::{Value, json};

use super::{House, KEY, Who, parsed};
use crate::support::browser::{Browser, Page};
use crate::support::redis::Redis;

/// The app vouches for `account`; the address for the person's browser.
async fn ticket(house: &House, account: &str) -> String {
    let (status, body) = house.ask("POST", "/link-tickets", json!({ "account": account }).to_string()).await;
    assert_eq!(status, 201, "{body}");
    parsed(&body)["url"].as_str().unwrap().to_owned()
}

async fn account_of(house: &House, who: &Who) -> Option<String> {
    let (status, body) = house.ask("GET", &who.path(), "").await;
    (status == 200).then(|| parsed(&body)["account"].as_str().unwrap().to_owned())
}

/// Opens a ticket's address and goes on to the page that asks.
async fn asked(house: &House, browser: &Browser, url: &str) -> Page {
    let opened = browser.open(url).await;
    assert_eq!((opened.status.as_u16(), opened.raw_location()), (303, "/oauth2/link"), "{}", opened.body);
    let page = browser.go(house.rig.url("/oauth2/link")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/oauth2/link"), "{}", page.body);
    page
}

async fn agree(house: &House, browser: &Browser, page: &Page) -> Page {
    let agreement = page.field("agreement").unwrap_or_else(|| panic!("{}", page.body));
    browser.post(house.rig.url("/oauth2/link"), &[("agreement", &agreement), ("decision", "link")]).await
}

#[track_caller]
fn refused(page: &Page, status: u16, code: &str) {
    assert_eq!(page.status.as_u16(), status, "{}", page.body);
    assert!(page.body.contains(&format!("Code: {code}<br>")), "{}", page.body);
}

async fn a_person_links_their_sign_in(mut house: House) {
    let browser = Browser::new();
    let body = json!({ "account": "customer-17", "return_to": "/members/done?x=1" }).to_string();
    let (status, answer) = house.ask("POST", "/link-tickets", body).await;
    let told: Value = parsed(&answer);
    assert_eq!((status, told["expires_in"].as_u64()), (201, Some(120)), "{answer}");
    house.restart();
    let opened = browser.open(told["url"].as_str().unwrap()).await;
    assert_eq!((opened.status.as_u16(), opened.raw_location()), (303, "/oauth2/link"), "{}", opened.body);
    let cookie = opened.set_cookies().pop().unwrap();
    assert!(
        cookie.starts_with("__Host-gwtx-link=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(!cookie.contains("customer"), "{cookie}");
    house.restart();
    // They sign in on the way, and come back to the question.
    let page = browser.go(house.rig.url("/oauth2/link")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/oauth2/link"), "{}", page.body);
    assert!(page.body.contains("customer-17") && page.body.contains("maya"), "{}", page.body);
    assert!(!page.body.contains("<script"));
    let maya = house.sign_in(&browser, "maya").await;
    assert_eq!(account_of(&house, &maya).await, None, "nothing happens before they agree");
    let page = browser.open(house.rig.url("/oauth2/link")).await;
    let done = agree(&house, &browser, &page).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(done.body.contains("href=\"/members/done?x=1\""), "{}", done.body);
    assert_eq!(account_of(&house, &maya).await.as_deref(), Some("customer-17"));
    assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()));
    assert!(!browser.cookies("localhost").contains_key("__Host-gwtx-link"));
    house.process.as_ref().unwrap().line("\"event\":\"link\"");
    let log = house.log();
    assert!(log.contains("\"by\":\"crm\"") && !log.contains(told["ticket"].as_str().unwrap()), "{log}");
    // Whoever is linked to it already is only led on.
    let again = ticket(&house, "customer-17").await;
    browser.open(&again).await;
    let page = browser.open(house.rig.url("/oauth2/link")).await;
    assert!(page.status == 200 && page.field("agreement").is_none(), "{}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_restarts_with_a_file() {
    a_person_links_their_sign_in(House::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_restarts_with_redis() {
    let Some(redis) = Redis::start("the link page with Redis") else { return };
    a_person_links_their_sign_in(House::with(&format!("{}  keys: [{KEY}]\n", redis.sessions()), "").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_good_once_in_one_browser() {
    // T08 in kind: whatever comes a second time changes nothing.
    let house = House::embedded().await;
    let (browser, thief) = (Browser::new(), Browser::new());
    let maya = house.sign_in(&browser, "maya").await;
    let thief_is = house.sign_in(&thief, "noor").await;
    let url = ticket(&house, "customer-17").await;
    // Whatever fetches it ahead of the person does not use it up.
    for headers in [&[("accept", "text/html"), ("sec-purpose", "prefetch")][..], &[("accept", "*/*")]] {
        let ahead = headers.iter().fold(house.client.get(&url), |ahead, (name, value)| ahead.header(*name, *value));
        assert_eq!(ahead.send().await.unwrap().status(), 400, "{headers:?}");
    }
    assert_eq!(house.client.head(&url).send().await.unwrap().status(), 405);
    let page = asked(&house, &browser, &url).await;
    refused(&thief.open(&url).await, 400, "link_unknown");
    refused(&thief.open(house.rig.url("/oauth2/link")).await, 400, "link_unknown");
    refused(&browser.open(&url).await, 400, "link_unknown");
    refused(&browser.open(house.rig.url("/oauth2/link?ticket=made-up")).await, 400, "link_unknown");
    // A copy of the browser, as malware may have: one of the two is first, the other changes nothing.
    let copy = browser.fork();
    assert_eq!(agree(&house, &browser, &page).await.status, 200);
    assert_eq!(account_of(&house, &maya).await.as_deref(), Some("customer-17"));
    assert_eq!(house.ask("DELETE", &maya.path(), "").await.0, 204);
    refused(&agree(&house, &copy, &page).await, 400, "link_unknown");
    assert_eq!((account_of(&house, &maya).await, account_of(&house, &thief_is).await), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_linked_to_what_they_did_not_agree_to() {
    let house = House::embedded().await;
    let browser = Browser::new();
    let maya = house.sign_in(&browser, "maya").await;
    let page = asked(&house, &browser, &ticket(&house, "mine").await).await;
    // Another site posts the form, with the cookies that a browser would send along.
    let form = [("agreement", page.field("agreement").unwrap()), ("decision", "link".to_owned())];
    for (origin, site) in
        [("https://evil.example", "cross-site"), ("null", "cross-site"), ("http://second.localhost", "same-site")]
    {
        let request =
            house.client.post(house.rig.url("/oauth2/link")).header("cookie", browser.cookie_header("localhost"));
        let request = request.header("origin", origin).header("sec-fetch-site", site).header("accept", "text/html");
        let answer = request.form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{origin}");
        assert!(answer.text().await.unwrap().contains("link_cross_site"));
    }
    // A ticket of somebody else is slipped into the browser while the page is open: they are asked again.
    browser.open(&ticket(&house, "attackers").await).await;
    let answer = agree(&house, &browser, &page).await;
    assert!(
        answer.status == 200 && answer.body.contains("attackers") && answer.field("agreement").is_some(),
        "{}",
        answer.body
    );
    assert_eq!(account_of(&house, &maya).await, None);
    // No decision, another one, no agreement, a bent one.
    for form in [
        vec![],
        vec![("decision", "no")],
        vec![("decision", "link")],
        vec![("decision", "link"), ("agreement", "AAAA")],
    ] {
        let copy = browser.fork();
        assert_eq!(copy.post(house.rig.url("/oauth2/link"), &form).await.status, 200);
        assert_eq!(account_of(&house, &maya).await, None, "{form:?}");
    }
    // An agreement of one session is none of another's.
    let page = browser.open(house.rig.url("/oauth2/link")).await;
    let link_cookie = browser.cookies("localhost")["__Host-gwtx-link"].clone();
    let other = Browser::new();
    let noor = house.sign_in(&other, "noor").await;
    other.plant("localhost", "__Host-gwtx-link", &link_cookie);
    let answer = agree(&house, &other, &page).await;
    assert!(answer.field("agreement").is_some(), "{}", answer.body);
    assert_eq!(account_of(&house, &noor).await, None);
    // The twin: the page that was shown.
    assert_eq!(agree(&house, &browser, &page).await.status, 200);
    assert_eq!(account_of(&house, &maya).await.as_deref(), Some("attackers"), "what they did agree to");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_belongs_to_another_account_stays_there() {
    let house = House::with(&format!("  store: memory\n  keys: [{KEY}]\n"), "  subjects_per_account: 1\n").await;
    let browser = Browser::new();
    let maya = house.sign_in(&browser, "maya").await;
    let page = asked(&house, &browser, &ticket(&house, "two").await).await;
    house.link(&maya, "one", "").await;
    refused(&agree(&house, &browser, &page).await, 409, "linked_elsewhere");
    browser.open(&ticket(&house, "two").await).await;
    refused(&browser.open(house.rig.url("/oauth2/link")).await, 409, "linked_elsewhere");
    assert_eq!(account_of(&house, &maya).await.as_deref(), Some("one"));
    // The account has all the people that it may have.
    house.ask("DELETE", &maya.path(), "").await;
    house.link(&Who { subject: "somebody".into(), ..maya.clone() }, "two", "").await;
    let page = asked(&house, &browser, &ticket(&house, "two").await).await;
    refused(&agree(&house, &browser, &page).await, 409, "too_many_subjects");
    // The twin
    let page = asked(&house, &browser, &ticket(&house, "three").await).await;
    assert_eq!(agree(&house, &browser, &page).await.status, 200);
    assert_eq!(account_of(&house, &maya).await.as_deref(), Some("three"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_for_the_app_alone_to_make() {
    let house = House::with(&format!("  store: memory\n  keys: [{KEY}]\n"), "").await;
    let body = json!({ "account": "one" }).to_string();
    for (token, status) in [("", 401), (super::READER, 403), (super::APP, 201), (super::OPERATOR, 201)] {
        assert_eq!(house.ask_as(token, "POST", "/link-tickets", body.clone()).await.0, status, "{token}");
    }
    assert_eq!(house.ask("GET", "/link-tickets", "").await.0, 405);
    for (body, error) in [
        (json!({}), "body"),
        (json!({ "account": " " }), "body"),
        (json!({ "account": "one", "subject": "maya" }), "body"),
        (json!({ "account": "one", "return_to": "https://evil.example/" }), "return_to"),
        (json!({ "account": "one", "return_to": "/oauth2/sign_out" }), "return_to"),
        (json!({ "account": "one", "return_to": format!("/{}", "x".repeat(1100)) }), "return_to"),
    ] {
        let (status, answer) = house.ask("POST", "/link-tickets", body.to_string()).await;
        assert_eq!((status, parsed(&answer)["error"].as_str()), (400, Some(error)), "{body}: {answer}");
    }
    // The page is at the public URL alone, and a sign-in ends on no other address of ours.
    let browser = Browser::new();
    let url = ticket(&house, "one").await.replace("localhost", "127.0.0.1");
    assert_eq!(browser.open(&url).await.status, 404);
    house.sign_in(&browser, "maya").await;
    let page = browser.go(house.rig.url("/oauth2/start?rd=/oauth2/sign_out")).await;
    assert_ne!(page.url.path(), "/oauth2/sign_out");
}
