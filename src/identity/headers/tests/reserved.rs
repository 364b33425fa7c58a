//! Names under which a client might pretend to be us, in every spelling.

use super::*;

#[test]
fn an_identity_header_is_known_in_every_spelling() {
    // G01 G02 G03 G08 G17
    let reserved = Reserved::build([&plan(&[], &[("X-Who.Is-It", "sub")])].into_iter(), &[]);
    for ours in [
        "X-Auth-Sub",
        "x-auth-sub",
        "X-AUTH-SUB",
        "X_Auth_Sub",
        "X-Auth_Sub",
        "x_auth_sub",
        "X.Auth.Sub",
        "x-auth.sub",
        "X~Auth!Sub",
        "x*auth|sub",
        "X-Auth-Anything",
        "X-Auth-",
        "X-Auth-Assertion",
        "X-Auth-Previous",
        "X-Auth-Request-User",
        "x_auth_request_user",
        "X-ZenKey-Sub",
        "x_zenkey_phone",
        "X-Zenkey-New",
        "Remote-User",
        "REMOTE_USER",
        "remote_users",
        "Remote-Email",
        "Remote.Name",
        "Remote-Groups",
        "X-Forwarded-User",
        "x_forwarded_user",
        "X-Forwarded-Email",
        "X-Forwarded-Groups",
        "X-Forwarded-Preferred-Username",
        "X-Forwarded-Access-Token",
        "X-Forwarded-User-Id",
        "X-Who.Is-It",
        "x-who-is-it",
        "X_WHO_IS_IT_ELSE",
        "X-WEBAUTH-USER",
        "OIDC_CLAIM_email",
        "OIDC-access_token",
        "X-Remote-User",
        "X-Authentik-Username",
        "X-Goog-Authenticated-User-Email",
        "X-Amzn-Oidc-Data",
        "X-MS-Client-Principal-Id",
        "Cf-Access-Jwt-Assertion",
        "Tailscale-User-Login",
    ] {
        assert!(reserved.covers(ours), "{ours}");
    }
    for free in [
        "Host",
        "Cookie",
        "Authorization",
        "Accept",
        "User-Agent",
        "X-Request-Id",
        "X-Requested-With",
        "X-Auth",
        "XAuth-Sub",
        "X-Authorization",
        "Remote",
        "Remote-Use",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Who-Is",
        "X-ZenKey",
        "X-CSRF-Token",
        "Origin",
        "_",
        "-",
        "0",
        "~",
        "Sec-Fetch-Mode",
        "My-X-Auth-Sub",
        "Oid",
        "x",
    ] {
        assert!(!reserved.covers(free), "{free}");
    }
    let bare = Reserved::build(std::iter::empty(), &[]);
    assert!(bare.covers("x-zenkey-sub") && !bare.covers("x-who-is-it"));
}

#[test]
fn every_name_a_plan_writes_is_reserved() {
    // G04 G05
    let plan = plan(&Preset::ALL, &[("X-Custom", "sub"), ("9-Lives", "iss")]);
    let reserved = Reserved::build([&plan].into_iter(), &[]);
    let others = Reserved::build(std::iter::empty(), &[]);
    for name in plan.names() {
        assert!(reserved.covers(name.as_str()), "{name}");
        assert!(others.covers(name.as_str()) || matches!(name.as_str(), "x-custom" | "9-lives"), "{name}");
        assert!(!Forwarding::covers(name.as_str()), "{name} would be removed as a forwarding header");
    }
}

#[test]
fn folding_agrees_with_its_definition_on_any_name() {
    // G02 G19
    let plan = plan(&[], &[("X-Custom", "sub")]);
    let reserved = Reserved::build([&plan].into_iter(), &[]);
    let list = ["x_auth_", "x_zenkey_", "x_custom", "remote_user", "oidc_", "x_vouch_"];
    let mut state = 5_u64;
    let mut rng = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    for _ in 0..50_000 {
        let mut name = list[rng(list.len())].to_owned().into_bytes();
        for byte in &mut name {
            match rng(12) {
                0 => *byte = b"-._~!#$%&'*+^`|"[rng(15)],
                1 => *byte = byte.to_ascii_uppercase(),
                2 if rng(4) == 0 => *byte = b'q',
                _ => {}
            }
        }
        name.truncate(name.len() - usize::from(rng(6) == 0));
        name.extend((0..rng(3)).map(|_| b"a-_9"[rng(4)]));
        let folded = super::super::reserved::fold(&name);
        let expected = list.iter().any(|ours| folded.starts_with(ours));
        assert_eq!(reserved.covers(HeaderName::from_bytes(&name).unwrap().as_str()), expected, "{folded}");
    }
}

#[test]
fn what_proxies_say_is_known_in_every_spelling() {
    // G06
    for theirs in [
        "X-Forwarded-For",
        "x_forwarded_for",
        "X-Forwarded-Proto",
        "X-Forwarded-Protocol",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Forwarded-Method",
        "X-Forwarded-Server",
        "Forwarded",
        "X-Real-IP",
        "X_Real_IP",
        "X-Real.Ip",
        "X-Original-URL",
        "X-Original-Uri",
        "X-Original-Method",
        "X-Rewrite-URL",
        "X-Client-Cert-Subject",
        "True-Client-IP",
        "CF-Connecting-IP",
        "CF-Connecting-IPv6",
        "Proxy",
        "Proxy-Authorization",
        "Client-Cert",
        "SSL_CLIENT_S_DN",
    ] {
        assert!(Forwarding::covers(theirs), "{theirs}");
    }
    for free in [
        "Host",
        "X-Forwarded-User",
        "X-Forwarded",
        "Forward",
        "X-Real",
        "X-Original-Filename",
        "User-Agent",
        "Cookie",
        "Client",
        "X-Requested-With",
        "From",
    ] {
        assert!(!Forwarding::covers(free), "{free}");
    }
}
