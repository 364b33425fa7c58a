use super::*;
use crate::secret::SystemEntropy;
use crate::session::samples::{noon, session_of};

fn key() -> SecretBytes {
    SecretBytes::generate(&SystemEntropy)
}

fn sealer(primary: &SecretBytes, accepted: &[&SecretBytes]) -> Sealer {
    Sealer::new(SealKeys::new(Some(primary.clone()), accepted.iter().copied().cloned().collect()))
}

fn unkeyed() -> Sealer {
    Sealer::new(SealKeys::default())
}

fn id() -> SessionId {
    SessionId::generate(&SystemEntropy)
}

#[test]
fn a_session_comes_back_whole_under_its_own_id() {
    for sealer in [unkeyed(), sealer(&key(), &[])] {
        let id = id();
        let mut session = session_of("person", noon());
        session.seen(noon() + std::time::Duration::from_millis(61_001));
        let record = sealer.seal_session(&id, &session, &SystemEntropy);
        assert_eq!(sealer.open_session(&id, &record), Ok(session));
    }
}

// F08
#[test]
fn no_bit_of_a_record_can_be_flipped() {
    let sealer = sealer(&key(), &[]);
    let id = id();
    let record = sealer.seal_session(&id, &session_of("person", noon()), &SystemEntropy);
    for bit in 0..record.len() * 8 {
        let mut bent = record.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit / 8 {
            0 => SealError::UnknownVersion,
            1..5 => SealError::UnknownKey,
            _ => SealError::Corrupt,
        };
        assert_eq!(sealer.open_session(&id, &bent), Err(expected), "bit {bit}");
    }
    assert!(sealer.open_session(&id, &record).is_ok());
}

// F08
#[test]
fn no_part_of_a_record_passes_for_a_record() {
    let sealer = sealer(&key(), &[]);
    let id = id();
    let record = sealer.seal_session(&id, &session_of("person", noon()), &SystemEntropy);
    for length in 0..record.len() {
        assert!(sealer.open_session(&id, &record[..length]).is_err(), "{length} bytes");
    }
    let longer = [record.as_slice(), &[0]].concat();
    assert_eq!(sealer.open_session(&id, &longer), Err(SealError::Corrupt));
}

// F08: whoever writes to the store puts one person's record in another person's place, or a sign-in attempt in a
// session's.
#[test]
fn a_record_opens_only_in_the_place_it_was_sealed_for() {
    let sealer = sealer(&key(), &[]);
    let (mine, yours) = (id(), id());
    let record = sealer.seal_session(&mine, &session_of("me", noon()), &SystemEntropy);
    assert_eq!(sealer.open_session(&yours, &record), Err(SealError::Corrupt));

    let secret = mine.secret().expose();
    let open = |kind, key, secret: &[u8; 32]| sealer.open(kind, key, secret, &record);
    assert_eq!(open(Kind::Attempt, mine.store_key(), secret), Err(SealError::Corrupt), "another kind");
    assert_eq!(open(Kind::Session, yours.store_key(), secret), Err(SealError::Corrupt), "another key");
    let other_secret = yours.secret().expose();
    assert_eq!(open(Kind::Session, mine.store_key(), other_secret), Err(SealError::Corrupt), "another secret");
    assert!(open(Kind::Session, mine.store_key(), secret).is_ok(), "the twin");
}

// F09
#[test]
fn a_million_records_never_share_a_nonce() {
    let key = key();
    let mut nonces: Vec<[u8; 12]> =
        (0..1_000_000).map(|_| secret::seal(&key, b"", b"", &SystemEntropy)[..12].try_into().unwrap()).collect();
    nonces.sort_unstable();
    assert!(nonces.windows(2).all(|pair| pair[0] != pair[1]));
}

// F09: the same session sealed twice gives records that share nothing but version and key id.
#[test]
fn a_record_says_which_key_sealed_it_and_nothing_else() {
    let key = key();
    let sealer = sealer(&key, &[]);
    let id = id();
    let session = session_of("person", noon());
    let (one, two) =
        (sealer.seal_session(&id, &session, &SystemEntropy), sealer.seal_session(&id, &session, &SystemEntropy));
    assert_eq!(one[..5], two[..5]);
    assert_ne!(one[5..17], two[5..17]);
    assert_ne!(one[17..], two[17..]);
    assert_eq!(one[0], 1);
    assert_ne!(one[1..5], key.expose()[..4]);
    assert_eq!(unkeyed().seal_session(&id, &session, &SystemEntropy)[1..5], [0; 4]);
}

// F10
#[test]
fn a_rotated_key_keeps_old_sessions_until_it_is_removed() {
    let (old, new) = (key(), key());
    let (before, during, after) = (sealer(&old, &[]), sealer(&new, &[&old]), sealer(&new, &[]));
    let id = id();
    let session = session_of("person", noon());
    let old_record = before.seal_session(&id, &session, &SystemEntropy);
    let new_record = during.seal_session(&id, &session, &SystemEntropy);

    assert_eq!(during.open_session(&id, &old_record).as_ref(), Ok(&session));
    assert_eq!(after.open_session(&id, &new_record).as_ref(), Ok(&session), "new sessions use the new key");
    assert_eq!(after.open_session(&id, &old_record), Err(SealError::UnknownKey));
    assert_eq!(before.open_session(&id, &new_record), Err(SealError::UnknownKey));
}

// TM7, F10: a writer of the store who knows no operator key seals a session of somebody else's name under an id of
// their own.
#[test]
fn a_session_sealed_without_the_operator_key_is_not_accepted() {
    let operator = key();
    let forged_id = id();
    let forged = unkeyed().seal_session(&forged_id, &session_of("victim", noon()), &SystemEntropy);
    let honest = sealer(&operator, &[]);
    assert_eq!(honest.open_session(&forged_id, &forged), Err(SealError::UnknownKey));

    let mut renamed = forged.clone();
    renamed[1..5].copy_from_slice(&key_id(&operator));
    assert_eq!(honest.open_session(&forged_id, &renamed), Err(SealError::Corrupt));

    let twin = honest.seal_session(&forged_id, &session_of("victim", noon()), &SystemEntropy);
    assert!(honest.open_session(&forged_id, &twin).is_ok());
}

// F11: everything a thief of the store gets is the key and the record.
#[test]
fn a_dump_of_the_store_tells_nothing_about_the_person() {
    for sealer in [unkeyed(), sealer(&key(), &[])] {
        let id = id();
        let session = session_of("a-very-visible-subject", noon());
        let record = sealer.seal_session(&id, &session, &SystemEntropy);
        let dump = [id.store_key().0.as_slice(), id.store_key().to_hex().as_bytes(), record.as_slice()].concat();
        let parts = session.identity().parts();
        let text = id.to_text();
        for word in [parts.issuer.as_bytes(), parts.subject.as_bytes(), b"example.com", b"310007"] {
            assert!(!dump.windows(word.len()).any(|window| window == word));
        }
        for part in [id.secret().expose().as_slice(), text.expose().as_bytes()] {
            assert!(!dump.windows(8).any(|window| part.windows(8).any(|of| of == window)));
        }
        // The name of the record is no key to it.
        assert_eq!(sealer.open(Kind::Session, id.store_key(), &id.store_key().0, &record), Err(SealError::Corrupt));
    }
}

// P05
#[test]
fn a_record_of_another_version_is_no_record() {
    let sealer = sealer(&key(), &[]);
    let id = id();
    let record = sealer.seal_session(&id, &session_of("person", noon()), &SystemEntropy);
    for version in (0..=255).filter(|version| *version != VERSION) {
        let mut other = record.clone();
        other[0] = version;
        assert_eq!(sealer.open_session(&id, &other), Err(SealError::UnknownVersion));
    }
    assert_eq!(sealer.open_session(&id, b""), Err(SealError::Corrupt));
}

// P05: a field that a later gateway adds does not keep this one from reading the record.
#[test]
fn a_field_from_the_future_is_ignored() {
    let sealer = unkeyed();
    let id = id();
    let parts = serde_json::to_value(session_of("person", noon()).identity().parts()).unwrap();
    let content = serde_json::json!({ "who": parts, "created": 5, "seen": 6, "later": { "x": [1] } });
    let seal =
        |content: &[u8]| sealer.seal(Kind::Session, id.store_key(), id.secret().expose(), content, &SystemEntropy);
    let session = sealer.open_session(&id, &seal(content.to_string().as_bytes())).unwrap();
    assert_eq!((session.created.as_millis(), session.last_seen.as_millis()), (5, 6));
    for content in [&b""[..], b"null", b"{}", b"{\"who\":{},\"created\":1,\"seen\":1}", b"\xff\x00"] {
        assert_eq!(sealer.open_session(&id, &seal(content)), Err(SealError::Corrupt));
    }
}

#[test]
fn neither_keys_nor_sealer_can_be_formatted() {
    let keys = SealKeys::new(Some(SecretBytes::new([0x41; 32])), vec![SecretBytes::new([0x42; 32])]);
    let shown = format!("{keys:?} {:?}", Sealer::new(keys.clone()));
    assert!(!shown.contains("65") && !shown.contains("66") && !shown.contains("AAAA"), "{shown}");
}
