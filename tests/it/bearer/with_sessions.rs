//! Routes that take a session or a token.

use reqwest::Method;
use serde_json::json;

use super::{Api, challenge, is_quiet};
use crate::support::browser::Browser;
use crate::support::rig::Choices;

// K12
#[tokio::test]
async fn a_token_that_is_there_decides_and_a_bad_one_never_falls_back_to_the_session() {
    let api = Api::start().await;
    let browser = Browser::new();
    let page = api.rig.sign_in(&browser, "/either", "maya").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let person = api.rig.upstream.last().one("x-auth-sub").unwrap();
    assert_ne!(person, "caller-1");
    let ask = async |authorization: &str| {
        browser
            .send(
                Method::GET,
                api.rig.url("/either"),
                None,
                &[("authorization", authorization), ("accept", "text/html")],
            )
            .await
    };
    assert_eq!(ask(&format!("Bearer {}", api.token(json!({})).await)).await.status, 200);
    assert_eq!(api.rig.upstream.last().one("x-auth-sub").as_deref(), Some("caller-1"));
    let before = api.rig.upstream.count();
    for bad in ["Bearer x.y.z", "Bearer", "bearer  x", &format!("Bearer {}", api.token(json!({"aud": "x"})).await)] {
        api.is_api401(&ask(bad).await);
    }
    assert_eq!(ask("Bearer a, Bearer b").await.status, 400);
    assert_eq!(api.rig.upstream.count(), before);
    // Credentials of another scheme are the app's business or nobody's, as on any route with sessions.
    assert_eq!(ask("Basic YTpi").await.status, 200);
    assert_eq!(api.rig.upstream.last().one("x-auth-sub"), Some(person));
}

// K02
#[tokio::test]
async fn without_either_a_person_is_sent_to_sign_in_and_a_program_is_told_of_both() {
    let api = Api::start().await;
    let page = Browser::new().open(api.rig.url("/either")).await;
    assert!(page.status == 302 && page.raw_location().starts_with("/oauth2/start"));
    let page = api.ask("/either", &[("accept", "application/json")]).await;
    assert_eq!((page.status.as_u16(), challenge(&page)), (401, "Bearer realm=\"localhost\""));
    is_quiet(&page);
    assert!(page.json()["login_url"].as_str().unwrap().ends_with("/oauth2/start"));
}

// Issue 11, item 4; RFC 9470, 3: what a token's `acr` assures, the operator says of the issuer's own words.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_as_strong_as_the_operator_says_of_its_issuers_words() {
    let routes = "  - { host: localhost, path: /pay, access: bearer, upstream: UPSTREAM, require: { assurance: person },
      identity_headers: { map: { X-Assurance: assurance } } }
  - { host: localhost, path: /either/pay, access: session-or-bearer, upstream: UPSTREAM, require: { assurance: person } }
";
    let more = "    - { issuer: VIREO, audiences: ['https://a.test'], assurance: { silver: device, gold: person } }\n";
    let api = Api::beside(more, &Choices { routes: routes.to_owned(), ..Choices::default() }).await;
    let token = async |carrier: &str, acr: Option<&str>| {
        let mut claims = api.claims("https://a.test");
        claims["iss"] = api.issuer(carrier).into();
        acr.into_iter().for_each(|acr| claims["acr"] = acr.into());
        api.sign(carrier, json!({"typ": "at+jwt"}), claims).await
    };
    for path in ["/pay", "/either/pay"] {
        let before = api.rig.upstream.count();
        // What the operator says of one issuer's words says nothing of another's.
        for (carrier, acr) in [
            ("vireo", Some("silver")),
            ("vireo", None),
            ("vireo", Some("platinum")),
            ("aurora", Some("gold")),
            ("aurora", Some("a1")),
        ] {
            let page = api.call(path, &token(carrier, acr).await).await;
            assert_eq!(page.status, 401, "{path} {carrier} {acr:?}: {}", page.body);
            let challenge = challenge(&page);
            assert!(
                challenge.starts_with(
                    "Bearer realm=\"localhost\", error=\"insufficient_user_authentication\", acr_values=\""
                ),
                "{challenge}"
            );
            let words = challenge.split('"').nth(5).unwrap();
            assert!(words.split(' ').any(|word| word == "gold") && !words.contains("silver"), "{challenge}");
        }
        assert_eq!(api.rig.upstream.count(), before);
        api.passes(path, &token("vireo", Some("gold")).await).await;
        api.passes(path, &token("aurora", Some("a3")).await).await;
    }
    api.passes("/pay", &token("vireo", Some("gold")).await).await;
    assert_eq!(api.rig.upstream.last().one("x-assurance").as_deref(), Some("person"));
}
