//! One fixed OpenID Connect issuer instead of a federation: the same rules, without discovery.

use serde_json::json;
use zengate_simulator::CarrierRules;

use super::{assert_begun_anew, assert_refused, at_once, only, token_calls, until_code, value, with};
use crate::support::browser::Browser;
use crate::support::rig::{CLIENT_ID, Choices, Rig};
use crate::support::upstream::Upstream;

const KEYS: &str = "    scopes: [openid, name, email]\n";

async fn rig(keys: &str) -> Rig {
    let rig = Rig::with(Choices { plain: Some(format!("{KEYS}{keys}")), ..Choices::default() }).await;
    at_once(&rig, "maya");
    // Who the person is, no discovery UI tells: the issuer takes its first.
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_without_any_discovery() {
    // C01
    let rig = rig("").await;
    let page = Browser::new().go(rig.url("/app/x?y=1")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/x"));
    let aurora = rig.simulator.carrier("aurora").unwrap();
    assert_eq!(rig.upstream.last().one("x-auth-issuer").unwrap(), aurora.issuer());
    assert_eq!((rig.simulator.ui().count(), rig.simulator.discovery().count()), (0, 0));
    let asked = aurora.last("authorize").unwrap();
    assert_eq!(only(&asked, "correlation_id"), None, "a parameter only ZenKey knows");
    assert_eq!(only(&asked, "code_challenge_method").unwrap(), "S256");
    assert_eq!(only(&asked, "scope").unwrap(), "openid name email");
}

#[tokio::test(flavor = "multi_thread")]
async fn mix_up_replay_and_foreign_browsers_fare_no_better() {
    // B04, B06, D01
    let rig = rig("").await;
    let (owner, thief) = (Browser::new(), Browser::new());
    let callback = until_code(&owner, rig.url("/app")).await;
    assert_begun_anew(&thief.open(&callback).await, "/");
    assert!(owner.open(&callback).await.gives_session());
    let again = owner.open(&callback).await;
    assert_eq!((again.status.as_u16(), again.raw_location(), again.gives_session()), (302, "/app", false));
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app")).await;
    assert_refused(&browser.open(with(&callback, "iss", Some("https://evil.test"))).await, 400, "carrier_mismatch");
    assert_eq!(token_calls(&rig), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_would_restart_discovery_is_terminal_without_one() {
    let rig = rig("").await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| rules.authorize_error = Some("user_not_found".into()));
    assert_refused(&Browser::new().go(rig.url("/app")).await, 403, "user_not_found");
    assert_eq!(aurora.count("authorize"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_away_is_said_before_anybody_leaves() {
    // N01, P08
    let mut rig = rig("").await;
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    rig.stop_gateway().await;
    let aurora = rig.simulator.carrier("aurora").unwrap().clone();
    aurora.set(|rules| rules.status = [("metadata".to_owned(), 503)].into());
    rig.start_gateway().await;
    let browser = Browser::new();
    let page = browser.go(rig.url("/app")).await;
    assert_refused(&page, 503, "provider_unavailable");
    assert!(page.headers.contains_key("retry-after") && browser.cookies("localhost").is_empty());
    aurora.set(|rules| rules.status.clear());
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_sends_us_elsewhere_is_not_followed() {
    // D10
    let (bouncer, trap) = (Upstream::start().await, Upstream::start().await);
    let mut rig = rig(&format!("    allowed_hosts: ['{}']\n", bouncer.address)).await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let at_bouncer = format!("http://{}/token", bouncer.address);
    aurora.set(|rules| drop(rules.metadata.insert("token_endpoint".into(), at_bouncer.into())));
    rig.restart().await;
    for status in ["307 Temporary Redirect", "302 Found", "308 Permanent Redirect", "303 See Other"] {
        bouncer
            .answer(&format!("HTTP/1.1 {status}\r\nLocation: http://{}/x\r\nContent-Length: 0\r\n\r\n", trap.address));
        let before = bouncer.count();
        let browser = Browser::new();
        let page = browser.go(rig.url("/app")).await;
        assert_refused(&page, 502, "provider_invalid");
        assert_eq!((bouncer.count(), trap.count()), (before + 1, 0), "{status}");
    }
    assert!(bouncer.last().one("authorization").unwrap().starts_with("Basic "));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_callback_says_about_carriers_is_beside_the_point() {
    // D06
    let rig = rig("").await;
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app")).await;
    assert!(value(&callback, "mccmnc").is_some());
    assert!(browser.open(with(&callback, "mccmnc", Some("999999"))).await.gives_session());
    assert_eq!(rig.simulator.discovery().count(), 0);
}

// MV01, KC01
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_the_issuer_calls_unverified_reaches_no_app_no_rule_and_no_answer_of_ours() {
    let routes = "  - { host: localhost, path: /boss, access: session, upstream: UPSTREAM,
      require: { claims: { email: [boss@corp.test] } } }
  - { host: localhost, path: /by-mail, access: session, upstream: UPSTREAM,
      identity_headers: { map: { X-Forwarded-User: email, X-Phone: phone_number } } }
";
    for (accept, word, told) in [
        ("", json!(false), false),
        ("", json!("false"), false),
        ("", json!(0), false),
        ("", json!(null), false),
        ("", json!(true), true),
        ("    accept_unverified_contacts: true\n", json!(false), true),
    ] {
        let plain = Some(format!("    scopes: [openid]\n{accept}"));
        let rig = Rig::with(Choices { plain, routes: routes.to_owned(), ..Choices::default() }).await;
        at_once(&rig, "maya");
        rig.simulator.carrier("aurora").unwrap().set(|rules| {
            for (name, value) in [("email", json!("boss@corp.test")), ("phone_number", json!("+15550100"))] {
                rules.id_token_claims.insert(name.to_owned(), value);
            }
            for name in ["email_verified", "phone_number_verified"] {
                rules.id_token_claims.insert(name.to_owned(), word.clone());
            }
        });
        let browser = Browser::new();
        assert_eq!(browser.go(rig.url("/app")).await.status, 200, "{accept} {word}");
        let seen = rig.upstream.last();
        for name in ["x-auth-request-email", "x-forwarded-email", "remote-email", "x-auth-email", "x-zenkey-email"] {
            assert_eq!(seen.one(name), told.then(|| "boss@corp.test".to_owned()), "{name} {accept} {word}");
        }
        assert!(seen.one("x-auth-request-user").is_some());
        assert_eq!(browser.go(rig.url("/by-mail")).await.status, 200);
        let seen = rig.upstream.last();
        assert_eq!(seen.one("x-forwarded-user"), told.then(|| "boss@corp.test".to_owned()), "{accept} {word}");
        assert_eq!(seen.one("x-phone"), told.then(|| "+15550100".to_owned()), "{accept} {word}");
        let status = browser.go(rig.url("/boss")).await.status;
        assert_eq!(status, if told { 200 } else { 403 }, "{accept} {word}");
        let shown = browser.go(rig.url("/oauth2/userinfo")).await;
        assert_eq!(shown.body.contains("boss@corp.test"), told, "{}", shown.body);
    }
}

// XS02, XS08, XS13, XS18, XS23, PM03, MV15
#[tokio::test(flavor = "multi_thread")]
async fn what_real_issuers_write_is_read_and_what_nobody_listed_is_refused() {
    type Bend = fn(&mut CarrierRules);
    let listed = "    scopes: [openid]\n    trusted_audiences: [project, 'other@project']\n";
    let rig = Rig::with(Choices { plain: Some(listed.to_owned()), ..Choices::default() }).await;
    at_once(&rig, "maya");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let honest = aurora.rules();
    fn claim(rules: &mut CarrierRules, name: &str, value: serde_json::Value) {
        rules.id_token_claims.insert(name.to_owned(), value);
    }
    let good: [Bend; 8] = [
        |rules| claim(rules, "aud", json!([CLIENT_ID, "project"])),
        |rules| {
            claim(rules, "aud", json!(["other@project", CLIENT_ID, "project"]));
            claim(rules, "azp", json!(CLIENT_ID));
        },
        |rules| ["azp", "at_hash", "nbf", "auth_time"].iter().for_each(|name| claim(rules, name, json!(null))),
        |rules| rules.token_response_omit = vec!["access_token".to_owned(), "token_type".to_owned()],
        |rules| drop(rules.token_response.insert("token_type".to_owned(), json!(null))),
        |rules| drop(rules.token_response.insert("access_token".to_owned(), json!("x".repeat(100_000)))),
        // 2,000 groups.
        |rules| claim(rules, "groups", json!(vec!["g".repeat(64); 2000])),
        |rules| rules.id_token_omit = vec!["auth_time".to_owned()],
    ];
    for (place, bend) in good.into_iter().enumerate() {
        aurora.set(bend);
        if place == 5 {
            // What is there is compared.
            aurora.set(|rules| rules.id_token_omit.push("at_hash".into()));
        }
        let page = Browser::new().go(rig.url("/app")).await;
        assert_eq!(page.status, 200, "{place}: {}", page.body);
        aurora.set(|rules| *rules = honest.clone());
    }
    let bad: [Bend; 9] = [
        |rules| claim(rules, "aud", json!([CLIENT_ID, "stranger"])),
        |rules| claim(rules, "aud", json!([CLIENT_ID, "project", "stranger"])),
        |rules| claim(rules, "aud", json!(["project"])),
        |rules| {
            claim(rules, "aud", json!([CLIENT_ID, "project"]));
            claim(rules, "azp", json!("project"));
        },
        |rules| claim(rules, "nonce", json!(null)),
        |rules| claim(rules, "exp", json!(null)),
        |rules| claim(rules, "iss", json!(null)),
        |rules| claim(rules, "sub", json!(null)),
        |rules| claim(rules, "groups", json!(vec!["g".repeat(64); 5000])),
    ];
    for (place, bend) in bad.into_iter().enumerate() {
        aurora.set(bend);
        assert_refused(&Browser::new().go(rig.url("/app")).await, 502, "provider_invalid");
        aurora.set(|rules| *rules = honest.clone());
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200, "the honest twin of {place}");
    }
}

// XM06, PM10
#[tokio::test(flavor = "multi_thread")]
async fn the_operators_parameters_and_the_browsers_languages_stand_in_the_request() {
    let rig = rig("    prompt: select_account
    max_age: 1h
    ui_locales: [from_browser]
    claims: '{\"id_token\":{\"groups\":null}}'
    resource: ['https://api.test/']
    authorization_parameters: { hd: example.com }
")
    .await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    let asked = aurora.last("authorize").unwrap();
    for (name, value) in [
        ("prompt", "select_account"),
        ("max_age", "3600"),
        ("claims", r#"{"id_token":{"groups":null}}"#),
        ("resource", "https://api.test/"),
        ("hd", "example.com"),
    ] {
        assert_eq!(only(&asked, name).as_deref(), Some(value));
    }
    // `max_age` is a demand: who authenticated too long ago, or nobody knows when, is not signed in.
    let honest = aurora.rules();
    for auth_time in [json!(1_000_000_000), json!(null)] {
        aurora.set(|rules| drop(rules.id_token_claims.insert("auth_time".to_owned(), auth_time)));
        assert_refused(&Browser::new().go(rig.url("/app")).await, 502, "provider_invalid");
        aurora.set(|rules| *rules = honest.clone());
    }
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
}

// RFC 9126: nothing of the request but its name is in the browser.
// PM15
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_issuer_wants_pushed_is_pushed_before_the_browser_leaves() {
    let pushing = Upstream::start().await;
    let mut rig = rig(&format!("    allowed_hosts: ['{}']\n", pushing.address)).await;
    let aurora = rig.simulator.carrier("aurora").unwrap().clone();
    let endpoint = format!("http://{}/par", pushing.address);
    aurora.set(|rules| {
        rules.metadata.insert("pushed_authorization_request_endpoint".into(), endpoint.into());
        rules.metadata.insert("require_pushed_authorization_requests".into(), json!(true));
    });
    rig.restart().await;
    let body = r#"{"request_uri":"urn:example:bwc4JK","expires_in":60}"#;
    pushing.answer(&format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let browser = Browser::new();
    let start = browser.open(rig.url("/app")).await.location().unwrap();
    let to = browser.open(start).await.location().unwrap();
    let names: Vec<_> = to.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["client_id", "request_uri"]);
    assert_eq!(value(&to, "request_uri").as_deref(), Some("urn:example:bwc4JK"));
    assert!(pushing.last().one("authorization").unwrap().starts_with("Basic "));
    // A push that fails ends the sign-in: the request is not written into the address instead.
    pushing.answer("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let browser = Browser::new();
    assert_refused(&browser.go(rig.url("/app")).await, 502, "provider_refused");
    assert_eq!(aurora.count("authorize"), 0);
}

// PM09, PM05
#[tokio::test(flavor = "multi_thread")]
async fn our_public_keys_are_published_and_only_those() {
    let home = crate::support::process::Home::new();
    let path = home.path("client.pem");
    let path = path.to_str().unwrap();
    let made = crate::support::process::Process::run(&["keys", "--out", path]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let printed: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    assert!(printed["keys"][0].get("d").is_none() && !made.stdout.contains("PRIVATE"));
    // Never over another key.
    assert_eq!(crate::support::process::Process::run(&["keys", "--out", path]).code, Some(1));
    let rig = rig(&format!("    client_keys: [{path}]\n    token_endpoint_auth_method: client_secret_basic\n")).await;
    let page = Browser::new().open(rig.url("/oauth2/jwks.json")).await;
    assert_eq!((page.status.as_u16(), page.json()), (200, printed));
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    let without = self::rig("").await;
    assert_eq!(Browser::new().open(without.url("/oauth2/jwks.json")).await.status, 404);
}
