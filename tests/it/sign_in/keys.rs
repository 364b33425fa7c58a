//! E: keys change, get lost and come back, and people go on signing in.

use futures_util::future::join_all;

use super::{assert_refused, at_once, is_signed_in, until_code};
use crate::support::browser::Browser;
use crate::support::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_between_two_sign_ins_costs_one_fetch() {
    // E01
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    assert_eq!(aurora.count("jwks"), 1);
    aurora.rotate_keys(false).await.unwrap();
    for _ in 0..3 {
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    }
    assert_eq!(aurora.count("jwks"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_right_before_the_token_is_signed_is_noticed_in_the_same_sign_in() {
    // E02
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app")).await;
    aurora.rotate_keys(false).await.unwrap();
    assert!(browser.open(&callback).await.gives_session());
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_under_made_up_keys_do_not_make_us_hammer_the_carrier() {
    // E03, by way of sign-ins
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    for round in 0..10 {
        aurora.set(|rules| drop(rules.id_token_header.insert("kid".into(), format!("made-up-{round}").into())));
        assert_refused(&Browser::new().go(rig.url("/app")).await, 502, "provider_invalid");
    }
    assert!(aurora.count("jwks") <= 2, "{} fetches", aurora.count("jwks"));
    aurora.set(|rules| rules.id_token_header.clear());
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_set_that_is_away_is_missed_only_by_those_who_never_had_it() {
    // E05, E06
    let rig = Rig::start().await;
    let (aurora, vireo) = (rig.simulator.carrier("aurora").unwrap(), rig.simulator.carrier("vireo").unwrap());
    at_once(&rig, "noor");
    let theirs = Browser::new();
    assert_eq!(theirs.go(rig.url("/app")).await.status, 200);
    for status in [500, 503] {
        for carrier in [aurora, vireo] {
            carrier.set(|rules| rules.status = [("jwks".to_owned(), status)].into());
        }
        at_once(&rig, "maya");
        let page = Browser::new().go(rig.url("/app")).await;
        assert_refused(&page, 503, "provider_unavailable");
        assert!(page.headers.contains_key("retry-after"));
        assert!(is_signed_in(&rig, &theirs).await, "sessions that are there go on");
        at_once(&rig, "wyn");
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200, "and so do keys that are at hand");
    }
    for carrier in [aurora, vireo] {
        carrier.set(|rules| rules.status.clear());
    }
    at_once(&rig, "maya");
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_key_signs_nobody_in_once_the_set_was_seen_without_it() {
    // E07; that it is looked at within the refresh interval is tested where time is an argument.
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    let claims = |nonce: &str| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        serde_json::json!({
            "iss": aurora.issuer(), "sub": "310410-old", "aud": crate::support::rig::CLIENT_ID, "acr": "aal3",
            "iat": now, "exp": now + 600, "nonce": nonce,
        })
    };
    let header = serde_json::Map::new;
    let old_way = |text: serde_json::Value| aurora.sign(header(), text.as_object().unwrap().clone());
    // A token of the key in use, for a sign-in under way: the twin.
    for withdrawn in [false, true] {
        let browser = Browser::new();
        let callback = until_code(&browser, rig.url("/app")).await;
        let nonce = aurora.last("authorize").unwrap().parameter("nonce").unwrap().to_owned();
        let token = old_way(claims(&nonce)).await.unwrap();
        if withdrawn {
            aurora.rotate_keys(false).await.unwrap();
            aurora.set(|rules| rules.token_response.clear());
            assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200, "the new set is seen");
        }
        aurora.set(|rules| {
            rules.token_response.insert("id_token".into(), token.into());
            rules.userinfo.insert("sub".into(), "310410-old".into());
        });
        let page = browser.open(&callback).await;
        assert_eq!(page.gives_session(), !withdrawn, "{}", page.body);
        aurora.set(|rules| (rules.token_response, rules.userinfo) = Default::default());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_people_at_once_cost_a_cold_gateway_one_fetch_of_each() {
    // E11
    let rig = Rig::start().await;
    at_once(&rig, "noor");
    let vireo = rig.simulator.carrier("vireo").unwrap();
    vireo.set(|rules| rules.latency_ms = [("jwks".to_owned(), 50), ("metadata".to_owned(), 50)].into());
    rig.simulator.discovery().set(|rules| rules.latency_ms = 50);
    let people: Vec<_> = (0..50).map(|_| Browser::new()).collect();
    let pages = join_all(people.iter().map(|person| person.go(rig.url("/app")))).await;
    assert!(pages.iter().all(|page| page.status == 200), "{:?}", pages.iter().find(|page| page.status != 200));
    assert_eq!((vireo.count("jwks"), vireo.count("metadata"), rig.simulator.discovery().count()), (1, 1, 1));
    assert_eq!(vireo.count("token"), 50);
}
