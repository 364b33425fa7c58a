use super::*;

fn headers(fields: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(header::COOKIE, HeaderValue::from_bytes(field.as_bytes()).unwrap());
    }
    headers
}

fn strip(fields: &[&str]) -> CookieUpstream {
    strip_cookies(&headers(fields), &CookieNames::default())
}

fn joined(text: &str) -> CookieUpstream {
    CookieUpstream::Joined(HeaderValue::from_str(text).unwrap())
}

#[test]
fn the_session_cookie_is_found_wherever_it_stands() {
    for fields in [
        &["__Host-gw=abc"][..],
        &["a=1; __Host-gw=abc; b=2"],
        &["a=1;__Host-gw=abc;b=2"],
        &["a=1;\t__Host-gw=abc "],
        &["a=1", "__Host-gw=abc", "b=2"],
        &["x__Host-gw=1; __Host-gw2=2; y=__Host-gw=3; __Host-gw=abc"],
        &["__Host-gw=abc; __Host-gw=abc"],
        &["; ;__Host-gw=abc;"],
        &["k\u{e4}se=\u{e4}; __Host-gw=abc"],
    ] {
        assert_eq!(find_cookie(&headers(fields), "__Host-gw"), Some("abc"), "{fields:?}");
    }
    assert_eq!(find_cookie(&headers(&["__Host-gw="]), "__Host-gw"), Some(""));
    assert_eq!(find_cookie(&headers(&["__Host-gw=a=b=="]), "__Host-gw"), Some("a=b=="));
}

#[test]
fn a_cookie_of_another_spelling_is_ignored() {
    // F03
    for field in [
        "gw=abc",
        "__Secure-gw=abc",
        "__host-gw=abc",
        "__HOST-GW=abc",
        "__Host-gw =abc",
        "__Host-gw",
        "__Host-gw;=abc",
        "=__Host-gw=abc",
        "x__Host-gw=abc",
        "x __Host-gw=abc",
        "__Host-gwx=abc",
        "$__Host-gw=abc",
        "\"__Host-gw\"=abc",
        "a=\"; b\" __Host-gw=abc",
        "a=1, __Host-gw=abc",
        "__Host%2Dgw=abc",
        "",
    ] {
        assert_eq!(find_cookie(&headers(&[field]), "__Host-gw"), None, "{field}");
    }
    assert_eq!(find_cookie(&HeaderMap::new(), "__Host-gw"), None);
    assert_eq!(find_cookie(&headers(&["a=b"]), ""), None);
}

#[test]
fn two_cookies_of_our_name_with_different_values_are_nobody() {
    // F03
    for fields in [
        &["__Host-gw=abc; __Host-gw=def"][..],
        &["__Host-gw=abc", "__Host-gw=def"],
        &["__Host-gw=abc; __Host-gw="],
        &["__Host-gw=abc", "a=1", "__Host-gw=\u{e4}"],
        &["__Host-gw=abc; __Host-gw=abc; __Host-gw=ab"],
    ] {
        assert_eq!(find_cookie(&headers(fields), "__Host-gw"), None, "{fields:?}");
    }
}

#[test]
fn attempts_are_listed_up_to_a_bound() {
    let found = headers(&["a=1; __Host-gwtx-1=x; __Host-gw=s", "__Host-gwtx-2=y=z; __Host-gwtx=no"]);
    let listed: Vec<_> = cookies_with_prefix(&found, "__Host-gwtx-").collect();
    assert_eq!(listed, [("__Host-gwtx-1", "x"), ("__Host-gwtx-2", "y=z")]);
    let many: String = (0..1000).map(|n| format!("__Host-gwtx-{n}=x; ")).collect();
    assert_eq!(cookies_with_prefix(&headers(&[&many]), "__Host-gwtx-").count(), MAX_LISTED);
}

#[test]
fn our_cookies_stay_here_and_the_others_pass_byte_for_byte() {
    // F28
    assert_eq!(strip(&["a=1; __Host-gw=s; b=2"]), joined("a=1; b=2"));
    assert_eq!(strip(&["__Host-gw=s; a=1"]), joined("a=1"));
    assert_eq!(strip(&["a=1; __Host-gw=s"]), joined("a=1"));
    assert_eq!(strip(&["a=1;__Host-gw=s;b=2;  c=\"x y\" ;d"]), joined("a=1;b=2;  c=\"x y\" ;d"));
    assert_eq!(strip(&["b=2; a=1; b=3; __Host-gwtx-7=x; =odd; a"]), joined("b=2; a=1; b=3; =odd; a"));
    assert_eq!(strip(&["__Host-gw=s; __Host-gw=t; a=1; __Host-gw=u"]), joined("a=1"));
    assert_eq!(strip(&["__Host-gw =s; __Host-gw; \t__Host-gw=x; a=1"]), joined("a=1"));
    assert_eq!(strip(&["a=__Host-gw=s; b=__Host-gwtx-; __Host-gw=x"]), joined("a=__Host-gw=s; b=__Host-gwtx-"));
}

#[test]
fn several_cookie_fields_become_one() {
    // F28, RFC 9113 8.2.3
    assert_eq!(strip(&["a=1", "b=2", "c=3; d=4"]), joined("a=1; b=2; c=3; d=4"));
    assert_eq!(strip(&["a=1", "__Host-gw=s", "b=2"]), joined("a=1; b=2"));
    assert_eq!(strip(&["__Host-gw=s", "a=1"]), joined("a=1"));
    let raw = HeaderValue::from_bytes(b"a=\xe4; __Host-gw=s; \xff=b").unwrap();
    let mut odd = HeaderMap::new();
    odd.append(header::COOKIE, raw);
    let kept = strip_cookies(&odd, &CookieNames::default());
    assert_eq!(kept, CookieUpstream::Joined(HeaderValue::from_bytes(b"a=\xe4; \xff=b").unwrap()));
}

#[test]
fn nothing_is_rewritten_where_nothing_is_ours() {
    // F28
    for fields in [&[][..], &["a=1"], &["a=1;b=2; c"], &[""], &["__host-gw=s; gw=x; __Host-gwx=1"]] {
        assert_eq!(strip(fields), CookieUpstream::Unchanged, "{fields:?}");
    }
    for fields in [&["__Host-gw=s"][..], &["__Host-gw=s", "__Host-gwtx-1=x"], &["__Host-gw=s; "], &["", ""]] {
        assert_eq!(strip(fields), CookieUpstream::Nothing, "{fields:?}");
    }
}

#[test]
fn our_cookies_are_for_this_host_over_tls_and_out_of_reach_of_scripts() {
    // F01
    let text = |value: HeaderValue| value.to_str().unwrap().to_owned();
    let attributes = |text: &str| {
        let mut parts: Vec<_> = text.split("; ").map(str::to_owned).collect();
        parts.sort();
        parts
    };
    assert_eq!(
        attributes(&text(set_cookie("__Host-gw", "abc", None))),
        ["HttpOnly", "Path=/", "SameSite=Lax", "Secure", "__Host-gw=abc"]
    );
    assert_eq!(
        attributes(&text(set_cookie("__Host-gwtx-1", "x", Some(Duration::from_secs(600))))),
        ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax", "Secure", "__Host-gwtx-1=x"]
    );
    assert_eq!(
        attributes(&text(clear_cookie("__Host-gw"))),
        ["HttpOnly", "Max-Age=0", "Path=/", "SameSite=Lax", "Secure", "__Host-gw="]
    );
    assert!(set_cookie("__Host-gw", "abc", None).is_sensitive());
}

#[test]
fn a_value_that_would_need_quoting_sets_no_cookie() {
    for (name, value) in
        [("__Host-gw", "a; Domain=evil.test"), ("__Host-gw", "a\r\nX: y"), ("a=b", "x"), ("", "x"), ("a", "\u{e4}")]
    {
        assert_eq!(set_cookie(name, value, None), "", "{name} {value}");
    }
}

#[test]
fn an_upstream_cannot_set_our_cookies() {
    // F03 F28
    let ours = |text: &str| {
        sanitize_upstream_set_cookie(&HeaderValue::from_bytes(text.as_bytes()).unwrap(), &CookieNames::default())
    };
    for theft in [
        "__Host-gw=x",
        "__Host-gw=x; Path=/; Secure",
        "__HOST-GW=x",
        "__host-gwTX-1=x",
        " __Host-gw=x",
        "\t__Host-gw\t=x",
        "__Host-gw",
        "__Host-gw ",
        "=__Host-gw=x",
        "= __Host-gw=x",
        "==__Host-gw=x",
        " = = __Host-gw",
        "=__Host-gwtx-9=x",
        "\"__Host-gw\"=x",
        "__Host-gw;x",
        "__Host-gw=; Max-Age=0",
        "a=1, __Host-gw=x",
        "a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT, __Host-gw=x; Path=/",
        ",__Host-gw=x",
        "\u{a0}__Host-gw=x",
    ] {
        assert!(ours(theft), "{theft:?}");
    }
    for honest in [
        "a=1",
        "gw=1; Path=/",
        "__Host-gwx=1",
        "__Host-gwtx=1",
        "x__Host-gw=1",
        "a=__Host-gw",
        "a=__Host-gw=x; Path=/__Host-gw",
        "__Host-app=x; Secure; Path=/",
        "a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT",
        "",
        "=",
        "=a=b",
        "__Secure-gw=1",
    ] {
        assert!(!ours(honest), "{honest:?}");
    }
}
