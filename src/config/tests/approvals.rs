//! Approvals on the phone: only where somebody could be asked.

use std::sync::LazyLock;
use std::time::Duration;

use super::*;
use crate::secret::SecretString;
use crate::secret::signing::{SigningAlgorithm, SigningKey};

pub(super) const KEYED: &str = "\
public_url: https://apps.example.com
provider:
  zenkey:
    client_id: ccid-a
    client_secret: { file: /run/secrets/zenkey }
    trusted_issuers:
      - https://one.example
      - { issuer: 'https://two.example', id: two, client: { client_keys: [/keys/rsa.pem] } }
sessions: { keys: [{ file: /keys/seal }] }
routes:
  - { host: apps.example.com, access: session, upstream: 'http://127.0.0.1:1' }
";

/// A key of RSA takes a while to make.
static RSA: LazyLock<SecretString> = LazyLock::new(|| SigningKey::generate(SigningAlgorithm::Rs256).unwrap());

pub(super) fn with(approvals: &str) -> Result<(Config, Vec<Warning>), Faults> {
    let seal = "4LVXP6jmqSt3SaV+42D6k23gQAA7XiR3fbNErH6y6c4=\n";
    let machine = Machine::new().file("/keys/rsa.pem", RSA.expose()).file("/keys/seal", seal);
    machine.read_config(&format!("{KEYED}{approvals}"))
}

#[test]
fn approvals_have_limits_and_are_for_the_app_that_is_named() {
    let config = with("").unwrap_or_else(|faults| panic!("{faults}")).0;
    assert_eq!(config.approvals, None, "nobody is asked unless the file says so");
    let config = with("approvals: {}\n").unwrap_or_else(|faults| panic!("{faults}")).0;
    let approvals = config.approvals.unwrap();
    assert_eq!(approvals.audience, "https://apps.example.com");
    assert_eq!((approvals.ttl, approvals.quota.per_hour), (Duration::from_secs(300), 3));
    assert_eq!((approvals.quota.pause, approvals.most, approvals.webhook), (Duration::from_secs(900), 10_000, None));
    let lines =
        "approvals: { audience: 'https://shop.example', pause_after_denial: 0s, webhook: 'https://shop.example/x' }\n";
    let approvals = with(lines).unwrap_or_else(|faults| panic!("{faults}")).0.approvals.unwrap();
    assert_eq!((approvals.audience.as_str(), approvals.quota.pause), ("https://shop.example", Duration::ZERO));
    for (lines, key) in [
        ("approvals: { ttl: 49h }\n", "approvals.ttl"),
        ("approvals: { ttl: 1s }\n", "approvals.ttl"),
        ("approvals: { per_hour: 0 }\n", "approvals.per_hour"),
        ("approvals: { audience: 'https://shop.example/x' }\n", "approvals.audience"),
        ("approvals: { webhook: 'http://shop.example/x' }\n", "approvals.webhook"),
        ("approvals: { sign_in: with_code }\n", "approvals.sign_in"),
    ] {
        let faults = with(lines).map(|_| ()).unwrap_err().to_string();
        assert!(faults.contains(key), "{lines}{faults}");
    }
}

// In the browser it takes ID tokens, on the phone a key as well.
#[test]
fn approvals_of_nobody_are_a_fault() {
    let approvals = "approvals: {}\n";
    let read = |base: &str| Machine::new().read_config(&format!("{base}{approvals}"));
    assert!(read(SHORTEST).is_ok(), "in the browser");
    let faults = read(super::providers::CUSTOM).map(|_| ()).unwrap_err().to_string();
    assert!(faults.contains("approvals: nobody could be asked") && faults.contains("RS256"), "{faults}");
}
