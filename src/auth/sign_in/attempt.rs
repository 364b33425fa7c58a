//! A sign-in that is under way: what must be remembered between two visits of the browser, sealed so that only the
//! browser that began it can bring it back.
//!
//! What has only begun lies in the browser (`start_cookie.rs`), sealed for this browser, this host and this state; that
//! it has been used is noted in the store. Only a later leg, whose browser has shown that it keeps our cookies, is stored.
//!
//! A stored attempt has two parts. The *return note* says where the person wanted to go and opens with the state
//! alone, so that a late tab of somebody who is signed in meanwhile can be sent to its own page. Everything that could
//! finish a sign-in opens only with the cookie as well.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use url::Url;

use super::binding::{Binding, State};
use super::start_cookie::StartCookies;
use crate::ground::time::Timestamp;
use crate::oidc::client_auth::AuthMethod;
use crate::provider::Carrier;
use crate::route::path::ReturnTo;
use crate::secret::{Entropy, SecretString, sha256_of};
use crate::session::StoreKey;
use crate::session::seal::Sealer;
use crate::session::store::{Kind, RecordStore, StoreError};

/// A sign-in under way. Born in `start.rs`, taken (never read twice) in `callback.rs`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SignInAttempt {
    /// Which answer the browser will bring.
    pub leg: Leg,
    /// Id of the provider it is with; empty for the one of `provider`.
    #[serde(default)]
    pub provider: String,
    /// Host the sign-in began on; its answer is accepted on no other.
    pub host: String,
    /// Where the person wanted to go. Kept in the return note, and nowhere else.
    #[serde(skip, default = "ReturnTo::home")]
    pub return_to: ReturnTo,
    /// The same on all calls of this sign-in (dossier 8), 8–16 letters, digits and hyphens.
    pub correlation_id: String,
    /// When it began, milliseconds since 1970.
    pub created_ms: u64,
    /// How often discovery was started anew; one is allowed.
    pub recoveries: u8,
    /// For a sign-in begun on another of our hosts: where to hand its result.
    pub hand_off: Option<HandOff>,
    /// The person said that the device is not theirs: the session cookie goes with the browser's window.
    #[serde(default)]
    pub ends_with_browser: bool,
}

/// What the next callback must be the answer to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Leg {
    /// The carrier discovery UI.
    Discovery,
    /// The authorization endpoint of a carrier. Issuer and endpoints are frozen here: a callback that names another
    /// carrier changes nothing (RFC 9700, 4.4).
    Authorization(Box<AuthorizationLeg>),
    /// Our own host that signs in for all of them.
    HandOff,
}

/// The leg that ends with a code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AuthorizationLeg {
    /// Whom we asked.
    pub carrier: Carrier,
    /// Expected in the ID token.
    pub nonce: String,
    /// PKCE verifier, redeemed with the code.
    #[serde(with = "secret_text")]
    pub code_verifier: SecretString,
}

/// A request of one of our hosts to have a person signed in there as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HandOff {
    /// The host.
    pub host: String,
    /// The state that host is waiting for.
    pub state: String,
}

mod secret_text {
    //! A secret inside a record that is sealed before it leaves us.
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::secret::SecretString;

    pub(in crate::auth) fn serialize<S: Serializer>(secret: &SecretString, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(in crate::auth) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
        String::deserialize(from).map(SecretString::new)
    }
}

/// Why an attempt could not be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    /// It took longer than attempts live.
    #[error("the sign-in is older than its lifetime")]
    Expired,
    /// Never stored, already taken, or not what we sealed.
    #[error("no such sign-in")]
    Gone,
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Longest stored attempt, in bytes before sealing: carriers' endpoints and a return address of up to 3 KiB.
const MAX_RECORD: usize = 16 * 1024;

/// Where attempts wait, and how they are sealed.
#[derive(Clone, Copy)]
pub(crate) struct Attempts<'a> {
    /// The store.
    pub store: &'a dyn RecordStore,
    /// The seal.
    pub sealer: &'a Sealer,
    /// How long an attempt lives.
    pub lifetime: Duration,
}

impl SignInAttempt {
    /// Whether what is waited for is a ticket of our own public host.
    pub(super) fn is_hand_off(&self) -> bool {
        matches!(self.leg, Leg::HandOff)
    }
}

impl Attempts<'_> {
    /// Seals an `attempt` that begins under a new state for `binding`'s browser: the state, and the text for its cookie.
    pub(crate) fn seal_start(
        &self,
        attempt: &SignInAttempt,
        binding: &Binding,
        entropy: &dyn Entropy,
    ) -> (State, Vec<u8>) {
        let state = binding.mint(self.sealer, entropy);
        // Texts and numbers always serialise; if ever not, an empty text opens as nothing.
        let body = serde_json::to_vec(&StartRecord::of(attempt)).unwrap_or_default();
        let secret = state.seal_secret(binding.secret());
        let sealed = self.sealer.seal(Kind::Attempt, start_key(&state, &attempt.host), secret.expose(), &body, entropy);
        (state, sealed)
    }

    /// Takes the attempt of `state`: out of the browser's own cookies if it has only begun, else out of the store. A
    /// second call, on any replica, finds nothing. `host` is the one that the browser came back to.
    ///
    /// RFC 9700, 4.7. If an attempt could be used twice, a captured callback URL would open a second session for whoever
    /// holds it. The caller has checked that the state belongs to `binding`.
    pub(crate) async fn take(
        &self,
        state: &State,
        binding: &Binding,
        starts: &StartCookies,
        host: &str,
        now: SystemTime,
    ) -> Result<SignInAttempt, TakeError> {
        let attempt = match starts.sealed(state) {
            Some(sealed) => {
                let attempt = self.open_start(state, binding, &sealed, host).ok_or(TakeError::Gone)?;
                let begun = Timestamp::from_millis(attempt.created_ms);
                // As a stored one that nobody remembers any more.
                if begun.plus(remembered_for(self.lifetime)) <= Timestamp::of(now) {
                    return Err(TakeError::Gone);
                }
                let keep = remembered_for(self.lifetime);
                if !self.store.insert(Kind::Spent, state.store_key(), &[], keep, now).await? {
                    return Err(TakeError::Gone);
                }
                attempt
            }
            None => self.take_stored(state, binding, now).await?,
        };
        if Timestamp::from_millis(attempt.created_ms).plus(self.lifetime) <= Timestamp::of(now) {
            return Err(TakeError::Expired);
        }
        Ok(attempt)
    }

    fn open_start(&self, state: &State, binding: &Binding, sealed: &[u8], host: &str) -> Option<SignInAttempt> {
        let secret = state.seal_secret(binding.secret());
        let body = self.sealer.open(Kind::Attempt, start_key(state, host), secret.expose(), sealed).ok()?;
        serde_json::from_slice::<StartRecord>(&body).ok()?.into_attempt(host)
    }

    /// Stores the next leg of `attempt` under a new state for `binding`'s browser, and returns the state.
    pub(crate) async fn put(
        &self,
        attempt: &SignInAttempt,
        binding: &Binding,
        now: SystemTime,
        entropy: &dyn Entropy,
    ) -> Result<State, StoreError> {
        let state = binding.mint(self.sealer, entropy);
        let key = state.store_key();
        let note = serde_json::to_vec(&attempt.return_to).unwrap_or_default();
        let note = self.sealer.seal(Kind::Attempt, key, state.note_secret().expose(), &note, entropy);
        let body = serde_json::to_vec(attempt).map_err(|_| StoreError::Unavailable("attempt not writable".into()))?;
        if body.len() > MAX_RECORD {
            return Err(StoreError::Unavailable("attempt too large".into()));
        }
        let body = self.sealer.seal(Kind::Attempt, key, state.seal_secret(binding.secret()).expose(), &body, entropy);
        let mut record = Vec::with_capacity(4 + note.len() + body.len());
        record.extend_from_slice(&u32::try_from(note.len()).unwrap_or(u32::MAX).to_be_bytes());
        record.extend_from_slice(&note);
        record.extend_from_slice(&body);
        // A state is drawn anew, so nothing is there; where the list is full, the oldest makes room.
        self.store.insert(Kind::Attempt, key, &record, remembered_for(self.lifetime), now).await?;
        Ok(state)
    }

    async fn take_stored(&self, state: &State, binding: &Binding, now: SystemTime) -> Result<SignInAttempt, TakeError> {
        let key = state.store_key();
        let record = self.store.take(Kind::Attempt, key, now).await?.ok_or(TakeError::Gone)?;
        let (note, body) = split(&record).ok_or(TakeError::Gone)?;
        let secret = state.seal_secret(binding.secret());
        let body = self.sealer.open(Kind::Attempt, key, secret.expose(), body).map_err(|_| TakeError::Gone)?;
        let mut attempt: SignInAttempt = serde_json::from_slice(&body).map_err(|_| TakeError::Gone)?;
        attempt.return_to = self.read_note(state, note).ok_or(TakeError::Gone)?;
        Ok(attempt)
    }

    /// Where the person of `state` wanted to go, without touching the attempt.
    pub(crate) async fn return_note(&self, state: &State, now: SystemTime) -> Option<ReturnTo> {
        let record = self.store.get(Kind::Attempt, state.store_key(), now).await.ok()??;
        self.read_note(state, split(&record)?.0)
    }

    fn read_note(&self, state: &State, note: &[u8]) -> Option<ReturnTo> {
        let note = self.sealer.open(Kind::Attempt, state.store_key(), state.note_secret().expose(), note).ok()?;
        serde_json::from_slice(&note).ok()
    }
}

/// What a start is sealed to: its state and its host. On another host it opens as nothing.
fn start_key(state: &State, host: &str) -> StoreKey {
    StoreKey(sha256_of(&[b"zengate start seal v1 ", &state.store_key().0, host.as_bytes()]))
}

/// A start as its cookie holds it: no names, no host, and addresses shortened by the issuer's, because every byte goes
/// with every request.
#[derive(Serialize, Deserialize)]
struct StartRecord(
    StartLeg,
    ReturnTo,
    String,
    u64,
    Option<(String, String)>,
    String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")] bool,
);

/// The leg of a start.
#[derive(Serialize, Deserialize)]
enum StartLeg {
    #[serde(rename = "d")]
    Discovery,
    #[serde(rename = "h")]
    HandOff,
    #[serde(rename = "a")]
    Authorization(Box<StartCarrier>),
}

/// Issuer; authorization, token, userinfo and key endpoints; whether `iss` is promised; nonce; verifier; how we show who
/// we are.
#[derive(Serialize, Deserialize)]
struct StartCarrier(
    String,
    String,
    String,
    Option<String>,
    String,
    bool,
    String,
    #[serde(with = "secret_text")] SecretString,
    #[serde(default)] AuthMethod,
);

impl StartRecord {
    fn of(attempt: &SignInAttempt) -> Self {
        let leg = match &attempt.leg {
            Leg::Discovery => StartLeg::Discovery,
            Leg::HandOff => StartLeg::HandOff,
            Leg::Authorization(leg) => {
                let carrier = &leg.carrier;
                let short = |url: &Url| shortened(url.as_str(), &carrier.issuer);
                StartLeg::Authorization(Box::new(StartCarrier(
                    carrier.issuer.clone(),
                    short(&carrier.authorization_endpoint),
                    short(&carrier.token_endpoint),
                    carrier.userinfo_endpoint.as_ref().map(short),
                    short(&carrier.jwks_uri),
                    carrier.iss_parameter_supported,
                    leg.nonce.clone(),
                    leg.code_verifier.clone(),
                    carrier.auth_method,
                )))
            }
        };
        let hand_off = attempt.hand_off.clone().map(|hand_off| (hand_off.host, hand_off.state));
        let (correlation_id, provider) = (attempt.correlation_id.clone(), attempt.provider.clone());
        let (return_to, ends_with_browser) = (attempt.return_to.clone(), attempt.ends_with_browser);
        Self(leg, return_to, correlation_id, attempt.created_ms, hand_off, provider, ends_with_browser)
    }

    fn into_attempt(self, host: &str) -> Option<SignInAttempt> {
        let Self(leg, return_to, correlation_id, created_ms, hand_off, provider, ends_with_browser) = self;
        let leg = match leg {
            StartLeg::Discovery => Leg::Discovery,
            StartLeg::HandOff => Leg::HandOff,
            StartLeg::Authorization(carrier) => {
                let StartCarrier(issuer, authorization, token, userinfo, keys, promised, nonce, code_verifier, method) =
                    *carrier;
                let long = |text: &str| Url::parse(&lengthened(text, &issuer)).ok();
                let carrier = Carrier {
                    authorization_endpoint: long(&authorization)?,
                    token_endpoint: long(&token)?,
                    userinfo_endpoint: match userinfo {
                        Some(userinfo) => Some(long(&userinfo)?),
                        None => None,
                    },
                    end_session_endpoint: None,
                    jwks_uri: long(&keys)?,
                    // A plain issuer has no code.
                    mccmnc: None,
                    mccmnc_confirmed: false,
                    iss_parameter_supported: promised,
                    auth_method: method,
                    pushed_endpoint: None,
                    requires_pushed_requests: false,
                    issuer,
                };
                Leg::Authorization(Box::new(AuthorizationLeg { carrier, nonce, code_verifier }))
            }
        };
        let hand_off = hand_off.map(|(host, state)| HandOff { host, state });
        Some(SignInAttempt {
            leg,
            provider,
            host: host.to_owned(),
            return_to,
            correlation_id,
            created_ms,
            recoveries: 0,
            hand_off,
            ends_with_browser,
        })
    }
}

/// `url` without the issuer it begins with; no address begins with `~`.
fn shortened(url: &str, issuer: &str) -> String {
    url.strip_prefix(issuer).map_or_else(|| url.to_owned(), |rest| format!("~{rest}"))
}

fn lengthened(text: &str, issuer: &str) -> String {
    text.strip_prefix('~').map_or_else(|| text.to_owned(), |rest| format!("{issuer}{rest}"))
}

fn split(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = record.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// How long a sign-in is remembered, in the store and in the browser: twice its lifetime. Whoever comes back too late is
/// told that it took too long (B09), and not that there never was such a sign-in.
pub(crate) fn remembered_for(lifetime: Duration) -> Duration {
    lifetime.saturating_mul(2)
}

/// `base` with `pairs` appended to its query.
pub(crate) fn with_query(base: &str, pairs: &[(&str, &str)]) -> Option<Url> {
    let mut url = Url::parse(base).ok()?;
    url.query_pairs_mut().extend_pairs(pairs);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::sign_in::binding::Bindings;
    use crate::route::path::ReturnPolicy;
    use crate::secret::{SystemEntropy, random_text};
    use crate::session::memory::MemoryStore;
    use crate::session::samples::noon;
    use crate::session::seal::SealKeys;
    use crate::web::cookie::CookieNames;

    fn carrier() -> Carrier {
        let url = |path: &str| Url::parse(&format!("https://login.carrier.example/openid/connect/{path}")).unwrap();
        Carrier {
            issuer: "https://login.carrier.example/openid/connect".to_owned(),
            authorization_endpoint: url("v1/authorize"),
            token_endpoint: url("v1/token"),
            userinfo_endpoint: Some(url("v1/userinfo")),
            end_session_endpoint: None,
            jwks_uri: url("v1/jwks"),
            mccmnc: Some("310007".to_owned()),
            mccmnc_confirmed: true,
            iss_parameter_supported: false,
            auth_method: AuthMethod::default(),
            pushed_endpoint: None,
            requires_pushed_requests: false,
        }
    }

    // A10
    #[tokio::test]
    async fn the_longest_return_address_fits_into_four_kibibytes_with_all_the_rest() {
        let rd = format!("/{}", "a".repeat(2047));
        let attempt = SignInAttempt {
            leg: Leg::Authorization(Box::new(AuthorizationLeg {
                carrier: carrier(),
                nonce: random_text::<32>(&SystemEntropy),
                code_verifier: SecretString::new(random_text::<32>(&SystemEntropy)),
            })),
            provider: "carriers".to_owned(),
            host: "apps.example.com".to_owned(),
            return_to: ReturnTo::parse(&rd, &ReturnPolicy::new("/oauth2", Vec::<String>::new()).unwrap()).unwrap(),
            correlation_id: "0123456789abcdef".to_owned(),
            created_ms: Timestamp::of(noon()).as_millis(),
            recoveries: 1,
            hand_off: None,
            ends_with_browser: false,
        };
        let (store, sealer) = (MemoryStore::default(), Sealer::new(SealKeys::default()));
        let attempts = Attempts { store: &store, sealer: &sealer, lifetime: Duration::from_secs(600) };
        let (binding, _) = Bindings::default().begin(&CookieNames::default(), noon(), &SystemEntropy);
        let state = attempts.put(&attempt, &binding, noon(), &SystemEntropy).await.unwrap();
        let record = store.get(Kind::Attempt, state.store_key(), noon()).await.unwrap().unwrap();
        assert!(record.len() <= 4096, "{} bytes", record.len());
        assert_eq!(attempts.return_note(&state, noon()).await, Some(attempt.return_to.clone()));
        let starts = StartCookies::default();
        let taken = attempts.take(&state, &binding, &starts, "apps.example.com", noon()).await.unwrap();
        assert_eq!(taken.return_to.location(), rd);
    }
}
