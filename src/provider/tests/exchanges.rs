//! Codes and access tokens: what is sent, how often, and what each answer means.

use super::peer::{Play, answer, json_answer};
use super::*;
use crate::oidc::test_tokens::{OTHER_RSA, RSA};

const TOKEN: &str = "/token";
const USERINFO: &str = "/userinfo";

struct Rig {
    discovery: Peer,
    a: Peer,
    federation: Federation,
}

impl Rig {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(bend: impl FnOnce(&mut ProviderSettings)) -> Self {
        let (discovery, a) = (Peer::start().await, Peer::start().await);
        a.say(TOKEN, &tokens());
        a.say(USERINFO, &json!({ "sub": "mccmnc-1", "email": { "value": "a@example.com" } }));
        let mut settings = zenkey(&discovery, &[&a.base]);
        bend(&mut settings);
        Self { federation: Federation::new(settings).unwrap(), discovery, a }
    }

    async fn redeem(&self) -> Result<Tokens, ProviderError> {
        redeem(&self.federation, &carrier(&self.a.base)).await
    }

    async fn userinfo(&self) -> Result<UserInfo, ProviderError> {
        let token = SecretString::new("at-canary");
        self.federation.userinfo(&carrier(&self.a.base), &token, "corr-1234", at(0)).await
    }
}

async fn redeem(federation: &Federation, carrier: &Carrier) -> Result<Tokens, ProviderError> {
    let grant = CodeGrant {
        code: &SecretString::new("c&o=de"),
        redirect_uri: "https://app.example/oauth2/callback",
        code_verifier: &SecretString::new("verifier"),
        correlation_id: "corr-1234",
        now: at(0),
    };
    federation.redeem(carrier, &grant).await
}

fn tokens() -> Value {
    json!({ "access_token": "at", "id_token": "a.b.c", "token_type": "Bearer", "expires_in": 3600 })
}

// D12
#[tokio::test]
async fn a_code_is_redeemed_with_basic_and_without_client_id_in_the_body() {
    let rig = Rig::with(|settings| {
        settings.client_id = "id:1".to_owned();
        settings.authentication = ClientAuthentication::with_secret(SecretString::new("se:cr%+ü t"));
    })
    .await;
    let tokens = rig.redeem().await.unwrap();
    assert_eq!((tokens.id_token.expose(), tokens.access_token.unwrap().expose()), ("a.b.c", "at"));
    let heard = &rig.a.heard()[0];
    assert_eq!(heard.line, "POST /token HTTP/1.1");
    assert_eq!(heard.header("content-type"), Some("application/x-www-form-urlencoded"));
    let pair = base64::engine::general_purpose::STANDARD.encode("id%3A1:se%3Acr%25%2B%C3%BC+t");
    assert_eq!(heard.header("authorization"), Some(format!("Basic {pair}").as_str()));
    let form: std::collections::BTreeMap<_, _> =
        url::form_urlencoded::parse(heard.body.as_bytes()).into_owned().collect();
    let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("code", "c&o=de"),
        ("code_verifier", "verifier"),
        ("correlation_id", "corr-1234"),
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://app.example/oauth2/callback"),
    ];
    assert_eq!(form, expected);
}

#[tokio::test]
async fn a_plain_issuer_is_sent_no_correlation_id() {
    let rig = Rig::new().await;
    let federation = Federation::new(plain(&rig.a.base)).unwrap();
    redeem(&federation, &carrier(&rig.a.base)).await.unwrap();
    federation.userinfo(&carrier(&rig.a.base), &SecretString::new("at"), "corr-1234", at(0)).await.unwrap();
    assert!(rig.a.heard().iter().all(|heard| !heard.line.contains("corr") && !heard.body.contains("corr")));
}

// D10
#[tokio::test]
async fn a_redirect_of_the_token_endpoint_is_not_followed_and_nothing_is_sent_again() {
    let (rig, elsewhere) = (Rig::new().await, Peer::start().await);
    elsewhere.say(TOKEN, &tokens());
    let own = format!("{}/again", rig.a.base);
    for (status, location) in [(307, &elsewhere.base), (302, &elsewhere.base), (308, &own), (303, &own)] {
        rig.a.play(TOKEN, Play::Say(answer(status, &[("location", &format!("{location}{TOKEN}"))], b"")));
        assert_eq!(rig.redeem().await.err(), Some(ProviderError::invalid("answered with a redirect")));
    }
    assert!(elsewhere.heard().is_empty());
    assert_eq!(rig.a.heard().len(), 4);
}

// N02
#[tokio::test]
async fn a_token_endpoint_that_does_not_answer_gets_the_code_once() {
    let rig = Rig::with(|settings| settings.total_timeout = Duration::from_millis(300)).await;
    rig.a.play(TOKEN, Play::Hang);
    assert_eq!(rig.redeem().await.err(), Some(ProviderError::timeout()));
    assert_eq!(rig.a.count(TOKEN), 1);
    rig.a.play(TOKEN, Play::HangUp);
    assert!(rig.redeem().await.is_err_and(|error| error.kind() == ErrorKind::Unavailable));
    assert_eq!(rig.a.count(TOKEN), 2);
    assert_eq!(rig.federation.stats().redemptions.failed.get(), 2);
}

// N02
#[tokio::test]
async fn a_kept_connection_that_dies_under_a_code_is_no_reason_to_send_it_again() {
    let rig = Rig::new().await;
    let closing = String::from_utf8(json_answer(200, &tokens())).unwrap();
    rig.a.play(TOKEN, Play::Say(closing.replace("connection: close\r\n", "").into_bytes()));
    assert!(rig.redeem().await.is_ok());
    assert!(rig.redeem().await.is_ok());
    rig.a.play(TOKEN, Play::HangUp);
    assert!(rig.redeem().await.is_err_and(|error| error.kind() == ErrorKind::Unavailable));
    assert_eq!(rig.a.count(TOKEN), 3);
}

// N03
#[tokio::test]
async fn each_refusal_of_the_token_endpoint_has_its_meaning() {
    let rig = Rig::new().await;
    let cases = [
        (400, json!({ "error": "invalid_grant" }), ProviderError::refused("invalid_grant")),
        (400, json!({ "error": "request_denied" }), ProviderError::refused("invalid_grant")),
        (400, json!({ "error": "<script>" }), ProviderError::refused("other")),
        (403, json!({}), ProviderError::refused("other")),
        (400, json!({ "error": "invalid_client" }), ProviderError::refused("invalid_client")),
        (401, json!({ "error": "invalid_client" }), ProviderError::refused("invalid_client")),
        (401, json!({}), ProviderError::refused("invalid_client")),
        (500, json!({}), ProviderError::invalid("server error")),
        (502, json!({}), ProviderError::invalid("server error")),
        (204, json!({}), ProviderError::invalid("unexpected status")),
        (202, tokens(), ProviderError::invalid("unexpected status")),
        (401, json!({ "error": "unauthorized_client" }), ProviderError::refused("invalid_client")),
    ];
    for (status, body, expected) in cases {
        rig.a.play(TOKEN, Play::Say(json_answer(status, &body)));
        assert_eq!(rig.redeem().await.err(), Some(expected), "{status} {body}");
    }
    assert_eq!(rig.federation.stats().invalid_client.get(), 4);
    // XS17: created is as good as answered.
    rig.a.play(TOKEN, Play::Say(json_answer(201, &tokens())));
    assert!(rig.redeem().await.is_ok());
    for status in [429, 503] {
        for (said, passed_on) in [(Some("7"), Some(7)), (Some("86400"), Some(60)), (None, None)] {
            let headers: Vec<_> = said.map(|said| ("retry-after", said)).into_iter().collect();
            rig.a.play(TOKEN, Play::Say(answer(status, &headers, b"<html>")));
            let error = rig.redeem().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{status}");
            assert_eq!(error.retry_after(), passed_on.map(Duration::from_secs));
        }
    }
}

// C23
#[tokio::test]
async fn a_success_that_is_none_gives_no_tokens() {
    let rig = Rig::new().await;
    let without = |member: &str| {
        let mut answer = tokens();
        answer.as_object_mut().unwrap().remove(member);
        answer
    };
    let mut failed = tokens();
    failed["error"] = "invalid_grant".into();
    for body in [json!([tokens()]), without("id_token"), failed] {
        rig.a.say(TOKEN, &body);
        let refused = rig.redeem().await.err();
        assert!(refused.is_some(), "{body}");
    }
    // XS17, XS08, XS23: odd, and as good as it must be.
    let mut mac = tokens();
    mac["token_type"] = "mac".into();
    for (body, usable) in
        [(tokens(), true), (without("token_type"), true), (without("access_token"), false), (mac, false)]
    {
        let html = answer(200, &[("content-type", "text/html")], body.to_string().as_bytes());
        rig.a.play(TOKEN, Play::Say(html));
        assert_eq!(rig.redeem().await.unwrap().access_token.is_some(), usable, "{body}");
    }
}

// D16, D09
#[tokio::test]
async fn no_code_and_no_token_goes_to_a_carrier_that_is_not_trusted_any_more() {
    let (rig, e) = (Rig::new().await, Peer::start().await);
    let mut bent = carrier(&rig.a.base);
    bent.token_endpoint = Url::parse(&format!("{}{TOKEN}", e.base)).unwrap();
    bent.userinfo_endpoint = Some(Url::parse(&format!("{}{USERINFO}", e.base)).unwrap());
    for carrier in [carrier(&e.base), bent] {
        let redeemed = redeem(&rig.federation, &carrier).await;
        assert!(redeemed.is_err_and(|error| error.kind() == ErrorKind::Untrusted));
        let asked = rig.federation.userinfo(&carrier, &SecretString::new("at"), "corr-1234", at(0)).await;
        assert!(asked.is_err_and(|error| error.kind() == ErrorKind::Untrusted));
    }
    assert!(e.heard().is_empty() && rig.a.heard().is_empty() && rig.discovery.heard().is_empty());
}

#[tokio::test]
async fn userinfo_is_asked_with_the_token_in_a_header_and_nowhere_else() {
    let rig = Rig::new().await;
    let info = rig.userinfo().await.unwrap();
    assert_eq!(info.subject, "mccmnc-1");
    assert_eq!(info.members["email"], json!({ "value": "a@example.com" }));
    let heard = &rig.a.heard()[0];
    assert_eq!(heard.line, "GET /userinfo?correlation_id=corr-1234 HTTP/1.1");
    assert_eq!(heard.header("authorization"), Some("Bearer at-canary"));
}

// XM10, PM08
#[tokio::test]
async fn a_userinfo_answer_that_the_issuer_signed_for_us_is_read() {
    let rig = Rig::new().await;
    rig.a.say("/jwks", &json!({ "keys": [RSA.jwk("k")] }));
    let header = json!({ "alg": "RS256", "kid": "k" });
    let claims = json!({ "iss": rig.a.base, "aud": "client", "sub": "mccmnc-1", "email": "a@example.com" });
    let say = |token: &SecretString| {
        let body = token.expose().as_bytes();
        rig.a.play(USERINFO, Play::Say(answer(200, &[("content-type", "application/jwt")], body)));
    };
    say(&RSA.token(&header, &claims));
    let info = rig.userinfo().await.unwrap();
    assert_eq!((info.subject.as_str(), &info.members["email"]), ("mccmnc-1", &json!("a@example.com")));
    let mut other = claims.clone();
    other["aud"] = json!("another client");
    for forged in [OTHER_RSA.token(&header, &claims), RSA.token(&header, &other)] {
        say(&forged);
        let refused = rig.userinfo().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(!refused.to_string().contains("eyJ"), "{refused}");
    }
}

// C28
#[tokio::test]
async fn an_unsigned_userinfo_token_is_refused() {
    let rig = Rig::new().await;
    let good = json!({ "sub": "mccmnc-1" }).to_string();
    for (kind, body) in [
        ("application/jwt", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),
        ("application/json", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),
        ("application/json", "\"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.\""),
    ] {
        rig.a.play(USERINFO, Play::Say(answer(200, &[("content-type", kind)], body.as_bytes())));
        let refused = rig.userinfo().await;
        assert!(refused.is_err_and(|error| error.kind() == ErrorKind::Invalid), "{kind} {body}");
    }
    for kind in ["application/json", "text/html", "application/jwt"] {
        rig.a.play(USERINFO, Play::Say(answer(200, &[("content-type", kind)], good.as_bytes())));
        assert_eq!(rig.userinfo().await.map(|info| info.subject), Ok("mccmnc-1".to_owned()));
    }
}

// N04
#[tokio::test]
async fn each_refusal_of_userinfo_has_its_meaning() {
    let rig = Rig::new().await;
    for (status, expected) in [
        (401, ProviderError::refused("invalid_token")),
        (403, ProviderError::refused("insufficient_scope")),
        (404, ProviderError::refused("other")),
        (500, ProviderError::invalid("server error")),
        (429, ProviderError::unavailable("provider is overloaded", None)),
    ] {
        rig.a.fail(USERINFO, status);
        assert_eq!(rig.userinfo().await, Err(expected), "{status}");
    }
    let mut without = carrier(&rig.a.base);
    without.userinfo_endpoint = None;
    let asked = rig.federation.userinfo(&without, &SecretString::new("at"), "corr-1234", at(0)).await;
    assert_eq!(asked, Err(ProviderError::invalid("no userinfo endpoint")));
    // An access token that no header can carry is the carrier's fault and goes nowhere.
    let split = SecretString::new("a\r\nx: y");
    let asked = rig.federation.userinfo(&carrier(&rig.a.base), &split, "corr-1234", at(0)).await;
    assert!(asked.is_err_and(|error| error.kind() == ErrorKind::Invalid));
    assert_eq!(rig.a.count(USERINFO), 5);
}

// R01
#[tokio::test]
async fn neither_tokens_nor_errors_can_be_formatted_with_a_secret_in_them() {
    let rig = Rig::new().await;
    rig.a.say(TOKEN, &json!({ "access_token": "at-canary", "id_token": "canary.b.c", "token_type": "Bearer" }));
    let tokens = rig.redeem().await.unwrap();
    assert!(!format!("{tokens:?}").contains("canary"));
    // KC09b: what an operator needs is shown, and what tells a person or a secret is not.
    let said =
        json!({ "error": "not_allowed", "error_description": "Offline tokens are off for canary@corp.test\r\n" });
    rig.a.play(TOKEN, Play::Say(json_answer(400, &said)));
    let error = rig.redeem().await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("canary"));
    let line = error.to_string();
    for part in [
        "exchange redemption at http://127.0.0.1:",
        "/token; status 400",
        "`not_allowed` (Offline tokens are off for [...])",
    ] {
        assert!(line.contains(part), "{line}");
    }
}
