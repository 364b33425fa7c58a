//! Carriers that know us by a key.

use std::sync::LazyLock;

use super::*;
use crate::oidc::client_auth::{AssertionAudience, AuthMethod};
use crate::secret::SecretString;
use crate::secret::signing::{SigningAlgorithm, SigningKey};

const KEYED: &str = "\
public_url: https://apps.example.com
provider:
  zenkey:
    client_id: ccid-a
    client_secret: { file: /run/secrets/zenkey }
    trusted_issuers:
      - https://one.example
      - { issuer: 'https://two.example', id: two, client: { client_keys: [/keys/rsa.pem] } }
      - { issuer: 'https://three.example', id: three, client: { client_secret: { file: /run/secrets/zenkey } } }
sessions: { keys: [{ file: /keys/seal }] }
routes:
  - { host: apps.example.com, access: session, upstream: 'http://127.0.0.1:1' }
";

/// A key of RSA takes a while to make.
static RSA: LazyLock<SecretString> = LazyLock::new(|| SigningKey::generate(SigningAlgorithm::Rs256).unwrap());

fn machine() -> Machine {
    Machine::new()
        .file("/keys/rsa.pem", RSA.expose())
        .file("/keys/ec.pem", SigningKey::generate(SigningAlgorithm::Es256).unwrap().expose())
        .file("/keys/seal", "4LVXP6jmqSt3SaV+42D6k23gQAA7XiR3fbNErH6y6c4=\n")
}

/// [`KEYED`] with `from` replaced by `to`.
fn changed(from: &str, to: &str) -> Result<(Config, Vec<Warning>), Faults> {
    assert!(KEYED.contains(from), "{from:?}");
    machine().read_config(&KEYED.replace(from, to))
}

#[test]
fn a_carrier_may_know_us_otherwise_than_the_rest() {
    let (config, _) = changed("ccid-a", "ccid-b").unwrap_or_else(|faults| panic!("{faults}"));
    let [one, two, three] = &config.provider.settings.federation.members[..] else { panic!("three carriers") };
    assert!(one.authentication.is_none() && one.id.is_empty());
    let two = two.authentication.as_ref().unwrap();
    assert_eq!((two.method_for(&[]), two.keys.len()), (AuthMethod::PrivateKeyJwt, 1));
    assert_eq!((two.assertion_audience, two.assertion_names_client), (AssertionAudience::Issuer, true));
    assert_eq!(three.authentication.as_ref().unwrap().method_for(&[]), AuthMethod::ClientSecretBasic);
    assert_eq!(config.provider.settings.authentication.method_for(&[]), AuthMethod::ClientSecretBasic);
}

#[test]
fn a_key_that_a_carrier_could_not_use_is_a_fault() {
    for (from, to, expected) in [
        (
            "/keys/rsa.pem",
            "/keys/ec.pem",
            "trusted_issuers[1].client.client_keys: hold a key for ES256; here only RS256 is",
        ),
        ("id: two, ", "", "trusted_issuers[1]: has a `client` and lacks an `id`"),
        ("id: three", "id: two", "trusted_issuers[2].id: \"two\" stands twice"),
        (
            "client: { client_keys: [/keys/rsa.pem] }",
            "client: { assertion_untyped: true }",
            "trusted_issuers[1].client: has neither `client_secret` nor `client_keys`",
        ),
        (
            "client_keys: [/keys/rsa.pem]",
            "client_keys: [/keys/rsa.pem], token_endpoint_auth_method: client_secret_basic",
            "trusted_issuers[1].client.token_endpoint_auth_method: needs `client_secret`",
        ),
        ("    client_secret: { file: /run/secrets/zenkey }\n", "", "provider.zenkey.client_secret: is missing"),
    ] {
        let faults = changed(from, to).expect_err(to).to_string();
        assert_eq!(faults.lines().count(), 1, "{faults}");
        assert!(faults.contains(expected), "{faults}\nlacks {expected:?}");
    }
}

// CR-F10
#[test]
fn one_network_is_one_carriers() {
    let listed = |one: &str, two: &str| {
        let one = format!("{{ issuer: 'https://one.example', networks: [310-410, {one}] }}");
        let text = KEYED.replace("- https://one.example", &format!("- {one}"));
        machine().read_config(&text.replace("id: two, ", &format!("id: two, networks: ['{two}'], ")))
    };
    for (one, two) in [("901-07", "901-07"), ("901-070", "901-070")] {
        let faults = listed(one, two).expect_err(one).to_string();
        let expected = format!(
            "trusted_issuers[1].networks[0]: {two} already stands at provider.zenkey.trusted_issuers[0].networks[1]"
        );
        assert!(faults.contains(&expected) && faults.lines().count() == 1, "{faults}");
    }
    // CR-F09, the twin: a network is its digits and how many there are.
    let (config, _) = listed("901-07", "901-070").unwrap_or_else(|faults| panic!("{faults}"));
    let federation = &config.provider.settings.federation;
    for (network, issuer) in [("901-07", "https://one.example"), ("901-070", "https://two.example")] {
        let network = crate::carrier::network::Network::parse(network).unwrap();
        assert_eq!(federation.member_of(&network).map(|member| member.issuer.as_str()), Some(issuer));
    }
    for bent in ["901-7", "90107", "901_07", "9010-7", "٩٠١-٠٧"] {
        let faults = listed("901-08", bent).expect_err(bent).to_string();
        assert!(faults.contains("is not a mobile network"), "{faults}");
    }
}

// CR-F01
#[test]
fn people_pick_first_and_pick_carriers_that_have_an_id() {
    let given = |find: &str, more: &str| {
        let text = KEYED.replace("client_id: ccid-a\n", &format!("client_id: ccid-a\n    find: {find}\n{more}"));
        machine().read_config(&text.replace("- https://one.example", "- { issuer: 'https://one.example', id: one }"))
    };
    use crate::carrier::find::Way;
    for (find, ways) in
        [("[picker]", &[Way::Picker][..]), ("[picker, ui_with_state]", &[Way::Picker, Way::UiWithState])]
    {
        let (config, _) =
            given(find, "    redirect_uri_per_carrier: true\n").unwrap_or_else(|faults| panic!("{faults}"));
        let federation = &config.provider.settings.federation;
        assert_eq!((&federation.find[..], federation.discovery.is_some()), (ways, ways.len() > 1));
        assert_eq!((federation.members[0].name.as_str(), config.provider.member_redirect_uris), ("one", true));
    }
    for (find, more, expected) in [
        ("[ui_with_state, picker]", "", "find[1]: stands behind another way"),
        ("[picker, picker]", "", "find[1]: stands twice"),
        ("[]", "", "find"),
        (
            "[ui_with_state]",
            "    redirect_uri_per_carrier: true\n",
            "redirect_uri_per_carrier: is for carriers that people pick",
        ),
        ("[ui_with_state]", "    remember_carrier: 2y\n", "remember_carrier"),
    ] {
        let faults = given(find, more).expect_err(find).to_string();
        assert!(faults.contains(expected) && faults.lines().count() == 1, "{faults}");
    }
    let text = KEYED.replace("client_id: ccid-a\n", "client_id: ccid-a\n    find: [picker]\n");
    let faults = machine().read_config(&text).expect_err("one has no id").to_string();
    assert!(faults.contains("trusted_issuers[0]: lacks an `id`, by which people pick it"), "{faults}");
}

// D08
#[test]
fn optimized_discovery_is_for_keys_and_listed_networks_alone() {
    const SECRET: &str = "    client_secret: { file: /run/secrets/zenkey }\n";
    let keyed = KEYED
        .replace("client_id: ccid-a\n", "client_id: ccid-a\n    find: [optimized]\n")
        .replace(SECRET, "    client_keys: [/keys/rsa.pem]\n")
        .replace("- https://one.example", "- { issuer: 'https://one.example', networks: [310-410] }")
        .replace("id: two, ", "id: two, networks: [310-260], ");
    let third = "      - { issuer: 'https://three.example', id: three, client: { client_secret: { file: /run/secrets/zenkey } } }\n";
    let good = keyed.replace(third, "");
    let (config, _) = machine().read_config(&good).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.provider.settings.federation.find, [crate::carrier::find::Way::Optimized]);
    for (text, expected) in [
        (
            good.replace("    client_keys: [/keys/rsa.pem]\n", SECRET),
            "trusted_issuers[0]: is found by `optimized` and is not shown",
        ),
        (good.replace(", networks: [310-410]", ""), "trusted_issuers[0]: is found by `optimized` and lacks `networks`"),
        (good.replace("[optimized]", "[optimized, ui_with_state]"), "find: has both `ui_with_state` and `optimized`"),
        (
            keyed.replace("id: three, ", "id: three, networks: [310-012], "),
            "trusted_issuers[2]: is found by `optimized` and is not shown",
        ),
    ] {
        let faults = machine().read_config(&text).expect_err(expected).to_string();
        assert!(faults.contains(expected) && faults.lines().count() == 1, "{faults}");
    }
}

// The twin of the last one: a key in place of the secret, and something else to seal sessions with.
#[test]
fn keys_may_stand_in_place_of_the_secret() {
    let keys = "    client_keys: [/keys/rsa.pem]\n";
    let secret = "    client_secret: { file: /run/secrets/zenkey }\n";
    let (config, _) = changed(secret, keys).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.provider.settings.authentication.method_for(&[]), AuthMethod::PrivateKeyJwt);
    let text = KEYED.replace(secret, keys).replace("sessions: { keys: [{ file: /keys/seal }] }\n", "");
    let faults = machine().read_config(&text).expect_err("nothing to seal with").to_string();
    assert!(faults.contains("sessions.keys: is missing"), "{faults}");
}

/// Two carriers, of which people may move from one to the other, and an app that hears of it.
const MIGRATING: &str = "\
public_url: https://apps.example.com
accounts: {}
provider:
  zenkey:
    client_id: ccid-a
    client_secret: { file: /run/secrets/zenkey }
    port_tokens: { sibling_clients: [ccid-b], max_age: 180d }
    trusted_issuers:
      - https://one.example
      - { issuer: 'https://two.example', migrates_from: ['https://one.example'] }
sessions: { keys: [{ file: /keys/seal }] }
routes:
  - { host: apps.example.com, access: session, upstream: 'http://127.0.0.1:1', identity_headers: { map: { X-User: stable_subject } } }
";

#[test]
fn people_move_between_carriers_that_are_written_down_as_a_pair() {
    let read = |from: &str, to: &str| {
        assert!(MIGRATING.contains(from), "{from:?}");
        machine().read_config(&MIGRATING.replace(from, to))
    };
    let (config, warnings) = read("ccid-a", "ccid-c").unwrap_or_else(|faults| panic!("{faults}"));
    let [one, two] = &config.provider.settings.federation.members[..] else { panic!("two carriers") };
    assert_eq!((&one.migrates_from[..], &two.migrates_from[..]), (&[][..], &["https://one.example".to_owned()][..]));
    let told = &config.provider.port_tokens;
    assert_eq!((told.max_age.as_secs(), &told.sibling_clients[..]), (180 * 86_400, &["ccid-b".to_owned()][..]));
    assert!(!told.any_key_name && config.accounts.as_ref().unwrap().links.keeps_everybody);
    assert!(warnings.iter().all(|warning| !warning.key.contains("port_tokens")), "{warnings:?}");
    let (config, _) = read("    port_tokens: { sibling_clients: [ccid-b], max_age: 180d }\n", "").unwrap();
    assert_eq!(config.provider.port_tokens.max_age.as_secs(), 360 * 86_400, "the default");
    for (from, to, expected) in [
        (
            "['https://one.example']",
            "['https://one.example/']",
            "trusted_issuers[1].migrates_from[0]: \"https://one.example/\" is none",
        ),
        (
            "['https://one.example']",
            "['https://two.example']",
            "trusted_issuers[1].migrates_from[0]: \"https://two.example\" is the carrier itself; nobody moves from it to it, unless `port_tokens.allow_same_issuer` says so",
        ),
        ("accounts: {}\n", "", "trusted_issuers: `migrates_from` is for accounts that people bring along"),
        (
            ", migrates_from: ['https://one.example']",
            "",
            "X-User: carries what is known of people who move between carriers",
        ),
    ] {
        let faults = read(from, to).expect_err(to).to_string();
        assert!(faults.contains(expected), "{faults}\nlacks {expected:?}");
    }
}

// S08, S11
#[test]
fn a_carriers_word_about_its_own_people_counts_where_that_is_said_twice() {
    let own = MIGRATING.replace("migrates_from: ['https://one.example']", "migrates_from: ['https://two.example']");
    let told = |more: &str, file: &str| {
        let (config, warnings) = machine()
            .read_config(&file.replace("max_age: 180d", &format!("max_age: 180d{more}")))
            .unwrap_or_else(|faults| panic!("{faults}"));
        (
            config.provider.port_tokens,
            warnings.iter().map(|told| format!("{}: {}", told.key, told.text)).collect::<Vec<_>>().join("\n"),
        )
    };
    let (settings, warnings) = told(", allow_same_issuer: true", &own);
    assert!(settings.allow_same_issuer && warnings.contains("migrates_from[0]: is the carrier itself"), "{warnings}");
    let (settings, warnings) = told(", allow_same_issuer: true", MIGRATING);
    assert!(settings.allow_same_issuer && warnings.contains("allow_same_issuer: changes nothing"), "{warnings}");
    let (settings, warnings) = told("", MIGRATING);
    assert!(!settings.allow_same_issuer && !warnings.contains("port_tokens"), "{warnings}");
    assert_eq!((settings.max_tokens, settings.max_bytes), (8, 8 * 1024), "the defaults");
    let (settings, _) = told(", max_tokens: 2, max_bytes: 16KiB", MIGRATING);
    assert_eq!((settings.max_tokens, settings.max_bytes), (2, 16 * 1024));
}
