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
    /// Makes a state under `key`, which a browser's secret and a key of ours give. `again`: see [`State::is_again`].
    pub(crate) fn mint(key: &SecretBytes, again: bool, entropy: &dyn Entropy) -> Self {
        let mut state = [0; 32];
        let (random, mac) = state.split_at_mut(16);
        entropy.fill(random);
        if let Some(first) = random.first_mut() {
            *first = *first & !1 | u8::from(again);
        }
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

    /// Whether its sign-in was begun for the person because an earlier answer could not be used. The first bit of a state
    /// says so, which everybody can read and set: it only keeps a browser that brings no cookie of ours from going round in
    /// circles.
    pub(crate) fn is_again(&self) -> bool {
        self.0.first().is_some_and(|first| first & 1 == 1)
    }

    /// Where the attempt lies in the store.
    pub(crate) fn store_key(&self) -> StoreKey {
        StoreKey(sha256(&[b"zengate attempt v1 ", self.0.as_slice()].concat()))
    }

    /// The secret the attempt is sealed with: only whoever holds both the cookie and the state has it.
    pub(crate) fn seal_secret(&self, secret: &SecretBytes) -> SecretBytes {
        SecretBytes::new(hmac_sha256(secret.expose(), &[b"zengate attempt seal v1 ", self.0.as_slice()].concat()))
    }

    fn mac(key: &SecretBytes, random: &[u8]) -> [u8; 32] {
        hmac_sha256(key.expose(), &[STATE_CONTEXT, random].concat())
    }
}

/// What a sign-in cookie is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Sign-ins that are under way, and the next one.
    Open,
    /// A sign-in with it ended well. It still tells its states from those of others, so that a late answer finds its page;
    /// the next sign-in gets a secret of its own.
    Settled,
}

/// One sign-in cookie of a browser.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    name: String,
    secret: SecretBytes,
    begun: u64,
    stage: Stage,
}

impl Binding {
    /// The browser's secret.
    pub(crate) fn secret(&self) -> &SecretBytes {
        &self.secret
    }

    /// A new state for this browser. `again`: see [`State::is_again`].
    pub(crate) fn mint(&self, again: bool, sealer: &Sealer, entropy: &dyn Entropy) -> State {
        // There always is a first key.
        let key = self.state_keys(sealer).next().unwrap_or_else(|| self.secret.clone());
        State::mint(&key, again, entropy)
    }

    fn state_keys<'a>(&'a self, sealer: &'a Sealer) -> impl Iterator<Item = SecretBytes> + 'a {
        sealer.keys_for("state", self.secret.expose())
    }

    /// The cookie that carries this binding for `keep`.
    pub(crate) fn set_cookie(&self, keep: Duration) -> HeaderValue {
        let flag = match self.stage {
            Stage::Open => '1',
            Stage::Settled => 's',
        };
        let value = format!("{flag}{:x}.{}", self.begun, self.secret.to_text().expose());
        set_cookie(&self.name, &value, Some(keep))
    }

    /// The same after a sign-in that ended well.
    pub(crate) fn settled(&self) -> Self {
        Self { stage: Stage::Settled, ..self.clone() }
    }

    /// Takes the cookie away.
    pub(crate) fn clear(&self) -> HeaderValue {
        clear_cookie(&self.name)
    }

    fn parse(name: &str, value: &str) -> Option<Self> {
        let (head, secret) = value.split_once('.')?;
        let stage = match head.chars().next()? {
            '1' => Stage::Open,
            's' => Stage::Settled,
            _ => return None,
        };
        let begun = u64::from_str_radix(head.get(1..)?, 16).ok()?;
        Some(Self { name: name.to_owned(), secret: SecretBytes::parse(secret)?, begun, stage })
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

    /// Takes away what sign-ins left that are longer ago than they may take (`old`), but for `kept`: one is enough for late
    /// answers. A younger one may still have an unfinished tab.
    pub(crate) fn clear_settled(
        &self,
        kept: &Binding,
        old: Duration,
        now: SystemTime,
    ) -> impl Iterator<Item = HeaderValue> {
        let now = Timestamp::of(now);
        let is_old = move |begun| now.since(Timestamp::from_secs(begun)) >= old;
        let earlier = move |binding: &&Binding| {
            binding.stage == Stage::Settled && binding.name != kept.name && is_old(binding.begun)
        };
        self.0.iter().filter(earlier).map(Binding::clear)
    }

    /// The binding `state` was made for, by a gateway with a key of ours.
    pub(crate) fn for_state(&self, state: &State, sealer: &Sealer) -> Option<&Binding> {
        let ours = |binding: &&Binding| binding.state_keys(sealer).any(|key| state.belongs_to(&key));
        self.0.iter().find(ours)
    }

    /// The binding a new sign-in uses, and the cookies that must go for it: the newest one again, if no sign-in has ended
    /// well with it, or a new one.
    pub(crate) fn begin(
        &self,
        names: &CookieNames,
        now: SystemTime,
        entropy: &dyn Entropy,
    ) -> (Binding, Vec<HeaderValue>) {
        let begun = Timestamp::of(now).as_secs();
        let binding = match self.0.iter().find(|binding| binding.stage == Stage::Open) {
            Some(newest) => Binding { begun, ..newest.clone() },
            None => Binding {
                name: format!("{}{}", names.attempt_prefix, random_text::<6>(entropy)),
                secret: SecretBytes::generate(entropy),
                begun,
                stage: Stage::Open,
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
        let state = State::mint(&ours, false, &SystemEntropy);
        let read = State::parse(&state.text()).unwrap();
        assert!(read.belongs_to(&ours)); // B04's twin
        assert!(!read.belongs_to(&theirs)); // B04, B05
    }

    #[test]
    fn states_do_not_repeat() {
        // B01
        let secret = SecretBytes::generate(&SystemEntropy);
        let mut seen = std::collections::HashSet::new();
        assert!((0..100_000).all(|_| seen.insert(State::mint(&secret, false, &SystemEntropy).text())));
    }

    #[test]
    fn sign_ins_one_after_the_other_share_one_cookie() {
        // B15
        let names = CookieNames::default();
        let mut now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let (mut binding, _) = Bindings::default().begin(&names, now, &SystemEntropy);
        let first = binding.clone();
        for _ in 0..200 {
            now += Duration::from_secs(1);
            let (next, surplus) = Bindings::of(&jar(&[&binding]), &names).begin(&names, now, &SystemEntropy);
            assert!(surplus.is_empty());
            binding = next;
        }
        assert_eq!(binding.name, first.name);
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

    // XS07: a late answer is told from somebody else's after the sign-in ended well, too.
    #[test]
    fn a_binding_that_a_sign_in_ended_well_with_knows_its_states_and_begins_no_other() {
        let (names, sealer) = (CookieNames::default(), Sealer::new(crate::session::seal::SealKeys::default()));
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let (binding, _) = Bindings::default().begin(&names, at(100), &SystemEntropy);
        let state = binding.mint(false, &sealer, &SystemEntropy);
        let settled = Bindings::of(&jar(&[&binding.settled()]), &names);
        assert!(settled.for_state(&state, &sealer).is_some());
        let (next, _) = settled.begin(&names, at(200), &SystemEntropy);
        assert_ne!((&next.name, next.secret.expose()), (&binding.name, binding.secret.expose()));
        // The twin: one that is open is used again.
        let open = Bindings::of(&jar(&[&binding]), &names);
        assert_eq!(open.begin(&names, at(200), &SystemEntropy).0.name, binding.name);
        // Of those that are settled one is kept.
        let both = Bindings::of(&jar(&[&binding.settled(), &next.settled()]), &names);
        let cleared = |all: &Bindings, second| all.clear_settled(&next, Duration::from_secs(100), at(second)).count();
        assert_eq!((cleared(&both, 199), cleared(&both, 200), cleared(&open, 500)), (0, 1, 0));
    }

    #[test]
    fn a_state_says_whether_its_sign_in_was_begun_for_the_person() {
        let key = SecretBytes::generate(&SystemEntropy);
        for again in [false, true] {
            for _ in 0..100 {
                let state = State::mint(&key, again, &SystemEntropy);
                assert_eq!(State::parse(&state.text()).unwrap().is_again(), again);
                assert!(state.belongs_to(&key));
            }
        }
    }
}
