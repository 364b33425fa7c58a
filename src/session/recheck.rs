//! Asking the provider again whether the person of a session is still somebody there, and who.
//!
//! Without it a session lives for [`super::Lifetimes::absolute`] whatever becomes of the person at the provider. With
//! [`super::provider_check::RecheckPolicy`] each session is confirmed within `every`: by its refresh token where one is kept, else by a new
//! sign-in, which asks nothing of a person whom the provider still knows. Four fifths of the time a request waits for none of this:
//! the question goes out behind its back. Only when `every` is over a request waits for the answer.
//!
//! A refresh token may be good for one use (RFC 9700, 4.14.2), and using it twice may end everything at the provider. So of
//! all gateways one asks at a time: the store lets one of them, and the others read what that one wrote. The new token is
//! written down before anything else.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::{info, warn};

use super::cached::CachedSession;
use super::live::LiveSession;
use super::provider_check::{Outcome, ProviderCheck, Recheck};
use super::provider_session::ProviderSession;
use super::sessions::{Lookup, Sessions};
use super::store::{Kind, StoreError};
use super::{Session, SessionId, StoreKey};
use crate::ground::time::Timestamp;
use crate::identity::headers::HeaderPlan;
use crate::secret::sha256_of;

/// After a question that led nowhere the next one is asked no sooner, by this gateway or another.
const TURN: Duration = Duration::from_secs(30);

/// How long, and how often, it is looked whether another gateway has heard the answer.
const OTHERS_LOOKS: u32 = 20;
const OTHERS_PAUSE: Duration = Duration::from_millis(150);

/// How often the answer is written down, should the store not take it at once: it cannot be asked for again.
const WRITES: u32 = 5;
const WRITE_PAUSE: Duration = Duration::from_millis(200);

impl Sessions {
    /// Sessions are confirmed by `check` from now on, if the configuration wants it. Once.
    pub fn confirm_by(&self, check: Arc<dyn ProviderCheck>) {
        let _the_first_counts = self.check.set(check);
    }

    /// Whether the session was last confirmed so long ago that something is to be done about it. Without a policy, which is
    /// the default, that is one comparison.
    pub(super) fn is_recheck_due(&self, cached: &CachedSession<LiveSession>, now: SystemTime) -> bool {
        self.recheck.is_some_and(|policy| age(cached, now) >= policy.early())
    }

    /// Whether the session was not confirmed for so long that a stream does not go on under it. No question goes out for a
    /// stream: whoever still uses the app has one asked by their requests.
    pub(super) fn is_unconfirmed(&self, cached: &CachedSession<LiveSession>, now: SystemTime) -> bool {
        self.recheck.is_some_and(|policy| age(cached, now) >= policy.every.saturating_add(policy.grace))
    }

    /// A session that is due: asked about behind the request's back, or before it is served.
    pub(super) async fn rechecked(
        self: &Arc<Self>,
        id: &SessionId,
        cached: Arc<CachedSession<LiveSession>>,
        plans: &Arc<[Arc<HeaderPlan>]>,
        now: SystemTime,
    ) -> Lookup {
        let Some(policy) = self.recheck else { return Lookup::SignedIn(cached, id.store_key()) };
        let key = id.store_key();
        let is_due = age(&cached, now) >= policy.every;
        let under_way = self.rechecks.current(&key);
        let asking = match under_way {
            Some(asking) => Some(asking),
            None if cached.claim_recheck(now, TURN) => {
                let (sessions, id, plans) = (Arc::clone(self), id.clone(), Arc::clone(plans));
                let session = cached.value().session().clone();
                let last_used = cached.last_used();
                let start = || async move { sessions.confirm(&id, session, last_used, &plans, now).await };
                Some(self.rechecks.join(&key, || None, start, Outcome::Unknown).0)
            }
            // Somebody has asked in vain a moment ago.
            None => None,
        };
        if !is_due {
            return Lookup::SignedIn(cached, key);
        }
        let outcome = match asking {
            Some(asking) => asking.await,
            None => Outcome::Unknown,
        };
        match outcome {
            Outcome::Confirmed => match self.cache.get(&key) {
                Some(newer) => Lookup::SignedIn(newer, key),
                None => Lookup::Dead,
            },
            Outcome::Ended => Lookup::Dead,
            Outcome::Unknown if age(&cached, now) < policy.every.saturating_add(policy.grace) => {
                Lookup::SignedIn(cached, key)
            }
            // They sign in again once the provider is back.
            Outcome::Unknown => Lookup::Dead,
        }
    }

    /// Asks, or waits for the gateway that does.
    async fn confirm(
        self: &Arc<Self>,
        id: &SessionId,
        session: Session,
        last_used: SystemTime,
        plans: &[Arc<HeaderPlan>],
        now: SystemTime,
    ) -> Outcome {
        let key = id.store_key();
        let Some(check) = self.check.get() else { return Outcome::Unknown };
        let turn = StoreKey(sha256_of(&[b"zengate recheck v1 ", &key.0]));
        let asked = async {
            let Some(kept) = self.provider_session(id, now).await?.filter(|kept| kept.refresh_token.is_some()) else {
                return Ok::<_, StoreError>(None);
            };
            Ok(Some((kept, self.store.insert(Kind::Spent, turn, &[], TURN, now).await?)))
        };
        let (kept, is_ours) = match asked.await {
            Ok(Some(found)) => found,
            Ok(None) => {
                // Nothing to ask by: the person signs in again, and is asked for nothing if the provider knows them.
                let over = self
                    .recheck
                    .is_some_and(|policy| Timestamp::of(now).since(Timestamp::of(session.checked())) >= policy.every);
                if over {
                    self.end_family(key, now).await;
                }
                return if over { Outcome::Ended } else { Outcome::Unknown };
            }
            Err(error) => {
                self.store_failed(&error, "The session store did not say what is kept for asking the provider again");
                return Outcome::Unknown;
            }
        };
        if !is_ours {
            return self.heard_by_others(id, &session, plans, now).await;
        }
        match check.recheck(&session, &kept, now).await {
            Recheck::Confirmed(identity, kept) => {
                let mut confirmed = session;
                confirmed.confirmed(*identity, now);
                confirmed.seen(confirmed.last_seen().max(last_used));
                self.write_down(id, confirmed, &kept, plans, now).await
            }
            Recheck::Refused => {
                info!("A session has ended: its person is nobody at the provider any more");
                self.end_family(key, now).await;
                Outcome::Ended
            }
            Recheck::Unavailable => Outcome::Unknown,
        }
    }

    /// What another gateway has heard, from the store.
    async fn heard_by_others(
        self: &Arc<Self>,
        id: &SessionId,
        session: &Session,
        plans: &[Arc<HeaderPlan>],
        now: SystemTime,
    ) -> Outcome {
        let key = id.store_key();
        for _ in 0..OTHERS_LOOKS {
            match self.stored(key, now).await {
                Ok(Some(record)) => match self.sealer.open_session(id, &record) {
                    Ok(newer) if newer.checked() > session.checked() => {
                        let Ok(live) = self.live(newer, &record, plans, now).await else { return Outcome::Unknown };
                        self.cache.insert(key, live, now);
                        return Outcome::Confirmed;
                    }
                    Ok(_) => {}
                    Err(_) => return Outcome::Ended,
                },
                Ok(None) => {
                    self.cache.remove(&key);
                    return Outcome::Ended;
                }
                Err(_) => return Outcome::Unknown,
            }
            tokio::time::sleep(OTHERS_PAUSE).await;
        }
        Outcome::Unknown
    }

    /// The token first: without it the next question would be asked with one that is used up. Neither brings a session back
    /// that has ended meanwhile.
    async fn write_down(
        self: &Arc<Self>,
        id: &SessionId,
        session: Session,
        kept: &ProviderSession,
        plans: &[Arc<HeaderPlan>],
        now: SystemTime,
    ) -> Outcome {
        let key = id.store_key();
        let sealed = kept.seal(id, &self.sealer, &*self.entropy);
        let record = self.sealer.seal_session(id, &session, &*self.entropy);
        let (whole, keep) = (session.left(now, &self.lifetimes), session.keep_for(now, &self.lifetimes));
        let mut failed: Option<StoreError> = None;
        for _ in 0..WRITES {
            let written = async {
                let is_there = self.store.replace(Kind::Provider, key, &sealed, whole, now).await?
                    && self.store.replace(Kind::Session, key, &record, keep, now).await?;
                if !is_there {
                    return Ok::<_, StoreError>(None);
                }
                self.live(session.clone(), &record, plans, now).await.map(Some)
            };
            match written.await {
                Ok(Some(live)) => {
                    let kept_here = self.cache.insert(key, live, now);
                    return if kept_here.is_some() { Outcome::Confirmed } else { Outcome::Ended };
                }
                Ok(None) => {
                    self.cache.remove(&key);
                    return Outcome::Ended;
                }
                Err(error) => failed = Some(error),
            }
            tokio::time::sleep(WRITE_PAUSE).await;
        }
        if let Some(error) = failed {
            warn!(reason = %error, "What the provider said about a session could not be written down");
        }
        Outcome::Unknown
    }
}

fn age(cached: &CachedSession<LiveSession>, now: SystemTime) -> Duration {
    Timestamp::of(now).since(Timestamp::of(cached.value().session().checked()))
}
