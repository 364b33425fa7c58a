//! Short-lived things under unguessable names: tickets, codes, tokens.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;

/// Values that vanish after a while.
#[derive(Debug)]
pub(super) struct ExpiringMap<T> {
    life: Duration,
    items: Mutex<HashMap<String, (Instant, T)>>,
}

impl<T: Clone> ExpiringMap<T> {
    pub(super) fn new(life: Duration) -> Self {
        Self { life, items: Mutex::new(HashMap::new()) }
    }

    /// Puts a value under a fresh name.
    pub(super) fn put(&self, value: T) -> String {
        let name = random_text(24);
        self.put_as(name.clone(), value);
        name
    }

    pub(super) fn put_as(&self, name: String, value: T) {
        let now = Instant::now();
        let mut items = self.items.lock();
        items.retain(|_, (until, _)| *until > now);
        items.insert(name, (now + self.life, value));
    }

    pub(super) fn get(&self, name: &str) -> Option<T> {
        let items = self.items.lock();
        let (until, value) = items.get(name)?;
        (*until > Instant::now()).then(|| value.clone())
    }

    pub(super) fn take(&self, name: &str) -> Option<T> {
        let (until, value) = self.items.lock().remove(name)?;
        (until > Instant::now()).then_some(value)
    }

    /// Changes a value where it lies; `None` if it is not there.
    pub(super) fn change<R>(&self, name: &str, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut items = self.items.lock();
        let (until, value) = items.get_mut(name)?;
        (*until > Instant::now()).then(|| change(value))
    }

    /// Everything there is, in no order.
    pub(super) fn all(&self) -> Vec<(String, T)> {
        let now = Instant::now();
        let items = self.items.lock();
        items
            .iter()
            .filter(|(_, (until, _))| *until > now)
            .map(|(name, (_, value))| (name.clone(), value.clone()))
            .collect()
    }

    pub(super) fn retain(&self, keep: impl Fn(&T) -> bool) {
        self.items.lock().retain(|_, (_, value)| keep(value));
    }
}

/// That many random bytes as base64url.
pub(super) fn random_text(bytes: usize) -> String {
    URL_SAFE_NO_PAD.encode(random_bytes(bytes))
}

/// Random decimal digits, for the code a person would type.
pub(super) fn random_digits(count: usize) -> String {
    random_bytes(count).iter().map(|byte| char::from(b'0' + byte % 10)).collect()
}

#[expect(clippy::expect_used, reason = "a process without randomness cannot go on, and no input can cause it")]
fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
