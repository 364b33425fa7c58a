//! Somebody without an account is led to the app's registration page, which is told who they are in a signed statement.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::{House, KEY, Who, parsed};
use crate::support::browser::{Browser, Page};
use crate::support::process::Process;
use crate::support::redis::Redis;

const REGISTER: &str = "http://localhost:9/register";

async fn house(store: &str) -> House {
    House::with(&format!("{store}  keys: [{KEY}]\n"), &format!("  registration_url: {REGISTER}\n")).await
}

fn file() -> &'static str {
    "  store: embedded\n  path: DIR/sessions.redb\n"
}

/// The published set, by its address.
async fn published(house: &House) -> JwkSet {
    let answer = house.client.get(house.rig.url("/oauth2/assertion-keys.json")).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["cache-control"].to_str().unwrap()),
        (200, "public, max-age=300")
    );
    answer.json().await.unwrap()
}

fn kids(set: &JwkSet) -> Vec<String> {
    set.keys.iter().map(|key| key.common.key_id.clone().unwrap()).collect()
}

/// What an app does with the statement, as docs/ACCOUNTS.md says: `None` for one that is not good.
fn checked(assertion: &str, set: &JwkSet, audience: &str) -> Option<Value> {
    let header = jsonwebtoken::decode_header(assertion).ok()?;
    if header.typ.as_deref() != Some("zengate-registration+jwt") {
        return None;
    }
    let key = DecodingKey::from_jwk(set.find(header.kid.as_deref()?)?).ok()?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[audience]);
    jsonwebtoken::decode::<Value>(assertion, &key, &validation).ok().map(|data| data.claims)
}

#[track_caller]
fn form_of(page: &Page) -> String {
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(page.body.contains("Code: unlinked_user<br>"), "{}", page.body);
    assert!(page.body.contains(&format!("<form method=post action=\"{REGISTER}\">")), "{}", page.body);
    assert!(!page.body.contains("<script") && page.headers.get("location").is_none());
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(
        (page.headers["referrer-policy"].to_str().unwrap(), page.headers["cache-control"].to_str().unwrap()),
        ("no-referrer", "no-store")
    );
    page.body.split_once("name=assertion value=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_registers_somebody_by_what_it_is_told() {
    let mut house = house(file()).await;
    let browser = Browser::new();
    let maya = house.sign_in(&browser, "maya").await;
    let page = house.open(&browser, "/members/offers?x=1").await;
    let assertion = form_of(&page);
    assert!(page.body.contains("localhost will be told:") && page.body.contains("email"), "{}", page.body);
    let set = published(&house).await;
    let told = checked(&assertion, &set, "http://localhost:9").unwrap();
    assert_eq!(told["iss"], house.rig.url(""));
    assert_eq!(told["sub_id"], json!({ "format": "iss_sub", "iss": maya.issuer, "sub": maya.subject }));
    assert_eq!(told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap(), 120);
    assert_eq!(
        (&told["acr"], told["return_to"].as_str()),
        (&json!("a3"), Some(house.rig.url("/members/offers?x=1").as_str()))
    );
    assert!(told["claims"]["email"].as_str().unwrap().contains('@') && told["claims"]["name"].is_string(), "{told}");
    // Each statement is one of its own, so that an app can take it once.
    let again = form_of(&house.open(&browser, "/members").await);
    assert_ne!(checked(&again, &set, "http://localhost:9").unwrap()["jti"], told["jti"]);
    // A form that was sent is not lost without a word either.
    let posted = browser.post(house.rig.url("/members"), &[("x", "1")]).await;
    form_of(&posted);
    // A restart changes no key.
    house.restart();
    assert_eq!(kids(&published(&house).await), kids(&set));
    // The app links them by what it was told, and sends them on.
    let who = Who {
        issuer: told["sub_id"]["iss"].as_str().unwrap().to_owned(),
        subject: told["sub_id"]["sub"].as_str().unwrap().to_owned(),
    };
    assert_eq!(house.link(&who, "new-1", "").await, 201);
    assert_eq!(browser.open(told["return_to"].as_str().unwrap()).await.status, 200);
    assert_eq!(house.rig.upstream.last().one("x-zenkey-account").as_deref(), Some("new-1"));
    let log = house.log();
    assert!(!log.contains(&assertion) && !log.contains(told["claims"]["email"].as_str().unwrap()), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_told_and_no_bent_statement_is_good() {
    let house = house("  store: memory\n").await;
    let browser = Browser::new();
    house.sign_in(&browser, "maya").await;
    let cookie = browser.cookie_header("localhost");
    let request = house.client.get(house.rig.url("/members")).header("cookie", cookie);
    let answer = request.header("accept", "application/json").send().await.unwrap();
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    assert_eq!((status.as_u16(), parsed(&body)["error"].as_str()), (403, Some("unlinked_user")));
    assert!(!body.contains("assertion") && !body.contains("eyJ"), "{body}");
    // Whoever is not signed in is sent to sign in.
    assert_eq!(house.open(&Browser::new(), "/members").await.status, 302);

    let assertion = form_of(&house.open(&browser, "/members").await);
    let set = published(&house).await;
    assert!(checked(&assertion, &set, "http://localhost:9").is_some(), "the twin");
    assert!(checked(&assertion, &set, "http://localhost:10").is_none(), "for another app");
    let [head, claims, signature] = assertion.split('.').collect::<Vec<_>>()[..] else { panic!("{assertion}") };
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let bent = URL_SAFE_NO_PAD.encode(claims.replace("iss_sub", "iss_bus"));
    assert!(checked(&format!("{head}.{bent}.{signature}"), &set, "http://localhost:9").is_none());
    for bend in [json!({ "alg": "none" }), json!({ "alg": "HS256", "kid": kids(&set)[0] })] {
        let head = URL_SAFE_NO_PAD.encode(bend.to_string());
        assert!(checked(&format!("{head}.{bent}."), &set, "http://localhost:9").is_none());
    }
    // It is no access token and no ID token anywhere here.
    for path in ["/members", "/oauth2/userinfo"] {
        let answer = house.client.get(house.rig.url(path)).bearer_auth(&assertion).send().await.unwrap();
        assert!([302, 401].contains(&answer.status().as_u16()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_of_one_redis_sign_with_one_key() {
    let Some(redis) = Redis::start("assertion keys across gateways") else { return };
    let mut house = house(&redis.sessions()).await;
    let set = published(&house).await;
    assert_eq!(set.keys.len(), 1);
    house.restart();
    assert_eq!(kids(&published(&house).await), kids(&set));
    let elsewhere = house.rig.another_node().await;
    let browser = Browser::new();
    house.sign_in(&browser, "maya").await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    let page = loop {
        // The first look at the store goes on behind the start.
        let page = browser.open(house.rig.url_at(&elsewhere, "/members")).await;
        if page.body.contains("assertion") || std::time::Instant::now() > deadline {
            break page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(checked(&form_of(&page), &set, "http://localhost:9").is_some());
    elsewhere.stop(std::time::Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_show_a_provider_who_we_are_are_in_another_set() {
    let mut house = house("  store: memory\n").await;
    assert_eq!(house.open(&Browser::new(), "/oauth2/jwks.json").await.status, 404);
    for name in ["client.pem", "ours.pem", "next.pem"] {
        let out = house.home.path(name);
        let ended = Process::run(&["keys", "--out", out.to_str().unwrap()]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let issuer = house.rig.simulator.issuers()[0].clone();
    let with = move |assertion_keys: &str| {
        let keys = assertion_keys.to_owned();
        let issuer = issuer.clone();
        move |config: &str| {
            let start = config.find("provider:\n").unwrap();
            let end = config.find("sessions:\n").unwrap();
            let provider = format!(
                "provider:\n  allow_private_addresses: true\n  oidc: {{ issuer: '{issuer}', client_id: ours, client_keys: [client.pem] }}\n\
                 assertions: {{ keys: [{keys}] }}\n"
            );
            format!("{}{provider}{}", &config[..start], &config[end..])
        }
    };
    house.restart_with(with("ours.pem, next.pem"));
    let ours = kids(&published(&house).await);
    let clients = house.open(&Browser::new(), "/oauth2/jwks.json").await.json();
    let clients: Vec<_> =
        clients["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    assert_eq!((ours.len(), clients.len()), (2, 1));
    assert!(!ours.contains(&clients[0]), "{ours:?} {clients:?}");
    // One file for both is refused.
    let text = with("ours.pem, client.pem")(&house.config);
    let path = house.home.write("both.yaml", &text);
    let ended = Process::run(&["check", "--config", path.to_str().unwrap()]);
    assert_ne!(ended.code, Some(0));
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("assertions.keys[1]") && said.contains("client_keys"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_page_to_register_nothing_is_signed() {
    let house = House::with(&format!("  store: memory\n  keys: [{KEY}]\n"), "").await;
    assert_eq!(house.open(&Browser::new(), "/oauth2/assertion-keys.json").await.status, 404);
}
