//! Keys that are made, shared, rotated and published; statements that anybody with the set can check.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Purpose;
use super::keeper::AssertionKeys;
use super::keys::{AssertionKey, LEAD, TAIL};
use crate::oidc::client_auth::ClientKey;
use crate::oidc::jwks::KeySet;
use crate::oidc::jwt::UnverifiedJwt;
use crate::secret::signing::{SigningAlgorithm, SigningKey};
use crate::secret::{SecretBytes, SecretString, SystemEntropy};
use crate::session::memory::MemoryStore;
use crate::session::seal::{SealKeys, Sealer};
use crate::session::store::{Kind, Limits, RecordStore};

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn store() -> Arc<dyn RecordStore> {
    Arc::new(MemoryStore::new(Limits::default()))
}

fn keys(store: &Arc<dyn RecordStore>, key: u8) -> AssertionKeys {
    let sealer = Sealer::new(SealKeys::new(Some(SecretBytes::new([key; 32])), Vec::new()));
    AssertionKeys::of_store(Arc::clone(store), sealer, MONTH, Arc::new(SystemEntropy))
}

fn kids(keys: &AssertionKeys) -> Vec<String> {
    let set: Value = serde_json::from_str(&keys.published()).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The key that signs.
fn signer(keys: &AssertionKeys, now: SystemTime) -> String {
    let text = keys.sign(Purpose::Registration, &json!({ "x": 1 }), now).unwrap();
    let header = header_of(text.expose());
    assert_eq!((header["alg"].as_str(), header["typ"].as_str()), (Some("ES256"), Some("zengate-registration+jwt")));
    header["kid"].as_str().unwrap().to_owned()
}

fn header_of(text: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split('.').next().unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn the_first_start_makes_a_key_and_every_gateway_of_the_store_has_it() {
    let store = store();
    let (one, other) = (keys(&store, 1), keys(&store, 1));
    assert!(one.sign(Purpose::Registration, &json!({}), noon()).is_none() && kids(&one).is_empty());
    let (a, b) = tokio::join!(one.look(noon()), other.look(noon()));
    a.and(b).unwrap();
    other.look(noon()).await.unwrap();
    one.look(noon()).await.unwrap();
    assert_eq!((kids(&one).len(), kids(&one)), (1, kids(&other)));
    assert_eq!(signer(&one, noon()), kids(&one)[0], "the only one signs at once");
    let restarted = keys(&store, 1);
    restarted.look(noon() + Duration::from_secs(60)).await.unwrap();
    assert_eq!(kids(&restarted), kids(&one));
    // TM7: nothing in the store reads, and what others put there signs nothing.
    let place = crate::session::StoreKey(crate::secret::sha256(b"zengate assertion keys v1"));
    let record = store.get(Kind::Keys, place, noon()).await.unwrap().unwrap();
    assert!(!record.windows(7).any(|window| window == b"PRIVATE"));
    keys(&store, 9).look(noon() + Duration::from_secs(60)).await.unwrap();
    let planted = store.get(Kind::Keys, place, noon()).await.unwrap().unwrap();
    assert_ne!(planted, record, "a gateway with another key finds nothing of its own");
    let later = noon() + Duration::from_secs(120);
    one.look(later).await.unwrap();
    assert!(!kids(&one).iter().any(|kid| kids(&restarted).contains(kid)), "what does not open is made anew");
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_after_another_one_does() {
    let store = store();
    let ours = keys(&store, 1);
    ours.look(noon()).await.unwrap();
    let first = kids(&ours)[0].clone();
    let at = |after: Duration| noon() + MONTH + after;
    ours.look(at(Duration::ZERO) - Duration::from_secs(1)).await.unwrap();
    assert_eq!(kids(&ours), std::slice::from_ref(&first), "not yet");
    ours.look(at(Duration::ZERO)).await.unwrap();
    let second = kids(&ours)[0].clone();
    assert_eq!(kids(&ours), [second.clone(), first.clone()]);
    assert_eq!(signer(&ours, at(LEAD) - Duration::from_secs(1)), first);
    assert_eq!(signer(&ours, at(LEAD)), second);
    ours.look(at(LEAD + TAIL)).await.unwrap();
    assert_eq!(kids(&ours).len(), 2, "what the first signed can be checked still");
    ours.look(at(MONTH)).await.unwrap();
    assert_eq!((kids(&ours).len(), kids(&ours)[1].clone()), (2, second), "the first is gone, a third is there");
}

#[test]
fn keys_of_files_sign_in_their_order_and_are_for_p256() {
    let pem = |algorithm| SigningKey::generate(algorithm).unwrap();
    let [one, two] =
        [(); 2].map(|()| AssertionKey::from_pem(pem(SigningAlgorithm::Es256).expose().as_bytes()).unwrap());
    let keys = AssertionKeys::of_files(vec![one.clone(), two.clone()]);
    assert_eq!(
        (kids(&keys), signer(&keys, noon())),
        (vec![one.kid().to_owned(), two.kid().to_owned()], one.kid().to_owned())
    );
    for other in [SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
        assert!(AssertionKey::from_pem(pem(other).expose().as_bytes()).is_none(), "{other:?}");
    }
    // The same id as a client key made of the same text, so that a key that is both can be told.
    let text = pem(SigningAlgorithm::Es256);
    let (ours, client) =
        (AssertionKey::from_pem(text.expose().as_bytes()), ClientKey::from_pem(text.expose().as_bytes()));
    assert_eq!(ours.unwrap().kid(), client.unwrap().kid());
}

// RFC 7515: whoever has the set can check it, by a library that is not ours.
#[tokio::test]
async fn a_statement_is_checked_by_the_published_set_and_no_bent_one_is() {
    let ours = keys(&store(), 1);
    ours.look(noon()).await.unwrap();
    let signed = ours.sign(Purpose::Registration, &json!({ "aud": "https://app.example" }), noon()).unwrap();
    let set = KeySet::parse(ours.published().as_bytes()).unwrap();
    let verify = |text: &str| {
        let token = UnverifiedJwt::parse(&SecretString::new(text), 8192).unwrap();
        token.verify(&set, &["ES256".to_owned()]).map(|claims| claims.claims()["aud"].clone())
    };
    assert_eq!(verify(signed.expose()).unwrap(), "https://app.example");
    let [head, _, signature] = signed.expose().split('.').collect::<Vec<_>>()[..] else { panic!() };
    let claims = URL_SAFE_NO_PAD.encode(json!({ "aud": "https://evil.example" }).to_string());
    assert!(verify(&format!("{head}.{claims}.{signature}")).is_err());
    let stranger = keys(&store(), 1);
    stranger.look(noon()).await.unwrap();
    let forged = stranger.sign(Purpose::Registration, &json!({ "aud": "https://app.example" }), noon()).unwrap();
    assert!(verify(forged.expose()).is_err());
}
