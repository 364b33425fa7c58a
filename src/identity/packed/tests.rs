use super::*;

fn full() -> IdentityParts {
    let text = |length: usize| ClaimValue::Text("é".repeat(length));
    IdentityParts {
        issuer: "https://carrier.test".into(),
        subject: "s".repeat(255),
        mccmnc: Some("310260".into()),
        acr: Some("a3".into()),
        assurance: Some(Assurance::Person),
        amr: vec!["hwk".into(), String::new(), "pin".into()],
        auth_time: Some(-1),
        claims: [
            ("empty".to_owned(), text(0)),
            ("groups".to_owned(), ClaimValue::List(vec!["a".into(), "b,c".into()])),
            ("level".to_owned(), ClaimValue::Integer(i64::MIN)),
            ("long".to_owned(), text(70_000)),
            ("name".to_owned(), text(3)),
            ("namen".to_owned(), text(3)),
            ("no".to_owned(), ClaimValue::Bool(false)),
            ("none".to_owned(), ClaimValue::List(Vec::new())),
            ("short".to_owned(), text(60)),
            ("yes".to_owned(), ClaimValue::Bool(true)),
        ]
        .into(),
        accept_unverified: false,
        absent_is_verified: false,
    }
}

fn bare() -> IdentityParts {
    let none = (None, None, None, Vec::new(), BTreeMap::new());
    let (mccmnc, acr, auth_time, amr, claims) = none;
    IdentityParts {
        issuer: "i".into(),
        subject: "s".into(),
        mccmnc,
        acr,
        assurance: None,
        amr,
        auth_time,
        claims,
        accept_unverified: false,
        absent_is_verified: false,
    }
}

#[test]
fn what_was_packed_is_unpacked() {
    let (full, bare) = (full(), bare());
    let halves = [
        IdentityParts { mccmnc: Some("000000".into()), ..bare.clone() },
        IdentityParts { acr: Some("a1".into()), ..bare.clone() },
        IdentityParts { assurance: Some(Assurance::Network), ..bare.clone() },
        IdentityParts { auth_time: Some(i64::MAX), ..bare.clone() },
        IdentityParts { accept_unverified: true, ..bare.clone() },
        IdentityParts { absent_is_verified: true, ..bare.clone() },
    ];
    for parts in [full, bare].into_iter().chain(halves) {
        assert_eq!(Head::read(&pack(&parts)).unpack(), parts);
    }
}

#[test]
fn each_claim_is_found_where_it_lies_and_no_other() {
    let (parts, packed) = (full(), pack(&full()));
    let head = Head::read(&packed);
    for (name, value) in &parts.claims {
        let found = match head.claim(name).unwrap() {
            ClaimRef::Bool(value) => ClaimValue::Bool(value),
            ClaimRef::Integer(value) => ClaimValue::Integer(value),
            ClaimRef::List(list) => ClaimValue::List(list.map(str::to_owned).collect()),
            ClaimRef::Text(text) => ClaimValue::Text(text.to_owned()),
        };
        assert_eq!(&found, value, "{name}");
    }
    for name in ["", "a", "hwk", "iss", "sub", "email", "groups\u{1}", "yes\0"] {
        assert!(head.claim(name).is_none(), "{name}");
    }
}

#[test]
fn what_is_cut_short_or_no_identity_is_read_without_a_panic_and_vouches_for_nothing_new() {
    let packed = pack(&IdentityParts { claims: BTreeMap::new(), ..full() });
    for length in 0..packed.len() {
        let head = Head::read(&packed[..length]);
        assert_eq!((head.issuer, head.subject, head.acr), ("", "", None), "{length}");
    }
    for byte in 0..=u8::MAX {
        for length in 0..40 {
            let odd = Head::read(&vec![byte; length]).unpack();
            assert!(odd.claims.len() <= 1 && odd.acr.is_none_or(|acr| acr.len() < length));
        }
    }
}
