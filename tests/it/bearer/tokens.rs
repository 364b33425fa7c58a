//! Which tokens pass, which do not, and what the caller is told.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::{A, Api, B, challenge, is_quiet, now};
use crate::support::browser::Browser;
use crate::support::raw;

// K01
#[tokio::test]
async fn a_good_token_passes_with_its_caller_s_identity_and_without_itself() {
    let api = Api::start().await;
    let token = api.token(json!({})).await;
    let bearer = format!("Bearer {token}");
    for _ in 0..2 {
        let page =
            api.ask("/api/x", &[("authorization", &bearer), ("x-auth-sub", "evil"), ("X_Auth_Sub", "evil")]).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let seen = api.rig.upstream.last();
        assert_eq!(seen.one("x-auth-sub").as_deref(), Some("caller-1"));
        assert_eq!(seen.one("x-auth-issuer"), Some(api.issuer("aurora")));
        assert_eq!(seen.one("x-auth-email").as_deref(), Some("caller@a.test"));
        assert!(!seen.head.contains("evil") && !seen.head.contains(&token), "{}", seen.head);
    }
    api.passes("/api/pass", &token).await;
    assert_eq!(api.rig.upstream.last().one("authorization"), Some(bearer));
}

// K02
#[tokio::test]
async fn who_brings_no_token_is_told_so_without_an_error_code() {
    let api = Api::start().await;
    for headers in
        [&[][..], &[("accept", "text/html"), ("sec-fetch-mode", "navigate")], &[("authorization", "Basic YTpi")]]
    {
        let page = api.ask("/api", headers).await;
        assert_eq!((page.status.as_u16(), challenge(&page)), (401, "Bearer realm=\"localhost\""), "{headers:?}");
        is_quiet(&page);
    }
    assert_eq!(api.rig.upstream.count(), 0);
    api.passes("/api", &api.token(json!({})).await).await;
}

// K03, C02–C22: each rule by itself is held in src/oidc/access_token/tests.rs.
#[tokio::test]
async fn a_bent_token_is_refused_and_its_straight_twin_passes() {
    let api = Api::start().await;
    let at = json!({"typ": "at+jwt"});
    for change in [
        json!({"iss": "https://e.test"}),
        json!({"iss": null}),
        json!({"iss": 7}),
        json!({"sub": ""}),
        json!({"sub": null}),
        json!({"iat": null}),
        json!({"iat": now() + 3600}),
        json!({"nbf": now() + 3600}),
        json!({"nbf": "0"}),
        json!({"exp": now() - 30}),
        json!({"exp": "2099"}),
        json!({"aud": []}),
        json!({"aud": [A, "https://other.test"]}),
    ] {
        api.refuses("/api", &api.token(change).await).await;
    }
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"alg": "RS512"}),
        json!({"crit": ["x"]}),
        json!({"kid": "../k"}),
        json!({"cty": "JWT"}),
    ] {
        let mut bent = at.clone();
        bent.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        api.refuses("/api", &api.sign("aurora", bent, api.claims(A)).await).await;
    }
    // Another trusted issuer's key under our issuer's name.
    api.refuses("/api", &api.sign("tangent", at.clone(), api.claims(A)).await).await;
    let good = api.token(json!({"nbf": now(), "aud": [A, B, "account"]})).await;
    for bent in [format!("{good}x"), good[..good.len() - 4].to_owned(), format!("{good}.x.y"), format!("{good}=")] {
        api.refuses("/api", &bent).await;
    }
    api.passes("/api", &good).await;
}

// K04
#[tokio::test]
async fn another_kind_of_token_for_the_same_audience_is_refused() {
    let api = Api::start().await;
    for typ in ["JWT", "logout+jwt", "port_token+jwt", "application/logout+jwt", "dpop+jwt"] {
        api.refuses("/api", &api.sign("aurora", json!({"typ": typ}), api.claims(A)).await).await;
    }
    api.refuses("/api", &api.sign("aurora", json!({}), api.claims(A)).await).await;
    let untyped = |change: serde_json::Value| {
        let mut claims = api.claims(A);
        claims["iss"] = api.issuer("tangent").into();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims
    };
    for (header, claims) in [
        (json!({"typ": "logout+jwt"}), untyped(json!({}))),
        (json!({"typ": "port_token+jwt"}), untyped(json!({}))),
        (json!({"typ": "JWT"}), untyped(json!({"nonce": "n"}))),
        (json!({}), untyped(json!({"events": {}}))),
    ] {
        api.refuses("/api", &api.sign("tangent", header, claims).await).await;
    }
    api.passes("/api", &api.sign("tangent", json!({"typ": "JWT"}), untyped(json!({}))).await).await;
    api.passes("/api", &api.sign("aurora", json!({"typ": "application/AT+JWT"}), api.claims(A)).await).await;
}

// K04: the very ID and access tokens of a sign-in at the gateway itself.
#[tokio::test]
async fn the_tokens_of_our_own_sign_in_open_no_api() {
    let api = Api::start().await;
    let now = now();
    let ours = json!({"iss": api.issuer("aurora"), "sub": "s", "aud": crate::support::rig::CLIENT_ID, "exp": now + 60, "iat": now});
    for typ in ["JWT", "at+jwt"] {
        api.refuses("/api", &api.sign("aurora", json!({"typ": typ}), ours.clone()).await).await;
    }
}

// K05, K09
#[tokio::test]
async fn a_token_for_one_api_is_no_token_for_another_however_often_it_was_good() {
    let api = Api::start().await;
    api.refuses("/api", &api.token(json!({"aud": "https://other.test"})).await).await;
    let (a, b) = (api.token(json!({"aud": A})).await, api.token(json!({"aud": B})).await);
    for _ in 0..3 {
        api.passes("/api/a", &a).await;
        api.refuses("/api/b", &a).await;
        api.passes("/api/b", &b).await;
        api.refuses("/api/a", &b).await;
        api.passes("/api", &a).await;
        api.passes("/api", &b).await;
    }
}

// K06
#[tokio::test]
async fn a_token_without_an_end_is_refused() {
    let api = Api::start().await;
    api.refuses("/api", &api.token(json!({"exp": null})).await).await;
    api.passes("/api", &api.token(json!({})).await).await;
}

// K07
#[tokio::test]
async fn a_good_token_without_the_scope_is_told_which() {
    let api = Api::start().await;
    let read = api.token(json!({})).await;
    api.passes("/api", &read).await;
    for _ in 0..2 {
        let page = api.call("/api/write", &read).await;
        let told = "Bearer realm=\"localhost\", error=\"insufficient_scope\", scope=\"read write\"";
        assert_eq!((page.status.as_u16(), challenge(&page)), (403, told));
        assert_eq!(page.json()["error"], "insufficient_scope");
        is_quiet(&page);
    }
    assert_eq!(api.call("/api/write", &api.token(json!({"scope": "reader writer"})).await).await.status, 403);
    assert_eq!(api.call("/api/write", &api.token(json!({"scope": null})).await).await.status, 403);
    api.passes("/api/write", &api.token(json!({"scope": "write read more"})).await).await;
    let page = api.call("/api/staff", &read).await;
    assert_eq!(
        (page.status.as_u16(), challenge(&page)),
        (403, "Bearer realm=\"localhost\", error=\"insufficient_scope\"")
    );
    api.passes("/api/staff", &api.token(json!({"groups": ["staff"]})).await).await;
}

// K08
#[tokio::test]
async fn a_token_in_the_address_or_in_a_form_is_not_looked_for() {
    let api = Api::start().await;
    let token = api.token(json!({})).await;
    let page = api.ask(&format!("/api?access_token={token}"), &[]).await;
    assert_eq!((page.status.as_u16(), challenge(&page)), (401, "Bearer realm=\"localhost\""));
    assert!(!page.body.contains(&token));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = Some(format!("access_token={token}"));
    let page = api.client.send(Method::POST, api.rig.url("/api"), body, &form).await;
    assert_eq!((page.status.as_u16(), challenge(&page)), (401, "Bearer realm=\"localhost\""));
    let cookie = format!("access_token={token}; Authorization=Bearer {token}");
    assert_eq!(api.ask("/api", &[("cookie", &cookie), ("x-access-token", &token)]).await.status, 401);
    assert_eq!(api.rig.upstream.count(), 0);
    api.passes("/api", &token).await;
}

// K10
#[tokio::test]
async fn a_token_that_is_remembered_is_refused_from_its_end_on() {
    let api = Api::start().await;
    let end = now() + 3;
    let token = api.token(json!({"exp": end})).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut passed = 0;
    loop {
        let asked = now();
        let page = api.call("/api", &token).await;
        if page.status == 401 {
            api.is_api401(&page);
            assert!(now() >= end, "before its end");
            break;
        }
        assert!(page.status == 200 && asked <= end, "after its end");
        passed += 1;
        assert!(Instant::now() < deadline);
    }
    assert!(passed > 1, "it was remembered");
    api.refuses("/api", &token).await;
}

// K11
#[tokio::test]
async fn one_authorization_is_read_in_one_way() {
    let api = Api::start().await;
    let token = api.token(json!({})).await;
    let send = async |lines: String| raw::exchange(api.rig.address, raw::get("/api", &lines).as_bytes()).await;
    for lines in [
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
        format!("Authorization: Basic YTpi\r\nauthorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}, Bearer {token}\r\n"),
        format!("Authorization: Basic YTpi, Bearer {token}\r\n"),
    ] {
        let answer = send(lines.clone()).await;
        assert_eq!(
            (answer.status(), answer.header("www-authenticate")),
            (400, Some("Bearer realm=\"localhost\", error=\"invalid_request\"")),
            "{lines}"
        );
    }
    for lines in [
        format!("Authorization: Bearer  {token}\r\n"),
        "Authorization: Bearer\r\n".into(),
        format!("Authorization: Bearer\t{token}\r\n"),
        format!("Authorization: Bearer {token} x\r\n"),
        format!("Authorization: Bearer \"{token}\"\r\n"),
    ] {
        let answer = send(lines.clone()).await;
        assert_eq!(
            (answer.status(), answer.header("www-authenticate")),
            (401, Some("Bearer realm=\"localhost\", error=\"invalid_token\"")),
            "{lines}"
        );
    }
    for scheme in ["Basic", "Token", "DPoP", "Bearerx"] {
        let answer = send(format!("Authorization: {scheme} {token}\r\n")).await;
        assert_eq!(
            (answer.status(), answer.header("www-authenticate")),
            (401, Some("Bearer realm=\"localhost\"")),
            "{scheme}"
        );
    }
    assert_eq!(api.rig.upstream.count(), 0);
    for scheme in ["Bearer", "bearer", "BEARER", "bEARER"] {
        assert_eq!(send(format!("Authorization: {scheme} {token}\r\n")).await.status(), 200, "{scheme}");
    }
}

// K12
#[tokio::test]
async fn a_session_cookie_gives_nothing_where_only_tokens_count() {
    let api = Api::start().await;
    let browser = Browser::new();
    assert_eq!(api.rig.sign_in(&browser, "/app", "maya").await.status, 200);
    let before = api.rig.upstream.count();
    let page = browser.open(api.rig.url("/api")).await;
    assert_eq!((page.status.as_u16(), challenge(&page)), (401, "Bearer realm=\"localhost\""));
    is_quiet(&page);
    let page = browser.send(Method::GET, api.rig.url("/api"), None, &[("authorization", "Bearer x.y.z")]).await;
    api.is_api401(&page);
    assert_eq!(api.rig.upstream.count(), before);
    // With a token, the session beside it neither helps nor names anybody.
    let bearer = format!("Bearer {}", api.token(json!({})).await);
    let page = browser.send(Method::GET, api.rig.url("/api"), None, &[("authorization", &bearer)]).await;
    assert_eq!(page.status, 200);
    assert_eq!(api.rig.upstream.last().one("x-auth-sub").as_deref(), Some("caller-1"));
    assert_eq!(browser.open(api.rig.url("/app")).await.status, 200);
}

// K13
#[tokio::test]
async fn an_endless_token_is_not_read() {
    let api = Api::start().await;
    let huge = format!("Authorization: Bearer {}\r\n", "A".repeat(64 * 1024));
    assert_eq!(raw::exchange(api.rig.address, raw::get("/api", &huge).as_bytes()).await.status(), 431);
    let long = api.token(json!({"padding": "x".repeat(13_000)})).await;
    assert!(long.len() > 16 * 1024);
    api.refuses("/api", &long).await;
    api.passes("/api", &api.token(json!({"padding": "x".repeat(10_000)})).await).await;
}

// KC02
#[tokio::test]
async fn a_token_that_is_bound_to_a_key_is_no_plain_bearer() {
    let api = Api::start().await;
    let refused = || api.rig.app().metrics().bearer_tokens.with_label_values(&["refused"]).get();
    for binding in [
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        json!({"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
        json!({"jwk": {"kty": "oct", "k": "AA"}}),
        json!({"kid": "k1"}),
        json!({"jkt": null}),
        json!({"unknown": 1}),
        json!({}),
        json!([]),
        json!(""),
        json!(0),
        json!(false),
    ] {
        let before = refused();
        let bound = api.token(json!({"cnf": binding})).await;
        for path in ["/api", "/api/a", "/either", "/api/pass"] {
            api.refuses(path, &bound).await;
        }
        assert_eq!(refused(), before + 4, "{binding}");
        // A proof that nobody checks makes it no better.
        let page = api.ask("/api", &[("authorization", &format!("DPoP {bound}")), ("dpop", "e30.e30.e30")]).await;
        assert_eq!((page.status.as_u16(), challenge(&page)), (401, "Bearer realm=\"localhost\""), "{binding}");
    }
    let mut nothing = api.claims(A);
    nothing["cnf"] = json!(null);
    api.refuses("/api", &api.sign("aurora", json!({"typ": "at+jwt"}), nothing).await).await;
    assert_eq!(api.rig.upstream.count(), 0);
    api.passes("/api", &api.token(json!({"CNF": {"jkt": "x"}})).await).await;
    api.passes("/api", &api.token(json!({})).await).await;
}

// MV01
#[tokio::test]
async fn an_address_that_the_issuer_calls_unverified_is_told_to_no_api() {
    for (accept, word, told) in
        [("false", json!(false), false), ("false", json!(true), true), ("true", json!(false), true)]
    {
        let more = format!(
            "    - {{ issuer: VIREO, audiences: ['{A}'], accept_untyped: true, accept_unverified_contacts: {accept} }}\n"
        );
        let api = Api::with(&more).await;
        let mut claims = api.claims(A);
        claims["iss"] = api.issuer("vireo").into();
        claims["email_verified"] = word;
        api.passes("/api", &api.sign("vireo", json!({"typ": "at+jwt"}), claims).await).await;
        let expected = told.then(|| "caller@a.test".to_owned());
        assert_eq!(api.rig.upstream.last().one("x-auth-email"), expected, "{accept}");
    }
}
