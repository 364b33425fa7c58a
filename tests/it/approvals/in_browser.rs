//! An approval in the person's own browser: they read it on a page of ours, confirm at their carrier, and are back at the app, which
//! has a receipt. Nobody's session changes.

use reqwest::Method;
use serde_json::{Value, json};
use zengate_simulator::{AutoConsent, CarrierRules, Factor};

use super::answers::checked;
use super::{APP, CONTEXT, Desk};
use crate::support::browser::{Browser, Page};
use crate::support::redis::Redis;
use crate::support::rig::Choices;

/// Back at the app.
const AFTER: &str = "/app?paid=17";

struct Asked {
    id: String,
    confirm: String,
}

impl Desk {
    async fn ask_in_browser(&self, changes: Value) -> Asked {
        let mut wanted = json!({ "return_to": AFTER });
        wanted.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let (status, body) = self.try_ask(wanted).await;
        assert_eq!((status, &body["state"]), (201, &json!("waiting")), "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Asked { id: text("id"), confirm: text("confirm") }
    }

    /// How `person` answers at the carrier from now on.
    fn answers_by(&self, person: &str, factor: Factor) {
        let consent = AutoConsent { person: Some(person.to_owned()), factor, ..AutoConsent::default() };
        self.rig.simulator.ui().set(|rules| rules.auto_choose = Some(person.to_owned()));
        for carrier in self.rig.simulator.carriers() {
            carrier.set(|rules| rules.auto_consent = Some(consent.clone()));
        }
    }

    async fn ended(&self, asked: &Asked) -> (String, String) {
        let seen = self.look(&asked.id, 0).await;
        let text = |name: &str| seen[name].as_str().unwrap_or_default().to_owned();
        (text("state"), text("code"))
    }
}

/// Reads the page, presses `decision`, and goes where it leads: the last page.
async fn press(browser: &Browser, asked: &Asked, decision: &str) -> Page {
    let page = browser.open(&asked.confirm).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let agreement = page.field("agreement").unwrap();
    let page = browser.post(&asked.confirm, &[("agreement", &agreement), ("decision", decision)]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    browser.go(led_to(&page, &asked.confirm)).await
}

/// Where a page of ours leads on to.
fn led_to(page: &Page, base: &str) -> String {
    let href = page.body.split("<a href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    url::Url::parse(base).unwrap().join(&href).unwrap().into()
}

fn session_of(browser: &Browser) -> String {
    browser.cookies("localhost")["__Host-gw"].clone()
}

// Issue 11, item 5
#[tokio::test(flavor = "multi_thread")]
async fn the_person_confirms_in_their_browser_and_the_app_gets_a_receipt() {
    let embedded = Choices { sessions: "  store: embedded\n  path: DIR/sessions.redb\n".into(), ..Choices::default() };
    for choices in [Choices::default(), embedded] {
        let desk = Desk::with(choices, "  audience: https://shop.example\n").await;
        let asked = desk.ask_in_browser(json!({ "reference": "order 17", "acr_values": ["a3"] })).await;
        let (before, sessions) = (session_of(&desk.maya), desk.maya.open(desk.rig.url("/oauth2/session")).await.json());
        let page = desk.maya.open(&asked.confirm).await;
        assert!(page.body.contains(CONTEXT) && page.body.contains("https://shop.example"), "{}", page.body);
        desk.answers_by("maya", Factor::Pin);
        let page = press(&desk.maya, &asked, "go_on").await;
        assert_eq!((page.status.as_u16(), page.url.path(), page.url.query()), (200, "/app", Some("paid=17")));
        let told = desk.aurora.last("authorize").unwrap();
        for (name, value) in [("prompt", "login"), ("max_age", "0"), ("acr_values", "a3"), ("context", CONTEXT)] {
            assert_eq!(told.parameter(name), Some(value), "{name}");
        }
        let seen = desk.look(&asked.id, 0).await;
        assert_eq!((&seen["state"], &seen["acr"]), (&json!("approved"), &json!("a3")));
        let receipt = checked(&desk, seen["receipt"].as_str().unwrap(), "zengate-approval+jwt").await;
        for (name, value) in [("context", CONTEXT), ("reference", "order 17"), ("asked_in", "browser")] {
            assert_eq!(receipt[name], value, "{name}");
        }
        assert_eq!(receipt["sub_id"]["sub"], desk.wanted()["subject"]);
        let again = desk.look(&asked.id, 0).await;
        let again = checked(&desk, again["receipt"].as_str().unwrap(), "zengate-approval+jwt").await;
        assert_eq!(again["jti"], receipt["jti"], "the app takes it once");
        // The session is the one that it was: no other cookie, no other context, no other way.
        assert_eq!(session_of(&desk.maya), before);
        let after = desk.maya.open(desk.rig.url("/oauth2/session")).await.json();
        assert_eq!(after["acr"], sessions["acr"]);
        assert_eq!(desk.aurora.count("server_initiated"), 0, "no phone was called");
        // It is over: the page leads back, and asks nobody.
        let asked_before = desk.aurora.count("authorize");
        let page = desk.maya.open(&asked.confirm).await;
        assert_eq!(led_to(&page, &asked.confirm), desk.rig.url(AFTER));
        assert_eq!(desk.aurora.count("authorize"), asked_before);
    }
}

// The twins of the one above: everything is right but one thing.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_yes_of_this_person_to_this_question_is_none() {
    let desk = Desk::with(Choices::default(), "").await;
    let before = session_of(&desk.maya);
    let long_ago = json!(super::now() - 600);
    type Bend = fn(&mut CarrierRules, &Value);
    let bends: [(&str, Factor, Bend, (&str, &str)); 6] = [
        ("maya", Factor::Approve, |_, _| {}, ("failed", "acr_unmet")),
        ("tomas", Factor::Pin, |_, _| {}, ("failed", "other_person")),
        (
            "maya",
            Factor::Pin,
            |rules, old| drop(rules.id_token_claims.insert("auth_time".into(), old.clone())),
            ("failed", "acr_unmet"),
        ),
        (
            "maya",
            Factor::Pin,
            |rules, _| drop(rules.id_token_claims.insert("auth_time".into(), Value::Null)),
            ("failed", "acr_unmet"),
        ),
        (
            "maya",
            Factor::Pin,
            |rules, _| drop(rules.id_token_claims.insert("nonce".into(), json!("x"))),
            ("failed", "provider_invalid"),
        ),
        (
            "maya",
            Factor::Pin,
            |rules, _| rules.authorize_error = Some("access_denied".into()),
            ("declined", "access_denied"),
        ),
    ];
    for (number, (person, factor, bend, (state, code))) in bends.into_iter().enumerate() {
        let asked = desk.ask_in_browser(json!({ "acr_values": ["a3"] })).await;
        desk.answers_by(person, factor);
        desk.aurora.set(|rules| bend(rules, &long_ago));
        let page = press(&desk.maya, &asked, "go_on").await;
        assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app"), "{number}: {}", page.body);
        assert_eq!(desk.ended(&asked).await, (state.to_owned(), code.to_owned()), "{number}");
        assert!(desk.look(&asked.id, 0).await.get("receipt").is_none());
        desk.aurora.set(|rules| {
            rules.id_token_claims.clear();
            rules.authorize_error = None;
        });
        assert_eq!(session_of(&desk.maya), before, "{number}");
        // Nothing that comes later changes it.
        desk.answers_by("maya", Factor::Pin);
        let page = desk.maya.open(&asked.confirm).await;
        assert!(page.field("agreement").is_none());
        assert_eq!(desk.ended(&asked).await.0, state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn saying_no_is_one_click_and_asks_no_carrier() {
    let desk = Desk::with(Choices::default(), "").await;
    let asked = desk.ask_in_browser(json!({})).await;
    let before = desk.aurora.count("authorize");
    let page = press(&desk.maya, &asked, "no").await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app"));
    assert_eq!(desk.ended(&asked).await, ("declined".to_owned(), "access_denied".to_owned()));
    assert_eq!(desk.aurora.count("authorize"), before);
}

// T: who may open it, and from where.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_person_sees_the_question_and_only_its_own_page_answers_it() {
    let desk = Desk::with(Choices::default(), "").await;
    let asked = desk.ask_in_browser(json!({})).await;
    assert_eq!(Browser::new().open(&asked.confirm).await.status, 401);
    let tomas = Browser::new();
    desk.sign_in(&tomas, "tomas").await;
    let page = tomas.open(&asked.confirm).await;
    assert!(page.status == 404 && !page.body.contains("Harbour Books"), "{}", page.body);
    let agreement = desk.maya.open(&asked.confirm).await.field("agreement").unwrap();
    let form = format!("agreement={agreement}&decision=no");
    let foreign = [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    assert_eq!(desk.maya.send(Method::POST, &asked.confirm, Some(form.clone()), &foreign).await.status, 403);
    // Another session of hers, or a made-up agreement: she reads it first.
    let other = Browser::new();
    desk.sign_in(&other, "maya").await;
    for (browser, agreement) in [(&other, agreement.as_str()), (&desk.maya, "x"), (&desk.maya, "")] {
        let page = browser.post(&asked.confirm, &[("agreement", agreement), ("decision", "no")]).await;
        assert!(page.status == 200 && page.field("agreement").is_some(), "{}", page.body);
    }
    assert_eq!(desk.ended(&asked).await.0, "waiting");
    // A question on the phone is not answered here, and one in the browser by no notification.
    let phone = desk.ask(json!({})).await;
    assert_eq!(desk.maya.open(format!("{}/confirm", phone.body["watch"].as_str().unwrap())).await.status, 404);
    for (to, word) in
        [("https://evil.example/", "return_to"), ("/oauth2/sign_out", "return_to"), ("//evil.example", "return_to")]
    {
        let (status, body) = desk.try_ask(json!({ "return_to": to })).await;
        assert_eq!((status, body["error"].as_str().unwrap()), (400, word), "{to}");
    }
    // The twin: with its own form it is answered.
    desk.maya.post(&asked.confirm, &[("agreement", &agreement), ("decision", "no")]).await;
    assert_eq!(desk.ended(&asked).await.0, "declined");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_taken_back_runs_out_and_is_asked_again_like_one_on_the_phone() {
    let desk = Desk::with(Choices::default(), "  in_browser_per_hour: 3\n").await;
    let asked = desk.ask_in_browser(json!({})).await;
    // She is at the carrier already when the app takes it back.
    let page = desk.maya.open(&asked.confirm).await;
    let agreement = page.field("agreement").unwrap();
    let page = desk.maya.post(&asked.confirm, &[("agreement", &agreement), ("decision", "go_on")]).await;
    let carrier = led_to(&page, &asked.confirm);
    let query = format!("?id={}", asked.id);
    let (status, again) = desk.call_as(APP, Method::POST, &query, None).await;
    assert_eq!((status, &again["state"]), (201, &json!("waiting")));
    assert!(again["confirm"].is_string());
    desk.answers_by("maya", Factor::Pin);
    assert_eq!(desk.maya.go(&carrier).await.url.path(), "/app");
    assert_eq!(desk.ended(&asked).await, ("failed".to_owned(), "cancelled".to_owned()));
    let second = Asked { id: again["id"].as_str().unwrap().into(), confirm: again["confirm"].as_str().unwrap().into() };
    assert_eq!(desk.ended(&second).await.0, "waiting");
    assert_eq!(press(&desk.maya, &second, "go_on").await.status, 200);
    assert_eq!(desk.ended(&second).await.0, "approved");
    desk.ask_in_browser(json!({})).await;
    let (status, body) = desk.try_ask(json!({ "return_to": AFTER })).await;
    assert_eq!((status, body["error"].as_str().unwrap()), (429, "too_many_approvals"));
    // The phone has turns of its own.
    desk.ask(json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_begun_at_one_gateway_and_answered_at_another_after_a_restart() {
    let Some(redis) = Redis::start("approvals in the browser over two gateways") else { return };
    let mut desk = Desk::with(Choices { sessions: redis.sessions(), ..Choices::default() }, "").await;
    let asked = desk.ask_in_browser(json!({ "acr_values": ["a3"] })).await;
    desk.rig.restart().await;
    let other = desk.rig.another_node().await;
    desk.answers_by("maya", Factor::Pin);
    let path = url::Url::parse(&asked.confirm).unwrap().path().to_owned();
    let there = Asked { id: asked.id.clone(), confirm: desk.rig.url_at(&other, &path) };
    let page = desk.maya.open(&there.confirm).await;
    let agreement = page.field("agreement").unwrap();
    let page = desk.maya.post(&there.confirm, &[("agreement", &agreement), ("decision", "go_on")]).await;
    // The carrier sends her to the address that it knows: the first gateway.
    let page = desk.maya.go(led_to(&page, &there.confirm)).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app"), "{}", page.body);
    assert_eq!(desk.ended(&asked).await.0, "approved");
}
