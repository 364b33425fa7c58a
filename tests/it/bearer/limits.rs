//! Forgers are cheap to refuse and cannot spend our time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::Api;

fn forged(token: &str, number: usize) -> String {
    let (body, _) = token.rsplit_once('.').unwrap();
    format!("{body}.{}", format!("{number:04}").repeat(85) + "AA")
}

// K03, L11
#[tokio::test]
async fn whoever_forges_too_much_is_answered_without_a_signature_being_looked_at() {
    let api = Api::with("  failures_per_minute: 5\n").await;
    let (known, fresh) = (api.token(json!({})).await, api.token(json!({"jti": "2"})).await);
    api.passes("/api", &known).await;
    for number in 0..5 {
        api.refuses("/api", &forged(&known, number)).await;
    }
    let verified = || api.rig.app().metrics().bearer_tokens.with_label_values(&["verified"]).get();
    let before = (verified(), api.rig.upstream.count());
    for token in [forged(&known, 6), fresh.clone()] {
        let page = api.call("/api", &token).await;
        assert_eq!((page.status.as_u16(), page.json()["error"].as_str()), (429, Some("too_many_failures")));
        assert!(page.headers.contains_key("retry-after") && !page.headers.contains_key("www-authenticate"));
    }
    assert_eq!((verified(), api.rig.upstream.count()), before);
    // What was good before needs no signature, and what is wrong at first sight never did.
    api.passes("/api", &known).await;
    api.refuses("/api", &api.token(json!({"aud": "x"})).await).await;
    assert_eq!(api.rig.app().metrics().limit_hits.with_label_values(&["bearer_failures"]).get(), 2);
}

// K03
#[tokio::test]
async fn tokens_that_are_only_old_or_foreign_use_up_nothing() {
    let api = Api::with("  failures_per_minute: 1\n").await;
    for _ in 0..5 {
        api.refuses("/api", &api.token(json!({"exp": super::now() - 10})).await).await;
        api.refuses("/api", &api.token(json!({"aud": "x"})).await).await;
        api.refuses("/api", "not.a.token").await;
    }
    api.passes("/api", &api.token(json!({})).await).await;
}

/// A token with the header and signature of `of`, whose claims are no JSON: whoever reads them says that it is malformed.
fn unreadable(of: &str, length: usize) -> String {
    let mut parts = of.split('.');
    let (header, signature) = (parts.next().unwrap(), parts.next_back().unwrap());
    format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(vec![b'!'; length]))
}

// Class I: a token of 12 KB costs what is bounded and counted before its signature is good.
#[tokio::test]
async fn a_long_token_is_refused_before_anything_is_read_of_it_but_its_header() {
    let api = Api::with("  failures_per_minute: 3\n").await;
    let known = api.token(json!({})).await;
    let count = |outcome: &str| api.rig.app().metrics().bearer_tokens.with_label_values(&[outcome]).get();
    // The twin: a short one is read first, and costs no signature.
    api.refuses("/api", &unreadable(&known, 2_000)).await;
    assert_eq!((count("refused"), count("forged")), (1, 0));
    api.refuses("/api", &unreadable(&known, 9_000)).await;
    assert_eq!((count("refused"), count("forged")), (1, 1));
    // It is counted against whoever sends it, also when no key is named by it.
    let unknown = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "typ": "at+jwt", "kid": "nobody's"}).to_string());
    let (_, rest) = known.split_once('.').unwrap();
    api.refuses("/api", &unreadable(&format!("{unknown}.{rest}"), 9_000)).await;
    api.refuses("/api", &unreadable(&known, 9_001)).await;
    assert_eq!((count("refused"), count("forged")), (1, 3));
    assert_eq!(api.call("/api", &unreadable(&known, 9_002)).await.status, 429);
}

// The twin of the above: what an issuer has signed may be long, and is judged as a short one is.
#[tokio::test]
async fn a_long_token_that_an_issuer_has_signed_is_judged_by_what_it_says() {
    let api = Api::with("  failures_per_minute: 1\n").await;
    let groups: Vec<String> = (0..500).map(|number| format!("group-{number:08}")).collect();
    let long = api.token(json!({ "groups": groups })).await;
    assert!((12_000..16_000).contains(&long.len()), "{}", long.len());
    api.passes("/api", &long).await;
    api.refuses("/api", &api.token(json!({ "groups": groups, "aud": "x" })).await).await;
    api.refuses("/api", &api.token(json!({ "groups": groups, "exp": super::now() - 10 })).await).await;
    let refused = api.rig.app().metrics().bearer_tokens.with_label_values(&["refused"]).get();
    assert_eq!(refused, 2, "foreign and old ones use up nothing");
    // Signed by an issuer of the route, in the name of the other one.
    let claims = json!({
        "iss": api.issuer("tangent"), "sub": "caller-1", "aud": super::A, "exp": super::now() + 300, "iat": super::now(),
        "client_id": "app", "jti": "1", "scope": "read", "groups": groups,
    });
    api.refuses("/api", &api.sign("aurora", json!({"typ": "at+jwt"}), claims).await).await;
}
