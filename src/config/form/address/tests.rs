//! Addresses that mean one thing, and those that could mean two.

use super::*;

#[test]
fn an_origin_is_a_literal_on_https_or_this_machine() {
    // A11, Q08
    for text in [
        "https://app.test",
        "https://app.test:8443",
        "https://app.test/",
        "http://localhost:4180",
        "http://127.0.0.1:4180",
        "http://[::1]:4180",
        "http://wiki.localhost:4180",
        "HTTPS://App.Test",
    ] {
        assert!(Origin::parse(text).is_ok(), "{text:?}");
    }
    for text in [
        "https://app\\.test",
        "https://.*",
        "https://*.app.test",
        "^https://app.test$",
        "https://(app|b).test",
        "https://app.tes?t",
        "https://.app.test",
        "https://app..test",
        "app.test",
        "//app.test",
        "https://app.test/x",
        "https://app.test?x",
        "https://app.test#x",
        "https://user@app.test",
        "https://user:pw@app.test",
        "https://app.test:",
        "https://app.test:99999",
        "https://app.test.",
        "http://app.test",
        "http://localhost.evil.test",
        "http://127.0.0.1.evil.test",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://127.1",
        "http://0x7f.1",
        "http://2130706433",
        "http://evil.test\\@localhost",
        " https://app.test",
        "https://app.test\t",
        "https://ap\np.test",
        "https://bücher.test",
        "https:app.test",
        "https:///app.test",
        "javascript:alert(1)",
        "https://",
        "https://%61pp.test",
        "http://[::ffff:127.0.0.1]",
        "http://[0:0:0:0:0:0:0:1]",
        "https://[app.test",
        "wss://app.test",
        "",
    ] {
        assert!(Origin::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_provider_is_asked_over_https_or_on_this_machine() {
    // Q05
    for text in [
        "https://oidc.idp.xlogin.att.com",
        "https://www.sprint.com/",
        "https://a.test/vzauth/oauth2/ccid",
        "http://127.0.0.1:9000",
        "http://localhost:9/x",
    ] {
        assert!(IssuerName::parse(text).is_ok(), "{text:?}");
        assert!(ProviderUrl::parse(text).is_ok(), "{text:?}");
    }
    for text in [
        "http://issuer.test",
        "http://10.0.0.1",
        "http://localhost.evil.test",
        "http://a.localhost",
        "https://*.att.com",
        "https://a.test?x=1",
        "https://a.test#x",
        "https://u:p@a.test",
        "https://a.test/x/../y",
        "ftp://a.test",
        "a.test",
        "https://a.test/%2e%2e",
    ] {
        assert!(IssuerName::parse(text).is_err(), "{text:?}");
    }
    assert_eq!(IssuerName::parse("https://www.sprint.com/").unwrap().0, "https://www.sprint.com/");
}

#[test]
fn a_range_that_trusts_everybody_is_refused() {
    // Q09
    for text in [
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "2000::/3",
        "::ffff:0.0.0.0/96",
        "::ffff:0:0/96",
        "0::0/0",
        "10.0.0.1/8",
        "*",
        "any",
    ] {
        assert!(TrustedNetwork::parse(text).is_err(), "{text:?}");
    }
    for text in ["10.0.0.0/8", "192.168.1.4", "fc00::/7", "::1", "2001:db8::/32"] {
        assert!(TrustedNetwork::parse(text).is_ok(), "{text:?}");
    }
}

#[test]
fn the_private_listener_is_opened_only_on_purpose() {
    // R07
    assert!(AdminAddress::parse(":44180").is_err());
    assert!(AdminAddress::parse("0.0.0.0:44180").is_ok());
    assert!(AdminAddress::parse("localhost:44180").unwrap().0.ip().is_loopback());
    assert_eq!(Listen::parse(":4180").unwrap().0.to_string(), "[::]:4180");
    for text in ["[::]:443", "0.0.0.0:443", "unix:/run/zengate/http.sock", "fd:3", "fd:web"] {
        assert_eq!(Listen::parse(text).unwrap().0.to_string(), text);
    }
    for text in [
        "",
        ":",
        ":x",
        ":+80",
        "4180",
        "127.0.0.1",
        "example.com:80",
        "unix:///x",
        "unix:x",
        "unix:/",
        "fd:2",
        "fd:03",
        "fd:",
        "fd:a b",
        "http://:4180",
        "127.0.0.1:99999",
    ] {
        assert!(Listen::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn hosts_and_upstreams_are_exact() {
    assert_eq!(RouteHost::parse("Wiki.Example.COM").unwrap().0, "wiki.example.com");
    for text in [
        "",
        "*.example.com",
        "a.test:443",
        "https://a.test",
        "a.test/",
        "a b",
        "a.test.",
        "bücher.test",
        "127.1",
        "-a.test",
        "a..b",
    ] {
        assert!(RouteHost::parse(text).is_err(), "{text:?}");
    }
    assert!(RouteHost::parse("127.0.0.1").is_ok());
    assert!(RouteHost::parse("[::1]").is_ok());
    let upstream = UpstreamUrl::parse("http://[::1]:3000").unwrap();
    assert_eq!((upstream.tls, upstream.at.to_string().as_str()), (false, "[::1]:3000"));
    let address = |text: &str| UpstreamUrl::parse(text).map(|url| (url.tls, url.at.to_string()));
    assert_eq!(address("http://app"), Ok((false, "app:80".to_owned())));
    assert_eq!(address("https://app"), Ok((true, "app:443".to_owned())));
    assert_eq!(address("unix:/run/app.sock"), Ok((false, "unix:/run/app.sock".to_owned())));
    for text in [
        "unix:app.sock",
        "unix:",
        "app:3000",
        "http://app/x",
        "http://u:p@app",
        "http://app?x",
        "http://",
        "http://app:0",
        "h2c://app",
    ] {
        assert!(UpstreamUrl::parse(text).is_err(), "{text:?}");
    }
    assert!(UpstreamUrl::parse(&format!("unix:/{}", "x".repeat(107))).is_err());
    for text in ["keep", "upstream", "app.internal", "App.Internal:8080", "[::1]:80", "127.0.0.1"] {
        assert!(UpstreamHost::parse(text).is_ok(), "{text:?}");
    }
    for text in ["", "a b", "a:0", "a:", "a:x", "*.a", "http://a", "a/b", "[::1]x"] {
        assert!(UpstreamHost::parse(text).is_err(), "{text:?}");
    }
    for text in ["a.test", "a.test:8443", "127.0.0.1:9", "[::1]:9"] {
        assert!(AllowedHost::parse(text).is_ok(), "{text:?}");
    }
    for text in ["*.a.test", "https://a.test", "a.test/x", "a.test:", "a.test:0", "a.test:x", "u@a.test", ""] {
        assert!(AllowedHost::parse(text).is_err(), "{text:?}");
    }
}

// KC10: Keycloak writes a space in a realm's name as `%20`, in its address as in `iss`.
#[test]
fn an_issuer_may_have_an_encoded_space_and_nothing_that_hides_a_path() {
    for text in ["https://a.test/realms/My%20Realm", "https://a.test/realms/K%C3%B6ln", "http://localhost:9/My%20Realm"]
    {
        assert_eq!(IssuerName::parse(text).unwrap().0, text);
        assert_eq!(OidcIssuer::parse(text).unwrap().0, text);
    }
    for text in [
        "https://a.test/realms/My Realm",
        "https://a.test/%2e%2e/x",
        "https://a.test/%2E/x",
        "https://a.test/a%2fb",
        "https://a.test/a%2Fb",
        "https://a.test/a%5cb",
        "https://a.test/a%5Cb",
    ] {
        assert!(IssuerName::parse(text).is_err(), "{text:?}");
        assert!(OidcIssuer::parse(text).is_err(), "{text:?}");
    }
}

// XM03
#[test]
fn a_proxy_of_the_environment_may_want_a_password_and_one_in_a_file_may_not() {
    let read = |text: &str| ProxyUrl::from_environment(text).map(|proxy| proxy.0);
    let url = read("http://us%40corp:p%3Aw@proxy.test:3128/").unwrap();
    assert_eq!((url.username(), url.password(), url.port()), ("us%40corp", Some("p%3Aw"), Some(3128)));
    assert_eq!(read("http://proxy.test:3128").unwrap().username(), "");
    assert!(ProxyUrl::from_environment("direct").unwrap().url().is_none());
    for bad in [
        "http://:p@proxy.test",
        "http://u:p@q@proxy.test",
        "https://u:p@proxy.test",
        "http://u p:x@proxy.test",
        "http://u:p@",
        "u:p@proxy.test",
        "http://u:p@proxy.test/x",
        &format!("http://u:{}@proxy.test", "p".repeat(600)),
    ] {
        let fault = read(bad).unwrap_err();
        assert!(!fault.contains("u:p"), "{bad}: {fault}");
    }
    assert!(<ProxyUrl as Form>::parse("http://u:p@proxy.test:3128").is_err());
}
