//! Somebody has another carrier, and the account that they had: by the word of the old carrier, and by nothing else.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use zengate_simulator::{CarrierHandle, PortTokenRules, PortTokenShape, Signature};

use super::{House, KEY, Who};
use crate::support::browser::Browser;
use crate::support::redis::Redis;
use crate::support::rig::Choices;

const FORBIDDEN: Result<String, StatusCode> = Err(StatusCode::FORBIDDEN);

/// People of Aurora may bring their account along to Vireo, and nobody else theirs to anywhere.
async fn house(sessions: &str) -> House {
    house_with(sessions, "AURORA", "").await
}

/// As [`house`], where people of `from` may bring their account along to Vireo, and `told` is said of port tokens.
async fn house_with(sessions: &str, from: &str, told: &str) -> House {
    let issuers = format!("      - AURORA\n      - TANGENT\n      - {{ issuer: VIREO, migrates_from: [{from}] }}\n");
    let zenkey = format!("{}{told}", Choices::default().zenkey);
    let routes = "  - host: localhost
    path: /who
    access: session
    upstream: UPSTREAM
    identity_headers:
      preset: [zenkey]
      map:
        X-Stable: stable_subject
        X-Previous-Issuer: previous_issuer
        X-Previous-Subject: previous_subject
        X-Migration: migration
";
    let more = Choices { issuers, zenkey, routes: routes.to_owned(), ..Choices::default() };
    House::of(&format!("{sessions}  keys: [{KEY}]\n"), "", more).await
}

fn file() -> &'static str {
    "  store: embedded\n  path: DIR/sessions.redb\n"
}

/// What an app is told of somebody.
#[derive(Debug, PartialEq)]
struct Told {
    stable: Option<String>,
    previous: Option<Who>,
    migration: Option<String>,
}

fn vireo(house: &House) -> CarrierHandle {
    house.rig.simulator.carrier("vireo").unwrap().clone()
}

/// Opens a page of the app, signing in on the way if need be.
async fn told(house: &House, browser: &Browser) -> Told {
    let page = browser.go(house.rig.url("/who")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let seen = house.rig.upstream.last();
    let previous = seen.one("x-previous-issuer").zip(seen.one("x-previous-subject"));
    Told {
        stable: seen.one("x-stable"),
        previous: previous.map(|(issuer, subject)| Who { issuer, subject }),
        migration: seen.one("x-migration"),
    }
}

/// Comes for the first time at the new carrier, where they are known as `subject`.
async fn arrive(house: &House, subject: &str) -> (Browser, Told) {
    vireo(house).set(|rules| {
        rules.id_token_claims.insert("sub".to_owned(), subject.into());
        rules.userinfo.insert("sub".to_owned(), subject.into());
    });
    house.rig.simulator.ui().set(|rules| rules.auto_choose = Some("wyn".to_owned()));
    let browser = Browser::new();
    let told = told(house, &browser).await;
    (browser, told)
}

/// Maya signs in at Aurora, is linked, and Vireo brings Aurora's word for it that Wyn was her.
async fn maya(house: &House) -> (Browser, Who, Told) {
    let browser = Browser::new();
    let maya = house.sign_in(&browser, "maya").await;
    assert_eq!(house.link(&maya, "customer-17", "").await, 201);
    let told = told(house, &browser).await;
    assert_eq!((told.stable.is_some(), &told.previous, &told.migration), (true, &None, &None));
    vireo(house).set(|rules| rules.ported = [("wyn".to_owned(), "maya".to_owned())].into());
    (browser, maya, told)
}

async fn the_account_follows(mut house: House) {
    let (old, maya, before) = maya(&house).await;
    house.restart();
    assert_eq!(house.members(&old).await, Ok("customer-17".to_owned()));
    house.rig.simulator.ui().set(|rules| rules.auto_choose = Some("wyn".to_owned()));
    let browser = Browser::new();
    let moved = told(&house, &browser).await;
    assert_eq!(moved.previous, Some(maya.clone()));
    assert_eq!((&moved.stable, moved.migration.as_deref()), (&before.stable, Some("moved")));
    assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()));
    // Whoever has the old phone is signed out.
    assert_eq!(house.open(&old, "/app").await.status, 302);
    house.restart();
    assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()));
    // The app is told once who they were; the account stays theirs.
    let again = Browser::new();
    let later = told(&house, &again).await;
    assert_eq!(later, Told { stable: before.stable.clone(), previous: None, migration: None });
    assert_eq!(house.members(&again).await, Ok("customer-17".to_owned()));
    // Somebody who comes by the old name is somebody else.
    let stranger = Browser::new();
    assert_eq!(house.sign_in(&stranger, "maya").await, maya);
    let theirs = told(&house, &stranger).await;
    assert!(theirs.stable.is_some() && theirs.stable != before.stable, "{theirs:?}");
    assert_eq!(house.members(&stranger).await, FORBIDDEN);
    assert_eq!(house.members(&again).await, Ok("customer-17".to_owned()));
    // And a second person with the same word of the old carrier gets nothing (S10).
    let (second, told) = arrive(&house, "311480-second").await;
    assert_eq!((told.migration.as_deref(), told.previous), (Some("conflict"), None));
    assert_ne!(told.stable, before.stable);
    assert_eq!(house.members(&second).await, FORBIDDEN);
    let table = house.ask("GET", "/links.csv", "").await.1;
    assert!(table.starts_with("issuer,subject,account,stable_subject,moved_to_issuer,moved_to_subject,moved_at\n"));
    assert!(
        table.contains("\"customer-17\"") && table.ends_with("# 3 links; 0 more that no key in sessions.keys opens\n"),
        "{table}"
    );
    let log = house.log();
    assert!(
        log.contains("\"conflict\"") && !log.contains(&maya.subject),
        "people stand in the log by a pseudonym: {log}"
    );
}

// S01
#[tokio::test(flavor = "multi_thread")]
async fn with_sessions_in_a_file() {
    the_account_follows(house(file()).await).await;
}

// S01
#[tokio::test(flavor = "multi_thread")]
async fn with_sessions_in_redis() {
    let Some(redis) = Redis::start("migration in Redis") else { return };
    the_account_follows(house(&redis.sessions()).await).await;
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn one(name: &str, value: impl Into<Value>) -> Map<String, Value> {
    [(name.to_owned(), value.into())].into_iter().collect()
}

// S02–S08, S11, S13, S15
#[tokio::test(flavor = "multi_thread")]
async fn each_forgery_moves_nobody_and_honest_words_in_every_shape_do() {
    let house = house("  store: memory\n").await;
    let (_, _, before) = maya(&house).await;
    let tangent = house.rig.simulator.carrier("tangent").unwrap().issuer();
    let day = 24 * 60 * 60;
    let rules = PortTokenRules::default;
    let header = |name, value: Value| PortTokenRules { header: one(name, value), ..rules() };
    let claim = |name, value: Value| PortTokenRules { claims: one(name, value), ..rules() };
    let signed = |signature| PortTokenRules { signature, ..rules() };
    let sample = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Inh4eHh4In0.eyJpc3MiOiJodHRwczovL2NjaWQub2xkbW5vLmNvbSIsInN1YiI6\
                  Im1uY21jYy03NTk4NDczMTU4NzIzNGFzZGYiLCJpYXQiOjE1MTYyMzkwMjJ9.SHu1RNCsVMs5XNIgUvkaJwAErbuw23sNjXgsFvwpr3w";
    let forgeries = [
        ("a broken signature", signed(Signature::Broken)),
        ("a key of nobody's", signed(Signature::ForeignKey)),
        ("an HMAC with the public key", signed(Signature::Hs256)),
        ("no signature", signed(Signature::None)),
        ("the new carrier's own key", PortTokenRules { own_key: true, ..rules() }),
        ("another kind", header("typ", json!("JWT"))),
        ("no kind", PortTokenRules { header_omit: vec!["typ".to_owned()], ..rules() }),
        ("an unknown key", header("kid", json!("ccid-0000"))),
        ("a key of another form", header("kid", json!("1"))),
        ("another client", claim("aud", json!("ccid-other"))),
        ("long ago", claim("iat", json!(now() - 361 * day))),
        ("yet to come", claim("iat", json!(now() + day))),
        ("at no time", PortTokenRules { claims_omit: vec!["iat".to_owned()], ..rules() }),
        ("an issuer that nobody knows", claim("iss", json!("https://aurora.evil.test"))),
        ("a carrier that is no pair with this one", claim("iss", json!(tangent))),
        ("the new carrier itself", claim("iss", json!(vireo(&house).issuer()))),
        ("the new subject", PortTokenRules { new_subject: true, ..rules() }),
        ("a subject that is two things", claim("sub", json!("a|b"))),
        ("nine tokens", PortTokenRules { instead: Some(json!(vec!["x"; 9])), ..rules() }),
        ("a number", PortTokenRules { instead: Some(json!(7)), ..rules() }),
        ("the recorded sample", PortTokenRules { instead: Some(json!([sample])), ..rules() }),
    ];
    let elsewhere = house.rig.simulator.carrier("tangent").unwrap();
    for (n, (what, bent)) in forgeries.into_iter().enumerate() {
        vireo(&house).set(|rules| rules.port_token = bent);
        let (browser, told) = arrive(&house, &format!("311480-forged-{n}")).await;
        assert_eq!((&told.previous, &told.migration), (&None, &None), "{what}");
        assert!(told.stable.is_some() && told.stable != before.stable, "{what}: {told:?}");
        assert_eq!(house.members(&browser).await, FORBIDDEN, "{what}");
    }
    assert_eq!(elsewhere.count("jwks"), 0, "whoever is no pair is not even asked");
    // The twins: the same word, honest, in each of its shapes. Somebody who moves on takes the account along.
    let mut last = None::<String>;
    for (n, shape) in [PortTokenShape::List, PortTokenShape::Text, PortTokenShape::Object].into_iter().enumerate() {
        vireo(&house).set(|rules| rules.port_token = PortTokenRules { shape, ..PortTokenRules::default() });
        let (browser, told) = arrive(&house, &format!("311480-honest-{n}")).await;
        assert_eq!(told.stable, before.stable, "{shape:?}");
        assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()), "{shape:?}");
        last.replace(told.migration.unwrap());
        // Back to where she was, so that she can move once more.
        let maya = told.previous.unwrap();
        let new = Who { issuer: vireo(&house).issuer(), subject: format!("311480-honest-{n}") };
        assert_eq!(house.ask("DELETE", &new.path(), "").await.0, 204);
        if n < 2 {
            return_to_old(&house, &maya, told.stable.unwrap()).await;
        }
    }
    assert_eq!(last.as_deref(), Some("moved"));
}

/// What is kept of somebody who moved is put back by a table, as after a move that was a mistake.
async fn return_to_old(house: &House, old: &Who, stable: String) {
    let head = "issuer,subject,account,stable_subject,moved_to_issuer,moved_to_subject,moved_at\n";
    let table = format!("{head}{},{},customer-17,{stable},,,\n", old.issuer, old.subject);
    let (status, body) = house.ask("POST", "/links.csv?replace=true", table).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_are_not_made_one() {
    let house = house("  store: memory\n").await;
    let (_, _, before) = maya(&house).await;
    let tomas = house.sign_in(&Browser::new(), "tomas").await;
    assert_eq!(house.link(&tomas, "customer-18", "").await, 201);
    vireo(&house).set(|rules| rules.port_token.also = vec!["tomas".to_owned()]);
    let (browser, told) = arrive(&house, "311480-both").await;
    assert_eq!(told, Told { stable: None, previous: None, migration: Some("ambiguous".to_owned()) });
    // They are sent to link themselves.
    assert_eq!(house.members(&browser).await, FORBIDDEN);
    let page = house.open(&browser, "/members").await;
    assert!(page.body.contains("Code: unlinked_user"), "{}", page.body);
    // The twin: the word of one.
    vireo(&house).set(|rules| rules.port_token.also.clear());
    let (browser, told) = arrive(&house, "311480-both").await;
    assert_eq!((&told.stable, told.migration.as_deref()), (&before.stable, Some("moved")));
    assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()));
}

// S12
#[tokio::test(flavor = "multi_thread")]
async fn while_the_old_carrier_is_away_it_is_left_open_and_made_up_for() {
    let mut house = house(file()).await;
    let (_, _, before) = maya(&house).await;
    house.restart();
    let aurora = house.rig.simulator.carrier("aurora").unwrap().clone();
    aurora.set(|rules| rules.status = [("jwks".to_owned(), 503), ("metadata".to_owned(), 503)].into());
    let (browser, told) = arrive(&house, "311480-wyn").await;
    assert_eq!(told, Told { stable: None, previous: None, migration: Some("unproven".to_owned()) });
    assert_eq!(house.members(&browser).await, FORBIDDEN);
    // The twin: it is back, which is seen within seconds.
    aurora.set(|rules| rules.status.clear());
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (browser, told) = arrive(&house, "311480-wyn").await;
        if told.migration.as_deref() == Some("moved") {
            assert_eq!(told.stable, before.stable);
            break assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()));
        }
        assert_eq!(told.migration.as_deref(), Some("unproven"));
        assert!(Instant::now() < deadline, "never");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

// S14
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_known_already_stays_who_they_are() {
    let house = house("  store: memory\n").await;
    let noor = house.sign_in(&Browser::new(), "noor").await;
    assert_eq!(house.link(&noor, "customer-18", "").await, 201);
    maya(&house).await;
    vireo(&house).set(|rules| rules.ported = [("noor".to_owned(), "maya".to_owned())].into());
    let browser = Browser::new();
    assert_eq!(house.sign_in(&browser, "noor").await, noor);
    assert_eq!(house.members(&browser).await, Ok("customer-18".to_owned()));
    let told = told(&house, &browser).await;
    assert_eq!((told.previous, told.migration), (None, None));
    // The twin: for somebody who is not known, the same word counts.
    vireo(&house).set(|rules| rules.ported = [("wyn".to_owned(), "maya".to_owned())].into());
    let (browser, _) = arrive(&house, "311480-wyn").await;
    assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()));
}

// S09
#[tokio::test(flavor = "multi_thread")]
async fn a_port_token_and_its_headers_are_nothing_anywhere_else() {
    let house = house("  store: memory\n").await;
    let (old, maya, _) = maya(&house).await;
    let aurora = house.rig.simulator.carrier("aurora").unwrap();
    let header = one("typ", "port_token+jwt");
    let claims =
        json!({ "iss": maya.issuer, "sub": maya.subject, "aud": crate::support::rig::CLIENT_ID, "iat": now() });
    let token = aurora.sign(header, claims.as_object().unwrap().clone()).await.unwrap();
    for path in ["/members", "/who", "/oauth2/userinfo", &format!("/oauth2/callback?aka={token}")] {
        let answer = house.client.get(house.rig.url(path)).bearer_auth(&token).send().await.unwrap();
        assert_ne!(answer.status(), 200, "{path}");
    }
    let cookie = old.cookie_header("localhost");
    for name in ["X-Previous-Issuer", "x_previous_subject", "X-Stable", "x-migration"] {
        let request = house.client.get(house.rig.url("/who")).header("cookie", &cookie).header(name, "forged");
        assert_eq!(request.send().await.unwrap().status(), 200);
        assert!(!house.rig.upstream.last().head.contains("forged"), "{name}");
    }
    // The twin: inside the ID token of the new carrier it counts.
    vireo(&house).set(|rules| rules.port_token.instead = Some(json!([token])));
    let (browser, _) = arrive(&house, "311480-wyn").await;
    assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()));
}

/// Somebody whom Vireo knew by another subject before: who, and Vireo's word for it.
async fn renumbered(house: &House) -> Who {
    let (browser, _) = arrive(house, "311480-was").await;
    let was = Who { issuer: vireo(house).issuer(), subject: "311480-was".to_owned() };
    assert_eq!(house.link(&was, "customer-19", "").await, 201);
    assert_eq!(house.members(&browser).await, Ok("customer-19".to_owned()));
    let claims = json!({ "iss": was.issuer, "sub": was.subject, "aud": crate::support::rig::CLIENT_ID, "iat": now() });
    let token = vireo(house).sign(one("typ", "port_token+jwt"), claims.as_object().unwrap().clone()).await.unwrap();
    vireo(house).set(|rules| rules.port_token.instead = Some(json!([token])));
    was
}

// S08
#[tokio::test(flavor = "multi_thread")]
async fn a_carriers_word_about_its_own_people_moves_them_only_where_the_operator_says_so() {
    // Refused by default; the pair alone cannot be written down.
    let closed = house("  store: memory\n").await;
    renumbered(&closed).await;
    let (browser, told) = arrive(&closed, "311480-is").await;
    assert_eq!((told.previous, told.migration), (None, None));
    assert_eq!(closed.members(&browser).await, FORBIDDEN);
    // Said, but not for this carrier.
    let said = "    port_tokens: { allow_same_issuer: true }\n";
    let other = house_with("  store: memory\n", "AURORA", said).await;
    renumbered(&other).await;
    let (browser, told) = arrive(&other, "311480-is").await;
    assert_eq!((told.previous, told.migration), (None, None));
    assert_eq!(other.members(&browser).await, FORBIDDEN);
    // The twin: said for it.
    let open = house_with("  store: memory\n", "AURORA, VIREO", said).await;
    let was = renumbered(&open).await;
    let (browser, told) = arrive(&open, "311480-is").await;
    assert_eq!((told.previous, told.migration.as_deref()), (Some(was), Some("moved")));
    assert_eq!(open.members(&browser).await, Ok("customer-19".to_owned()));
    // Once, as with every other word.
    let (second, told) = arrive(&open, "311480-second").await;
    assert_eq!((told.previous, told.migration.as_deref()), (None, Some("conflict")));
    assert_eq!(open.members(&second).await, FORBIDDEN);
}

// S11
#[tokio::test(flavor = "multi_thread")]
async fn as_many_port_tokens_count_as_the_operator_says() {
    let said = |most: u8| format!("    port_tokens: {{ max_tokens: {most} }}\n");
    for (most, moved) in [(1, None), (2, Some("moved"))] {
        let house = house_with("  store: memory\n", "AURORA", &said(most)).await;
        let (_, maya, _) = maya(&house).await;
        let claims =
            json!({ "iss": maya.issuer, "sub": maya.subject, "aud": crate::support::rig::CLIENT_ID, "iat": now() });
        let aurora = house.rig.simulator.carrier("aurora").unwrap();
        let claims = claims.as_object().unwrap().clone();
        let token = aurora.sign(one("typ", "port_token+jwt"), claims).await.unwrap();
        vireo(&house).set(|rules| rules.port_token.instead = Some(json!([token, "x"])));
        let (_, told) = arrive(&house, "311480-wyn").await;
        assert_eq!(told.migration.as_deref(), moved, "{most}");
    }
}
