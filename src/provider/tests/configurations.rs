//! Carrier configuration: who is believed, for how long, and what survives a bad refresh.

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::peer::{Play, answer, json_answer};
use super::*;

const DISCOVERY: &str = "/.well-known/openid_configuration";
const METADATA: &str = "/.well-known/openid-configuration";

struct Rig {
    discovery: Peer,
    /// A trusted carrier.
    a: Peer,
    /// Another server, trusted by nobody.
    e: Peer,
    federation: Federation,
}

impl Rig {
    async fn new() -> Self {
        let (discovery, a, e) = (Peer::start().await, Peer::start().await, Peer::start().await);
        discovery.say(DISCOVERY, &document(&a.base));
        a.say(METADATA, &document(&a.base));
        let federation = Federation::new(zenkey(&discovery, &[&a.base])).unwrap();
        Self { discovery, a, e, federation }
    }

    async fn discover(&self, seconds: u64) -> Result<Discovery, ProviderError> {
        self.federation.discover(MCCMNC, "corr-1234", at(seconds)).await
    }

    async fn carrier(&self, seconds: u64) -> Carrier {
        match self.discover(seconds).await.unwrap() {
            Discovery::Carrier(carrier) => *carrier,
            Discovery::AskUser(url) => panic!("sent to {url}"),
        }
    }

    fn asked(&self) -> usize {
        self.discovery.count(DISCOVERY)
    }
}

/// The trusted carrier's document with one member replaced.
fn bent(base: &str, member: &str, value: impl Into<Value>) -> Value {
    let mut document = document(base);
    document[member] = value.into();
    document
}

#[tokio::test]
async fn the_carrier_of_a_code_is_asked_for_once_and_remembered() {
    let rig = Rig::new().await;
    let mut expected = carrier(&rig.a.base);
    (expected.mccmnc, expected.mccmnc_confirmed) = (Some(MCCMNC.to_owned()), true);
    assert_eq!(rig.carrier(0).await, expected);
    assert_eq!(rig.carrier(15 * MINUTE - 1).await, expected);
    assert_eq!(rig.asked(), 1);
    let target = rig.discovery.heard()[0].target().to_owned();
    assert!(target.contains("client_id=client") && target.contains("mccmnc=310380"), "{target}");
    assert_eq!(rig.carrier(15 * MINUTE).await, expected);
    assert_eq!(rig.asked(), 2);
    assert!(rig.a.heard().is_empty());
}

// D06: the code itself comes from a browser.
#[tokio::test]
async fn a_code_is_confirmed_only_by_an_answer_that_names_it() {
    for (told, confirmed) in [(json!(MCCMNC), true), (json!(""), false), (Value::Null, false)] {
        let rig = Rig::new().await;
        rig.discovery.say(DISCOVERY, &bent(&rig.a.base, "mccmnc", told));
        let carrier = rig.carrier(0).await;
        assert_eq!(carrier.mccmnc.as_deref(), Some(MCCMNC), "asked for, to compare a second callback with");
        assert_eq!(carrier.confirmed_mccmnc(), confirmed.then_some(MCCMNC));
    }
}

// D05
#[tokio::test]
async fn an_issuer_that_nobody_listed_is_refused_and_not_even_asked() {
    let rig = Rig::new().await;
    let near = format!("{}/", rig.a.base);
    for issuer in [&rig.e.base, &near] {
        let mut document = document(issuer);
        document["jwks_uri"] = " ".into();
        rig.discovery.say(DISCOVERY, &document);
        assert_eq!(rig.discover(0).await, Err(ProviderError::untrusted("issuer is not on the list")));
    }
    assert!(rig.e.heard().is_empty() && rig.a.heard().is_empty());
    assert_eq!(rig.federation.stats().untrusted_configurations.get(), 2);
    rig.discovery.say(DISCOVERY, &document(&rig.a.base));
    assert_eq!(rig.carrier(0).await.issuer, rig.a.base);
}

// D09
#[tokio::test]
async fn a_carrier_with_one_endpoint_on_a_foreign_host_is_refused() {
    let rig = Rig::new().await;
    for member in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        rig.discovery.say(DISCOVERY, &bent(&rig.a.base, member, format!("{}/x", rig.e.base)));
        let outside = Err(ProviderError::untrusted("endpoint lies outside the issuer's hosts"));
        assert_eq!(rig.discover(0).await, outside, "{member}");
    }
    let mut settings = zenkey(&rig.discovery, &[&rig.a.base]);
    settings.federation.members[0].allowed_hosts.push(format!("127.0.0.1:{}", rig.e.port));
    let wider = Federation::new(settings).unwrap();
    assert!(wider.discover(MCCMNC, "corr-1234", at(0)).await.is_ok());
}

// D15, D14, D04
#[tokio::test]
async fn a_bad_refresh_leaves_the_last_good_configuration_in_place() {
    let json = [("content-type", "application/json")];
    let gzip = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let bad = |rig: &Rig| {
        vec![
            Play::Say(json_answer(200, &bent(&rig.a.base, "authorization_endpoint", format!("{}/x", rig.e.base)))),
            Play::Say(json_answer(200, &document(&rig.e.base))),
            Play::Say(json_answer(500, &json!({}))),
            Play::Say(answer(200, &json, &vec![b' '; (1 << 20) + 1])),
            Play::Say(answer(200, &gzip, b"x")),
            Play::Say(answer(200, &json, b"garbage")),
            Play::Endless,
            Play::HangUp,
        ]
    };
    for number in 0..8 {
        let rig = Rig::new().await;
        let good = rig.carrier(0).await;
        rig.discovery.play(DISCOVERY, bad(&rig)[number].clone());
        assert_eq!(rig.carrier(15 * MINUTE).await, good, "{number}");
        assert_eq!(rig.carrier(15 * MINUTE + 29).await, good, "{number}");
        assert_eq!(rig.asked(), 2, "a failing issuer is left alone for a moment");
        assert_eq!(rig.carrier(24 * HOUR).await, good, "{number}");
        assert!(rig.federation.stats().stale_configurations.get() >= 3);
        // Not for ever.
        assert!(rig.discover(24 * HOUR + 1).await.is_err(), "{number}");
        rig.discovery.say(DISCOVERY, &document(&rig.a.base));
        assert_eq!(rig.carrier(24 * HOUR + 1).await, good, "{number}");
    }
}

// D14
#[tokio::test]
async fn a_refresh_that_drips_is_cut_and_the_last_good_configuration_serves() {
    let rig = Rig::new().await;
    let mut settings = zenkey(&rig.discovery, &[&rig.a.base]);
    settings.total_timeout = Duration::from_millis(300);
    let hasty = Federation::new(settings).unwrap();
    let good = hasty.discover(MCCMNC, "corr-1234", at(0)).await;
    assert!(good.is_ok());
    rig.discovery.play(DISCOVERY, Play::Stall(b"HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\n{".to_vec()));
    assert_eq!(hasty.discover(MCCMNC, "corr-1234", at(HOUR)).await, good);
    let mut settings = zenkey(&rig.discovery, &[&rig.a.base]);
    settings.total_timeout = Duration::from_millis(300);
    let cold = Federation::new(settings).unwrap();
    assert_eq!(cold.discover(MCCMNC, "corr-1234", at(HOUR)).await, Err(ProviderError::timeout()));
}

// E12
#[tokio::test]
async fn what_the_answer_says_about_caching_is_clamped() {
    let cases = [
        (Some("max-age=864000"), 15 * MINUTE),
        (Some("no-store"), MINUTE),
        (Some("max-age=1"), MINUTE),
        (Some("max-age=300"), 5 * MINUTE),
        (None, 15 * MINUTE),
    ];
    for (said, kept) in cases {
        let rig = Rig::new().await;
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(said.map(|said| ("cache-control", said)));
        rig.discovery.play(DISCOVERY, Play::Say(answer(200, &headers, document(&rig.a.base).to_string().as_bytes())));
        rig.carrier(0).await;
        rig.carrier(kept - 1).await;
        assert_eq!(rig.asked(), 1, "{said:?}");
        rig.carrier(kept).await;
        assert_eq!(rig.asked(), 2, "{said:?}");
    }
    // Nor does a setting go beyond a day.
    let rig = Rig::new().await;
    let mut settings = zenkey(&rig.discovery, &[&rig.a.base]);
    settings.metadata_max_age = Duration::from_secs(1000 * HOUR);
    let patient = Federation::new(settings).unwrap();
    for (seconds, asked) in [(0, 1), (24 * HOUR - 1, 1), (24 * HOUR, 2)] {
        patient.discover(MCCMNC, "corr-1234", at(seconds)).await.unwrap();
        assert_eq!(rig.asked(), asked);
    }
}

// E11
#[tokio::test]
async fn five_hundred_sign_ins_share_one_question_even_if_the_first_gives_up() {
    let rig = Rig::new().await;
    let permits = Arc::new(Semaphore::new(0));
    rig.discovery.play(DISCOVERY, Play::Held(permits.clone(), json_answer(200, &document(&rig.a.base))));
    {
        let leader = rig.discover(0);
        tokio::select! { _ = leader => unreachable!("nothing was answered yet"), () = rig.discovery.until(DISCOVERY, 1) => {} }
    }
    let crowd = join_all((0..500).map(|_| rig.discover(0)));
    let (found, ()) = tokio::join!(crowd, async { permits.add_permits(1) });
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(rig.asked(), 1);
}

#[tokio::test]
async fn what_is_not_known_is_asked_again() {
    let rig = Rig::new().await;
    let ui = format!("{}/ui", rig.discovery.base);
    let unknown = json!({ "error": "provider_not_found", "redirect_uri": ui });
    for (status, seconds) in [(200, 0), (404, 30)] {
        rig.discovery.play(DISCOVERY, Play::Say(json_answer(status, &unknown)));
        let asked = rig.discover(seconds).await;
        assert!(matches!(&asked, Ok(Discovery::AskUser(url)) if url.as_str().starts_with(&ui)), "{asked:?}");
    }
    rig.discovery.say(DISCOVERY, &json!({ "error": "x" }));
    assert_eq!(rig.discover(60).await.map_err(|error| error.kind()), Err(ErrorKind::Invalid));
    rig.discovery.play(DISCOVERY, Play::Say(answer(503, &[("retry-after", "7")], b"")));
    let wait = Some(Duration::from_secs(7));
    assert!(
        matches!(rig.discover(60).await, Err(error) if error.kind() == ErrorKind::Unavailable && error.retry_after() == wait)
    );
    rig.discovery.say(DISCOVERY, &document(&rig.a.base));
    rig.carrier(60).await;
    assert_eq!(rig.asked(), 5);
    // An answer that changes its mind is believed: no old carrier stands in for it.
    rig.discovery.say(DISCOVERY, &unknown);
    assert!(matches!(rig.discover(HOUR).await, Ok(Discovery::AskUser(_))));
    rig.discovery.play(DISCOVERY, Play::HangUp);
    assert!(rig.discover(HOUR + 30).await.is_err());
}

// D07, TM8
#[tokio::test]
async fn a_code_that_leads_nowhere_is_asked_about_once_in_a_while() {
    let rig = Rig::new().await;
    let ui = format!("{}/ui", rig.discovery.base);
    rig.discovery.say(DISCOVERY, &json!({ "error": "not_found", "redirect_uri": ui }));
    for seconds in [0, 1, 29] {
        assert!(matches!(rig.discover(seconds).await, Ok(Discovery::AskUser(url)) if url.as_str().starts_with(&ui)));
    }
    assert_eq!(rig.asked(), 1);
    let other = rig.federation.discover("310999", "corr-1234", at(0)).await;
    assert!(matches!(other, Ok(Discovery::AskUser(_))));
    assert_eq!(rig.asked(), 2, "another code is another question");
    // The twin: it is not remembered for long.
    rig.discovery.say(DISCOVERY, &document(&rig.a.base));
    rig.carrier(30).await;
    assert_eq!(rig.asked(), 3);
}

// D07, TM8
#[tokio::test]
async fn made_up_codes_take_no_place_from_a_code_that_is_known() {
    let rig = Rig::new().await;
    rig.carrier(0).await;
    rig.discovery.play(DISCOVERY, Play::Hang);
    let federation = Arc::new(rig.federation);
    let strangers: Vec<_> = (0..200)
        .map(|n| {
            let federation = Arc::clone(&federation);
            tokio::spawn(async move { federation.discover(&format!("{n:06}"), "corr-1234", at(1)).await })
        })
        .collect();
    rig.discovery.until(DISCOVERY, 17).await;
    rig.discovery.say(DISCOVERY, &document(&rig.a.base));
    let known = tokio::time::timeout(Duration::from_secs(2), federation.discover(MCCMNC, "corr-1234", at(HOUR)));
    assert!(matches!(known.await.unwrap(), Ok(Discovery::Carrier(_))));
    assert_eq!(rig.discovery.count(DISCOVERY), 18, "so many strangers at a time, and the one who is known");
    strangers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_doubted_code_is_asked_again_within_bounds_and_serves_on_if_nobody_answers() {
    // D14: the doubt comes from a browser.
    let rig = Rig::new().await;
    let good = rig.carrier(0).await;
    for _ in 0..100 {
        rig.federation.doubt(MCCMNC, at(59));
        rig.carrier(59).await;
    }
    assert_eq!(rig.asked(), 1);
    rig.federation.doubt(MCCMNC, at(60));
    rig.carrier(60).await;
    assert_eq!(rig.asked(), 2);
    rig.discovery.play(DISCOVERY, Play::HangUp);
    rig.federation.doubt(MCCMNC, at(200));
    assert_eq!(rig.carrier(200).await, good);
}

// D07
#[tokio::test]
async fn what_is_not_a_carrier_code_causes_no_request() {
    let rig = Rig::new().await;
    for code in ["", "31038", "3103800", "31038x", "３１０３８０", "31038 ", "&a=b&c"] {
        let refused = rig.federation.discover(code, "corr-1234", at(0)).await;
        assert_eq!(refused, Err(ProviderError::invalid("not a carrier code")), "{code}");
    }
    assert!(rig.discovery.heard().is_empty());
}

// D04
#[tokio::test]
async fn a_blank_key_address_is_looked_up_in_the_carriers_own_document() {
    let rig = Rig::new().await;
    rig.discovery.say(DISCOVERY, &bent(&rig.a.base, "jwks_uri", " "));
    assert_eq!(rig.carrier(0).await.jwks_uri.path(), "/jwks");
    assert_eq!(rig.a.count(METADATA), 1);
    let ask_anew = async || {
        let cold = Federation::new(zenkey(&rig.discovery, &[&rig.a.base])).unwrap();
        cold.discover(MCCMNC, "corr-1234", at(0)).await
    };
    rig.a.say(METADATA, &document(&rig.e.base));
    assert_eq!(ask_anew().await, Err(ProviderError::invalid("metadata speaks for another issuer")));
    rig.a.say(METADATA, &bent(&rig.a.base, "jwks_uri", format!("{}/jwks", rig.e.base)));
    assert_eq!(ask_anew().await, Err(ProviderError::untrusted("endpoint lies outside the issuer's hosts")));
    rig.a.say(METADATA, &bent(&rig.a.base, "jwks_uri", ""));
    assert_eq!(ask_anew().await, Err(ProviderError::invalid("metadata without jwks_uri")));
}

// D04
#[tokio::test]
async fn a_plain_issuer_must_speak_for_itself() {
    let (a, e) = (Peer::start().await, Peer::start().await);
    let federation = Federation::new(plain(&a.base)).unwrap();
    for other in [&e.base, &format!("{}/", a.base)] {
        a.say(METADATA, &bent(&a.base, "issuer", other.as_str()));
        let refused = Err(ProviderError::invalid("metadata speaks for another issuer"));
        assert_eq!(federation.issuer(at(0)).await, refused);
    }
    a.say(METADATA, &document(&a.base));
    assert_eq!(federation.issuer(at(0)).await, Ok(carrier(&a.base)));
    assert_eq!(federation.issuer(at(MINUTE)).await, Ok(carrier(&a.base)));
    assert_eq!(a.count(METADATA), 3);
    // D15
    a.say(METADATA, &bent(&a.base, "authorization_endpoint", format!("{}/x", e.base)));
    assert_eq!(federation.issuer(at(HOUR)).await, Ok(carrier(&a.base)));
    assert_eq!(federation.stats().untrusted_configurations.get(), 1);
}

#[tokio::test]
async fn an_issuer_with_a_slash_at_its_end_keeps_it_in_its_name_and_not_in_its_address() {
    let a = Peer::start().await;
    let name = format!("{}/", a.base);
    a.say(METADATA, &document(&name));
    let federation = Federation::new(plain(&name)).unwrap();
    assert_eq!(federation.issuer(at(0)).await.map(|carrier| carrier.issuer), Ok(name));
}

#[tokio::test]
async fn one_kind_of_federation_does_not_answer_for_the_other() {
    let rig = Rig::new().await;
    assert_eq!(rig.federation.issuer(at(0)).await.map_err(|error| error.kind()), Err(ErrorKind::Invalid));
    let plain = Federation::new(plain(&rig.a.base)).unwrap();
    assert_eq!(plain.discover(MCCMNC, "corr-1234", at(0)).await.map_err(|error| error.kind()), Err(ErrorKind::Invalid));
    rig.a.say("/jwks", &key_set(&["good"]));
    assert_eq!(plain.warm(at(0)).await, Ok(()));
    assert_eq!((rig.a.count(METADATA), rig.a.count("/jwks")), (1, 1));
    assert_eq!(rig.federation.warm(at(0)).await, Ok(()));
}
