//! Sign-ins that have only begun, in the browser that began them.
//!
//! Until a browser has brought a cookie of ours back, nothing is stored for its sign-in: what must be remembered lies
//! sealed in a cookie. Otherwise whoever begins sign-ins without end would fill a store of ours, and shut out everybody
//! else.
//!
//! Each new start comes in a cookie of its own, so that tabs which begin at the same moment do not overwrite each
//! other's. When there are several such cookies, or they become large, the next start takes them over into one and clears
//! them; the oldest starts are left behind.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};

use super::binding::State;
use crate::ground::time::Timestamp;
use crate::secret::{Entropy, random_text, sha256};
use crate::web::cookie::{CookieNames, clear_cookie, cookies_with_prefix, set_cookie};

/// So many cookies with starts, and the next start takes them over into one.
const MAX_COOKIES: usize = 3;

/// Most starts that a browser keeps.
const MAX_STARTS: usize = 12;

/// Most bytes of all of them, the newest aside: `Cookie` stays below 4 KiB, which proxies in front of us may cut at.
const MAX_BYTES: usize = 3_300;

/// Longest value of one cookie: browsers drop one of more than 4,096 bytes, name and attributes included. A start with a
/// very long return address comes in two.
const PIECE: usize = 3_900;

/// What the name of a second piece ends with.
const SECOND: &str = "-2";

/// What a value begins with: no binding does.
const FORM: &str = "s.";

/// What a second piece begins with.
const MORE: &str = "m.";

/// One start: when it began, by the browser's own word, which state it belongs to, and the sealed text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    begun: u64,
    id: String,
    sealed: String,
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let (begun, rest) = text.split_once('.')?;
        let (id, sealed) = rest.split_once('.')?;
        let begun = u64::from_str_radix(begun, 16).ok()?;
        Some(Self { begun, id: id.to_owned(), sealed: sealed.to_owned() })
    }

    fn text(&self) -> String {
        format!("{:x}.{}.{}", self.begun, self.id, self.sealed)
    }
}

/// One cookie, in one piece or two.
#[derive(Debug)]
struct StartCookie {
    name: String,
    pieces: usize,
    entries: Vec<Entry>,
}

impl StartCookie {
    fn clear(&self) -> impl Iterator<Item = HeaderValue> {
        let second = (self.pieces > 1).then(|| clear_cookie(&format!("{}{SECOND}", self.name)));
        std::iter::once(clear_cookie(&self.name)).chain(second)
    }
}

/// The starts that a browser brought.
#[derive(Debug, Default)]
pub(crate) struct StartCookies(Vec<StartCookie>);

impl StartCookies {
    /// Reads them; what does not have our form is ignored.
    pub(crate) fn of(headers: &HeaderMap, names: &CookieNames) -> Self {
        let sent: Vec<_> = cookies_with_prefix(headers, &names.attempt_prefix).collect();
        let second = |name: &str| {
            let more = sent.iter().find(|(other, _)| other.strip_suffix(SECOND) == Some(name));
            more.and_then(|(_, value)| value.strip_prefix(MORE))
        };
        let cookies = sent.iter().filter_map(|(name, value)| {
            let (first, more) = (value.strip_prefix(FORM)?, second(name));
            let whole = [first, more.unwrap_or_default()].concat();
            let entries = whole.split('~').take(MAX_STARTS).map(Entry::parse).collect::<Option<Vec<_>>>()?;
            Some(StartCookie { name: (*name).to_owned(), pieces: 1 + usize::from(more.is_some()), entries })
        });
        Self(cookies.collect())
    }

    /// The sealed start of `state`. `None` also if there are two that differ: somebody planted one of them.
    pub(crate) fn sealed(&self, state: &State) -> Option<Vec<u8>> {
        let id = id_of(state);
        let mut found = self.entries().filter(|entry| entry.id == id);
        let first = found.next()?;
        if found.any(|other| other.sealed != first.sealed) {
            return None;
        }
        URL_SAFE_NO_PAD.decode(&first.sealed).ok()
    }

    /// The cookies that a new start owes: its own, and those it takes over. `room` is how many may stand beside each other
    /// if that is more than usual. `None` if the start is too long for cookies.
    #[expect(clippy::too_many_arguments, reason = "what a cookie is made of, each of another kind")]
    pub(crate) fn add(
        &self,
        state: &State,
        sealed: &[u8],
        names: &CookieNames,
        keep: Duration,
        room: usize,
        now: SystemTime,
        entropy: &dyn Entropy,
    ) -> Option<Vec<HeaderValue>> {
        let begun = Timestamp::of(now).as_secs();
        let newest = Entry { begun, id: id_of(state), sealed: URL_SAFE_NO_PAD.encode(sealed) };
        let value = format!("{FORM}{}", newest.text());
        if value.len() > 2 * PIECE {
            return None;
        }
        let name = format!("{}{}", names.attempt_prefix, random_text::<6>(entropy));
        let mut cookies = written(&name, &value, keep);
        let mut others: Vec<_> = self.entries().collect();
        others.sort_by(|a, b| b.begun.cmp(&a.begun).then_with(|| a.id.cmp(&b.id)));
        others.dedup_by(|a, b| a.id == b.id);
        let bytes: usize = others.iter().map(|entry| entry.text().len() + 1).sum();
        let crowded =
            self.0.len() >= MAX_COOKIES.max(room) || others.len() >= MAX_STARTS || value.len() + bytes > MAX_BYTES;
        if !crowded {
            return Some(cookies);
        }
        let mut taken_over = String::new();
        let now = Timestamp::from_secs(begun);
        let live = |entry: &&&Entry| now.since(Timestamp::from_secs(entry.begun)) < keep;
        for entry in others.iter().filter(live).take(MAX_STARTS - 1) {
            let text = entry.text();
            if value.len() + taken_over.len() + 1 + text.len() > MAX_BYTES {
                break;
            }
            taken_over.push_str(if taken_over.is_empty() { FORM } else { "~" });
            taken_over.push_str(&text);
        }
        cookies.extend(self.0.iter().flat_map(StartCookie::clear));
        if !taken_over.is_empty() {
            cookies.push(set_cookie(&self.name_of_all(names), &taken_over, Some(keep)));
        }
        Some(cookies)
    }

    /// The cookie that takes over what these hold. Tabs that begin at once and were shown the same name it the same, and
    /// do not write it several times.
    fn name_of_all(&self, names: &CookieNames) -> String {
        let mut all: Vec<_> = self.0.iter().map(|cookie| cookie.name.as_str()).collect();
        all.sort_unstable();
        let [a, b, c, d, e, f, ..] = sha256(all.join(" ").as_bytes());
        format!("{}{}", names.attempt_prefix, URL_SAFE_NO_PAD.encode([a, b, c, d, e, f]))
    }

    /// Takes the start of `state` away if it has a cookie to itself. Where it shares one it is left: it is used up, and
    /// writing the others anew could undo what another tab was just told to use.
    pub(crate) fn clear(&self, state: &State) -> impl Iterator<Item = HeaderValue> {
        let id = id_of(state);
        let own = self.0.iter().filter(move |cookie| cookie.entries.iter().all(|entry| entry.id == id));
        own.flat_map(StartCookie::clear)
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().flat_map(|cookie| &cookie.entries)
    }
}

/// The cookie with `value`, in as many pieces as it takes.
fn written(name: &str, value: &str, keep: Duration) -> Vec<HeaderValue> {
    let (first, more) = value.split_at_checked(PIECE).unwrap_or((value, ""));
    let mut cookies = vec![set_cookie(name, first, Some(keep))];
    if !more.is_empty() {
        cookies.push(set_cookie(&format!("{name}{SECOND}"), &format!("{MORE}{more}"), Some(keep)));
    }
    cookies
}

/// Finds an entry among others; says nothing about the state.
fn id_of(state: &State) -> String {
    let [a, b, c, d, e, f, ..] = sha256(&[b"zengate start v1 ", state.text().as_bytes()].concat());
    URL_SAFE_NO_PAD.encode([a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{SecretBytes, SystemEntropy};

    const KEEP: Duration = Duration::from_secs(1200);

    fn state() -> State {
        State::mint(&SecretBytes::generate(&SystemEntropy), false, &SystemEntropy)
    }

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + second)
    }

    /// A browser's jar.
    #[derive(Default)]
    struct Jar(Vec<(String, String)>);

    impl Jar {
        fn keep(&mut self, cookies: Vec<HeaderValue>) {
            for cookie in cookies {
                let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
                assert!(cookie.len() <= 4096);
                let (name, value) = pair.split_once('=').unwrap();
                self.0.retain(|(known, _)| known != name);
                if !attributes.contains("Max-Age=0") {
                    self.0.push((name.to_owned(), value.to_owned()));
                }
            }
        }

        fn starts(&self) -> StartCookies {
            StartCookies::of(&self.headers(), &CookieNames::default())
        }

        fn headers(&self) -> HeaderMap {
            let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut headers = HeaderMap::new();
            headers.insert(http::header::COOKIE, pairs.join("; ").parse().unwrap());
            headers
        }

        fn start(&mut self, state: &State, length: usize, now: SystemTime) {
            let names = CookieNames::default();
            let cookies = self.starts().add(state, &vec![7; length], &names, KEEP, 0, now, &SystemEntropy).unwrap();
            self.keep(cookies);
        }
    }

    // B15
    #[test]
    fn ten_tabs_are_kept_in_few_cookies_and_two_hundred_stay_small() {
        let mut jar = Jar::default();
        let states: Vec<_> = (0..200).map(|_| state()).collect();
        for (n, state) in (0..).zip(&states) {
            jar.start(state, 120, at(n));
            let from = usize::try_from(n).unwrap().saturating_sub(9);
            let until = usize::try_from(n).unwrap();
            assert!(states[from..=until].iter().all(|state| jar.starts().sealed(state).is_some()), "{n}");
            assert!(jar.0.len() <= MAX_COOKIES);
            assert!(jar.headers()["cookie"].len() < 4096);
        }
        assert!(jar.starts().sealed(&states[0]).is_none());
    }

    #[test]
    fn tabs_that_begin_at_the_same_moment_lose_nothing() {
        for before in 0..6 {
            let mut jar = Jar::default();
            let earlier: Vec<_> = (0..before).map(|_| state()).collect();
            earlier.iter().for_each(|state| jar.start(state, 100, at(0)));
            let states: Vec<_> = (0..5).map(|_| state()).collect();
            let shown = jar.starts();
            let names = CookieNames::default();
            let all: Vec<_> = states
                .iter()
                .map(|state| shown.add(state, &[7; 100], &names, KEEP, 0, at(1), &SystemEntropy).unwrap())
                .collect();
            all.into_iter().for_each(|cookies| jar.keep(cookies));
            assert!(states.iter().chain(&earlier).all(|state| jar.starts().sealed(state).is_some()), "{before}");
        }
    }

    #[test]
    fn a_long_start_is_kept_and_the_oldest_make_room_for_it() {
        let old = state();
        let mut jar = Jar::default();
        jar.start(&old, 200, at(0));
        for length in [2_700, 2_900, 3_000, 3_500] {
            let long = state();
            jar.start(&long, length, at(1));
            assert_eq!(jar.starts().sealed(&long), Some(vec![7; length]), "{length}");
            assert!(jar.starts().sealed(&old).is_none());
            assert_eq!(jar.0.len(), if length < 2_901 { 1 } else { 2 }, "{length}");
            jar.keep(jar.starts().clear(&long).collect());
            assert!(jar.0.is_empty());
        }
        let names = CookieNames::default();
        assert!(jar.starts().add(&state(), &[7; 6_000], &names, KEEP, 0, at(2), &SystemEntropy).is_none());
    }

    #[test]
    fn a_start_that_is_over_goes_when_its_cookie_is_its_own() {
        let (one, two) = (state(), state());
        let mut jar = Jar::default();
        jar.start(&one, 100, at(0));
        jar.start(&two, 100, at(0));
        jar.keep(jar.starts().clear(&one).collect());
        assert!(jar.starts().sealed(&one).is_none() && jar.starts().sealed(&two).is_some());
        assert_eq!(jar.starts().clear(&one).count(), 0);
        for _ in 0..4 {
            jar.start(&state(), 100, at(0));
        }
        assert_eq!(jar.starts().clear(&two).count(), 0, "others lie beside it");
    }

    #[test]
    fn of_two_that_differ_neither_counts() {
        let (ours, mut jar) = (state(), Jar::default());
        jar.start(&ours, 100, at(0));
        let value = jar.0[0].1.clone();
        jar.0.push(("__Host-gwtx-planted".to_owned(), value.clone()));
        assert!(jar.starts().sealed(&ours).is_some(), "the twin: the same text twice");
        let last = if value.ends_with('w') { "A" } else { "w" };
        jar.0[1].1.replace_range(value.len() - 1.., last);
        assert!(jar.starts().sealed(&ours).is_none());
    }

    #[test]
    fn what_has_another_form_is_ignored() {
        for value in ["", "s.", "s.x", "s.1.a", "1234.abc", "s.zz.id.text", "s.1.id.te~xt", "n1.s.1.id.text"] {
            let jar = Jar(vec![("__Host-gwtx-a".to_owned(), value.to_owned())]);
            assert!(jar.starts().0.iter().all(|cookie| !cookie.entries.is_empty()), "{value}");
            assert!(jar.starts().sealed(&state()).is_none());
        }
    }
}
