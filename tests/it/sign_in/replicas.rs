//! Two gateways on one Redis: what one began, the other ends, for every way in which a sign-in or a session goes on.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;
use zengate::app::App;
use zengate_simulator::Factor;

use super::providers::callback;
use super::step_up::{agrees, confirms_by, session_of};
use super::{assert_refused, at_once, is_signed_in, optimized, step_up, token_calls, until_code, until_signed_in};
use crate::support::browser::Browser;
use crate::support::process::Home;
use crate::support::redis::Redis;
use crate::support::rig::{CLIENT_ID, Choices, Rig};

const SCOPES: &str = "    scopes: [openid, name, email]\n";

/// The gateway of the rig, and another one on the same Redis.
struct Replicas {
    rig: Rig,
    other: App,
    _redis: Redis,
}

impl Replicas {
    /// `None`, said loudly, without a redis-server.
    async fn start(what: &str, choices: Choices) -> Option<Self> {
        let redis = Redis::start(what)?;
        let sessions = format!("{}{}", redis.sessions(), choices.sessions.replace("  store: memory\n", ""));
        let rig = Rig::with(Choices { sessions, ..choices }).await;
        at_once(&rig, "maya");
        let other = rig.another_node().await;
        Some(Self { rig, other, _redis: redis })
    }

    /// `url` as the load balancer has the other gateway answer it.
    fn at_other(&self, url: &Url) -> Url {
        let mut url = url.clone();
        url.set_port(Some(self.other.address().port())).unwrap();
        url
    }

    async fn stop(self) {
        self.other.stop(Duration::ZERO).await;
    }
}

fn plain(keys: &str) -> Choices {
    Choices { plain: Some(format!("{SCOPES}{keys}")), ..Choices::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_and_a_long_page_are_taken_by_the_gateway_that_did_not_begin() {
    let Some(two) = Replicas::start("answers by form", plain("    response_mode: form_post\n")).await else { return };
    // XM14: the answer is in a form. XS12: the page is too long for a cookie, and lies in the store.
    let long = format!("/app/x?{}", "a".repeat(8 * 1024 - "/app/x?".len()));
    for page in ["/app/x?y=1", &long] {
        let browser = Browser::new();
        let callback = until_code(&browser, two.rig.url(page)).await;
        let mut form: Vec<(String, String)> = callback.query_pairs().into_owned().collect();
        form.push(("zengate_reposted".into(), "1".into()));
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let here = two.rig.url_at(&two.other, "/oauth2/callback");
        let arrived = browser.post(&here, &form).await;
        assert_eq!((arrived.raw_location(), arrived.gives_session()), (page, true));
        assert!(is_signed_in(&two.rig, &browser).await, "the one that began knows it too");
        // A second time, where it began: the mark of a used sign-in is everybody's.
        let calls = token_calls(&two.rig);
        let again = browser.post(two.rig.url("/oauth2/callback"), &form).await;
        assert_eq!((again.raw_location(), again.gives_session()), (page, false));
        assert_eq!(token_calls(&two.rig), calls);
    }
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_code_and_a_long_page_pass_in_addresses() {
    let Some(two) = Replicas::start("long answers", plain("")).await else { return };
    let long = format!("/app/x?{}", "a".repeat(8 * 1024 - "/app/x?".len()));
    let browser = Browser::new();
    let callback = until_code(&browser, two.rig.url(&long)).await;
    let arrived = browser.open(two.at_other(&callback)).await;
    assert_eq!((arrived.raw_location(), arrived.gives_session()), (long.as_str(), true));
    // XS13: a code of 6 KiB, as Entra ID and ADFS write them.
    two.rig.simulator.carrier("aurora").unwrap().set(|rules| rules.code_bytes = Some(4_608));
    let browser = Browser::new();
    let callback = until_code(&browser, two.rig.url("/app/x")).await;
    assert_eq!(super::value(&callback, "code").unwrap().len(), 6 * 1024);
    let arrived = browser.open(two.at_other(&callback)).await;
    assert_eq!((arrived.raw_location(), arrived.gives_session()), ("/app/x", true));
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_providers_answers_to_the_gateway_that_did_not_begin() {
    let choices = Choices { two_providers: true, ..Choices::default() };
    let Some(two) = Replicas::start("several providers", choices).await else { return };
    for provider in ["staff", "partners"] {
        let browser = Browser::new();
        let callback = callback(&two.rig, &browser, provider).await;
        let arrived = browser.open(two.at_other(&callback)).await;
        assert_eq!((arrived.raw_location(), arrived.gives_session()), ("/app", true), "{provider}");
        assert!(is_signed_in(&two.rig, &browser).await);
    }
    two.stop().await;
}

// PM02: signed in at one, signed out at the other, led back by the provider to the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_at_the_provider_may_go_over_both() {
    let Some(mut two) = Replicas::start("signing out of both", plain("")).await else { return };
    let aurora = two.rig.simulator.carrier("aurora").unwrap().clone();
    let end = format!("{}/logout", aurora.issuer());
    aurora.set(|rules| drop(rules.metadata.insert("end_session_endpoint".to_owned(), end.clone().into())));
    two.rig.restart().await;
    two.other.stop(Duration::ZERO).await;
    two.other = two.rig.another_node().await;
    let browser = Browser::new();
    until_signed_in(&browser, two.rig.url("/app/x")).await;
    let leave = two.rig.url_at(&two.other, "/oauth2/sign_out?provider=yes&rd=/public/bye");
    let left = browser.post(&leave, &[]).await;
    let to = left.body.split("url=").nth(1).and_then(|rest| rest.split(['"', '>']).next()).unwrap_or_default();
    let to = Url::parse(&to.replace("&amp;", "&")).unwrap_or_else(|_| panic!("{} {}", left.status, left.body));
    assert!(to.as_str().starts_with(&end), "{to}");
    assert!(super::value(&to, "id_token_hint").is_some_and(|hint| hint.starts_with("ey")), "{to}");
    let state = super::value(&to, "state").unwrap();
    let back = Url::parse_with_params(&two.rig.url("/oauth2/signed_out"), [("state", &state)]).unwrap();
    let back = browser.open(back).await;
    assert_eq!(back.raw_location(), two.rig.url("/public/bye"));
    assert!(!is_signed_in(&two.rig, &browser).await);
    two.stop().await;
}

// F21, KC30: the provider ends a session of one gateway by what it tells the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_token_ends_the_sessions_of_both() {
    let choices = plain("");
    let Some(two) = Replicas::start("back-channel logout", choices).await else { return };
    let aurora = two.rig.simulator.carrier("aurora").unwrap().clone();
    aurora.set(|rules| drop(rules.id_token_claims.insert("sid".to_owned(), "sid-1".into())));
    let (one, stays) = (Browser::new(), Browser::new());
    until_signed_in(&one, two.rig.url("/app/x")).await;
    aurora.set(|rules| drop(rules.id_token_claims.insert("sid".to_owned(), "sid-2".into())));
    until_signed_in(&stays, two.rig.url_at(&two.other, "/app/x")).await;
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let claims = json!({
        "iss": aurora.issuer(), "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": "logout-1", "sid": "sid-1",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let token = aurora.sign(object(json!({ "typ": "logout+jwt" })), object(claims)).await.unwrap();
    let tell = |at: String, token: String| async move {
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", &token).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        Browser::new().send(Method::POST, at, Some(body), &headers).await
    };
    // Forged first: nobody is out.
    let (kept, _) = token.rsplit_once('.').unwrap();
    let at = two.rig.url_at(&two.other, "/oauth2/backchannel_logout");
    assert_eq!(tell(at.clone(), format!("{kept}.{}", "A".repeat(342))).await.status, 400);
    assert!(is_signed_in(&two.rig, &one).await);
    assert_eq!(tell(at, token.clone()).await.status, 200);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
    while is_signed_in(&two.rig, &one).await {
        assert!(tokio::time::Instant::now() < deadline, "still in at the gateway that was not told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(is_signed_in(&two.rig, &stays).await, "another session of the person goes on");
    // Replayed where it was not heard.
    let again = tell(two.rig.url("/oauth2/backchannel_logout"), token).await;
    assert_eq!(again.status, 400);
    two.stop().await;
}

// PM03, KC22: refresh tokens are good for one use, whichever gateway uses them.
#[tokio::test(flavor = "multi_thread")]
async fn both_ask_the_provider_again_and_whoever_left_it_is_out_at_both() {
    let choices = Choices { recheck: Some(Duration::from_millis(700)), ..plain("") };
    let Some(two) = Replicas::start("asking the provider again", choices).await else { return };
    let aurora = two.rig.simulator.carrier("aurora").unwrap().clone();
    aurora.set(|rules| rules.refresh_tokens = true);
    let (stays, leaves) = (Browser::new(), Browser::new());
    for browser in [&stays, &leaves] {
        until_signed_in(browser, two.rig.url("/app/x")).await;
    }
    let refreshed =
        || aurora.requests().iter().filter(|asked| asked.parameter("grant_type") == Some("refresh_token")).count();
    let elsewhere = two.rig.url_at(&two.other, "/app/x");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while refreshed() == 0 {
        assert_eq!(stays.open(&elsewhere).await.status, 200);
        assert!(tokio::time::Instant::now() < deadline, "nobody was asked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for at in [&elsewhere, &two.rig.url("/app/x")] {
        assert_eq!(stays.open(at).await.status, 200, "the answer is good at both");
    }
    assert_eq!(refreshed(), 1, "one of them has asked");
    aurora.set(|rules| rules.departed = vec!["maya".to_owned()]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    for at in [&elsewhere, &two.rig.url("/app/x")] {
        while leaves.open(at).await.status == 200 {
            assert!(tokio::time::Instant::now() < deadline, "a person whom the provider knows no more is still in");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert_eq!(refreshed(), 2);
    two.stop().await;
}

// Issue 11, item 4: as the same person, or nothing changes, wherever the answer comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_up_that_one_began_is_judged_by_the_other() {
    let choices = Choices { routes: step_up::ROUTES.to_owned(), ..Choices::default() };
    let Some(two) = Replicas::start("a step-up", choices).await else { return };
    confirms_by(&two.rig, Factor::Approve);
    let browser = Browser::new();
    assert_eq!(browser.go(two.rig.url("/app")).await.status, 200);
    let before = session_of(&browser);
    let answer = || async { two.at_other(&until_code(&browser, two.rig.url("/pay/7?a=1")).await) };
    // A tap is not enough there either, and a PIN of somebody else is nothing.
    assert_refused(&browser.open(answer().await).await, 403, "acr_unmet");
    confirms_by(&two.rig, Factor::Pin);
    agrees(&two.rig, Some("tomas"));
    assert_refused(&browser.open(answer().await).await, 403, "other_person");
    assert_eq!(session_of(&browser), before);
    agrees(&two.rig, None);
    let callback = answer().await;
    let arrived = browser.open(&callback).await;
    assert_eq!((arrived.raw_location(), arrived.gives_session()), ("/pay/7?a=1", true));
    for at in [two.rig.url("/pay/7"), two.rig.url_at(&two.other, "/pay/7")] {
        assert_eq!(browser.open(at).await.status, 200, "what was confirmed counts at both");
        assert_eq!(two.rig.upstream.last().one("x-assurance").as_deref(), Some("person"));
    }
    // What was before is over where it was opened, and the answer is used up there.
    let old = Browser::new();
    old.plant("localhost", "__Host-gw", &before);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while is_signed_in(&two.rig, &old).await {
        assert!(tokio::time::Instant::now() < deadline, "the session from before the step-up goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let calls = token_calls(&two.rig);
    let mut here = callback.clone();
    here.set_port(Some(two.rig.address.port())).unwrap();
    let again = browser.open(here).await;
    assert_eq!((again.raw_location(), again.gives_session(), token_calls(&two.rig)), ("/pay/7?a=1", false, calls));
    two.stop().await;
}

// Dossier 7: whose code it is, the other one finds out by itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_optimized_sign_in_that_one_began_is_ended_by_the_other() {
    let home = Home::new();
    let (choices, public) = optimized::choices(&home);
    let Some(two) = Replicas::start("optimized discovery", choices).await else { return };
    optimized::register(&two.rig, public);
    for (person, carrier) in [("maya", "aurora"), ("ines", "tangent")] {
        at_once(&two.rig, person);
        let carrier = two.rig.simulator.carrier(carrier).unwrap();
        let browser = Browser::new();
        let callback = two.at_other(&until_code(&browser, two.rig.url("/app/x")).await);
        // In another browser it is nothing, there as here.
        let thief = Browser::new();
        assert!(!thief.open(&callback).await.gives_session());
        let arrived = browser.open(&callback).await;
        assert_eq!((arrived.raw_location(), arrived.gives_session()), ("/app/x", true), "{}", arrived.body);
        assert_eq!(browser.open(two.rig.url("/app/x")).await.status, 200);
        assert_eq!(two.rig.upstream.last().one("x-auth-issuer").unwrap(), carrier.issuer());
        let calls = token_calls(&two.rig);
        let mut here = callback.clone();
        here.set_port(Some(two.rig.address.port())).unwrap();
        assert!(!browser.open(here).await.gives_session(), "the mark of a used sign-in is everybody's");
        assert_eq!(token_calls(&two.rig), calls);
    }
    // Another carrier's network in the answer: no code is redeemed at the other one either.
    at_once(&two.rig, "maya");
    let (browser, calls) = (Browser::new(), token_calls(&two.rig));
    let callback = two.at_other(&until_code(&browser, two.rig.url("/app/x")).await);
    let bent = super::with(&callback, "mccmnc", Some("310260"));
    assert_refused(&browser.open(bent).await, 400, "carrier_mismatch");
    assert_eq!(token_calls(&two.rig), calls);
    two.stop().await;
}
