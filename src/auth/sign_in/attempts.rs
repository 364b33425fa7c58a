//! Where sign-ins wait between two visits of the browser: given out once, on whichever replica.

use std::time::{Duration, SystemTime};

use url::Url;

use super::attempt::{SignInAttempt, StartRecord};
use super::binding::{Binding, State};
use super::return_note::{KEPT_FOR, Pages, Wanted, is_long};
use super::start_cookie::StartCookies;
use crate::ground::time::Timestamp;
use crate::route::path::ReturnTo;
use crate::secret::{Entropy, sha256_of};
use crate::session::StoreKey;
use crate::session::seal::Sealer;
use crate::session::store::{Kind, RecordStore, StoreError};
use crate::telemetry::Metrics;

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

/// Longest stored attempt, in bytes before sealing: carriers' endpoints and a page of up to 2 KiB.
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
    /// Randomness.
    pub entropy: &'a dyn Entropy,
    /// Metrics.
    pub metrics: &'a Metrics,
}

impl Attempts<'_> {
    /// Seals an `attempt` that begins under a new state for `binding`'s browser: the state, and the text for its cookie.
    pub(crate) fn seal_start(&self, attempt: &SignInAttempt, binding: &Binding) -> (State, Vec<u8>) {
        let state = binding.mint(attempt.again, self.sealer, self.entropy);
        // Texts and numbers always serialise; if ever not, an empty text opens as nothing.
        let body = serde_json::to_vec(&StartRecord::of(attempt)).unwrap_or_default();
        let secret = state.seal_secret(binding.secret());
        let key = start_key(&state, &attempt.host);
        let sealed = self.sealer.seal(Kind::Attempt, key, secret.expose(), &body, self.entropy);
        (state, sealed)
    }

    /// Takes the attempt of `state`: out of the browser's own cookies if it has only begun, else out of the store. A
    /// second call, on any replica, finds nothing but the note of where it led. `host` is the one that the browser came
    /// back to.
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
        let (mut attempt, wanted) = match starts.sealed(state) {
            Some(sealed) => {
                let (attempt, wanted) = self.open_start(state, binding, &sealed, host).ok_or(TakeError::Gone)?;
                let begun = Timestamp::from_millis(attempt.created_ms);
                // As a stored one that nobody remembers any more.
                let keep = remembered_for(self.lifetime);
                if begun.plus(keep) <= Timestamp::of(now) {
                    return Err(TakeError::Gone);
                }
                let note = self.pages().note(wanted.clone(), state, binding, now).await;
                if !self.store.insert(Kind::Spent, state.store_key(), &note, keep, now).await? {
                    return Err(TakeError::Gone);
                }
                (attempt, wanted)
            }
            None => self.take_stored(state, binding, now).await?,
        };
        if Timestamp::from_millis(attempt.created_ms).plus(self.lifetime) <= Timestamp::of(now) {
            return Err(TakeError::Expired);
        }
        attempt.return_to = self.pages().page_of(&wanted, binding, now).await.unwrap_or_else(ReturnTo::home);
        attempt.again = state.is_again();
        if let Wanted::Kept(id) = wanted {
            attempt.kept = Some(id);
        }
        Ok(attempt)
    }

    fn open_start(
        &self,
        state: &State,
        binding: &Binding,
        sealed: &[u8],
        host: &str,
    ) -> Option<(SignInAttempt, Wanted)> {
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
    ) -> Result<State, StoreError> {
        let state = binding.mint(attempt.again, self.sealer, self.entropy);
        let key = state.store_key();
        let body = serde_json::to_vec(&(attempt.wanted(), attempt));
        let body = body.map_err(|_| StoreError::Unavailable("attempt not writable".into()))?;
        if body.len() > MAX_RECORD {
            return Err(StoreError::Unavailable("attempt too large".into()));
        }
        let secret = state.seal_secret(binding.secret());
        let record = self.sealer.seal(Kind::Attempt, key, secret.expose(), &body, self.entropy);
        // A state is drawn anew, so nothing is there; where the list is full, the oldest makes room.
        self.store.insert(Kind::Attempt, key, &record, remembered_for(self.lifetime), now).await?;
        Ok(state)
    }

    async fn take_stored(
        &self,
        state: &State,
        binding: &Binding,
        now: SystemTime,
    ) -> Result<(SignInAttempt, Wanted), TakeError> {
        let key = state.store_key();
        let record = self.store.take(Kind::Attempt, key, now).await?.ok_or(TakeError::Gone)?;
        let (attempt, wanted) = self.open_stored(state, binding, &record).ok_or(TakeError::Gone)?;
        let note = self.pages().note(wanted.clone(), state, binding, now).await;
        // The attempt is out of the store; without its note a second answer only does not know the way.
        let _not_noted = self.store.insert(Kind::Spent, key, &note, remembered_for(self.lifetime), now).await;
        Ok((attempt, wanted))
    }

    fn open_stored(&self, state: &State, binding: &Binding, record: &[u8]) -> Option<(SignInAttempt, Wanted)> {
        let secret = state.seal_secret(binding.secret());
        let body = self.sealer.open(Kind::Attempt, state.store_key(), secret.expose(), record).ok()?;
        let (wanted, attempt) = serde_json::from_slice(&body).ok()?;
        Some((attempt, wanted))
    }

    /// Stores the page of `attempt` if it is too long to lie in it. The browser of `binding` has brought that binding.
    ///
    /// # Errors
    /// The store did not take it.
    pub(crate) async fn keep_page(
        &self,
        attempt: &mut SignInAttempt,
        binding: &Binding,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        if is_long(&attempt.return_to) {
            attempt.kept = Some(self.pages().keep(&attempt.return_to, binding, now).await?);
        }
        Ok(())
    }

    fn pages(&self) -> Pages<'_> {
        Pages { store: self.store, sealer: self.sealer, entropy: self.entropy, metrics: self.metrics }
    }

    /// Where the person of `state` wanted to go, as far as the browser's own cookie says so: nothing is asked.
    pub(crate) fn page_of_start(
        &self,
        state: &State,
        binding: &Binding,
        starts: &StartCookies,
        host: &str,
    ) -> Option<ReturnTo> {
        match self.open_start(state, binding, &starts.sealed(state)?, host)?.1 {
            Wanted::Page(page) => Some(page),
            Wanted::Kept(_) => None,
        }
    }

    /// Where the person of `state` wanted to go, whatever became of the attempt; `None` if nothing is known of it. The
    /// caller has checked that the state belongs to `binding`: a state that a browser never had leads nowhere.
    pub(crate) async fn return_note(
        &self,
        state: &State,
        binding: &Binding,
        starts: &StartCookies,
        host: &str,
        now: SystemTime,
    ) -> Option<ReturnTo> {
        if let Some(sealed) = starts.sealed(state)
            && let Some((_, wanted)) = self.open_start(state, binding, &sealed, host)
        {
            return self.pages().page_of(&wanted, binding, now).await;
        }
        let key = state.store_key();
        if let Some(note) = self.store.get(Kind::Spent, key, now).await.ok()? {
            let secret = state.seal_secret(binding.secret());
            let body = self.sealer.open(Kind::Spent, key, secret.expose(), &note).ok()?;
            return self.pages().page_of(&serde_json::from_slice(&body).ok()?, binding, now).await;
        }
        let record = self.store.get(Kind::Attempt, key, now).await.ok()??;
        let (_, wanted) = self.open_stored(state, binding, &record)?;
        self.pages().page_of(&wanted, binding, now).await
    }
}

/// What a start is sealed to: its state and its host. On another host it opens as nothing.
fn start_key(state: &State, host: &str) -> StoreKey {
    StoreKey(sha256_of(&[b"zengate start seal v1 ", &state.store_key().0, host.as_bytes()]))
}

/// How long a sign-in is remembered, in the store and in the browser: a day, and at least twice its lifetime. Whoever comes
/// back too late (B09) still comes back to their page.
pub(crate) fn remembered_for(lifetime: Duration) -> Duration {
    lifetime.saturating_mul(2).max(KEPT_FOR)
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
    use crate::auth::sign_in::attempt::{AuthorizationLeg, Leg};
    use crate::auth::sign_in::binding::Bindings;
    use crate::provider::Carrier;
    use crate::route::path::ReturnPolicy;
    use crate::secret::{SecretString, SystemEntropy, random_text};
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
            auth_method: crate::oidc::client_auth::AuthMethod::default(),
            pushed_endpoint: None,
            server_initiated_endpoint: None,
            server_initiated_cancel_endpoint: None,
            sim_tenure_endpoint: None,
            requires_pushed_requests: false,
        }
    }

    // A10
    #[tokio::test]
    async fn the_longest_return_address_fits_into_four_kibibytes_with_all_the_rest() {
        let rd = format!("/{}", "a".repeat(2047));
        let attempt = SignInAttempt {
            kept: None,
            again: false,
            wishes: crate::auth::sign_in::attempt::Wishes::default(),
            leg: Leg::Authorization(Box::new(AuthorizationLeg {
                carrier: carrier(),
                member: String::new(),
                nonce: random_text::<32>(&SystemEntropy),
                code_verifier: SecretString::new(random_text::<32>(&SystemEntropy)),
                form_post: false,
            })),
            provider: "carriers".to_owned(),
            host: "apps.example.com".to_owned(),
            return_to: ReturnTo::parse(&rd, &ReturnPolicy::new("/oauth2", Vec::<String>::new()).unwrap()).unwrap(),
            correlation_id: "0123456789abcdef".to_owned(),
            created_ms: Timestamp::of(noon()).as_millis(),
            recoveries: 1,
            hand_off: None,
            demand: None,
            approval: None,
            anew: false,
            ends_with_browser: false,
        };
        let (store, sealer) = (MemoryStore::default(), Sealer::new(SealKeys::default()));
        let lifetime = Duration::from_secs(600);
        let (entropy, metrics): (&dyn Entropy, _) = (&SystemEntropy, &Metrics::new());
        let attempts = Attempts { store: &store, sealer: &sealer, lifetime, entropy, metrics };
        let (binding, _) = Bindings::default().begin(&CookieNames::default(), noon(), &SystemEntropy);
        let (other, _) = Bindings::default().begin(&CookieNames::default(), noon(), &SystemEntropy);
        let state = attempts.put(&attempt, &binding, noon()).await.unwrap();
        let record = store.get(Kind::Attempt, state.store_key(), noon()).await.unwrap().unwrap();
        assert!(record.len() <= 4096, "{} bytes", record.len());
        let starts = StartCookies::default();
        let note = async |binding| attempts.return_note(&state, binding, &starts, "apps.example.com", noon()).await;
        assert_eq!(note(&binding).await, Some(attempt.return_to.clone()));
        assert_eq!(note(&other).await, None, "no other browser is told");
        let taken = attempts.take(&state, &binding, &starts, "apps.example.com", noon()).await.unwrap();
        assert_eq!(note(&binding).await, Some(attempt.return_to.clone()), "the note outlives the attempt");
        assert_eq!(note(&other).await, None);
        assert_eq!(taken.return_to.location(), rd);
    }
}
