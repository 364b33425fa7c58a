use super::*;

fn parse(query: &str) -> Result<CallbackParams, CallbackFault> {
    CallbackParams::parse(Some(query))
}

fn respond(query: &str, iss_promised: bool) -> Result<AuthorizationResponse, ResponseFault> {
    parse(query).unwrap().into_response("https://a.test", iss_promised)
}

fn code(query: &str) -> String {
    match respond(query, false).unwrap() {
        AuthorizationResponse::Code(code) => code.expose().to_owned(),
        AuthorizationResponse::Refused(error) => panic!("refused: {error:?}"),
    }
}

fn refusal(query: &str) -> String {
    match respond(query, false).unwrap() {
        AuthorizationResponse::Code(_) => panic!("a code"),
        AuthorizationResponse::Refused(error) => error.as_str().to_owned(),
    }
}

#[test]
fn every_known_parameter_is_read_once_decoded() {
    let query = "code=c%2B1+x&state=s%2526&iss=https%3A%2F%2Fa.test&mccmnc=310010&login_hint_token=l.h\
                 &correlation_id=abcd1234&error_description=ignored%0A&unknown=%ZZ&unknown=twice&%";
    let params = parse(query).unwrap();
    assert_eq!(params.code.unwrap().expose(), "c+1 x");
    assert_eq!(params.state.as_deref(), Some("s%26"), "decoded once, not twice");
    assert_eq!(params.iss.as_deref(), Some("https://a.test"));
    assert_eq!(params.mccmnc.as_deref(), Some("310010"));
    assert_eq!(params.login_hint_token.unwrap().expose(), "l.h");
    assert_eq!(params.correlation_id.as_deref(), Some("abcd1234"));
    assert_eq!(params.error, None);
}

#[test]
fn an_empty_callback_is_read_as_empty() {
    // L12, B02: the caller finds no state
    for query in
        [None, Some(""), Some("&&&"), Some("="), Some("code="), Some("state&code&error&iss&mccmnc=&login_hint_token=")]
    {
        let params = CallbackParams::parse(query).unwrap();
        assert!(params.state.is_none() && params.code.is_none() && params.error.is_none(), "{query:?}");
        assert!(params.iss.is_none() && params.mccmnc.is_none() && params.login_hint_token.is_none(), "{query:?}");
        assert_eq!(params.into_response("https://a.test", false).unwrap_err(), ResponseFault::Nothing);
    }
}

#[test]
fn a_repeated_parameter_refuses_the_whole() {
    // B12, dossier 8.1
    for (known, _) in KNOWN {
        for query in [
            format!("{known}=310010&{known}=310010"),
            format!("{known}=&{known}=310010"),
            format!("{known}&x=1&{known}"),
            format!("{known}=310010&%{:02x}{}=310010", known.as_bytes()[0], &known[1..]),
        ] {
            assert_eq!(parse(&query).unwrap_err(), CallbackFault::Repeated(known), "{query}");
        }
        parse(&format!("{known}=310010&{}=310010", known.to_uppercase())).unwrap();
    }
    assert_eq!(
        parse("error_description=a&error_description=b").unwrap_err(),
        CallbackFault::Repeated("error_description")
    );
    assert_eq!(parse("error_uri&error_uri").unwrap_err(), CallbackFault::Repeated("error_uri"));
}

#[test]
fn every_value_has_a_limit() {
    // B03, B13
    for (known, longest) in KNOWN.into_iter().filter(|(known, _)| *known != "mccmnc") {
        parse(&format!("{known}={}", "x".repeat(longest))).unwrap();
        parse(&format!("{known}={}", "%78".repeat(longest))).unwrap();
        let long = format!("{known}={}", "x".repeat(longest + 1));
        assert_eq!(parse(&long).unwrap_err(), CallbackFault::TooLong(known));
    }
    assert_eq!(parse(&format!("code={}", "x".repeat(20_480))).unwrap_err(), CallbackFault::TooLong("code"));
    assert_eq!(parse(&format!("state={}", "x".repeat(102_400))).unwrap_err(), CallbackFault::TooLong("query"));
}

#[test]
fn control_characters_refuse_the_whole() {
    // B13
    for (known, _) in KNOWN {
        for bad in ["%0d%0a", "%00", "%7F", "%1b", "%C3%BC", "%ff", "\r\n", "\0", "ü", "%09"] {
            let query = format!("{known}=3{bad}");
            assert_eq!(parse(&query).unwrap_err(), CallbackFault::Character(known), "{query:?}");
        }
        for bad in ["%", "%4", "%zz", "%4%31", "%-1", "%+1"] {
            let query = format!("{known}=3{bad}");
            assert_eq!(parse(&query).unwrap_err(), CallbackFault::Encoding(known), "{query:?}");
        }
    }
}

#[test]
fn a_carrier_code_is_six_ascii_digits() {
    // D07
    assert_eq!(parse("mccmnc=310%3010").unwrap().mccmnc.as_deref(), Some("310010"));
    for bad in ["31001", "31001a", "+31001", "310.10", "0x1234", " 31001", "-31001"] {
        assert_eq!(parse(&format!("mccmnc={bad}")).unwrap_err(), CallbackFault::Mccmnc, "{bad}");
    }
    assert_eq!(parse("mccmnc=3100100").unwrap_err(), CallbackFault::TooLong("mccmnc"));
    assert_eq!(parse("mccmnc=%D9%A3%D9%A1").unwrap_err(), CallbackFault::Character("mccmnc"));
}

#[test]
fn an_answer_of_another_issuer_is_refused_before_anything_else() {
    // D01
    for other in ["https://e.test", "https://a.test/", "https://A.test", "http://a.test", "https://a.test%20", "x"] {
        for rest in ["code=c", "error=access_denied", "code=c&error=e", ""] {
            for promised in [false, true] {
                let fault = respond(&format!("iss={other}&{rest}"), promised).unwrap_err();
                assert_eq!(fault, ResponseFault::IssuerMismatch, "{other} {rest}");
            }
        }
    }
    assert_eq!(code("iss=https%3A%2F%2Fa.test&code=c"), "c");
    assert_eq!(refusal("iss=https://a.test&error=access_denied"), "access_denied");
}

#[test]
fn a_promised_issuer_must_be_there() {
    // D02
    for query in ["code=c", "error=access_denied", "code=c&iss", "code=c&iss="] {
        assert_eq!(respond(query, true).unwrap_err(), ResponseFault::IssuerMissing, "{query}");
    }
    assert!(matches!(respond("code=c&iss=https://a.test", true), Ok(AuthorizationResponse::Code(_))));
    assert_eq!(code("code=c"), "c");
}

#[test]
fn code_and_error_together_are_neither() {
    // B12, B13
    assert_eq!(respond("code=c&error=access_denied", false).unwrap_err(), ResponseFault::CodeAndError);
    assert_eq!(respond("code=&state=s", false).unwrap_err(), ResponseFault::Nothing);
    assert_eq!(respond("state=s", false).unwrap_err(), ResponseFault::Nothing);
    assert_eq!(refusal("error=user_not_found&code="), "user_not_found");
}

#[test]
fn a_strange_error_is_not_repeated() {
    // B11, B12
    for strange in ["%3Cscript%3Ealert(1)%3C/script%3E", "a+b", "%22", "a/b", "a%25b", "'"] {
        assert_eq!(refusal(&format!("error={strange}&error_description=canary")), "other");
    }
    assert_eq!(refusal("error=some.new-error_7"), "some.new-error_7");
    assert_eq!(ErrorCode::read(""), ErrorCode::read("<"));
}

#[test]
fn secrets_of_a_callback_cannot_be_printed() {
    // R01
    let printed = format!("{:?}", parse("code=canary&login_hint_token=canary").unwrap());
    assert!(!printed.contains("canary"));
    assert!(!format!("{:?}", respond("code=canary", false).unwrap()).contains("canary"));
    for query in ["code=canary%0a", "code=canary%0", "code=canary&code=canary", "mccmnc=canary"] {
        let fault = parse(query).unwrap_err();
        assert!(!format!("{fault} {fault:?}").contains("canary"));
    }
}
