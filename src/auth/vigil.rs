//! A stream that was opened under a session or an access token ends with it.
//!
//! A WebSocket is judged once, when it is opened, and may then live for days. If nobody looked again, signing out would
//! leave the door open for whoever holds the stream. Traffic on a stream is no use of the session: a forgotten tab that
//! pings must not keep anybody signed in.

use std::sync::Arc;
use std::time::SystemTime;

use tracing::warn;

use super::RelyingParty;
use super::judge::{Holder, Permit};
use crate::session::cached::Freshness;
use crate::session::store::Kind;

impl RelyingParty {
    /// Whether the session or token behind `permit` still stands at `now`. A token ends by its own word. For a session
    /// the store is asked when its copy is not fresh any more, once for all streams of a session; while the store is
    /// away, sessions in memory go on for their grace.
    pub(crate) async fn still_stands(&self, permit: &Permit, now: SystemTime) -> bool {
        let (opened, key) = match permit.holder() {
            Holder::Nobody => return true,
            Holder::Session(opened, _, key) => (opened, *key),
            Holder::Token(token, _) => return token.is_live(now),
        };
        // The copy at hand may have been replaced since the stream was opened, and hears of no use any more.
        let cached = self.cache.get(&key).unwrap_or_else(|| Arc::clone(opened));
        let is_live = cached.value().session().is_live(now, cached.last_used(), &self.settings.lifetimes);
        if self.cache.is_denied(&key, now) || !is_live {
            return false;
        }
        let freshness = cached.freshness(now, &self.settings.cache_policy);
        if freshness == Freshness::Fresh {
            return true;
        }
        match self.store.get(Kind::Session, key, now).await {
            Ok(Some(_)) => {
                cached.confirm(now);
                true
            }
            Ok(None) => {
                self.cache.remove(&key);
                false
            }
            Err(error) => {
                self.metrics.store_errors.inc();
                warn!(reason = %error, "The session store did not answer; streams go on for their grace");
                freshness != Freshness::Stale
            }
        }
    }
}
