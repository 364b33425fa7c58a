use serde_json::{Value, json};

use super::*;

fn ui() -> Url {
    Url::parse("https://ui.test/ui/discovery-ui").unwrap()
}

fn configuration() -> Value {
    json!({
        "issuer": "https://a.test",
        "authorization_endpoint": "https://a.test/authorize",
        "token_endpoint": "https://a.test/token",
        "jwks_uri": "https://a.test/jwks",
        "mccmnc": 310_010,
    })
}

fn answer(status: u16, body: &Value) -> Result<DiscoveryAnswer, DiscoveryFault> {
    DiscoveryAnswer::parse(status, body.to_string().as_bytes(), &ui(), "310010")
}

fn ask(redirect_uri: &str) -> Result<DiscoveryAnswer, DiscoveryFault> {
    answer(404, &json!({"error": "provider_not_found", "redirect_uri": redirect_uri}))
}

#[test]
fn the_issuer_is_asked_with_everything_encoded() {
    // Dossier 19, row 8, and 20, rows 1 and 45
    let base = Url::parse("https://issuer.test").unwrap();
    let url = discovery_url(&base, "ccid-1&mccmnc=999999", "310010", None);
    let expected = format!(
        "https://issuer.test/.well-known/openid_configuration\
         ?client_id=ccid-1%26mccmnc%3D999999&mccmnc=310010&sdk_version=zengate-{}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(url.as_str(), expected);
    let base = Url::parse("https://issuer.test/sub/?config=false&mccmnc=1").unwrap();
    let url = discovery_url(&base, "c", "310010", Some("abcd1234"));
    let expected = "https://issuer.test/sub/.well-known/openid_configuration\
                    ?config=false&client_id=c&mccmnc=310010&correlation_id=abcd1234&sdk_version=";
    assert!(url.as_str().starts_with(expected), "{url}");
}

#[test]
fn the_browser_is_sent_to_the_ui_with_our_parameters_only() {
    let base =
        Url::parse("https://ui.test/ui/discovery-ui?lang=en&redirect_uri=https://e.test&state=evil&prompt=picker")
            .unwrap();
    let url = ui_url(&base, "ccid-1", "https://g.test/cb?a=b&c", "s/1", false);
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let expected = [
        ("lang", "en"),
        ("client_id", "ccid-1"),
        ("redirect_uri", "https://g.test/cb?a=b&c"),
        ("state", "s/1"),
        ("sdk_version", SDK_VERSION),
    ];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(ui_url(&base, "c", "https://g.test/cb", "s", true).query().unwrap().ends_with("&prompt=true"));
}

#[test]
fn a_configuration_is_read_for_the_carrier_that_was_asked_for() {
    // D06, D07
    let Ok(DiscoveryAnswer::Configuration(metadata)) = answer(200, &configuration()) else {
        panic!("no configuration")
    };
    assert_eq!(metadata.mccmnc, Ok(Some("310010".to_owned())));
    let with = |mccmnc: Value| {
        let mut body = configuration();
        body["mccmnc"] = mccmnc;
        answer(200, &body)
    };
    with(json!("310010")).unwrap();
    with(json!(" ")).unwrap();
    for other in [json!(310_011), json!("310410")] {
        assert_eq!(with(other).unwrap_err(), DiscoveryFault::OtherCarrier);
    }
    assert_eq!(with(json!("31001")).unwrap_err(), DiscoveryFault::Metadata(MetadataError::Mccmnc));
    let mut silent = configuration();
    silent.as_object_mut().unwrap().remove("mccmnc");
    let asked = |code: &str| DiscoveryAnswer::parse(200, silent.to_string().as_bytes(), &ui(), code);
    asked("310010").unwrap();
    for code in ["../x", "", "31001", "3100100"] {
        assert_eq!(asked(code).unwrap_err(), DiscoveryFault::OtherCarrier);
    }
}

#[test]
fn an_error_with_a_way_on_asks_the_person_whatever_the_status() {
    // Dossier 5 and 20, row 5
    for status in [200, 400, 404, 500] {
        for error in ["provider_not_found", "any error"] {
            let body = json!({"error": error, "redirect_uri": ui().as_str()});
            assert_eq!(answer(status, &body), Ok(DiscoveryAnswer::AskUser(ui())));
        }
    }
    // An error beside a complete configuration is still an error.
    let mut both = configuration();
    both["error"] = json!("provider_not_found");
    assert_eq!(answer(200, &both).unwrap_err(), DiscoveryFault::Refused);
    for below in [
        "https://ui.test/ui/discovery-ui/",
        "https://ui.test/ui/discovery-ui/x?y=z",
        "https://UI.test:443/ui/discovery-ui",
    ] {
        assert!(matches!(ask(below), Ok(DiscoveryAnswer::AskUser(_))), "{below}");
    }
}

#[test]
fn an_answer_cannot_send_people_anywhere_but_to_the_ui() {
    // Dossier 5: open-redirect guard
    for away in [
        "https://e.test/ui/discovery-ui",
        "http://ui.test/ui/discovery-ui",
        "https://ui.test:444/ui/discovery-ui",
        "https://ui.test.e.test/ui/discovery-ui",
        "https://ui.test@e.test/ui/discovery-ui",
        "https://e@ui.test/ui/discovery-ui",
        "https://ui.test/ui/discovery-uix",
        "https://ui.test/ui/discovery-ui/../../open",
        "https://ui.test/ui/discovery-ui/%2e%2e/x",
        "https://ui.test/ui/discovery-ui/..%2f..%2fopen",
        "https://ui.test/ui/discovery-ui/%5c..",
        "https://ui.test/open",
        "https://ui.test/",
        "//ui.test/ui/discovery-ui",
        "/ui/discovery-ui",
        "javascript:alert(1)",
        "data:text/html,x",
        "",
        " ",
        "https://ui.test\\@e.test/ui/discovery-ui",
        "https://ui.test/ui/discovery-ui#x",
        "https://ui.test/ui/discovery-ui\n",
        "\thttps://ui.test/ui/discovery-ui",
        "https:ui.test/ui/discovery-ui\t",
        "https://ui.test/ui/discovery-ui//e.test",
        "https://uı.test/ui/discovery-ui",
        "blob:https://ui.test/ui/discovery-ui",
    ] {
        assert_eq!(ask(away).unwrap_err(), DiscoveryFault::RedirectNotTrusted, "{away:?}");
    }
    for odd in [json!(7), json!(["https://ui.test/ui/discovery-ui"]), json!({"url": "https://ui.test/ui/discovery-ui"})]
    {
        let body = json!({"error": "provider_not_found", "redirect_uri": odd});
        assert_eq!(answer(404, &body).unwrap_err(), DiscoveryFault::RedirectNotTrusted);
    }
    assert!(ask("https://ui.test/ui/discovery-ui").is_ok());
}

#[test]
fn an_answer_without_a_way_on_is_a_fault() {
    for body in [
        json!({"error": "invalid_request", "error_description": "x"}),
        json!({"error": 7}),
        json!({"error": "", "redirect_uri": null}),
    ] {
        assert_eq!(answer(400, &body).unwrap_err(), DiscoveryFault::Refused);
    }
    assert_eq!(answer(500, &configuration()).unwrap_err(), DiscoveryFault::Status);
    assert_eq!(answer(302, &json!({"redirect_uri": ui().as_str()})).unwrap_err(), DiscoveryFault::Status);
    // The nested answer of the Android fixture, and a bare way on.
    let nested = json!({"config": configuration(), "carrier": "att"});
    assert_eq!(answer(200, &nested).unwrap_err(), DiscoveryFault::Metadata(MetadataError::Missing("issuer")));
    assert!(answer(200, &json!({"redirect_uri": ui().as_str()})).is_err());
    for (status, fault) in [(200, DiscoveryFault::NotAnObject), (503, DiscoveryFault::Status)] {
        for body in ["", "<html>", "[]", "null", r#"{"error":"x","error":"y"}"#] {
            assert_eq!(DiscoveryAnswer::parse(status, body.as_bytes(), &ui(), "310010").unwrap_err(), fault);
        }
    }
}

#[test]
fn a_bent_answer_never_leads_away_and_never_panics() {
    // C33, dossier 5
    let body = json!({"error": "provider_not_found", "redirect_uri": "https://ui.test/ui/discovery-ui?x=1"});
    crate::oidc::fuzz::mutate(body.to_string().as_bytes(), |body| {
        if let Ok(DiscoveryAnswer::AskUser(url)) = DiscoveryAnswer::parse(404, body, &ui(), "310010") {
            assert_eq!(url.origin(), ui().origin());
            assert!(url.path().starts_with("/ui/discovery-ui"));
        }
    });
    crate::oidc::fuzz::mutate(configuration().to_string().as_bytes(), |body| {
        drop(DiscoveryAnswer::parse(200, body, &ui(), "310010"));
    });
}
