//! What we remember: sessions of people who are signed in, and sign-in attempts that are under way.
//!
//! A record in a store is worth nothing without the cookie: its key is a hash of the secret the cookie holds, and its
//! content is sealed under a key derived from that secret (see `seal.rs`). Carrier tokens are never part of a session.

pub mod account_of;
pub mod anew;
pub mod cache;
pub mod cached;
#[cfg(test)]
mod contract;
pub mod embedded;
pub mod ending;
pub mod key;
pub mod linked;
pub mod live;
pub mod memory;
pub mod opening;
pub mod provider_box;
pub mod provider_check;
pub mod provider_session;
pub mod recheck;
pub mod redis;
pub mod revocation;
pub mod seal;
pub mod sessions;
pub mod standing;
pub mod store;
pub mod sweep_time;
pub mod unheard;
pub mod write_fault;

use std::time::{Duration, SystemTime};

pub use self::standing::Standing;
use crate::carrier::usertrait::SimAnswer;
use crate::ground::time::Timestamp;
use crate::identity::{Identity, IdentityParts};
use crate::secret::{Entropy, SecretBytes, sha256};

/// The secret in the session cookie: 256 random bits, no meaning inside. A new one is drawn at every sign-in
/// (OWASP ASVS 7.2.4): keeping an old one would let whoever planted it share the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionId(SecretBytes);

impl SessionId {
    /// Draws a new id.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(SecretBytes::generate(entropy))
    }

    /// Reads a cookie value; `None` for anything that [`SessionId::to_text`] would not have written.
    pub fn parse(text: impl AsRef<[u8]>) -> Option<Self> {
        SecretBytes::parse(text).map(Self)
    }

    /// The cookie value.
    pub fn to_text(&self) -> crate::secret::SecretString {
        self.0.to_text()
    }

    /// Where the record lies: SHA-256 of the id. Store and cache know a session by this name only.
    pub fn store_key(&self) -> StoreKey {
        StoreKey(sha256(self.0.expose()))
    }

    /// The secret that the record's sealing key is derived from.
    pub fn secret(&self) -> &SecretBytes {
        &self.0
    }
}

/// Name of a record in a store: a hash, so that a dump of the store holds no usable id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreKey(pub [u8; 32]);

impl StoreKey {
    /// What [`StoreKey::to_hex`] wrote; `None` for anything else.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let digit = |byte: &u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut key = [0; 32];
        let (pairs, rest) = text.as_chunks::<2>();
        if pairs.len() != key.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in key.iter_mut().zip(pairs) {
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Some(Self(key))
    }

    /// Lower-case hexadecimal, 64 characters: for keys in Redis.
    pub fn to_hex(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut out = String::with_capacity(64);
        for byte in self.0 {
            out.push(DIGITS[usize::from(byte >> 4)] as char);
            out.push(DIGITS[usize::from(byte & 15)] as char);
        }
        out
    }
}

/// How long sessions and sign-in attempts live. All enforced by us, with the gateway's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetimes {
    /// A session unused for this long is over. Default 30 minutes.
    pub idle: Duration,
    /// A session older than this is over, used or not. Default 12 hours.
    pub absolute: Duration,
    /// A sign-in that is not finished within this time is over. Default 30 minutes, as long as providers' login pages live.
    pub attempt: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30 * 60),
            absolute: Duration::from_secs(12 * 60 * 60),
            attempt: Duration::from_secs(30 * 60),
        }
    }
}

/// A person who is signed in. Times are kept as records have them, in milliseconds: half the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    identity: Identity,
    created: Timestamp,
    last_seen: Timestamp,
    parent: Option<Box<StoreKey>>,
    host: Box<str>,
    ends_with_browser: bool,
    standing: Option<Box<Standing>>,
    /// When the provider last said who they are.
    checked: Timestamp,
}

impl Session {
    /// Opens a session for `identity` at `now`.
    pub fn open(identity: Identity, now: SystemTime) -> Self {
        Self {
            identity,
            created: Timestamp::of(now),
            last_seen: Timestamp::of(now),
            parent: None,
            host: Box::default(),
            ends_with_browser: false,
            standing: None,
            checked: Timestamp::of(now),
        }
    }

    /// Bytes that it takes in memory, itself and all that it owns.
    pub fn bytes(&self) -> usize {
        let parent = self.parent.as_ref().map_or(0, |_| size_of::<StoreKey>());
        let standing = self.standing.as_ref().map_or(0, |standing| standing.bytes());
        size_of::<Self>() + self.identity.bytes() + self.host.len() + parent + standing
    }

    /// Restores a session from the parts a store kept; only `seal.rs` calls it.
    pub(crate) fn restore(
        parts: IdentityParts,
        created: SystemTime,
        last_seen: SystemTime,
        parent: Option<StoreKey>,
    ) -> Self {
        let (created, last_seen) = (Timestamp::of(created), Timestamp::of(last_seen));
        let parent = parent.map(Box::new);
        let identity = Identity::restore(parts);
        let host = Box::default();
        Self { identity, created, last_seen, parent, host, ends_with_browser: false, standing: None, checked: created }
    }

    /// When the sign-in ended well.
    pub fn created(&self) -> SystemTime {
        self.created.to_system_time().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// When the session was last used, as far as the store knows (written at most once per touch interval).
    pub fn last_seen(&self) -> SystemTime {
        self.last_seen.to_system_time().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// It was used at `now`.
    pub fn seen(&mut self, now: SystemTime) {
        self.last_seen = Timestamp::of(now);
    }

    /// The session on another of our hosts that this one was handed over from; signing out here ends both.
    pub fn parent(&self) -> Option<StoreKey> {
        self.parent.as_deref().copied()
    }

    /// This one was handed over from `parent`.
    pub fn handed_over_from(&mut self, parent: StoreKey) {
        self.parent = Some(Box::new(parent));
    }

    /// It was opened for `host`.
    pub fn opened_on(&mut self, host: &str) {
        self.host = host.into();
    }

    /// The host that it was opened for; elsewhere it is nothing. Otherwise whoever holds the cookie of one host could
    /// carry it to another, where it was never given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// When the provider last said who the person is: at their sign-in, or when it was asked again.
    pub fn checked(&self) -> SystemTime {
        self.checked.to_system_time().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The provider said at `now` who they are.
    pub fn confirmed(&mut self, identity: Identity, now: SystemTime) {
        self.identity = identity;
        self.checked = Timestamp::of(now);
    }

    /// As [`Session::confirmed`], of the person it knows.
    pub(crate) fn checked_at(&mut self, at: SystemTime) {
        self.checked = Timestamp::of(at);
    }

    /// How long it may live from `now` on, if it is used.
    pub fn left(&self, now: SystemTime, lifetimes: &Lifetimes) -> Duration {
        lifetimes.absolute.saturating_sub(Timestamp::of(now).since(self.created))
    }

    /// The person said that the device is not theirs: their cookie goes with the browser's window, whatever is configured.
    pub fn end_with_browser(&mut self) {
        self.ends_with_browser = true;
    }

    /// See [`Session::end_with_browser`].
    pub fn ends_with_browser(&self) -> bool {
        self.ends_with_browser
    }

    /// What is known of the person beside what their issuer says, as it was found out when they signed in.
    pub fn standing(&self) -> Option<&Standing> {
        self.standing.as_deref()
    }

    /// What the carrier said of the person's SIM when they signed in, if it was asked.
    pub fn sim(&self) -> Option<SimAnswer> {
        self.standing.as_ref().and_then(|standing| standing.sim)
    }

    /// See [`Session::standing`].
    pub fn stands(&mut self, standing: Standing) {
        self.standing = Some(Box::new(standing));
    }

    /// Takes the very same identity from where it shares memory with others; another one is not taken.
    pub fn share(&mut self, same: Identity) {
        if same == self.identity {
            self.identity = same;
        }
    }

    /// Whose session it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the session may still be used at `now`, given when it was last used (`last_used` may be newer than
    /// `last_seen`, because uses are written to the store only now and then).
    ///
    /// Ages are compared, never sums: no clock and no configured length can overflow. A clock that was set back makes
    /// an age zero, so nobody is signed out by it.
    pub fn is_live(&self, now: impl Into<Timestamp>, last_used: impl Into<Timestamp>, lifetimes: &Lifetimes) -> bool {
        let (now, last_used) = (now.into(), last_used.into().max(self.last_seen));
        now.since(self.created) < lifetimes.absolute && now.since(last_used) < lifetimes.idle
    }

    /// How long a browser may keep the cookie if it is sent at `now`: the idle time, or until the session's absolute end,
    /// whichever is earlier. A cookie that outlived its session would be brought for nothing; who may use it, the store
    /// decides, whatever a browser keeps.
    pub fn cookie_for(&self, now: SystemTime, lifetimes: &Lifetimes) -> Duration {
        lifetimes.absolute.saturating_sub(Timestamp::of(now).since(self.created)).min(lifetimes.idle)
    }

    /// How long a store must keep the record if it is written at `now`: until the session's absolute end, or the idle
    /// time and a quarter of it, whichever is earlier. Zero means that the session is over.
    ///
    /// The quarter, because uses are written to the store only now and then ([`cached::CachePolicy::touch`]): without it a
    /// session in use would end early. It is not a longer life: [`Session::is_live`] decides that.
    pub fn keep_for(&self, now: SystemTime, lifetimes: &Lifetimes) -> Duration {
        let unused = lifetimes.idle.saturating_add(lifetimes.idle / 4);
        lifetimes.absolute.saturating_sub(Timestamp::of(now).since(self.created)).min(unused)
    }
}

#[cfg(test)]
pub(crate) mod samples {
    //! People and times for this room's tests.
    use super::*;

    /// A fixed moment, in whole milliseconds as records keep it.
    pub(crate) fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_123)
    }

    /// A session of `subject`, opened at `now`.
    pub(crate) fn session_of(subject: &str, now: SystemTime) -> Session {
        let parts = IdentityParts {
            issuer: "https://carrier.example".into(),
            subject: subject.into(),
            mccmnc: Some("310007".into()),
            acr: Some("a3".into()),
            assurance: None,
            amr: vec!["pin".into()],
            auth_time: Some(1_789_999_000),
            claims: [
                ("email".to_owned(), crate::identity::ClaimValue::Text("åsa@example.com".into())),
                ("email_verified".to_owned(), crate::identity::ClaimValue::Bool(true)),
                ("groups".to_owned(), crate::identity::ClaimValue::List(vec!["a".into(), "b".into()])),
                ("level".to_owned(), crate::identity::ClaimValue::Integer(-7)),
            ]
            .into(),
            accept_unverified: false,
            absent_is_verified: false,
        };
        Session::open(Identity::restore(parts), now)
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{noon, session_of};
    use super::*;
    use crate::secret::SystemEntropy;

    const MINUTE: Duration = Duration::from_secs(60);

    // F02: the id of a new session never depends on one that a browser already holds.
    #[test]
    fn every_sign_in_draws_a_new_id() {
        let ids: std::collections::HashSet<_> =
            (0..1000).map(|_| SessionId::generate(&SystemEntropy).store_key()).collect();
        assert_eq!(ids.len(), 1000);
    }

    // F11: what names a record is a hash of the id, in a form that is not the cookie's.
    #[test]
    fn the_store_key_does_not_hold_the_id() {
        let id = SessionId::generate(&SystemEntropy);
        assert_eq!(id.store_key().0, sha256(id.secret().expose()));
        assert_ne!(&id.store_key().0, id.secret().expose());
        assert_eq!(id.store_key().to_hex().len(), 64);
        assert_eq!(SessionId::parse(id.to_text().expose()), Some(id));
    }

    // F05
    #[test]
    fn a_session_unused_for_the_idle_time_is_over_and_its_twin_is_live() {
        let session = session_of("s", noon());
        let lifetimes = Lifetimes::default();
        let used = noon() + 10 * MINUTE;
        let over = used + lifetimes.idle;
        assert!(!session.is_live(over, used, &lifetimes));
        assert!(session.is_live(over - Duration::from_millis(1), used, &lifetimes));
    }

    // F05
    #[test]
    fn use_does_not_carry_a_session_over_its_absolute_end() {
        let session = session_of("s", noon());
        let lifetimes = Lifetimes::default();
        let end = noon() + lifetimes.absolute;
        assert!(!session.is_live(end, end, &lifetimes));
        assert!(session.is_live(end - Duration::from_millis(1), end, &lifetimes));
        assert_eq!(session.keep_for(end, &lifetimes), Duration::ZERO);
        assert_eq!(session.keep_for(end - MINUTE, &lifetimes), MINUTE);
        assert_eq!(session.keep_for(noon(), &lifetimes), lifetimes.idle + lifetimes.idle / 4);
    }

    // F05: configured lengths and clocks of any size compare without overflow.
    #[test]
    fn no_clock_and_no_length_overflows() {
        let long = Lifetimes { idle: Duration::MAX, absolute: Duration::MAX, attempt: Duration::MAX };
        let session = session_of("s", noon());
        assert!(session.is_live(noon() + 9_999 * MINUTE, noon(), &long));
        assert_eq!(session.keep_for(noon(), &long), Duration::MAX);
        assert!(session.is_live(SystemTime::UNIX_EPOCH, noon(), &Lifetimes::default()), "a clock set back");
        assert_eq!(Timestamp::of(SystemTime::UNIX_EPOCH - MINUTE).as_millis(), 0);
    }
}
