//! The stories.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::holds;
use super::recorder::{OPENED, Recorder};
use crate::support::rig::Choices;

const FETCHED: &str = "Accept: application/json\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n";
const FORM: &str = "Accept: text/html\r\nOrigin: null\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n";
const SECOND: &str = "127.0.0.1";

/// A whole sign-in, further requests of the person, and leaving.
async fn sign_in(name: &str, person: &str, choices: Choices) {
    // A plain issuer's metadata and keys are asked for at the start.
    let unasked = if choices.plain.is_some() { 4 } else { 0 };
    let mut recorder = Recorder::start(person, choices).await;
    recorder.after(unasked).await;
    let url = |recorder: &Recorder, path: &str| recorder.rig.url(path);

    recorder.tell("Somebody opens a page of the app, signs in, and gets the page.");
    let answer = recorder.go(url(&recorder, "/app/x?y=1&z=a%20b")).await;
    assert_eq!(answer.status(), 200, "{}", answer.text);

    recorder.tell("The signed-in person sends a form.");
    let lines = format!("{FORM}X-ZenKey-Sub: made-up\r\nX-Forwarded-For: 192.0.2.7\r\n");
    recorder.ask("POST", url(&recorder, "/app/save"), &lines, "a=1&b=%C3%BC").await;

    recorder.tell("A script asks who is there.");
    recorder.ask("GET", url(&recorder, "/oauth2/session"), FETCHED, "").await;
    recorder.ask("GET", url(&recorder, "/oauth2/userinfo"), FETCHED, "").await;

    recorder.tell("The person signs out, and is out.");
    recorder.open(url(&recorder, "/oauth2/sign_out?rd=%2Fpublic")).await;
    let answer = recorder.ask("POST", url(&recorder, "/oauth2/sign_out?rd=%2Fpublic"), FORM, "").await;
    assert_eq!(answer.status(), 303, "{}", answer.text);
    let answer = recorder.open(url(&recorder, "/app/x")).await;
    assert_eq!(answer.status(), 302, "{}", answer.text);
    holds(name, &recorder.finish());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_at_aurora() {
    sign_in("aurora", "maya", Choices::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_at_tangent() {
    sign_in("tangent", "ines", Choices::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_at_vireo() {
    sign_in("vireo", "noor", Choices::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_at_a_plain_issuer() {
    let plain = Some("    scopes: [openid, name, email]\n".to_owned());
    sign_in("plain_issuer", "maya", Choices { plain, ..Choices::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals() {
    let mut recorder = Recorder::start("maya", Choices::default()).await;
    let url = |recorder: &Recorder, path: &str| recorder.rig.url(path);
    let state = "A".repeat(43);

    recorder.tell("An anonymous page needs nobody.");
    recorder.open(url(&recorder, "/public/x?y")).await;
    recorder.tell("A program without a session.");
    recorder.ask("GET", url(&recorder, "/app/data"), FETCHED, "").await;
    recorder.tell("A page that nobody serves.");
    recorder.open(url(&recorder, "/elsewhere")).await;
    recorder.ask("GET", url(&recorder, "/elsewhere"), FETCHED, "").await;
    recorder.tell("A callback that nobody began.");
    recorder.open(url(&recorder, &format!("/oauth2/callback?code=code-of-nobody&state={state}"))).await;
    recorder.tell("A method that is not offered, and an address that is not one.");
    recorder.ask("PUT", url(&recorder, "/oauth2/session"), FETCHED, "").await;
    recorder.open(url(&recorder, "/oauth2/unknown")).await;
    recorder.tell("A path that means two things.");
    recorder.open(url(&recorder, "/app/a%2Fb")).await;
    recorder.tell("A session that was made up.");
    let cookie = format!("{OPENED}Cookie: __Host-gw={state}\r\n");
    recorder.ask("GET", url(&recorder, "/app"), &cookie, "").await;
    recorder.tell("A person without the claim that a page asks for.");
    recorder.go(url(&recorder, "/admin")).await;
    recorder.tell("Another site posts the sign-out.");
    recorder.ask("POST", url(&recorder, "/oauth2/sign_out"), "Origin: https://evil.test\r\n", "").await;
    holds("refusals", &recorder.finish());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_says_no() {
    let mut recorder = Recorder::start("maya", Choices::default()).await;
    let aurora = recorder.rig.simulator.carrier("aurora").unwrap().clone();
    let page = recorder.rig.url("/app");

    recorder.tell("The person denies.");
    aurora.set(|rules| rules.next_authorize_error = Some("access_denied".to_owned()));
    recorder.go(&page).await;
    recorder.tell("The carrier's token endpoint is broken.");
    aurora.set(|rules| rules.status = [("token".to_owned(), 500)].into());
    recorder.go(&page).await;
    recorder.tell("The carrier tells somebody else's nonce.");
    aurora.set(|rules| {
        rules.status.clear();
        rules.id_token_claims.insert("nonce".to_owned(), "of-somebody-else".into());
    });
    recorder.go(&page).await;
    holds("carrier_says_no", &recorder.finish());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host() {
    let routes = format!("  - {{ host: {SECOND}, path: /app, access: session, upstream: 'UPSTREAM' }}\n");
    let mut recorder = Recorder::start("maya", Choices { routes, ..Choices::default() }).await;
    let port = recorder.rig.address.port();
    let there = format!("http://{SECOND}:{port}/app/x?y=1");

    recorder.tell("Somebody opens a page on the second host, signs in on the first, and is handed over.");
    let answer = recorder.go(&there).await;
    assert_eq!(answer.status(), 200, "{}", answer.text);
    recorder.tell("They leave the second host, and with it the first.");
    recorder.ask("POST", format!("http://{SECOND}:{port}/oauth2/sign_out"), FORM, "").await;
    let answer = recorder.open(recorder.rig.url("/app")).await;
    assert_eq!(answer.status(), 302, "{}", answer.text);
    holds("second_host", &recorder.finish());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_with_a_token() {
    let top = "bearer:
  issuers:
    - { issuer: AURORA, audiences: ['https://a.test'] }
cors_origins: ['https://spa.test']
";
    let routes = "  - host: localhost
    path: /api
    access: bearer
    upstream: UPSTREAM
    identity_headers: { map: { X-Auth-Sub: sub, X-Auth-Issuer: iss, X-Auth-Email: email } }
  - { host: localhost, path: /api/write, access: bearer, upstream: UPSTREAM, require: { scopes: [read, write] } }
  - { host: localhost, path: /either, access: session-or-bearer, upstream: UPSTREAM }
";
    let choices = Choices { top: top.to_owned(), routes: routes.to_owned(), ..Choices::default() };
    let mut recorder = Recorder::start("maya", choices).await;
    let aurora = recorder.rig.simulator.carrier("aurora").unwrap().clone();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let claims = json!({
        "iss": aurora.issuer(), "sub": "caller-1", "aud": "https://a.test", "exp": now + 300, "iat": now,
        "client_id": "app", "jti": "1", "scope": "read", "email": "caller@a.test",
    });
    let header: Map<String, Value> = [("typ".to_owned(), "at+jwt".into())].into_iter().collect();
    let token = aurora.sign(header, claims.as_object().unwrap().clone()).await.unwrap();
    let with = |token: &str| format!("{FETCHED}Authorization: Bearer {token}\r\n");
    let url = |recorder: &Recorder, path: &str| recorder.rig.url(path);

    // The issuer's metadata and keys are asked for at the start.
    recorder.after(4).await;
    for (what, path, lines) in [
        ("A good token.", "/api/x?y=1", with(&token)),
        ("The same token again.", "/either", with(&token)),
        ("A token without the scope that a route asks for.", "/api/write", with(&token)),
        ("What is no token.", "/api/x", with("x.y.z")),
        ("Nothing.", "/api/x", FETCHED.to_owned()),
        ("Nothing, from another origin that may read why.", "/api/x", format!("{FETCHED}Origin: https://spa.test\r\n")),
        ("Nothing, where a session would do.", "/either", FETCHED.to_owned()),
    ] {
        recorder.tell(what);
        recorder.ask("GET", url(&recorder, path), &lines, "").await;
    }
    recorder.tell("A browser asks whether a script may.");
    let lines = "Origin: https://spa.test\r\nAccess-Control-Request-Method: GET\r\n\
        Access-Control-Request-Headers: authorization\r\n";
    recorder.ask("OPTIONS", url(&recorder, "/api/x"), lines, "").await;
    holds("token", &recorder.finish());
}
