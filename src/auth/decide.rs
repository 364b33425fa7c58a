//! Which session a request belongs to: from memory if it is at hand, else from the store.

use std::sync::Arc;
use std::time::SystemTime;

use tracing::warn;

use super::{LiveSession, RelyingParty};
use crate::session::cached::{CachedSession, Freshness};
use crate::session::store::{Kind, StoreError};
use crate::session::{SessionId, StoreKey};
use crate::web::RequestView;
use crate::web::cookie::find_cookie;

/// Why a session is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A person uses it: their idle time begins anew.
    Use,
    /// A page or a program merely asks about it. If that counted, a tab that asks every minute would keep its session
    /// alive for as long as the tab is open (F05).
    Peek,
}

/// What the session cookie led to.
pub(super) enum Visitor {
    /// Signed in.
    SignedIn(Arc<CachedSession<LiveSession>>, StoreKey),
    /// No cookie of ours.
    NoCookie,
    /// A cookie that leads nowhere: wrong, over, signed out, or not openable. All look alike from outside (R09).
    DeadCookie,
    /// The store owes us the answer.
    StoreDown,
}

impl RelyingParty {
    /// The session the request's cookie names, from memory if it is cached, else from the store, once for all who wait.
    pub(super) async fn session_of(self: &Arc<Self>, view: &RequestView<'_>, look: Look, now: SystemTime) -> Visitor {
        let Some(value) = find_cookie(view.headers, &self.settings.cookies.session) else { return Visitor::NoCookie };
        let Some(id) = SessionId::parse(value) else { return Visitor::DeadCookie };
        let key = id.store_key();
        match self.at_hand(&id, key, look, now) {
            Ok(cached) => Visitor::SignedIn(cached, key),
            // In a box, like everything that is rare: each request carries the room for what it might have to wait for.
            Err(copy) => Box::pin(self.load(id, copy, look, now)).await,
        }
    }

    /// The session from memory, if the copy there may be served. If not, the store is to be asked; the copy that may
    /// stand in for its answer comes back.
    fn at_hand(
        self: &Arc<Self>,
        id: &SessionId,
        key: StoreKey,
        look: Look,
        now: SystemTime,
    ) -> Result<Arc<CachedSession<LiveSession>>, Option<Arc<CachedSession<LiveSession>>>> {
        let cached = self.cache.get(&key).ok_or(None)?;
        let policy = &self.settings.cache_policy;
        let freshness = cached.freshness(now, policy);
        match freshness {
            Freshness::Fresh | Freshness::Revalidate => {}
            Freshness::Recheck => return Err(Some(cached)),
            Freshness::Stale => return Err(None),
        }
        // One that seems idle may have been used on another replica: the store has the last word.
        if !cached.value().session.is_live(now, cached.last_used(), &self.settings.lifetimes) {
            return Err(None);
        }
        if look == Look::Use {
            cached.touch(now);
        }
        // However fresh the copy is: the store drops a session of whose uses it does not hear (F05).
        if look == Look::Use && cached.claim_touch(now, policy) {
            let (party, cached, id) = (Arc::clone(self), Arc::clone(&cached), id.clone());
            tokio::spawn(async move { party.learn(&cached, &id, party.tell_use(&cached, &id, now).await, now) });
        } else if freshness == Freshness::Revalidate && cached.claim_check(now, policy) {
            let (party, cached, id) = (Arc::clone(self), Arc::clone(&cached), id.clone());
            tokio::spawn(async move { party.learn(&cached, &id, party.ask_about(&id, now).await, now) });
        }
        Ok(cached)
    }

    /// The slow way: the session is not in memory, or its copy is too old to be served unasked. `copy` is what may
    /// still be served if the store does not answer.
    async fn load(
        self: &Arc<Self>,
        id: SessionId,
        copy: Option<Arc<CachedSession<LiveSession>>>,
        look: Look,
        now: SystemTime,
    ) -> Visitor {
        let key = id.store_key();
        let (party, asked, known) = (Arc::clone(self), id.clone(), copy.clone());
        let fetch = || async move {
            let Some(record) = party.store.get(Kind::Session, key, now).await? else { return Ok(None) };
            // Between two pages of a person mostly nothing has changed: what was opened and rendered is good still.
            if let Some(known) = known.filter(|known| known.value().is_from(&record)) {
                return Ok(Some(known.value().clone()));
            }
            match party.sealer.open_session(&asked, &record) {
                Ok(session) => Ok(Some(party.enliven(session, &record))),
                Err(reason) => {
                    warn!(reason = %reason, code = "session_corrupt", "A session record could not be opened");
                    Ok(None)
                }
            }
        };
        let lookups = &self.metrics.session_lookups;
        let (count, visitor) = match self.cache.load(key, now, fetch).await {
            Ok(Some(cached)) if cached.value().session.is_live(now, cached.last_used(), &self.settings.lifetimes) => {
                if look == Look::Use {
                    cached.touch(now);
                    // Somebody who comes every few minutes always lands here. If only the check of a copy told the
                    // store of uses, it would drop their session in the middle of their work (F05).
                    if cached.claim_touch(now, &self.settings.cache_policy) {
                        let (party, cached) = (Arc::clone(self), Arc::clone(&cached));
                        tokio::spawn(
                            async move { party.learn(&cached, &id, party.tell_use(&cached, &id, now).await, now) },
                        );
                    }
                }
                (&lookups.store, Visitor::SignedIn(cached, key))
            }
            Ok(Some(_)) => {
                self.cache.remove(&key);
                (&lookups.none, Visitor::DeadCookie)
            }
            Ok(None) => (&lookups.none, Visitor::DeadCookie),
            Err(error) => {
                self.metrics.store_errors.inc();
                warn!(reason = %error, "The session store did not answer");
                match copy {
                    Some(cached)
                        if cached.value().session.is_live(now, cached.last_used(), &self.settings.lifetimes) =>
                    {
                        if look == Look::Use {
                            cached.touch(now);
                        }
                        (&lookups.grace, Visitor::SignedIn(cached, key))
                    }
                    _ => (&lookups.error, Visitor::StoreDown),
                }
            }
        };
        count.inc();
        visitor
    }

    /// Whether the store still has a session that is at hand. An answer that does not come changes nothing: nobody is
    /// signed out by an outage.
    async fn ask_about(&self, id: &SessionId, now: SystemTime) -> Result<bool, StoreError> {
        self.store.get(Kind::Session, id.store_key(), now).await.map(|record| record.is_some())
    }

    /// Writes down that the session is in use; whether it was still there.
    async fn tell_use(
        &self,
        cached: &CachedSession<LiveSession>,
        id: &SessionId,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let mut seen = cached.value().session.clone();
        seen.seen(seen.last_seen().max(cached.last_used()));
        let record = self.sealer.seal_session(id, &seen, &*self.entropy);
        let keep = seen.keep_for(now, &self.settings.lifetimes);
        self.store.replace(Kind::Session, id.store_key(), &record, keep, now).await
    }

    /// Takes what the store said about a session, asked at `now`, to the copy at hand.
    fn learn(
        &self,
        cached: &CachedSession<LiveSession>,
        id: &SessionId,
        answer: Result<bool, StoreError>,
        now: SystemTime,
    ) {
        match answer {
            Ok(true) => cached.confirm(now),
            Ok(false) => self.cache.remove(&id.store_key()),
            Err(error) => {
                self.metrics.store_errors.inc();
                warn!(reason = %error, "The session store did not answer; sessions in memory go on for their grace");
            }
        }
    }
}
