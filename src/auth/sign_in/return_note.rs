//! Where the person of a sign-in wanted to go.
//!
//! A short page lies in the attempt itself. A long one is stored, once its browser has shown that it keeps our cookies, and
//! only this browser can open it again; they are bounded in number, the oldest makes room. When an attempt is over, a note
//! of its page outlives it: an answer that comes late, or twice, still leads there.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::binding::{Binding, State};
use crate::route::path::ReturnTo;
use crate::secret::{Entropy, SecretBytes, hmac_sha256, random_text, sha256_of};
use crate::session::StoreKey;
use crate::session::seal::Sealer;
use crate::session::store::{Kind, RecordStore, StoreError};
use crate::telemetry::Metrics;

/// Longest page that lies in an attempt, in bytes: sealed it still fits into one cookie.
const IN_ATTEMPT: usize = 2 * 1024;

/// Longest page that lies in the note of an attempt that is over, in bytes. There are many notes.
const IN_NOTE: usize = 512;

/// How long pages and notes are kept: whoever leaves a login page open over night still comes back to their page.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Names a stored page. Drawn at random; whoever knows it and not the browser's secret can do nothing with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageId(String);

impl PageId {
    fn store_key(&self) -> StoreKey {
        StoreKey(sha256_of(&[b"zengate page v1 ", self.0.as_bytes()]))
    }

    fn seal_secret(&self, binding: &Binding) -> SecretBytes {
        let of = [b"zengate page seal v1 ", self.0.as_bytes()].concat();
        SecretBytes::new(hmac_sha256(binding.secret().expose(), &of))
    }
}

/// A page to return to, or the name under which it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wanted {
    /// The page.
    #[serde(rename = "p")]
    Page(ReturnTo),
    /// A stored page.
    #[serde(rename = "k")]
    Kept(PageId),
}

/// Whether a page is too long to lie in an attempt.
pub(crate) fn is_long(page: &ReturnTo) -> bool {
    page.location().len() > IN_ATTEMPT
}

/// Where long pages and notes are kept.
pub(super) struct Pages<'a> {
    pub(super) store: &'a dyn RecordStore,
    pub(super) sealer: &'a Sealer,
    pub(super) entropy: &'a dyn Entropy,
    pub(super) metrics: &'a Metrics,
}

impl Pages<'_> {
    /// Stores a page for the browser of `binding`.
    ///
    /// # Errors
    /// The store did not take it.
    pub(super) async fn keep(&self, page: &ReturnTo, binding: &Binding, now: SystemTime) -> Result<PageId, StoreError> {
        let id = PageId(random_text::<16>(self.entropy));
        // Texts always serialise; if ever not, an empty text opens as nothing.
        let body = serde_json::to_vec(page).unwrap_or_default();
        let (key, secret) = (id.store_key(), id.seal_secret(binding));
        let record = self.sealer.seal(Kind::Page, key, secret.expose(), &body, self.entropy);
        self.store.insert(Kind::Page, key, &record, KEPT_FOR, now).await?;
        self.count("kept");
        Ok(id)
    }

    /// The page that an attempt remembers; `None` if it was stored and made room for others.
    pub(super) async fn page_of(&self, wanted: &Wanted, binding: &Binding, now: SystemTime) -> Option<ReturnTo> {
        match wanted {
            Wanted::Page(page) => Some(page.clone()),
            Wanted::Kept(id) => {
                let page = self.kept_page(id, binding, now).await;
                self.count(if page.is_some() { "found" } else { "lost" });
                page
            }
        }
    }

    async fn kept_page(&self, id: &PageId, binding: &Binding, now: SystemTime) -> Option<ReturnTo> {
        let record = self.store.get(Kind::Page, id.store_key(), now).await.ok()??;
        let secret = id.seal_secret(binding);
        let body = self.sealer.open(Kind::Page, id.store_key(), secret.expose(), &record).ok()?;
        serde_json::from_slice(&body).ok()
    }

    fn count(&self, outcome: &str) {
        self.metrics.return_pages.with_label_values(&[outcome]).inc();
    }

    /// The note of an attempt that is being taken: its page, for the browser of `binding` alone.
    pub(super) async fn note(&self, wanted: Wanted, state: &State, binding: &Binding, now: SystemTime) -> Vec<u8> {
        let wanted = match wanted {
            Wanted::Page(page) if page == ReturnTo::home() => return Vec::new(),
            Wanted::Page(page) if page.location().len() > IN_NOTE => match self.keep(&page, binding, now).await {
                Ok(id) => Wanted::Kept(id),
                // The sign-in goes on; only a second answer to it would not know the way.
                Err(_) => return Vec::new(),
            },
            wanted => wanted,
        };
        let body = serde_json::to_vec(&wanted).unwrap_or_default();
        let secret = state.seal_secret(binding.secret());
        self.sealer.seal(Kind::Spent, state.store_key(), secret.expose(), &body, self.entropy)
    }
}
