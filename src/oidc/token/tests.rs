use serde_json::json;

use super::*;

fn honest() -> Value {
    json!({"access_token": "at-1", "token_type": "Bearer", "expires_in": 3600, "id_token": "a.b.c", "scope": "openid"})
}

fn with(name: &str, value: Value) -> Result<TokenResponse, TokenFault> {
    let mut answer = honest();
    answer[name] = value;
    TokenResponse::parse(answer.to_string().as_bytes())
}

fn without(name: &str) -> Result<TokenResponse, TokenFault> {
    let mut answer = honest();
    answer.as_object_mut().unwrap().remove(name);
    TokenResponse::parse(answer.to_string().as_bytes())
}

#[test]
fn an_honest_answer_gives_its_tokens() {
    // C23
    let tokens = with("correlation_id", json!("abcd1234")).unwrap();
    assert_eq!((tokens.id_token.expose(), tokens.access_token.unwrap().expose()), ("a.b.c", "at-1"));
    for expires_in in [json!("3600"), json!(null), json!(1.5), json!("soon")] {
        with("expires_in", expires_in).unwrap();
    }
    for kind in ["bearer", "BEARER", "Bearer"] {
        with("token_type", json!(kind)).unwrap();
    }
    with("error", json!(null)).unwrap();
}

#[test]
fn an_answer_of_another_shape_is_refused() {
    // C23
    let text = honest().to_string();
    let twice = |name: &str| format!(r#"{{"{name}":"x","#) + &text[1..];
    let bodies = [
        format!("[{text}]"),
        "[]".into(),
        "null".into(),
        "\"x\"".into(),
        String::new(),
        format!("\u{feff}{text}"),
        "<!doctype html><html></html>".into(),
        "access_token=at-1&token_type=bearer&id_token=a.b.c".into(),
        twice("id_token"),
        twice("access_token"),
        twice("token_type"),
        twice("expires_in"),
        format!("{text}{text}"),
        format!(r#"{{"x":{}1{},"#, "[".repeat(10_000), "]".repeat(10_000)) + &text[1..],
    ];
    for body in bodies {
        assert_eq!(TokenResponse::parse(body.as_bytes()).unwrap_err(), TokenFault::NotAnObject, "{body:.80}");
    }
    for token in [json!(""), json!(7), json!(null), json!(["a.b.c"]), json!("a\r\nb"), json!("a b"), json!("ü")] {
        assert_eq!(with("id_token", token.clone()).unwrap_err(), TokenFault::IdToken);
    }
    assert_eq!(without("id_token").unwrap_err(), TokenFault::IdToken);
}

// XS08, XS23, KC23
#[test]
fn an_access_token_is_judged_by_whoever_wants_to_use_it() {
    let access =
        |answer: Result<TokenResponse, TokenFault>| answer.unwrap().access_token.map(|token| token.expose().to_owned());
    for kind in [json!("mac"), json!("DPoP"), json!("N_A"), json!(""), json!("bearer "), json!(7), json!("BearerToken")]
    {
        assert_eq!(access(with("token_type", kind)), Err(TokenFault::TokenType), "never used as what it is not");
    }
    for token in [json!(""), json!(7), json!(null), json!(["a.b.c"]), json!("a\r\nb"), json!("a b"), json!("ü")] {
        assert_eq!(access(with("access_token", token)), Err(TokenFault::AccessToken));
    }
    assert_eq!(access(without("access_token")), Err(TokenFault::AccessToken));
    assert_eq!(access(without("token_type")), Ok("at-1".to_owned()));
    assert_eq!(access(with("token_type", json!(null))), Ok("at-1".to_owned()));
    assert_eq!(access(with("access_token", json!("x".repeat(100_000)))), Ok("x".repeat(100_000)));
}

#[test]
fn an_error_is_an_error_whatever_its_status() {
    // C23, N03
    assert_eq!(with("error", json!("invalid_grant")).unwrap_err(), TokenFault::Refused(TokenErrorCode::InvalidGrant));
    for odd in [json!(""), json!(7), json!({"code": "invalid_grant"}), json!("<script>"), json!(false)] {
        assert_eq!(with("error", odd).unwrap_err(), TokenFault::Refused(TokenErrorCode::Other));
    }
}

#[test]
fn known_error_codes_are_told_apart() {
    // N03
    for code in [
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
    ] {
        let body = json!({"error": code, "error_description": "canary"}).to_string();
        let read = parse_error(body.as_bytes());
        assert_eq!(read.as_str(), code);
        assert!(!TokenFault::Refused(read).to_string().contains("canary"));
    }
    // Dossier 20, row 36: ZenKey's word for a wrong verifier.
    assert_eq!(parse_error(br#"{"error":"request_denied"}"#), TokenErrorCode::InvalidGrant);
    let odd = ["", "<html>", "[]", "{}", r#"{"error":7}"#, r#"{"error":"INVALID_GRANT"}"#];
    for body in odd.into_iter().chain([r#"{"error":"invalid_grant","error":"x"}"#]) {
        assert_eq!(parse_error(body.as_bytes()), TokenErrorCode::Other, "{body}");
    }
}

#[test]
fn the_token_request_says_what_it_must_and_no_more() {
    // B08, D12
    let secret = |text: &str| SecretString::new(text);
    let form = token_form(&secret("c&o=d e"), "https://g.test/cb?x=1", &secret(&"v".repeat(64)), Some("abcd1234"), &[]);
    let pairs: Vec<_> = form_urlencoded::parse(form.expose().as_bytes()).into_owned().collect();
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", "c&o=d e"),
        ("redirect_uri", "https://g.test/cb?x=1"),
        ("code_verifier", &"v".repeat(64)),
        ("correlation_id", "abcd1234"),
    ];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(!form.expose().contains("client_id"));
    let form = token_form(&secret("c"), "https://g.test/cb", &secret("v"), None, &[]);
    assert!(!form.expose().contains("correlation_id"));
}

#[test]
fn tokens_cannot_be_printed() {
    // R01
    let printed = format!("{:?}", with("id_token", json!("canary.canary.canary")).unwrap());
    assert!(!printed.contains("canary") && !printed.contains("at-1"));
}
