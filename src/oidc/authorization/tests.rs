use std::collections::{BTreeMap, HashSet};

use super::*;
use crate::secret::SystemEntropy;

struct Asked {
    endpoint: Url,
    scopes: Vec<String>,
    acr_values: Vec<String>,
    extra: Vec<(String, String)>,
    settings: RequestSettings,
    login_hint_token: Option<&'static str>,
}

fn asked() -> Asked {
    Asked {
        endpoint: Url::parse("https://a.test/authorize").unwrap(),
        scopes: vec!["openid".into(), "email".into()],
        acr_values: vec!["a3".into(), "a1".into()],
        extra: vec![],
        settings: RequestSettings::default(),
        login_hint_token: None,
    }
}

impl Asked {
    fn url(&self) -> Url {
        let settings = RequestSettings { extra: self.extra.clone(), ..self.settings.clone() };
        let request = AuthorizationRequest {
            endpoint: &self.endpoint,
            client_id: "ccid-1",
            redirect_uri: "https://g.test/oauth2/callback",
            scopes: &self.scopes,
            wants_id_token: true,
            state: "st&te=1",
            nonce: "nonce-1",
            code_challenge: "challenge-1",
            acr_values: &self.acr_values,
            max_age: None,
            context: None,
            correlation_id: Some("abcd1234"),
            login_hint_token: self.login_hint_token,
            login_hint: None,
            prompt: None,
            response_mode: None,
            settings: &settings,
            ui_locales: "",
        };
        request.to_url()
    }

    /// The parameters; each must stand once.
    fn parameters(&self) -> BTreeMap<String, String> {
        let url = self.url();
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let all: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(all.len(), pairs.len(), "a parameter is repeated: {url}");
        all
    }
}

#[test]
fn the_request_has_all_that_protects_it() {
    // B01, B07
    let parameters = asked().parameters();
    let expected = [
        ("acr_values", "a3 a1"),
        ("client_id", "ccid-1"),
        ("code_challenge", "challenge-1"),
        ("code_challenge_method", "S256"),
        ("correlation_id", "abcd1234"),
        ("nonce", "nonce-1"),
        ("redirect_uri", "https://g.test/oauth2/callback"),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "st&te=1"),
    ];
    assert_eq!(parameters, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn openid_is_always_asked_for() {
    // B01
    let mut asked = asked();
    asked.scopes = vec!["email".into(), "openid2".into()];
    assert_eq!(asked.parameters()["scope"], "openid email openid2");
    asked.scopes.clear();
    assert_eq!(asked.parameters()["scope"], "openid");
}

#[test]
fn the_endpoints_own_query_is_kept_but_cannot_speak_for_us() {
    let mut asked = asked();
    let endpoint = "https://a.test/authorize?tenant=%41b&st%61te=evil&redirect_uri=https://e.test&&flag&request=x#top";
    asked.endpoint = Url::parse(endpoint).unwrap();
    let url = asked.url();
    assert!(url.as_str().starts_with("https://a.test/authorize?tenant=%41b&flag&response_type=code&"), "{url}");
    assert_eq!(url.fragment(), None);
    let parameters = asked.parameters();
    assert_eq!(parameters["state"], "st&te=1");
    assert_eq!(parameters["redirect_uri"], "https://g.test/oauth2/callback");
    assert!(!parameters.contains_key("request"));
}

#[test]
fn extra_parameters_add_and_never_replace() {
    let mut asked = asked();
    asked.extra = OURS.iter().map(|name| ((*name).to_owned(), "evil".to_owned())).collect();
    assert!(!asked.parameters().values().any(|value| value == "evil"));
    asked.extra = vec![("context".into(), "Pay 5 & go".into()), ("options".into(), "dark".into())];
    assert_eq!(asked.parameters()["context"], "Pay 5 & go");
}

#[test]
fn a_hint_token_is_sent_if_and_only_if_there_is_one() {
    // Dossier 6 and 20, row 43
    let mut asked = asked();
    assert!(!asked.parameters().contains_key("login_hint_token"));
    asked.login_hint_token = Some("");
    assert!(!asked.parameters().contains_key("login_hint_token"));
    asked.login_hint_token = Some("a.b+c/=");
    assert_eq!(asked.parameters()["login_hint_token"], "a.b+c/=");
    asked.acr_values.clear();
    assert!(!asked.parameters().contains_key("acr_values"));
}

#[test]
fn a_verifier_is_unreserved_fresh_and_matches_its_challenge() {
    // B08 (RFC 7636, 4.1), B01
    let mut seen = HashSet::new();
    for _ in 0..1000 {
        let verifier = CodeVerifier::generate(&SystemEntropy);
        let text = verifier.secret().expose();
        assert!((43..=128).contains(&text.len()));
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)));
        assert_eq!(verifier.challenge(), URL_SAFE_NO_PAD.encode(sha256(text.as_bytes())));
        assert!(seen.insert(text.to_owned()));
        assert!(!format!("{verifier:?}").contains(text));
    }
    // RFC 7636, appendix B.
    let example = CodeVerifier(SecretString::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert_eq!(example.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

#[test]
fn a_correlation_id_has_the_form_the_dossier_wants() {
    // Dossier 24
    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, into: &mut [u8]) {
            into.fill(self.0);
        }
    }
    for entropy in [&SystemEntropy as &dyn Entropy, &Fixed(0), &Fixed(255)] {
        let id = CorrelationId::generate(entropy);
        assert!((8..=16).contains(&id.as_str().len()));
        assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    }
    assert_ne!(CorrelationId::generate(&SystemEntropy), CorrelationId::generate(&SystemEntropy));
}

// XM06, PM10
#[test]
fn what_the_operator_wants_stands_in_the_request_and_replaces_nothing_of_ours() {
    let mut asked = asked();
    asked.settings = RequestSettings {
        prompt: Some("select_account".into()),
        max_age: Some(std::time::Duration::from_secs(300)),
        claims: Some(r#"{"id_token":{"groups":null}}"#.into()),
        resource: vec!["https://api.test/".into()],
        ..RequestSettings::default()
    };
    let forged = OURS.iter().chain(&["resource"]).map(|name| ((*name).to_owned(), "forged".to_owned()));
    asked.extra = forged.chain([("hd".to_owned(), "example.com".to_owned())]).collect();
    let parameters = asked.parameters();
    for (name, value) in [
        ("prompt", "select_account"),
        ("max_age", "300"),
        ("claims", r#"{"id_token":{"groups":null}}"#),
        ("resource", "https://api.test/"),
        ("hd", "example.com"),
    ] {
        assert_eq!(parameters[name], value);
    }
    assert!(parameters.values().all(|value| value != "forged"), "{parameters:?}");
}

// RFC 9126
#[test]
fn a_pushed_request_leaves_nothing_but_its_name_in_the_address() {
    let endpoint = Url::parse("https://a.test/authorize?tenant=1&state=forged").unwrap();
    let settings = RequestSettings::default();
    let request = AuthorizationRequest {
        endpoint: &endpoint,
        client_id: "ccid-1",
        redirect_uri: "https://g.test/oauth2/callback",
        scopes: &[],
        wants_id_token: true,
        state: "s",
        nonce: "n",
        code_challenge: "c",
        acr_values: &[],
        max_age: None,
        context: None,
        correlation_id: None,
        login_hint_token: None,
        login_hint: Some("ann@corp.test"),
        prompt: Some("login"),
        response_mode: None,
        settings: &settings,
        ui_locales: "de",
    };
    let to = request.to_pushed_url("urn:x&prompt=none");
    assert_eq!(to.as_str(), "https://a.test/authorize?tenant=1&client_id=ccid-1&request_uri=urn%3Ax%26prompt%3Dnone");
    let form = request.to_form();
    let form: BTreeMap<_, _> = form_urlencoded::parse(form.expose().as_bytes()).into_owned().collect();
    let told = request.to_url().query_pairs().into_owned().filter(|(name, _)| name != "tenant").collect();
    assert_eq!(form, told);
    assert_eq!((form["prompt"].as_str(), form["login_hint"].as_str()), ("login", "ann@corp.test"));
}
