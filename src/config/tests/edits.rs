//! Headers that the operator writes or takes away.

use super::*;

fn edited(keys: &str) -> String {
    route(&format!("    {keys}\n"))
}

fn machine() -> Machine {
    Machine::new().file("/run/secrets/key", "canary-key\n").env("TOKEN", "canary-token")
}

fn written(keys: &str) -> Vec<(String, String)> {
    let (config, _) = machine().read_config(&edited(keys)).unwrap();
    let edits = &config.routes[0].request_headers;
    assert!(!format!("{config:?}").contains("canary-key") && !format!("{config:?}").contains("canary-token"), "{keys}");
    edits.written().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

#[test]
fn a_value_is_a_text_a_secret_or_several() {
    for (value, expected) in [
        ("plain text", vec!["plain text"]),
        ("{ file: /run/secrets/key }", vec!["canary-key"]),
        ("{ env: TOKEN, prefix: 'Bearer ' }", vec!["Bearer canary-token"]),
        ("{ basic: { user: gate, password: { file: /run/secrets/key } } }", vec!["Basic Z2F0ZTpjYW5hcnkta2V5"]),
        ("[a, { env: TOKEN }]", vec!["a", "canary-token"]),
    ] {
        let expected: Vec<_> = expected.iter().map(|value| ("x-key".to_owned(), (*value).to_owned())).collect();
        assert_eq!(written(&format!("request_headers: {{ set: {{ X-Key: {value} }} }}")), expected, "{value}");
    }
}

#[test]
fn what_cannot_be_written_is_a_fault_that_names_the_key() {
    let good = "request_headers: { set: { X-Key: a } }";
    for (wrong, key) in [
        ("request_headers: { set: { X-Key: '' } }", "request_headers.set.X-Key"),
        ("request_headers: { set: { X-Key: ' a' } }", "request_headers.set.X-Key"),
        ("request_headers: { set: { X-Key: \"a\\r\\nX: b\" } }", "request_headers.set.X-Key"),
        ("request_headers: { set: { X-Key: ü } }", "request_headers.set.X-Key"),
        ("request_headers: { set: { X-Key: { prefix: a } } }", "request_headers.set.X-Key"),
        ("request_headers: { set: { X-Key: { env: UNSET } } }", "request_headers.set.X-Key"),
        ("request_headers: { set: { X-Key: { env: A, file: b } } }", "request_headers.set.X-Key"),
        (
            "request_headers: { set: { X-Key: { basic: { user: 'a:b', password: { file: /run/secrets/key } } } } }",
            "request_headers.set.X-Key.basic.user",
        ),
        ("request_headers: { set: { X-Key: a, X_Key: b } }", "request_headers.set.X_Key"),
        ("request_headers: { set: { Host: a } }", "request_headers.set.Host"),
        ("request_headers: { set: { X-Auth-Sub: a } }", "request_headers.set.X-Auth-Sub"),
        ("request_headers: { add: { Authorization: a } }", "request_headers.add.Authorization"),
        ("request_headers: { remove: [Content-Length] }", "request_headers.remove[0]"),
        ("response_headers: { set: { Set-Cookie: a=b } }", "response_headers.set.Set-Cookie"),
        (
            "identity_headers: { map: { X-Who: sub } }\n    request_headers: { set: { X_Who: a } }",
            "request_headers.set.X_Who",
        ),
    ] {
        let faults = match machine().read_config(&edited(wrong)) {
            Ok(_) => panic!("{wrong} was taken"),
            Err(faults) => faults.to_string(),
        };
        assert!(faults.contains(&format!("routes[0].{key}")) && !faults.contains("canary"), "{wrong}: {faults}");
    }
    assert!(machine().read_config(&edited(good)).is_ok());
}

#[test]
fn a_name_is_reserved_only_if_no_ordinary_request_has_it() {
    // MV11
    for name in ["Accept", "X", "Cookie", "X-Forwarded", "Content-"] {
        one_fault(
            "reserved_headers[0]",
            &top(&format!("reserved_headers: [{name}]\n")),
            &top("reserved_headers: [X-Corp-]\n"),
        );
    }
}
