//! What ties a sign-in to the browser that began it: a secret in a cookie, and states that only its holder could have
//! been given.
//!
//! A state is 16 random bytes and 16 bytes of HMAC under a key that takes both the browser's secret and a key of ours.
//! Whether a callback belongs to this browser, and was ever begun by us, is therefore known without asking the store:
//! a pair of cookie and state that somebody made up costs no look-up.
//!
//! One browser keeps one secret for its sign-ins in a row, so tabs do not take each other's cookie away. Tabs started
//! concurrently get one binding cookie each; the next start deletes all but the newest few.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};

use crate::ground::time::Timestamp;
use crate::secret::{Entropy, SecretBytes, constant_time_eq, hmac_sha256, random_text, sha256};
use crate::session::StoreKey;
use crate::session::seal::Sealer;
use crate::web::cookie::{CookieNames, clear_cookie, cookies_with_prefix, set_cookie};

/// Most sign-in cookies a browser keeps; the oldest go first.
pub const MAX_LIVE: usize = 5;

/// Most that it keeps of those that began together: below 1 KiB in all.
const MAX_TOGETHER: usize = 12;

/// Sign-ins that began within so many seconds began together: tabs that a browser opened, or restored, at once.
const TOGETHER: u64 = 30;

const STATE_CONTEXT: &[u8] = b"zengate state v1";

/// The state of one leg of one sign-in: 256 bits, 43 characters.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct State([u8; 32]);

impl State {
    /// Makes a state under `key`, which a browser's secret and a key of ours give.
    pub(crate) fn mint(key: &SecretBytes, entropy: &dyn Entropy) -> Self {
        let mut state = [0; 32];
        let (random, mac) = state.split_at_mut(16);
        entropy.fill(random);
        mac.copy_from_slice(&Self::mac(key, random)[..16]);
        Self(state)
    }

    /// Reads what [`State::text`] writes; anything else is `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        SecretBytes::parse(text).map(|bytes| Self(*bytes.expose()))
    }

    /// The form that travels.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Whether this state was made under `key`.
    ///
    /// RFC 9700, 4.7. If it did not matter, whoever lures a victim to a callback address with their own code would
    /// sign the victim in as themselves.
    pub(crate) fn belongs_to(&self, key: &SecretBytes) -> bool {
        let (random, mac) = self.0.split_at(16);
        constant_time_eq(&Self::mac(key, random)[..16], mac)
    }

    /// Where the attempt lies in the store.
    pub(crate) fn store_key(&self) -> StoreKey {
        StoreKey(sha256(&[b"zengate attempt v1 ", self.0.as_slice()].concat()))
    }

    /// The secret the attempt is sealed with: only whoever holds both the cookie and the state has it.
    pub(crate) fn seal_secret(&self, secret: &SecretBytes) -> SecretBytes {
        SecretBytes::new(hmac_sha256(secret.expose(), &[b"zengate attempt seal v1 ", self.0.as_slice()].concat()))
    }

    /// The secret the return note is sealed with: whoever holds the state has it, the store does not.
    pub(crate) fn note_secret(&self) -> SecretBytes {
        SecretBytes::new(sha256(&[b"zengate return note v1 ", self.0.as_slice()].concat()))
    }

    fn mac(key: &SecretBytes, random: &[u8]) -> [u8; 32] {
        hmac_sha256(key.expose(), &[STATE_CONTEXT, random].concat())
    }
}

/// One sign-in cookie of a browser.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    name: String,
    secret: SecretBytes,
    begun: u64,
    shared: bool,
}

impl Binding {
    /// The browser's secret.
    pub(crate) fn secret(&self) -> &SecretBytes {
        &self.secret
    }

    /// A new state for this browser.
    pub(crate) fn mint(&self, sealer: &Sealer, entropy: &dyn Entropy) -> State {
        // There always is a first key.
        let key = self.state_keys(sealer).next().unwrap_or_else(|| self.secret.clone());
        State::mint(&key, entropy)
    }

    fn state_keys<'a>(&'a self, sealer: &'a Sealer) -> impl Iterator<Item = SecretBytes> + 'a {
        sealer.keys_for("state", self.secret.expose())
    }

    /// The cookie that carries this binding for `keep`.
    pub(crate) fn set_cookie(&self, keep: Duration) -> HeaderValue {
        let flag = if self.shared { 'n' } else { '1' };
        let value = format!("{flag}{:x}.{}", self.begun, self.secret.to_text().expose());
        set_cookie(&self.name, &value, Some(keep))
    }

    /// Takes the cookie away once its sign-in is over; `None` while other tabs may still need it.
    pub(crate) fn clear_when_alone(&self) -> Option<HeaderValue> {
        (!self.shared).then(|| clear_cookie(&self.name))
    }

    /// Takes the cookie away after a sign-in that ended well; `None` also for one that began only now. A cookie younger
    /// than [`TOGETHER`] is kept: another tab's sign-in may have just been given the same binding. In a browser that is
    /// signed in the cookie opens nothing, and it ends by itself.
    pub(crate) fn clear_when_settled(&self, now: SystemTime) -> Option<HeaderValue> {
        (Timestamp::of(now).as_secs().saturating_sub(self.begun) >= TOGETHER).then(|| self.clear_when_alone()).flatten()
    }

    /// Takes the cookie away.
    pub(crate) fn clear(&self) -> HeaderValue {
        clear_cookie(&self.name)
    }

    fn parse(name: &str, value: &str) -> Option<Self> {
        let (head, secret) = value.split_once('.')?;
        let shared = match head.chars().next()? {
            '1' => false,
            'n' => true,
            _ => return None,
        };
        let begun = u64::from_str_radix(head.get(1..)?, 16).ok()?;
        Some(Self { name: name.to_owned(), secret: SecretBytes::parse(secret)?, begun, shared })
    }
}

/// The sign-in cookies a browser sent, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bindings(Vec<Binding>);

impl Bindings {
    /// Reads them; what does not have our form is ignored.
    pub(crate) fn of(headers: &HeaderMap, names: &CookieNames) -> Self {
        let mut all: Vec<_> = cookies_with_prefix(headers, &names.attempt_prefix)
            .filter_map(|(name, value)| Binding::parse(name, value))
            .collect();
        all.sort_by(|a, b| b.begun.cmp(&a.begun).then_with(|| a.name.cmp(&b.name)));
        Self(all)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The binding `state` was made for, by a gateway with a key of ours.
    pub(crate) fn for_state(&self, state: &State, sealer: &Sealer) -> Option<&Binding> {
        let ours = |binding: &&Binding| binding.state_keys(sealer).any(|key| state.belongs_to(&key));
        self.0.iter().find(ours)
    }

    /// The binding a new sign-in uses, and the cookies that must go for it: the newest one again, or a new one.
    pub(crate) fn begin(
        &self,
        names: &CookieNames,
        now: SystemTime,
        entropy: &dyn Entropy,
    ) -> (Binding, Vec<HeaderValue>) {
        let begun = Timestamp::of(now).as_secs();
        let binding = match self.0.first() {
            Some(newest) => Binding { begun, shared: true, ..newest.clone() },
            None => Binding {
                name: format!("{}{}", names.attempt_prefix, random_text::<6>(entropy)),
                secret: SecretBytes::generate(entropy),
                begun,
                shared: false,
            },
        };
        let old = |binding: &Binding| begun.saturating_sub(binding.begun) >= TOGETHER;
        let surplus = self.0.iter().enumerate().skip(MAX_LIVE);
        let surplus = surplus.filter(|(place, binding)| *place >= MAX_TOGETHER || old(binding));
        let surplus = surplus.map(|(_, binding)| binding.clear()).collect();
        (binding, surplus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemEntropy;

    fn jar(bindings: &[&Binding]) -> HeaderMap {
        let pairs: Vec<_> = bindings
            .iter()
            .map(|b| b.set_cookie(Duration::from_secs(600)).to_str().unwrap().split(';').next().unwrap().to_owned())
            .collect();
        let mut headers = HeaderMap::new();
        headers.insert(http::header::COOKIE, pairs.join("; ").parse().unwrap());
        headers
    }

    #[test]
    fn a_state_belongs_to_the_browser_it_was_made_for_and_to_no_other() {
        let (ours, theirs) = (SecretBytes::generate(&SystemEntropy), SecretBytes::generate(&SystemEntropy));
        let state = State::mint(&ours, &SystemEntropy);
        let read = State::parse(&state.text()).unwrap();
        assert!(read.belongs_to(&ours)); // B04's twin
        assert!(!read.belongs_to(&theirs)); // B04, B05
    }

    #[test]
    fn states_do_not_repeat() {
        // B01
        let secret = SecretBytes::generate(&SystemEntropy);
        let mut seen = std::collections::HashSet::new();
        assert!((0..100_000).all(|_| seen.insert(State::mint(&secret, &SystemEntropy).text())));
    }

    #[test]
    fn sign_ins_one_after_the_other_share_one_cookie() {
        // B15
        let names = CookieNames::default();
        let mut now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let (mut binding, _) = Bindings::default().begin(&names, now, &SystemEntropy);
        let first = binding.clone();
        assert!(first.clear_when_alone().is_some());
        for _ in 0..200 {
            now += Duration::from_secs(1);
            let (next, surplus) = Bindings::of(&jar(&[&binding]), &names).begin(&names, now, &SystemEntropy);
            assert!(surplus.is_empty());
            binding = next;
        }
        assert_eq!(binding.name, first.name);
        assert!(binding.clear_when_alone().is_none(), "another tab may still need it");
    }

    #[test]
    fn of_cookies_that_came_at_once_only_the_newest_few_survive_the_next_start() {
        // B15
        let names = CookieNames::default();
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let many: Vec<_> = (0..10).map(|n| Bindings::default().begin(&names, at(100 + n), &SystemEntropy).0).collect();
        let sent = Bindings::of(&jar(&many.iter().collect::<Vec<_>>()), &names);
        let (binding, surplus) = sent.begin(&names, at(200), &SystemEntropy);
        assert_eq!(binding.name, many[9].name);
        assert_eq!(surplus.len(), 5);
        assert!(surplus.iter().all(|cookie| cookie.to_str().unwrap().contains("Max-Age=0")));
    }

    #[test]
    fn tabs_opened_together_do_not_push_each_other_out() {
        // B15
        let names = CookieNames::default();
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let many: Vec<_> = (0..15).map(|_| Bindings::default().begin(&names, at(100), &SystemEntropy).0).collect();
        let sent = |count: usize| Bindings::of(&jar(&many[..count].iter().collect::<Vec<_>>()), &names);
        assert!(sent(10).begin(&names, at(101), &SystemEntropy).1.is_empty());
        assert_eq!(
            sent(15).begin(&names, at(101), &SystemEntropy).1.len(),
            3,
            "however many there are, they stay small"
        );
        assert_eq!(sent(10).begin(&names, at(130), &SystemEntropy).1.len(), 5);
    }

    #[test]
    fn the_cookie_of_a_sign_in_that_took_its_time_goes_with_it() {
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let (alone, _) = Bindings::default().begin(&CookieNames::default(), at(100), &SystemEntropy);
        assert!(alone.clear_when_settled(at(129)).is_none(), "another tab may have begun at the same moment");
        assert!(alone.clear_when_settled(at(130)).is_some());
        assert!(alone.clear_when_alone().is_some(), "a refusal takes it away in any case");
    }
}
