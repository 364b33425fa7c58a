//! What is written of an approval, and how often somebody is asked: with a store in memory, and a clock of our own.

use std::time::{Duration, SystemTime};

use super::id::{ApprovalId, Bearer};
use super::quota::{Busy, Person};
use super::shelf::Shelf;
use super::*;
use crate::secret::{SecretBytes, SystemEntropy};
use crate::session::StoreKey;
use crate::session::memory::MemoryStore;
use crate::session::seal::{SealKeys, Sealer};
use crate::session::store::{Kind, Limits};

const MINUTE: Duration = Duration::from_secs(60);

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn sealer(key: u8) -> Sealer {
    Sealer::new(SealKeys::new(Some(SecretBytes::new([key; 32])), Vec::new()))
}

fn approval() -> Approval {
    let url = |path: &str| Url::parse(&format!("https://aurora.example/{path}")).unwrap();
    Approval {
        provider: String::new(),
        carrier: Carrier {
            issuer: "https://aurora.example".to_owned(),
            authorization_endpoint: url("authorize"),
            token_endpoint: url("token"),
            userinfo_endpoint: None,
            end_session_endpoint: None,
            jwks_uri: url("jwks"),
            mccmnc: None,
            mccmnc_confirmed: false,
            iss_parameter_supported: false,
            auth_method: crate::oidc::client_auth::AuthMethod::PrivateKeyJwt,
            pushed_endpoint: None,
            server_initiated_endpoint: None,
            server_initiated_cancel_endpoint: None,
            sim_tenure_endpoint: None,
            requires_pushed_requests: false,
        },
        cancel: Some(url("cancel")),
        client_id: "ccid-a".to_owned(),
        subject: "310410-1".to_owned(),
        acr_values: vec!["a3".to_owned()],
        state: "s".to_owned(),
        nonce: "n".to_owned(),
        correlation_id: "c".to_owned(),
        context: "Pay 70 EUR".to_owned(),
        reference: None,
        by: "shop".to_owned(),
        sent: Timestamp::of(noon()).as_millis(),
        lasts: 300_000,
        return_to: None,
    }
}

// R12, CR-S02: a bearer leads to its id and never back, and one that nobody drew leads nowhere.
#[test]
fn a_bearer_is_known_by_whoever_has_the_key_and_an_id_is_no_bearer() {
    let ours = sealer(1);
    let bearer = Bearer::draw(&ours, &SystemEntropy);
    let text = bearer.text().expose().to_owned();
    assert_eq!(Bearer::recognise(&text, &ours), Some(bearer.id().clone()));
    assert_eq!(Bearer::recognise(&text, &sealer(2)), None);
    let id = bearer.id().to_text();
    assert_eq!(ApprovalId::parse(id.expose()), Some(bearer.id().clone()));
    for made_up in [id.expose(), "", "x", &text[..63], &format!("{text}A"), &"A".repeat(64)] {
        assert_eq!(Bearer::recognise(made_up, &ours), None, "{made_up}");
    }
    // Every bit of it counts.
    for place in 0..text.len() {
        let mut bent = text.clone().into_bytes();
        bent[place] = if bent[place] == b'A' { b'B' } else { b'A' };
        assert_eq!(Bearer::recognise(std::str::from_utf8(&bent).unwrap(), &ours), None, "{place}");
    }
    assert!(!format!("{bearer:?}").contains(&text));
}

// CR-S06, CR-S07: written once.
#[tokio::test]
async fn the_first_of_each_is_the_one_that_stays_and_another_key_opens_nothing() {
    let (store, ours, theirs) = (MemoryStore::new(Limits::default()), sealer(1), sealer(2));
    let shelf = |sealer| Shelf { store: &store, sealer, entropy: &SystemEntropy, keep: MINUTE };
    let bearer = Bearer::draw(&ours, &SystemEntropy);
    let (id, asked, shelf_of) = (bearer.id(), approval(), shelf(&ours));
    assert!(shelf_of.look(id, noon()).await.unwrap().is_none());
    shelf_of.prepare(id, &asked, noon()).await.unwrap();
    let found = shelf_of.look(id, noon()).await.unwrap().unwrap();
    assert_eq!((&found.approval, found.state()), (&asked, State::Sent));
    assert_eq!(found.left(noon()), 5 * MINUTE);
    let taken = |name: &str, until: Duration| Acknowledged {
        auth_req_id: name.to_owned(),
        until: Timestamp::of(noon() + until).as_millis(),
    };
    assert!(shelf_of.acknowledge(id, &asked, &taken("q", MINUTE), noon()).await.unwrap());
    assert!(!shelf_of.acknowledge(id, &asked, &taken("r", MINUTE), noon()).await.unwrap());
    assert!(shelf_of.note(id, &asked, b"one", noon()).await.unwrap());
    assert!(!shelf_of.note(id, &asked, b"two", noon()).await.unwrap());
    let found = shelf_of.look(id, noon()).await.unwrap().unwrap();
    assert_eq!(
        (found.state(), found.left(noon()), found.notice.as_deref()),
        (State::Waiting, MINUTE, Some(&b"one"[..]))
    );
    assert_eq!(found.acknowledged, Some(taken("q", MINUTE)));
    assert!(shelf_of.end(id, &asked, &Outcome::expired(), noon()).await.unwrap());
    assert!(!shelf_of.end(id, &asked, &Outcome::failed("x"), noon()).await.unwrap());
    let found = shelf_of.look(id, noon()).await.unwrap().unwrap();
    assert_eq!((found.state(), found.outcome), (State::Expired, Some(Outcome::expired())));
    assert!(shelf(&theirs).look(id, noon()).await.unwrap().is_none());
    // A carrier that says longer than was asked is not believed.
    let other = Bearer::draw(&ours, &SystemEntropy);
    shelf_of.prepare(other.id(), &asked, noon()).await.unwrap();
    shelf_of.acknowledge(other.id(), &asked, &taken("q", 60 * MINUTE), noon()).await.unwrap();
    assert_eq!(shelf_of.look(other.id(), noon()).await.unwrap().unwrap().left(noon()), 5 * MINUTE);
    // And after its time it is gone.
    assert!(shelf_of.look(id, noon() + 7 * MINUTE).await.unwrap().is_none());
}

// T11
#[tokio::test]
async fn a_person_has_one_question_at_a_time_and_turns_that_come_back_after_an_hour() {
    let store = MemoryStore::new(Limits::default());
    let [maya, noor] = [1, 2].map(|n| Person { store: &store, key: StoreKey([n; 32]) });
    let quota = Quota { per_hour: 3, in_browser_per_hour: 2, pause: 15 * MINUTE };
    let draw = || Bearer::draw(&sealer(1), &SystemEntropy).id().clone();
    for turn in 0..3 {
        let (id, now) = (draw(), noon() + turn * MINUTE);
        maya.take(&id, 5 * MINUTE, &quota, now).await.unwrap();
        assert_eq!(maya.take(&draw(), 5 * MINUTE, &quota, now).await, Err(Busy::UnderWay(5 * MINUTE)));
        // Whoever is not the one that is under way releases nothing.
        maya.release(&draw(), now).await.unwrap();
        assert!(matches!(maya.take(&draw(), MINUTE, &quota, now).await, Err(Busy::UnderWay(_))));
        maya.release(&id, now).await.unwrap();
    }
    let now = noon() + 3 * MINUTE;
    assert_eq!(maya.take(&draw(), MINUTE, &quota, now).await, Err(Busy::TooMany(57 * MINUTE)));
    noor.take(&draw(), MINUTE, &quota, now).await.unwrap();
    let later = noon() + 60 * MINUTE;
    let id = draw();
    maya.take(&id, MINUTE, &quota, later).await.unwrap();
    maya.release(&id, later).await.unwrap();
    maya.pause(&quota, later).await.unwrap();
    assert_eq!(maya.take(&draw(), MINUTE, &quota, later + MINUTE).await, Err(Busy::Paused(14 * MINUTE)));
    maya.take(&draw(), MINUTE, &quota, later + 15 * MINUTE).await.unwrap();
    // In the browser they come by themselves: no pause, no turn of the phone's, and turns of its own.
    for _ in 0..2 {
        maya.take_in_browser(&quota, later + MINUTE).await.unwrap();
    }
    assert_eq!(maya.take_in_browser(&quota, later + MINUTE).await, Err(Busy::TooMany(60 * MINUTE)));
}

#[tokio::test]
async fn a_full_store_takes_no_more_and_loses_none() {
    let store = MemoryStore::new(Limits { approvals: 1, ..Limits::default() });
    let ours = sealer(1);
    let shelf = Shelf { store: &store, sealer: &ours, entropy: &SystemEntropy, keep: MINUTE };
    let (one, two) = (Bearer::draw(&ours, &SystemEntropy), Bearer::draw(&ours, &SystemEntropy));
    shelf.prepare(one.id(), &approval(), noon()).await.unwrap();
    assert!(shelf.prepare(two.id(), &approval(), noon()).await.is_err());
    assert!(shelf.look(one.id(), noon()).await.unwrap().is_some());
    shelf.forget(one.id()).await.unwrap();
    assert_eq!(store.count(Kind::Approval), 0);
}
