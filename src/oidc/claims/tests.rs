use serde_json::{Map, json};

use super::*;

fn text(text: &str) -> ClaimValue {
    ClaimValue::Text(text.to_owned())
}

fn list(items: &[&str]) -> ClaimValue {
    ClaimValue::List(items.iter().map(|item| (*item).to_owned()).collect())
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// What is read of `members` where the configuration names `named`.
fn claims_by(members: Value, named: &[&str], rules: &ClaimRules) -> Claims {
    let named = NamedClaims::new(named.iter().copied(), [], NamedClaims::MOST_BYTES);
    let mut claims = Collector::new(Reading { named: &named, rules });
    claims.take(&object(members), &[]);
    claims.finish()
}

fn claims(members: Value, named: &[&str]) -> Claims {
    claims_by(members, named, &ClaimRules::default())
}

fn one(members: Value, name: &str) -> Option<ClaimValue> {
    claims(members, &[name]).values.remove(name)
}

fn lost(claims: &Claims) -> Vec<(&str, Why)> {
    claims.left_out.iter().map(|left_out| (left_out.claim.as_str(), left_out.why)).collect()
}

#[test]
fn only_shapes_a_header_can_carry_are_kept() {
    // C30
    let read = |value| read(&value).value();
    assert_eq!(read(json!("é\r\n")), Some(text("é\r\n")), "encoding is the header's business");
    assert_eq!(read(json!(["a", "b"])), Some(list(&["a", "b"])));
    assert_eq!(read(json!(-7)), Some(ClaimValue::Integer(-7)));
    assert_eq!(read(json!(true)), Some(ClaimValue::Bool(true)));
    for other in [json!(null), json!(" "), json!([{}]), json!([[1]]), json!(1.5), json!(u64::MAX), json!({})] {
        assert_eq!(read(other.clone()), None, "{other}");
    }
}

#[test]
fn a_record_holds_the_same_shapes_and_no_other() {
    for text in [r#""é\"\n""#, r#"["a","b"]"#, "[]", "-7", "9223372036854775807", "true", "false"] {
        let value: ClaimValue = serde_json::from_str(text).unwrap();
        assert_eq!(Some(&value), read(&serde_json::from_str(text).unwrap()).value().as_ref(), "{text}");
        assert_eq!(serde_json::from_str::<ClaimValue>(&serde_json::to_string(&value).unwrap()).unwrap(), value);
    }
    for text in ["null", "{}", "[1]", r#"["a",null]"#, r#"[["a"]]"#, "1.5", "9223372036854775808"] {
        assert!(serde_json::from_str::<ClaimValue>(text).is_err(), "{text}");
    }
}

// PF01, MV02
#[test]
fn one_odd_element_does_not_take_the_list_along() {
    assert_eq!(one(json!({"groups": ["a", null, 7, "b"]}), "groups"), Some(list(&["a", "7", "b"])));
    assert!(claims(json!({"groups": ["a", null, 7]}), &["groups"]).left_out.is_empty(), "nothing was lost");
    let odd = claims(json!({"groups": ["a", {"x": 1}, 1.5, [], true, "b"]}), &["groups"]);
    assert_eq!(odd.values["groups"], list(&["a", "b"]));
    assert_eq!(lost(&odd), [("groups", Why::Elements)]);
    let nothing = claims(json!({"groups": [{"x": 1}]}), &["groups"]);
    assert!(nothing.values.is_empty());
    assert_eq!(lost(&nothing), [("groups", Why::Shape)]);
}

// PM04, XM07
#[test]
fn a_claim_inside_an_object_is_reached_by_a_path() {
    let token = json!({
        "realm_access": {"roles": ["staff", "offline_access"]},
        "resource_access": {"app": {"roles": ["editor"]}, "my.app": {"roles": ["owner"]}, "account": {"roles": ["x"]}},
        "https://example.com/claims": {"tenant.id": "t-7", "roles": ["url"]},
        "groups": [{"name": "one", "id": 1}, {"id": 2}, {"name": "two"}, "three"],
        "deep": {"a": {"b": {"c": "d"}}},
    });
    for (name, expected) in [
        ("realm_access.roles", list(&["staff", "offline_access"])),
        ("resource_access.app.roles", list(&["editor"])),
        ("resource_access.my.app.roles", list(&["owner"])),
        ("https://example.com/claims.roles", list(&["url"])),
        ("https://example.com/claims.tenant.id", text("t-7")),
        ("groups.name", list(&["one", "two"])),
        ("groups.id", list(&["1", "2"])),
        ("deep.a.b.c", text("d")),
    ] {
        assert_eq!(one(token.clone(), name), Some(expected), "{name}");
    }
    for nothing in ["realm_access.role", "realm_access.", ".roles", "realm_access..roles", "deep.a.b.c.d", "roles"] {
        assert_eq!(one(token.clone(), nothing), None, "{nothing}");
    }
}

// PM04
#[test]
fn a_literal_claim_comes_before_a_path_and_the_longer_name_before_the_shorter() {
    let both = json!({"a.b": ["literal"], "a": {"b": ["path"]}});
    assert_eq!(one(both, "a.b"), Some(list(&["literal"])));
    let both = json!({"a.b": {"c": "long"}, "a": {"b": {"c": "short"}}});
    assert_eq!(one(both, "a.b.c"), Some(text("long")));
    let null = json!({"a.b": null, "a": {"b": ["path"]}});
    assert_eq!(one(null, "a.b"), Some(list(&["path"])));
}

#[test]
fn no_path_leads_into_the_protocols_own() {
    let token = json!({"aka": {"x": "port token"}, "cnf": {"jkt": "x"}, "sub": {"x": "y"}, "act": {"sub": "robot"}});
    for name in ["aka.x", "cnf.jkt", "sub.x", "aka"] {
        assert_eq!(one(token.clone(), name), None, "{name}");
    }
    assert_eq!(one(token, "act.sub"), Some(text("robot")), "the twin: what is nobody's own");
}

#[test]
fn an_answer_that_branches_at_every_dot_is_not_walked_for_ever() {
    let name = vec!["a"; 60].join(".");
    let mut inner = json!({});
    for _ in 0..40 {
        let mut outer = Map::new();
        for length in 1..20 {
            outer.insert(vec!["a"; length].join("."), inner.clone());
            if length > 1 && inner.to_string().len() > 20_000 {
                break;
            }
        }
        inner = Value::Object(outer);
        if inner.to_string().len() > 200_000 {
            break;
        }
    }
    assert_eq!(one(inner, &name), None);
}

// PM04: ZITADEL
#[test]
fn an_object_whose_keys_are_the_values_is_a_list_of_them() {
    let roles = json!({"admin": {"329": "acme.test"}, "user": {"329": "acme.test"}});
    let name = "urn:zitadel:iam:org:project:roles";
    assert_eq!(one(json!({name: roles}), name), Some(list(&["admin", "user"])));
    assert_eq!(one(json!({"flags": {"a": true, "b": true}}), "flags"), Some(list(&["a", "b"])));
    // The abuse: a key that says no is none.
    assert_eq!(one(json!({"flags": {"admin": false, "b": true, "c": null, "d": {}}}), "flags"), Some(list(&["b"])));
    // A record is no set of names.
    for record in [json!({"a": "b"}), json!({"roles": ["x"]}), json!({"admin": 0, "b": true}), json!({})] {
        let read = claims(json!({"x": record}), &["x"]);
        assert!(read.values.is_empty(), "{record}");
        assert_eq!(lost(&read), [("x", Why::Shape)]);
    }
    assert_eq!(one(json!({"email": {"boss@corp.test": true}}), "email"), None, "one text by definition");
}

// PF10
#[test]
fn an_address_is_read_whole_or_in_parts() {
    assert_eq!(one(json!({"address": {"formatted": "1 Main St\nLA", "country": "US"}}), "address"), {
        Some(text("1 Main St\nLA"))
    });
    let parts = json!({"address": {"country": "US", "street_address": "1 Main St", "locality": "LA", "region": " "}});
    assert_eq!(one(parts, "address"), Some(text("1 Main St, LA, US")));
}

#[test]
fn one_text_is_a_list_where_the_operator_says_so() {
    let rules = ClaimRules {
        split: [("groups", ","), ("roles", " "), ("odd", "||")].map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
        ..ClaimRules::default()
    };
    let token = json!({"groups": " a, b c ,,", "roles": "x  y\tz", "odd": "1||2", "other": "a, b", "n": 1});
    let read = claims_by(token, &["groups", "roles", "odd", "other"], &rules).values;
    assert_eq!(read["groups"], list(&["a", "b c"]));
    assert_eq!(read["roles"], list(&["x", "y", "z"]));
    assert_eq!(read["odd"], list(&["1", "2"]));
    assert_eq!(read["other"], text("a, b"), "nobody said that this is several");
    // What is a list already has no text to be taken apart.
    assert_eq!(claims_by(json!({"groups": ["a,b"]}), &["groups"], &rules).values["groups"], list(&["a,b"]));
}

#[test]
fn one_text_is_a_list_in_json_where_the_operator_says_so() {
    let json = ClaimRules { split: [("groups".to_owned(), "json".to_owned())].into(), ..ClaimRules::default() };
    let none = ClaimRules::default();
    let groups = |text: &str, rules| claims_by(json!({"groups": text}), &["groups"], rules);
    let several = r#"["a","b, c",7]"#;
    assert_eq!(groups(several, &json).values["groups"], list(&["a", "b, c", "7"]));
    assert_eq!(groups(several, &none).values["groups"], text(several), "nobody said that this is several");
    assert_eq!(claims_by(json!({"groups": ["a"]}), &["groups"], &json).values["groups"], list(&["a"]));
    // What is no list is nobody's group, and is said.
    for odd in ["a", "\"a\"", "{\"a\":true}", "[\"a\"", "[\"a\"]]", "7", "null"] {
        let read = groups(odd, &json);
        assert!(!read.values.contains_key("groups"), "{odd}");
        assert_eq!(read.left_out, [LeftOut { claim: "groups".to_owned(), why: Why::Shape }], "{odd}");
    }
    let skipped = groups(r#"["a",["b"],null]"#, &json);
    assert_eq!(skipped.values["groups"], list(&["a"]));
    assert_eq!(skipped.left_out, [LeftOut { claim: "groups".to_owned(), why: Why::Elements }]);
}

// XS04, PF01, MV02
#[test]
fn what_is_named_is_never_cut_below_what_the_operator_allows() {
    let groups: Vec<String> = (0..500).map(|n| format!("{n:064}")).collect();
    let read = claims(json!({"groups": groups, "other": groups}), &["groups"]);
    assert_eq!(read.values["groups"], ClaimValue::List(groups));
    assert!(!read.values.contains_key("other"), "what nobody named is bounded as ever");
    assert!(read.left_out.is_empty());

    let named = NamedClaims::new(["groups", "email"], [], 1024);
    let rules = ClaimRules::default();
    let mut small = Collector::new(Reading { named: &named, rules: &rules });
    small.take(&object(json!({"groups": ["x".repeat(1024)], "email": "a@b.test"})), &[]);
    let small = small.finish();
    assert_eq!(small.values.keys().collect::<Vec<_>>(), ["email"]);
    assert_eq!(lost(&small), [("groups", Why::TooLong)]);
}

// PF02
#[test]
fn what_is_named_comes_before_everything_else() {
    let mut token = json!({"email": "a@b.test", "zzz": "mapped", "groups": ["g"], "realm_access": {"roles": ["r"]}});
    for index in 0..1000 {
        token[format!("a{index:04}")] = json!(index);
    }
    token["x".repeat(300)] = json!(1);
    let read = claims(token, &["zzz", "email", "groups", "realm_access.roles"]).values;
    assert_eq!(read.len(), MAX_CLAIMS);
    for name in ["zzz", "email", "groups", "realm_access.roles"] {
        assert!(read.contains_key(name), "{name}");
    }
}

#[test]
fn what_nobody_named_and_is_long_is_left_out() {
    // C30, C33
    let fits = |value: Value| claims(json!({"x": value}), &[]).values.contains_key("x");
    assert!(fits(json!("x".repeat(MAX_VALUE))));
    assert!(!fits(json!("x".repeat(MAX_VALUE + 1))));
    assert!(fits(json!(vec!["xxxxxxx"; MAX_VALUE / 8])));
    assert!(!fits(json!(vec!["xxxxxxx"; MAX_VALUE / 8 + 1])));
    assert!(!fits(json!(vec![""; MAX_VALUE + 1])));
}

// Attacks, class G
#[test]
fn a_claim_that_is_one_text_is_no_list() {
    let token = json!({"name": ["Lee", "Ann"], "email": [], "upn": ["ann@corp.test"], "groups": ["a", "b"]});
    let read = claims(token, &["name"]);
    let kept = [("groups".to_owned(), list(&["a", "b"])), ("upn".to_owned(), text("ann@corp.test"))];
    assert_eq!(read.values, kept.into());
    assert_eq!(lost(&read), [("name", Why::Shape)]);
}

// MV01
#[test]
fn a_word_about_an_address_is_never_lost() {
    for odd in [json!(null), json!({}), json!([false]), json!(0.5), json!("x".repeat(MAX_VALUE + 1))] {
        let read = claims(json!({"email_verified": odd, "other": null}), &[]).values;
        assert_eq!(read, [("email_verified".into(), ClaimValue::Bool(false))].into(), "{odd}");
    }
    let mut token = json!({"email_verified": false, "phone_number_verified": false, "zoneinfo": "x"});
    for index in 0..MAX_CLAIMS {
        token[format!("a{index}")] = json!(1);
    }
    let kept = claims(token, &[]).values;
    assert!(kept.contains_key("email_verified") && kept.contains_key("phone_number_verified"));
    let named = NamedClaims::new([], [], 0);
    let rules = ClaimRules::default();
    let mut none = Collector::new(Reading { named: &named, rules: &rules });
    none.take(&object(json!({"email_verified": false, "email": "a@b.test"})), &[]);
    assert_eq!(none.finish().values.keys().collect::<Vec<_>>(), ["email_verified"]);
}

// XS14, PF05
#[test]
fn the_word_about_an_address_is_read_in_three_spellings() {
    for (said, yes) in [
        (json!(true), true),
        (json!(1), true),
        (json!("true"), true),
        (json!(false), false),
        (json!(0), false),
        (json!("false"), false),
        (json!("True"), false),
        (json!("1"), false),
        (json!("yes"), false),
        (json!(2), false),
        (json!(["true"]), false),
    ] {
        let word = one(json!({"email": "a@b.test", "email_verified": said}), "email_verified");
        assert_eq!(word, Some(ClaimValue::Bool(yes)), "{said}");
    }
    assert_eq!(one(json!({"email": "a@b.test"}), "email_verified"), None, "absent is not false");
}

// MV01: no new shape is a way round the word about an address.
#[test]
fn an_address_inside_an_object_is_as_verified_as_the_object_says() {
    let flat = claims(json!({"email": {"value": "boss@corp.test", "verified": false}}), &["email"]).values;
    assert_eq!(flat["email_verified"], ClaimValue::Bool(false), "whoever makes an identity of it leaves it out");
    let paths = json!({
        "profile": {"email": "boss@corp.test", "email_verified": "false", "nick": "x"},
        "emails": [{"value": "boss@corp.test", "verified": false}, {"value": "me@corp.test", "verified": true}],
        "email": {"value": "boss@corp.test", "verified": 0},
    });
    assert_eq!(one(paths.clone(), "profile.email"), None);
    assert_eq!(one(paths.clone(), "email.value"), None);
    assert_eq!(one(paths.clone(), "profile.nick"), Some(text("x")));
    assert_eq!(one(paths.clone(), "emails.value"), Some(list(&["me@corp.test"])));
    // The twins: the issuer says yes, or the operator says that it does not matter.
    assert_eq!(one(json!({"p": {"email": "a@b.test", "email_verified": 1}}), "p.email"), Some(text("a@b.test")));
    let rules = ClaimRules { accept_unverified: true, ..ClaimRules::default() };
    assert_eq!(claims_by(paths, &["profile.email"], &rules).values["profile.email"], text("boss@corp.test"));
}

// XM11
#[test]
fn a_claim_that_is_only_pointed_to_is_named() {
    let entra = json!({
        "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/t/users/u/getMemberObjects"}},
    });
    let read = claims(entra.clone(), &["groups", "email"]);
    assert_eq!(lost(&read), [("groups", Why::Pointer)]);
    assert!(read.values.is_empty(), "the pointer itself is no attribute");
    assert_eq!(lost(&claims(json!({"hasgroups": true}), &["groups"])), [("groups", Why::Pointer)]);
    assert_eq!(lost(&claims(json!({"hasgroups": "true"}), &["groups"])), [("groups", Why::Pointer)]);
    // The twins: nobody asked for it, or it is there.
    assert!(claims(entra, &["email"]).left_out.is_empty());
    assert!(claims(json!({"hasgroups": true, "groups": ["g"]}), &["groups"]).left_out.is_empty());
}

// KC08b
#[test]
fn the_client_of_an_access_token_is_known_by_both_its_names() {
    let clients = |members: Value| {
        let named = NamedClaims::default();
        let rules = ClaimRules::default();
        let reading = Reading { named: &named, rules: &rules };
        let mut claims = Collector::new(reading);
        claims.take(&object(members.clone()), &[]);
        let without = claims.finish().values;
        assert!(CLIENT.iter().all(|name| !without.contains_key(*name)), "in an ID token the client is ourselves");
        let mut claims = Collector::new(reading);
        claims.take_client(&object(members));
        let claims = claims.finish();
        CLIENT.map(|name| claims.values.get(name).cloned())
    };
    assert_eq!(clients(json!({"azp": "robot"})), [Some(text("robot")), Some(text("robot"))]);
    assert_eq!(clients(json!({"client_id": "robot"})), [Some(text("robot")), Some(text("robot"))]);
    assert_eq!(clients(json!({"azp": "a", "client_id": "b"})), [Some(text("a")), Some(text("b"))]);
    for odd in [json!({}), json!({"azp": ["robot"]}), json!({"client_id": ""}), json!({"azp": "a\nb"})] {
        assert_eq!(clients(odd.clone()), [None, None], "{odd}");
    }
}

// MV08
#[test]
fn userinfo_is_missed_only_for_what_is_named_and_not_there() {
    let named = NamedClaims::new(["groups", "email", "sub", "iss", "acr", "azp"], ["name"], NamedClaims::MOST_BYTES);
    let lack = |members: Value| {
        let rules = ClaimRules::default();
        let mut claims = Collector::new(Reading { named: &named, rules: &rules });
        claims.take(&object(members), &[]);
        named.lack(&claims.finish().values)
    };
    assert_eq!(lack(json!({"groups": [], "email": "a@b.test", "email_verified": true, "name": "A"})), Lack::Nothing);
    assert_eq!(lack(json!({"groups": [], "email": "a@b.test", "email_verified": false})), Lack::Shown);
    assert_eq!(lack(json!({"groups": [], "email": "a@b.test", "name": "A"})), Lack::Demanded, "verified or not?");
    assert_eq!(lack(json!({"email": "a@b.test", "email_verified": true})), Lack::Demanded);
    assert_eq!(lack(json!({})), Lack::Demanded);
}

// KC08b
#[test]
fn a_claim_that_can_never_be_there_is_said_with_what_to_write_instead() {
    assert_eq!(NamedFault::of("aud", true), Some(NamedFault::Audience));
    assert_eq!(NamedFault::of("scope", true), Some(NamedFault::Scope));
    for name in ["sid", "nonce", "exp", "jti", "cnf.jkt", "_claim_names", "sub.x", "azp.x"] {
        assert_eq!(NamedFault::of(name, true), Some(NamedFault::Protocol), "{name}");
    }
    for name in CLIENT {
        assert_eq!((NamedFault::of(name, true), NamedFault::of(name, false)), (None, Some(NamedFault::Client)));
    }
    for name in ["sub", "iss", "acr", "amr", "auth_time", "mccmnc", "groups", "realm_access.roles", "act.sub", "scp"] {
        assert_eq!(NamedFault::of(name, false), None, "{name}");
    }
}

#[test]
fn protocol_claims_and_odd_names_are_no_attributes() {
    let token = json!({
        "iss": "x", "sub": "x", "nonce": "x", "aka": "x", "cnf": "x", "": "x", "a\nb": "x", "a\0": "x",
        "email": "a@b.test",
    });
    assert_eq!(claims(token, &[]).values, [("email".into(), text("a@b.test"))].into());
}

#[test]
fn a_subject_is_opaque_within_limits() {
    // C06
    for good in ["x", "mccmnc-1234567abcdefghijk", "001001-B", "ünïcode", &"s".repeat(255)] {
        assert!(is_subject(good), "{good}");
    }
    for bad in ["", "a\r\nb", "a\0", "\u{7f}", "a\u{85}b", &"s".repeat(256), &"ü".repeat(128)] {
        assert!(!is_subject(bad), "{bad:?}");
    }
}

#[test]
fn an_identifier_may_be_longer_than_a_subject() {
    for good in ["x", &"s".repeat(256), &"s".repeat(1024)] {
        assert!(is_identifier(good), "{good}");
    }
    for bad in ["", "a\nb", "\u{7f}", &"s".repeat(1025), &"ü".repeat(513)] {
        assert!(!is_identifier(bad), "{bad:?}");
    }
}
