//! An app on a phone signs somebody in by itself, hands the code in, and gets a session of ours.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, Method, StatusCode, redirect};
use serde_json::{Value, json};
use zengate_simulator::AutoConsent;

use crate::support::browser::Browser;
use crate::support::rig::{CLIENT_ID, CLIENT_SECRET, Choices, Rig};

const REDIRECT: &str = "com.example.harbour:/signed-in";
const VERIFIER: &str = "an-app-draws-this-verifier-anew-for-each-sign-in-0123456789";

/// A phone with the app.
struct Phone {
    rig: Rig,
    client: Client,
}

impl Phone {
    async fn with(native: &str, top: &str) -> Self {
        let routes = "  - { host: 127.0.0.1, access: session, upstream: UPSTREAM }
  - { host: localhost, path: /passed, access: session-or-bearer, pass_authorization: true, upstream: UPSTREAM }
";
        let top = format!("{top}native:\n  redirect_uris: ['{REDIRECT}']\n{native}");
        let bearer = "bearer:\n  issuers: [{ issuer: AURORA, audiences: [api] }]\n";
        let choices = Choices { top: format!("{top}{bearer}"), routes: routes.to_owned(), ..Choices::default() };
        Self::of(choices).await
    }

    async fn of(choices: Choices) -> Self {
        let rig = Rig::with(choices).await;
        let client = zengate_simulator::Client::with_secret(CLIENT_ID, CLIENT_SECRET).redirect_uri(REDIRECT);
        rig.simulator.register(client.redirect_uri(rig.url("/oauth2/callback")));
        for carrier in rig.simulator.carriers() {
            carrier.set(|rules| rules.auto_consent = Some(AutoConsent::default()));
        }
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { rig, client }
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.client.post(self.rig.url(path)).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| json!(text)))
    }

    async fn nonce(&self) -> String {
        let (status, body) = self.post("/oauth2/native/nonce", json!({})).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["expires_in"], 600);
        body["nonce"].as_str().unwrap().to_owned()
    }

    /// What the SDK does: a code of the person's carrier.
    async fn code(&self, nonce: &str, redirect_uri: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
        let query = [
            ("client_id", CLIENT_ID),
            ("redirect_uri", redirect_uri),
            ("response_type", "code"),
            ("scope", "openid name email"),
            ("state", "of-the-app"),
            ("nonce", nonce),
            ("acr_values", "a3"),
            ("correlation_id", "0123456789abcdef"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let aurora = self.rig.simulator.carrier("aurora").unwrap();
        let mut address = url::Url::parse(&aurora.authorization_endpoint()).unwrap();
        address.query_pairs_mut().extend_pairs(query);
        let answer = self.client.get(address).send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let url = url::Url::parse(&location).unwrap();
        url.query_pairs().find(|(name, _)| name == "code").unwrap_or_else(|| panic!("{location}")).1.into_owned()
    }

    /// What the app hands in; all of it is right.
    async fn handed_in(&self) -> Value {
        let nonce = self.nonce().await;
        let code = self.code(&nonce, REDIRECT).await;
        json!({
            "code": code,
            "mccmnc": "310410",
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            "client_id": CLIENT_ID,
            "nonce": nonce,
            "correlation_id": "0123456789abcdef",
            "sdk_version": "1.2.0",
        })
    }

    /// Opens a page of the app behind the gateway; the status.
    async fn open(&self, url: &str, name: &str, value: &str) -> StatusCode {
        let request = self.client.get(url).header(name, value).header("accept", "application/json");
        request.send().await.unwrap().status()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_signs_somebody_in_and_its_token_is_a_session_here_and_nowhere_else() {
    let phone = Phone::with("", "").await;
    let handed = phone.handed_in().await;
    let (status, body) = phone.post("/oauth2/native", handed).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["token_type"], "Bearer");
    assert!(body["expires_in"].as_u64().unwrap() > 3600);
    let (token, cookie) = (body["token"].as_str().unwrap().to_owned(), body["cookie"].as_str().unwrap().to_owned());
    let bearer = format!("Bearer {token}");
    for (name, value) in [("authorization", &bearer), ("cookie", &cookie)] {
        assert_eq!(phone.open(&phone.rig.url("/app"), name, value).await, 200, "{name}");
        let seen = phone.rig.upstream.last();
        assert!(seen.one("x-zenkey-sub").is_some_and(|sub| sub.starts_with("310410-")));
        assert!(!seen.head.contains(&token[4..]), "the app never sees it: {}", seen.head);
    }
    // Where access tokens count too, and are passed on, this one is a session and is not.
    assert_eq!(phone.open(&phone.rig.url("/passed"), "authorization", &bearer).await, 200);
    assert!(!phone.rig.upstream.last().head.contains("zgs_"), "{}", phone.rig.upstream.last().head);
    // Another host.
    let other = format!("http://127.0.0.1:{}/", phone.rig.address.port());
    for (name, value) in [("authorization", &bearer), ("cookie", &cookie)] {
        assert_ne!(phone.open(&other, name, value).await, 200, "{name}");
    }
    for bent in [format!("Bearer {}", &token[4..]), format!("Bearer zgs_{}", "A".repeat(43)), format!("Basic {token}")]
    {
        assert_eq!(phone.open(&phone.rig.url("/app"), "authorization", &bent).await, 401, "{bent}");
    }
    // It ends as sessions do.
    let browser = Browser::new();
    let (name, value) = cookie.split_once('=').unwrap();
    browser.plant("localhost", name, value);
    browser.post(phone.rig.url("/oauth2/sign_out"), &[]).await;
    assert_eq!(phone.open(&phone.rig.url("/app"), "authorization", &bearer).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_wrong_is_refused_and_says_no_more() {
    let phone = Phone::with("", "").await;
    let with = |mut body: Value, name: &str, value: Value| {
        let members = body.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(name)
        } else {
            members.insert(name.to_owned(), value)
        };
        body
    };
    let foreign = Phone::with("", "").await;
    for (what, name, value, expected) in [
        ("another redirect URI", "redirect_uri", json!("com.evil:/signed-in"), (400, "request_malformed")),
        (
            "the browser's redirect URI",
            "redirect_uri",
            json!(phone.rig.url("/oauth2/callback")),
            (400, "request_malformed"),
        ),
        ("a short verifier", "code_verifier", json!("a".repeat(42)), (400, "request_malformed")),
        ("a long verifier", "code_verifier", json!("a".repeat(129)), (400, "request_malformed")),
        ("no verifier", "code_verifier", Value::Null, (400, "request_malformed")),
        ("another verifier", "code_verifier", json!("b".repeat(43)), (502, "provider_refused")),
        ("another client", "client_id", json!("ccid-other"), (400, "request_malformed")),
        ("no nonce", "nonce", Value::Null, (400, "request_malformed")),
        ("a nonce of the app's own", "nonce", json!("n".repeat(43)), (400, "login_unknown")),
        ("a nonce of another gateway", "nonce", json!(foreign.nonce().await), (400, "login_unknown")),
        ("a nonce of another sign-in", "nonce", json!(phone.nonce().await), (502, "provider_invalid")),
        ("no network", "mccmnc", Value::Null, (400, "request_malformed")),
        ("five digits", "mccmnc", json!("31041"), (400, "request_malformed")),
        ("another carrier", "mccmnc", json!("310260"), (502, "provider_refused")),
        ("a code that nobody gave", "code", json!("made-up"), (502, "provider_refused")),
        ("no code", "code", Value::Null, (400, "request_malformed")),
    ] {
        let handed = with(phone.handed_in().await, name, value);
        let (status, body) = phone.post("/oauth2/native", handed).await;
        assert_eq!((status.as_u16(), body["error"].as_str()), (expected.0, Some(expected.1)), "{what}: {body}");
        assert!(body.get("token").is_none() && !body.to_string().contains("redirect"), "{what}: {body}");
    }
    // The twins: numbers, and network and country apart.
    for (mcc, mnc) in [(json!(310), json!(410)), (json!("310"), json!("410"))] {
        let handed = with(with(with(phone.handed_in().await, "mccmnc", Value::Null), "mcc", mcc), "mnc", mnc);
        assert_eq!(phone.post("/oauth2/native", handed).await.0, 200);
    }
    let handed = with(phone.handed_in().await, "mccmnc", json!(310_410));
    assert_eq!(phone.post("/oauth2/native", handed.clone()).await.0, 200);
    // What was handed in is used up, whoever hands it in again.
    let (status, body) = phone.post("/oauth2/native", handed.clone()).await;
    assert_eq!((status.as_u16(), body["error"].as_str()), (400, Some("login_unknown")), "a replayed nonce");
    let (status, body) = phone.post("/oauth2/native", with(handed, "nonce", json!(phone.nonce().await))).await;
    assert_eq!((status.as_u16(), body["error"].as_str()), (502, Some("provider_refused")), "a replayed code");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_demanded_of_a_sign_in_the_app_does_not_say() {
    let phone = Phone::with("", "").await;
    let aurora = phone.rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| {
        rules.id_token_claims.insert("acr".to_owned(), json!("a0"));
    });
    let mut handed = phone.handed_in().await;
    handed["acr_values"] = json!("a0");
    let (status, body) = phone.post("/oauth2/native", handed).await;
    assert_eq!((status.as_u16(), body["error"].as_str()), (403, Some("acr_unmet")), "{body}");
    // The twin.
    aurora.set(|rules| {
        rules.id_token_claims.clear();
    });
    assert_eq!(phone.post("/oauth2/native", phone.handed_in().await).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_must_have_an_account_and_has_none_is_told_so() {
    let accounts = "accounts: {}\n";
    let phone = Phone::with("  linked_account: true\n", accounts).await;
    let (status, body) = phone.post("/oauth2/native", phone.handed_in().await).await;
    assert_eq!((status.as_u16(), body["error"].as_str()), (403, Some("unlinked_user")), "{body}");
    // The twin: where nobody must.
    let phone = Phone::with("", accounts).await;
    assert_eq!(phone.post("/oauth2/native", phone.handed_in().await).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_are_for_apps_alone_and_for_no_flood() {
    let phone = Phone::with("  per_minute: 1\n", "").await;
    assert_eq!(phone.client.get(phone.rig.url("/oauth2/native")).send().await.unwrap().status(), 405);
    assert_eq!(phone.post("/oauth2/native/nonce", json!({})).await.0, 200);
    // A form of another site.
    let form = phone.client.post(phone.rig.url("/oauth2/native")).header("content-type", "text/plain").body("{}");
    assert_eq!(form.send().await.unwrap().status(), 400);
    let (status, body) = phone.post("/oauth2/native/nonce", json!({})).await;
    assert_eq!((status.as_u16(), body["error"].as_str()), (429, Some("too_many_sign_ins")), "{body}");
    // Where it is not switched on, and on a host that is not named for it, there is nothing.
    let off = Rig::start().await;
    let client = &phone.client;
    for url in [off.url("/oauth2/native"), off.url("/oauth2/native/nonce")] {
        assert_eq!(client.request(Method::POST, url).body("{}").send().await.unwrap().status(), 404);
    }
    let other = format!("http://127.0.0.1:{}/oauth2/native/nonce", phone.rig.address.port());
    assert_eq!(client.post(other).body("{}").send().await.unwrap().status(), 404);
}
