//! XS25, must show 5: for each fault of the first day there is one line in the log that says what was asked where, what was
//! wanted, what was found, and which key to change.

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::process::{Home, Process};
use crate::support::rig::{CLIENT_SECRET, Choices, Rig};
use zengate_simulator::CarrierRules;

/// A gateway (the built program) in front of one plain issuer that signs people in at once, with `change` made to its
/// configuration.
pub(super) async fn gateway(
    rules: impl Fn(&mut CarrierRules),
    change: impl Fn(&Rig, String) -> String,
) -> (Rig, Process, Home) {
    // The port goes from the rig's own gateway to the program; in between, another test may be given it.
    for _ in 0..10 {
        let plain = Some("    scopes: [openid]\n    userinfo: false\n".to_owned());
        let mut rig = Rig::with(Choices { plain, ..Choices::default() }).await;
        rig.stop_gateway().await;
        rig.simulator.carrier("aurora").unwrap().set(|carrier| {
            carrier.auto_consent = Some(Default::default());
            rules(carrier);
        });
        let home = Home::new();
        let text = rig.config_text().replace("admin_listen: 127.0.0.1:1\n", "admin_listen: 127.0.0.1:0\n");
        let text = change(&rig, text);
        if let Some((process, ..)) = Process::try_serve(&home.write("zengate.yaml", &text)) {
            return (rig, process, home);
        }
    }
    panic!("no port stays free");
}

/// Signs in at a gateway; the status of the answer, and what the log says of that very request.
async fn try_in(rig: &Rig, process: &Process) -> (u16, Value) {
    let page = Browser::new().go(rig.url("/app")).await;
    let id = page.body.split("Request: ").nth(1).and_then(|rest| rest.split('<').next());
    let id = id.unwrap_or_else(|| panic!("a page of ours: {}", page.body));
    let line = process.line(&format!("\"request_id\":\"{id}\""));
    (page.status.as_u16(), serde_json::from_str(&line).unwrap())
}

fn assert_says(event: &Value, parts: &[&str]) {
    let reason = event["reason"].as_str().unwrap();
    for part in parts {
        assert!(reason.contains(part), "`{part}` is not in: {reason}");
    }
    assert!(!reason.contains(CLIENT_SECRET) && !reason.contains("eyJ"), "{reason}");
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

// XS25, PF09, XM17, XS02
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_id_token_is_explained_by_what_was_wanted_and_found() {
    let (rig, process, _home) = gateway(|_| {}, |_, text| text).await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let honest = aurora.rules();
    type Bend = Box<dyn Fn(&mut CarrierRules)>;
    let claim = |name: &'static str, value: Value| -> Bend {
        Box::new(move |rules| drop(rules.id_token_claims.insert(name.to_owned(), value.clone())))
    };
    let header = |name: &'static str, value: &'static str| -> Bend {
        Box::new(move |rules| drop(rules.id_token_header.insert(name.to_owned(), value.into())))
    };
    let clock = now();
    let ahead: Bend = Box::new(move |rules| {
        rules.id_token_claims.insert("iat".into(), json!(clock + 540));
        rules.id_token_claims.insert("exp".into(), json!(clock + 1140));
    });
    let cases: Vec<(Bend, Vec<&str>)> = vec![
        (header("alg", "ES256"), vec!["`alg` is `ES256`, allowed: RS256", "`provider.oidc.algorithms`"]),
        (header("alg", "HS256"), vec!["`alg` is `HS256`", "signing key"]),
        (ahead, vec![" s ahead of our clock", "`sign_in.skew`"]),
        (claim("exp", json!(now() - 540)), vec!["`exp` was 54", "`sign_in.skew`"]),
        (
            claim("aud", json!(["ccid-rig0123456789abc", "project"])),
            vec!["`project`", "`provider.oidc.trusted_audiences`"],
        ),
        (claim("azp", json!("other")), vec!["found `other`", "`provider.oidc.client_id`"]),
        (claim("iss", json!("https://other.test/")), vec!["found `https://other.test/`", "`provider.oidc.issuer`"]),
        (header("typ", "at+jwt"), vec!["`typ` is `at+jwt`", "`provider.oidc.accept_at_jwt_typ`"]),
        (header("kid", "unheard-of"), vec!["`kid` is `unheard-of`"]),
    ];
    for (bend, parts) in cases {
        aurora.set(&bend);
        let (status, event) = try_in(&rig, &process).await;
        assert_eq!((status, event["message"].as_str()), (502, Some("An ID token was refused")), "{event}");
        assert_says(&event, &parts);
        aurora.set(|rules| *rules = honest.clone());
    }
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
}

// FD12, KC09, KC09b, OF2
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_said_with_the_address_the_providers_words_and_the_keys() {
    let (rig, process, _home) = gateway(|_| {}, |_, text| text.replace("rig secret:", "rag secret:")).await;
    let page = Browser::new().go(rig.url("/app")).await;
    assert!(page.status == 502 && page.body.contains("provider_refused"), "{}", page.body);
    let aurora = rig.simulator.carrier("aurora").unwrap();
    // Keycloak's word for the same.
    let body =
        json!({"error": "unauthorized_client", "error_description": "Invalid client or Invalid client credentials"});
    aurora.set(|rules| {
        rules.status = [("token".to_owned(), 401)].into();
        rules.body = [("token".to_owned(), body.to_string())].into();
    });
    let (status, event) = try_in(&rig, &process).await;
    assert_eq!(status, 502);
    let at = format!("{}/", aurora.issuer());
    assert_says(
        &event,
        &[
            "refused: invalid_client",
            "exchange redemption at",
            &at,
            "status 401",
            "`unauthorized_client` (Invalid client or Invalid client credentials)",
            "`client_secret`",
        ],
    );
    assert!(process.stderr().contains("does not accept our client id and secret"));
}

// KC09b: what the provider says in an address of ours is told to the operator, and to nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_a_browser_brings_is_told_in_the_providers_words() {
    let (rig, process, _home) = gateway(|_| {}, |_, text| text).await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| {
        rules.authorize_error = Some("unmet_authentication_requirements".to_owned());
        let words = "acr a9 is <b>not</b>\nknown to maya@example.com";
        rules.callback = [("error_description".to_owned(), words.to_owned())].into();
    });
    let page = Browser::new().go(rig.url("/app")).await;
    assert!(page.status == 403 && !page.body.contains("acr a9"), "{}", page.body);
    let line = process.line("\"error\":\"unmet_authentication_requirements\"");
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["description"], "acr a9 is <b>not</b>?known to [...]");
    // A code that is no word is not told: it may be anything.
    aurora.set(|rules| rules.authorize_error = Some("4915112345678".to_owned()));
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 403);
    let line = process.line("\"error\":\"[...]\"");
    assert!(!line.contains("4915112345678"), "{line}");
}

// KC06: a login page that was open for too long is no outage.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_page_that_was_open_for_too_long_begins_anew_and_an_outage_is_told_as_one() {
    let (rig, process, _home) = gateway(|_| {}, |_, text| text).await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let says = |words: &'static str| {
        aurora.set(|rules| {
            rules.next_authorize_error = Some("temporarily_unavailable".to_owned());
            rules.callback = [("error_description".to_owned(), words.to_owned())].into();
        });
    };
    says("authentication_expired");
    let page = Browser::new().go(rig.url("/app?x=1")).await;
    assert_eq!((page.status.as_u16(), rig.upstream.last().target()), (200, "/app?x=1"), "{}", page.body);
    process.line("\"description\":\"authentication_expired\"");
    // The twin: the same code for another reason.
    says("the database is away");
    let page = Browser::new().go(rig.url("/app?x=1")).await;
    assert_eq!(page.status, 503, "{}", page.body);
    let event: Value = serde_json::from_str(&process.line("the database is away")).unwrap();
    // PF09: there is no carrier behind a plain issuer.
    assert_eq!(event["message"], "The provider refused a sign-in");
}

// PF09: what is not about phones is said without them.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_issuers_people_read_nothing_of_carriers_and_phones() {
    let (rig, process, _home) = gateway(|_| {}, |_, text| text).await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    for error in ["access_denied", "login_required", "server_error", "invalid_scope", "user_not_found", "acr_gone"] {
        aurora.set(|rules| rules.next_authorize_error = Some(error.to_owned()));
        let page = Browser::new().go(rig.url("/app")).await;
        for word in ["arrier", "PIN", "ngerprint", "SIM"] {
            assert!(!page.body.contains(word), "{error}: {word} in {}", page.body);
        }
    }
    assert!(!process.stderr().contains("carrier refused"), "{}", process.stderr());
}

// MV06
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_nobody_listed_is_said_once_with_the_key() {
    let (rig, process, _home) = gateway(|_| {}, |_, text| text).await;
    let headers = [("accept", "text/html"), ("x-forwarded-for", "203.0.113.9")];
    for _ in 0..3 {
        let begun = Browser::new().send(reqwest::Method::GET, rig.url("/oauth2/start"), None, &headers).await;
        assert_eq!(begun.status, 302);
    }
    let event: Value = serde_json::from_str(&process.line("\"key\":\"trusted_proxies\"")).unwrap();
    assert_eq!((event["client"].as_str(), event["level"].as_str()), (Some("127.0.0.1"), Some("WARN")));
    // Whoever is listed is believed, and nothing is said.
    let listed = |_: &Rig, text: String| format!("trusted_proxies: [127.0.0.1]\n{text}");
    let (rig, process, _home) = gateway(|_| {}, listed).await;
    assert_eq!(Browser::new().send(reqwest::Method::GET, rig.url("/oauth2/start"), None, &headers).await.status, 302);
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    assert!(!process.stderr().contains("is it a proxy"));
}

// KC13
#[tokio::test(flavor = "multi_thread")]
async fn a_slash_too_many_in_the_issuer_is_said_with_both_spellings() {
    let slash = |rig: &Rig, text: String| {
        let issuer = rig.simulator.carrier("aurora").unwrap().issuer();
        text.replace(&format!("issuer: {issuer}\n"), &format!("issuer: {issuer}/\n"))
    };
    let (rig, process, _home) = gateway(|_| {}, slash).await;
    let (status, event) = try_in(&rig, &process).await;
    let issuer = rig.simulator.carrier("aurora").unwrap().issuer();
    assert_eq!(status, 502);
    let spellings = format!("expected `{issuer}/`, found `{issuer}`");
    assert_says(&event, &["speaks for another issuer", "exchange metadata at", &spellings, "`provider.oidc.issuer`"]);
}

// KC17: an address in the file is said before anything starts; a name that leads inside, when it is asked (N08 holds that).
#[test]
fn a_private_address_is_named_with_the_key_that_allows_it() {
    let home = Home::new();
    let text = "public_url: https://apps.example
provider: { oidc: { issuer: 'http://127.0.0.1:9', client_id: a, client_secret: s } }
sessions: { store: memory }
routes: [{ host: apps.example, path: /, access: session, upstream: 'http://127.0.0.1:1' }]
";
    let path = home.write("zengate.yaml", text);
    let refused = Process::run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(refused.code, Some(1));
    for part in ["provider.oidc.issuer", "http://127.0.0.1:9", "`allow_private_addresses: true`"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
}

// XS06, PF09
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_on_another_host_is_named_if_it_is_used_and_no_matter_if_not() {
    let elsewhere = |name: &'static str| {
        move |rules: &mut CarrierRules| drop(rules.metadata.insert(name.into(), "https://graph.example/x?y=z".into()))
    };
    // Userinfo is not asked here.
    let (rig, _process, _home) = gateway(elsewhere("userinfo_endpoint"), |_, text| text).await;
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    let wanted = |_: &Rig, text: String| text.replace("userinfo: false", "userinfo: true");
    for (name, change) in [("token_endpoint", None), ("userinfo_endpoint", Some(wanted))] {
        let change = |rig: &Rig, text: String| change.map_or(text.clone(), |change| change(rig, text));
        let (rig, process, _home) = gateway(elsewhere(name), change).await;
        let (status, event) = try_in(&rig, &process).await;
        assert_eq!(status, 502, "{name}");
        let place = format!("{name} at https://graph.example/x");
        assert_says(&event, &[&place, "`graph.example` in `provider.oidc.allowed_hosts`"]);
        assert!(!event["reason"].as_str().unwrap().contains("y=z"));
    }
}
