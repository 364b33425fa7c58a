//! Listeners.

use super::*;
use crate::route::network::Network;

#[test]
fn listeners_stand_in_a_list_or_one_of_them_in_short() {
    let list = "listeners:\n  - { address: ':443' }\n  - { address: 'unix:/run/zengate/http.sock' }\n  - { address: fd:web }\n";
    let config = good(&top(list));
    let shown: Vec<_> = config.listeners.iter().map(|listener| listener.address.to_string()).collect();
    assert_eq!(shown, ["[::]:443", "unix:/run/zengate/http.sock", "fd:web"]);
    one_fault(
        "listen: is short for one plain listener",
        &top(&format!("listen: ':80'\n{list}")),
        &top("listen: ':80'\n"),
    );
    one_fault("listeners: ", &top("listeners: []\n"), &top(list));
}

#[test]
fn no_two_listeners_are_at_one_place() {
    let two =
        |first: &str, second: &str| top(&format!("listeners: [{{ address: '{first}' }}, {{ address: '{second}' }}]\n"));
    for (first, second, twin) in [
        (":443", "127.0.0.1:443", "127.0.0.1:444"),
        ("0.0.0.0:443", "0.0.0.0:443", "0.0.0.0:80"),
        ("unix:/a", "unix:/a", "unix:/b"),
        ("fd:3", "fd:3", "fd:4"),
    ] {
        let fault = format!(
            "listeners[1].address: \"{}\" is where listeners[0].address listens already",
            if second == ":443" { "[::]:443" } else { second }
        );
        one_fault(&fault, &two(first, second), &two(first, twin));
    }
    one_fault(
        "admin_listen: \"127.0.0.1:44180\" shares its port with listeners[1]",
        &two(":443", ":44180"),
        &two(":443", ":44181"),
    );
    let upstream = |listener: &str| two(":443", listener).replace("http://127.0.0.1:3000", "http://127.0.0.1:8080");
    one_fault("is the gateway's own listen", &upstream("127.0.0.1:8080"), &upstream("127.0.0.1:8081"));
}

#[test]
fn a_certificate_and_its_key_are_readable_and_belong_together() {
    let made = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (own, other) = (made("apps.example.com"), made("apps.example.com"));
    let machine = Machine::new()
        .file("/tls/own.pem", &own.cert.pem())
        .file("/tls/own.key", &own.signing_key.serialize_pem())
        .file("/tls/other.key", &other.signing_key.serialize_pem())
        .open_file("/tls/open.key", &own.signing_key.serialize_pem());
    let read = |certificate: &str, key: &str, more: &str| {
        let pair = format!("{{ certificate: /tls/{certificate}, key: /tls/{key} }}");
        let text = top(&format!(
            "strict_secrets: true\nlisteners: [{{ address: ':443', tls: {{ certificates: [{pair}]{more} }} }}]\n"
        ));
        machine.read_config(&text).map(|(config, _)| config.listeners).map_err(|faults| faults.to_string())
    };
    let listeners = read("own.pem", "own.key", "").unwrap();
    let tls = listeners[0].tls.as_ref().unwrap();
    assert_eq!((tls.only_tls13, tls.http2, tls.handshake_deadline), (false, true, Duration::from_secs(5)));
    assert_eq!(tls.client_certificates, None);
    for (certificate, key, more, fault) in [
        ("nowhere.pem", "own.key", "", "certificates[0].certificate: \"/tls/nowhere.pem\" cannot be read"),
        ("own.pem", "nowhere.key", "", "certificates[0].key: \"/tls/nowhere.key\" cannot be read"),
        ("own.key", "own.key", "", "certificates[0].certificate: holds no certificate"),
        ("own.pem", "own.pem", "", "certificates[0].key: holds no private key"),
        ("own.pem", "other.key", "", "certificates[0].key: is not the key"),
        ("own.pem", "open.key", "", "can be read by every user"),
        ("own.pem", "own.key", ", min_version: '1.1'", "min_version"),
        ("own.pem", "own.key", ", client_certificates: { ca_file: /tls/own.key }", "ca_file: holds no certificate"),
    ] {
        let faults = read(certificate, key, more).unwrap_err();
        assert!(faults.contains(fault), "{fault:?} is not in {faults}");
    }
    let listeners =
        read("own.pem", "own.key", ", min_version: '1.3', client_certificates: { ca_file: /tls/own.pem }").unwrap();
    let tls = listeners[0].tls.as_ref().unwrap();
    assert!(tls.only_tls13 && tls.client_certificates.as_ref().unwrap().required);
}

#[test]
fn http_2_without_tls_is_for_listeners_without_tls() {
    let listener = |tls: &str| top(&format!("listeners: [{{ address: ':80', h2c: true{tls} }}]\n"));
    assert!(good(&listener("")).listeners[0].h2c);
    assert!(
        bad(&listener(", tls: { certificates: [{ certificate: /x, key: /y }] }"))
            .iter()
            .any(|fault| fault.contains("h2c: is for listeners without `tls`"))
    );
}

#[test]
fn balancers_are_named() {
    let listener = |protocol: &str| top(&format!("listeners: [{{ address: ':80'{protocol} }}]\n"));
    let named = good(&listener(", proxy_protocol: { from: [10.0.0.0/8, '::1'] }")).listeners[0].balancers.clone();
    assert_eq!(named, ["10.0.0.0/8", "::1"].map(|text| Network::parse(text).ok()).into_iter().collect());
    assert_eq!(good(&listener("")).listeners[0].balancers, None);
    for nobody in ["{}", "{ from: [] }", "{ from: [10.0.0.1/8] }"] {
        let twin = listener(", proxy_protocol: { from: [10.0.0.1] }");
        one_fault("listeners[0].proxy_protocol", &listener(&format!(", proxy_protocol: {nobody}")), &twin);
    }
}

#[test]
fn health_hides_nothing_that_somebody_would_miss() {
    let at = |path: &str| top(&format!("health_path: {path}\n"));
    assert_eq!(good(&at("/healthz")).health_path.as_deref(), Some("/healthz"));
    assert_eq!(good(&top("")).health_path, None);
    for path in ["/", "/oauth2", "/oauth2/healthz", "healthz", "/a//b"] {
        one_fault("health_path: ", &at(path), &at("/oauth2x"));
    }
    let routed = |path: &str| {
        at("/healthz").replace("host: wiki.example.com", &format!("host: wiki.example.com\n    path: {path}"))
    };
    one_fault("health_path: \"/healthz\" is the path of routes[0]", &routed("/healthz"), &routed("/health"));
}

#[test]
fn people_are_sent_to_https_and_kept_there_where_it_is() {
    let redirect = |more: &str| top(&format!("listeners: [{{ address: ':80', redirect_to_https: true{more} }}]\n"));
    assert!(good(&redirect("")).listeners[0].redirects);
    let text = "listeners[0].redirect_to_https: sends people from plain HTTP";
    let plain = |text: &str| text.replace("public_url: https://apps.example.com", "public_url: http://localhost:4180");
    one_fault(text, &plain(&redirect("")), &redirect(""));
    let both = bad(&redirect(", tls: { certificates: [{ certificate: /x, key: /y }] }"));
    assert!(both.iter().any(|fault| fault.contains(text)), "{both:?}");
    let value = |hsts: &str| {
        let settings = good(&top(&format!("hsts: {hsts}\n"))).hsts.and_then(|hsts| hsts.value());
        settings.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(value("{ max_age: 365d }").as_deref(), Some("max-age=31536000"));
    assert_eq!(value("{ max_age: 0s }").as_deref(), Some("max-age=0"));
    let listed = "{ max_age: 365d, include_subdomains: true, preload: true }";
    assert_eq!(value(listed).as_deref(), Some("max-age=31536000; includeSubDomains; preload"));
    assert_eq!(good(&top("")).hsts, None);
    one_fault("hsts: keeps people at https", &plain(&top("hsts: { max_age: 1d }\n")), &top("hsts: { max_age: 1d }\n"));
    for unlisted in ["{ max_age: 365d, preload: true }", "{ include_subdomains: true, preload: true, max_age: 300d }"] {
        let text = format!("hsts: {unlisted}\n");
        one_fault("hsts.preload", &top(&text), &top(&format!("hsts: {listed}\n")));
    }
}
