use serde_json::json;

use super::*;

fn plain() -> Value {
    json!({
        "issuer": "https://a.test/idp",
        "authorization_endpoint": "https://login.a.test/authorize?tenant=1",
        "token_endpoint": "https://a.test/token",
        "jwks_uri": "https://a.test/jwks",
        "userinfo_endpoint": "https://a.test/userinfo",
    })
}

fn parse(document: &Value) -> Result<ProviderMetadata, MetadataError> {
    ProviderMetadata::parse(document.to_string().as_bytes())
}

/// What a document with this `value` says about the member `name` when it is used.
fn used(name: &str, value: Value) -> Result<(), MetadataError> {
    let metadata = with(name, value)?;
    match name {
        "authorization_endpoint" => metadata.authorization_endpoint.map(drop),
        "token_endpoint" => metadata.token_endpoint.map(drop),
        "jwks_uri" => metadata.jwks_uri.map(drop),
        "userinfo_endpoint" => metadata.userinfo_endpoint.map(drop),
        "pushed_authorization_request_endpoint" => metadata.pushed_authorization_request_endpoint.map(drop),
        _ => Ok(()),
    }
}

fn with(name: &str, value: Value) -> Result<ProviderMetadata, MetadataError> {
    let mut document = plain();
    document[name] = value;
    parse(&document)
}

#[test]
fn a_plain_document_is_read() {
    let metadata = parse(&plain()).unwrap();
    assert_eq!(metadata.issuer, "https://a.test/idp");
    assert_eq!(metadata.authorization_endpoint.unwrap().as_str(), "https://login.a.test/authorize?tenant=1");
    assert_eq!(metadata.jwks_uri.unwrap().unwrap().as_str(), "https://a.test/jwks");
    assert_eq!(metadata.userinfo_endpoint.unwrap().unwrap().as_str(), "https://a.test/userinfo");
    assert!(!metadata.iss_parameter_supported);
    assert!(metadata.mccmnc == Ok(None) && metadata.token_auth_methods.is_empty());
}

#[test]
fn carriers_may_write_it_their_way() {
    // Dossier 2.2 and 2.3: what the four recorded carriers really sent.
    let mut document = plain();
    for (name, value) in [
        ("mccmnc", json!(310_380)),
        ("jwks_uri", json!(" ")),
        ("userinfo_endpoint", json!("")),
        ("revocation_endpoint", json!(" ")),
        ("request_parameter_supported", json!([true])),
        ("authorization_response_iss_parameter_supported", json!([true])),
        ("op_policy_uri", json!(["hhtps://a.test/policy"])),
        ("link_img:", json!("https://a.test/logo")),
        ("usertraits_supported", json!("sim_tenure_24")),
        ("token_endpoint_auth_methods_supported", json!("client_secret_basic")),
        ("id_token_signing_alg_values_supported", json!(["ES384\", \"HS256", 7])),
    ] {
        document[name] = value;
    }
    let metadata = parse(&document).unwrap();
    assert_eq!(metadata.mccmnc, Ok(Some("310380".to_owned())));
    assert!(metadata.jwks_uri == Ok(None) && metadata.userinfo_endpoint == Ok(None));
    assert!(metadata.iss_parameter_supported);
    assert_eq!(metadata.token_auth_methods, ["client_secret_basic"]);
}

#[test]
fn the_carrier_code_is_six_digits_whatever_its_type() {
    let code = |value: Value| with("mccmnc", value).unwrap().mccmnc;
    for (value, expected) in [(json!("310010"), "310010"), (json!(310_010), "310010"), (json!(1_001), "001001")] {
        assert_eq!(code(value).unwrap().as_deref(), Some(expected));
    }
    for absent in [json!(null), json!(""), json!(" ")] {
        assert_eq!(code(absent).unwrap(), None);
    }
    for wrong in [json!("31001"), json!("3100100"), json!("31001a"), json!("٣١٠٠١٠"), json!(1_000_000), json!(-1)]
    {
        assert_eq!(code(wrong), Err(MetadataError::Mccmnc));
    }
    for wrong in [json!(310_010.5), json!([310_010]), json!(true)] {
        assert_eq!(code(wrong), Err(MetadataError::Mccmnc));
    }
}

#[test]
fn what_is_needed_must_be_there() {
    for name in ["issuer", "authorization_endpoint", "token_endpoint"] {
        for blank in [json!(""), json!(" "), json!(null)] {
            assert_eq!(used(name, blank), Err(MetadataError::Missing(name)));
        }
    }
}

#[test]
fn an_endpoint_is_a_plain_web_address() {
    // D05, D09
    let wrong = [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//a.test/x",
        "/x",
        "a.test/x",
        "https:/a.test",
        "https:a.test",
        "https://",
        "https:///a.test",
        "https://user@a.test/",
        "https://user:pw@a.test/",
        "https://@a.test/",
        "https://%61.test/",
        "https://a.test/ü",
        "https://?x",
        "https:////a.test",
        "https://a.test/#f",
        "https://a.test\\@e.test/",
        "https://a.test/\t",
        " https://a.test/",
        "https://a.test/\n",
        "https://a .test/",
        "hhtps://a.test/",
        "ftp://a.test/",
        "https://a.test:99999/",
        "https://[::1/",
        "ＨＴＴＰＳ://a.test/",
    ];
    for name in [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "pushed_authorization_request_endpoint",
    ] {
        for wrong in wrong {
            assert_eq!(used(name, json!(wrong)), Err(MetadataError::BadUrl(name)), "{name} {wrong:?}");
        }
        assert_eq!(used(name, json!(format!("https://a.test/{}", "x".repeat(3000)))), Err(MetadataError::BadUrl(name)));
        used(name, json!("http://127.0.0.1:8080/x")).unwrap();
        used(name, json!("HTTPS://a.test/x")).unwrap();
    }
    assert_eq!(used("token_endpoint", json!(["https://a.test/x"])), Err(MetadataError::BadUrl("token_endpoint")));
    assert_eq!(with("issuer", json!("https://a.test/?x=1")), Err(MetadataError::BadUrl("issuer")));
}

#[test]
fn an_issuer_is_itself_and_nobody_else() {
    // D04
    let metadata = with("issuer", json!("https://www.sprint.com/")).unwrap();
    assert!(metadata.is_for("https://www.sprint.com/"));
    for other in
        ["https://www.sprint.com", "https://WWW.sprint.com/", "http://www.sprint.com/", "https://www.sprint.com//", ""]
    {
        assert!(!metadata.is_for(other), "{other}");
    }
}

#[test]
fn a_promise_of_iss_is_taken_at_its_word() {
    // D02
    let promised =
        |value: Value| with("authorization_response_iss_parameter_supported", value).unwrap().iss_parameter_supported;
    for yes in [json!(true), json!([true]), json!("true"), json!("True")] {
        assert!(promised(yes));
    }
    for no in [json!(false), json!([false]), json!(null), json!("false"), json!([]), json!(1), json!({"a": true})] {
        assert!(!promised(no));
    }
}

#[test]
fn a_document_that_does_not_list_pkce_is_still_read() {
    // B07: the list is informational
    assert_eq!(with("code_challenge_methods_supported", json!(["plain"])).unwrap().code_challenge_methods, ["plain"]);
    assert!(parse(&plain()).unwrap().code_challenge_methods.is_empty());
}

#[test]
fn hostile_documents_are_errors() {
    // C33
    let text = plain().to_string();
    let twice = r#"{"token_endpoint":"https://e.test/","#.to_owned() + &text[1..];
    let deep = format!(r#"{{"x":{}1{},"#, "[".repeat(10_000), "]".repeat(10_000)) + &text[1..];
    let bom = format!("\u{feff}{text}");
    for body in [twice.as_str(), &deep, &bom, "", "<html>", "[]", "null", &text[..text.len() - 1]] {
        assert_eq!(ProviderMetadata::parse(body.as_bytes()), Err(MetadataError::NotAnObject));
    }
}

// XS06, class C
#[test]
fn a_member_that_nobody_uses_may_say_what_it_likes() {
    for name in ["userinfo_endpoint", "token_endpoint", "mccmnc", "pushed_authorization_request_endpoint"] {
        let metadata = with(name, json!("no address")).unwrap();
        assert_eq!(metadata.jwks_uri.unwrap().unwrap().as_str(), "https://a.test/jwks", "{name}");
    }
}
