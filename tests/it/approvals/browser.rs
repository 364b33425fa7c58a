//! The person's own browser looks at what they are asked, and at nothing else.

use reqwest::Method;
use serde_json::json;

use super::Desk;
use crate::support::browser::Browser;

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_of_the_person_waits_for_the_answer_and_no_other_learns_of_it() {
    let desk = Desk::start().await;
    let asked = desk.ask(json!({ "reference": "order 17" })).await;
    let watch = asked.body["watch"].as_str().unwrap();
    assert_eq!(watch, desk.rig.url(&format!("/oauth2/approvals/{}", asked.id)));
    let seen = desk.maya.open(watch).await;
    assert_eq!((seen.json()["state"].as_str(), seen.gives_session()), (Some("waiting"), false));
    assert_eq!(seen.headers["cache-control"], "no-store");
    assert!(seen.json().get("receipt").is_none() && seen.json().get("reference").is_none(), "that is for the app");
    assert_eq!(Browser::new().open(watch).await.status, 401);
    let tomas = Browser::new();
    desk.sign_in(&tomas, "tomas").await;
    for browser in [&tomas] {
        let page = browser.open(watch).await;
        assert_eq!(page.status, 404);
        assert!(!page.body.contains("Harbour Books"));
    }
    assert_eq!(desk.maya.open(desk.rig.url("/oauth2/approvals/x")).await.status, 404);
    // Somebody who signed in after the question left did not begin it.
    let later = Browser::new();
    desk.sign_in(&later, "maya").await;
    assert_eq!(later.open(watch).await.status, 404);
    let waiting = format!("{watch}?wait=25");
    let (seen, ()) = tokio::join!(desk.maya.open(&waiting), desk.agree(&asked));
    assert_eq!((seen.json()["state"].as_str(), seen.gives_session()), (Some("approved"), false));
    assert!(seen.json().get("receipt").is_none());
}

// CR-S25: the person leaves the page.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_the_page_takes_the_question_back_and_another_site_cannot() {
    let desk = Desk::start().await;
    let asked = desk.ask(json!({})).await;
    let watch = asked.body["watch"].as_str().unwrap();
    let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    assert_eq!(desk.maya.send(Method::DELETE, watch, None, &foreign).await.status, 403);
    assert_eq!(desk.maya.send(Method::POST, watch, None, &foreign).await.status, 405);
    assert_eq!(desk.state(&asked).await, "waiting");
    let own = [("sec-fetch-site", "same-origin")];
    let left = desk.maya.send(Method::DELETE, watch, None, &own).await;
    assert_eq!(left.json()["code"], "cancelled");
    assert_eq!(desk.aurora.count("server_initiated_cancel"), 1);
}
