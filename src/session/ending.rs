//! How a session ends: here at once, in the store as soon as it hears, and with everything that was handed over from it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use tracing::info;

use super::revocation::{Reach, Revocation};
use super::sessions::Sessions;
use super::store::{Kind, Relation, StoreError};
use super::{Session, SessionId, StoreKey};

/// What came of a sign-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignedOut {
    /// The store has heard all of it.
    Everywhere,
    /// It holds here. The store is away and will be told: others may believe the session until then.
    HereForNow,
    /// It holds here. The store is away, and no more sign-outs can be kept for it: it must be asked for again.
    NotKept,
}

/// What came of ending the sessions of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedSessions {
    /// How many were listed there.
    pub sessions: usize,
}

/// A record in place of an ended session says nothing else.
const ENDED: &[u8] = b"ended";

impl Sessions {
    /// Signs a person out on `host`: ends the session, its parent and all children of both. The parent must go too, or the
    /// next visit would sign in silently. A session that was opened for another host is nothing here. `told` hears whose
    /// session it was, if that is known. Runs to its end even if whoever asked goes away.
    pub async fn sign_out(
        self: &Arc<Self>,
        id: SessionId,
        host: &str,
        now: SystemTime,
        told: impl FnOnce(&Session) + Send + 'static,
    ) -> SignedOut {
        let (sessions, held, host) = (Arc::clone(self), Arc::clone(&self.under_way), host.to_owned());
        let ending = tokio::spawn(async move {
            let outcome = sessions.sign_out_to_the_end(&id, &host, now, told).await;
            drop(held);
            outcome
        });
        ending.await.unwrap_or(SignedOut::NotKept)
    }

    async fn sign_out_to_the_end(
        self: &Arc<Self>,
        id: &SessionId,
        host: &str,
        now: SystemTime,
        told: impl FnOnce(&Session),
    ) -> SignedOut {
        // What is no id of ours was made up: it costs nothing, and ends nothing.
        if !self.sealer.has_made(id) {
            return SignedOut::Everywhere;
        }
        let key = id.store_key();
        let known = match self.cache.get(&key) {
            Some(cached) => Some(cached.value().session().clone()),
            None => match self.stored(key, now).await {
                Ok(Some(record)) => self.sealer.open_session(id, &record).ok(),
                // Over, or idle for too long; what was handed over from it may live all the same.
                Ok(None) => None,
                Err(error) => {
                    self.store_failed(&error, "The session store did not answer a sign-out");
                    None
                }
            },
        };
        let Some(session) = known else {
            // What it was handed over from, only the store can say.
            return self.end_all(Revocation { key, reach: Reach::WholeFamily }, now).await;
        };
        if session.host() != host {
            return SignedOut::Everywhere;
        }
        told(&session);
        let mut outcome = self.end_family(key, now).await;
        if let Some(parent) = session.parent() {
            outcome = outcome.max(self.end_family(parent, now).await);
        }
        if outcome == SignedOut::Everywhere {
            let person = self.sealer.person_key(session.identity());
            if let Err(error) = self.store.remove_member(Relation::Person, person, key).await {
                self.store_failed(&error, "A session that has ended is still listed as one of its person");
            }
        }
        outcome
    }

    /// Ends one session.
    pub(super) async fn end(self: &Arc<Self>, key: StoreKey, now: SystemTime) -> SignedOut {
        self.end_all(Revocation { key, reach: Reach::Alone }, now).await
    }

    /// Ends a session and all that were handed over from it to our other hosts.
    pub(super) async fn end_family(self: &Arc<Self>, key: StoreKey, now: SystemTime) -> SignedOut {
        self.end_all(Revocation { key, reach: Reach::WithChildren }, now).await
    }

    /// Ends every session that is listed in one of `sets`, with all that were handed over from it.
    ///
    /// # Errors
    /// The store does not say which there are, or has not heard of an end and cannot be told later. What has ended stays so;
    /// whoever asked may ask again.
    pub async fn end_listed(
        self: &Arc<Self>,
        relation: Relation,
        sets: &[StoreKey],
        now: SystemTime,
    ) -> Result<EndedSessions, StoreError> {
        let (sessions, held, sets) = (Arc::clone(self), Arc::clone(&self.under_way), sets.to_vec());
        let ending = tokio::spawn(async move {
            let ended = sessions.end_listed_to_the_end(relation, &sets, now).await;
            drop(held);
            ended
        });
        ending.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the end of sessions was cut off".to_owned())))
    }

    async fn end_listed_to_the_end(
        self: &Arc<Self>,
        relation: Relation,
        sets: &[StoreKey],
        now: SystemTime,
    ) -> Result<EndedSessions, StoreError> {
        let mut ended = EndedSessions { sessions: 0 };
        for set in sets {
            for member in self.store.members(relation, *set, now).await? {
                ended.sessions += 1;
                if self.end_family(member, now).await == SignedOut::NotKept {
                    return Err(StoreError::Unavailable("the end of a session could not be kept".to_owned()));
                }
                // A list of sessions that are over would push out those that live.
                if let Err(error) = self.store.remove_member(relation, *set, member).await {
                    self.store_failed(&error, "A session that has ended is still listed");
                }
            }
        }
        Ok(ended)
    }

    /// Ends a session that was opened a moment ago and whose cookie nobody will get.
    pub async fn withdraw(self: &Arc<Self>, id: &SessionId, now: SystemTime) {
        self.end(id.store_key(), now).await;
    }

    async fn end_all(self: &Arc<Self>, revocation: Revocation, now: SystemTime) -> SignedOut {
        self.cache.deny(revocation.key, now + self.lifetimes.absolute, now);
        match self.tell_store(revocation, now).await {
            Ok(()) => SignedOut::Everywhere,
            Err(error) => {
                self.store_failed(&error, "A session was ended here, but the store did not hear it");
                if self.pending.keep(revocation, now + self.lifetimes.absolute) {
                    SignedOut::HereForNow
                } else {
                    SignedOut::NotKept
                }
            }
        }
    }

    /// Ends what `revocation` names in the store, and here whatever the store names as its relatives.
    pub(super) async fn tell_store(&self, revocation: Revocation, now: SystemTime) -> Result<(), StoreError> {
        let Revocation { key, reach } = revocation;
        if reach == Reach::Alone {
            return self.tell_end(key, now).await;
        }
        self.tell_family_end(key, now).await?;
        if reach == Reach::WholeFamily {
            for parent in self.store.members(Relation::Parents, key, now).await? {
                self.cache.deny(parent, now + self.lifetimes.absolute, now);
                self.tell_family_end(parent, now).await?;
            }
        }
        Ok(())
    }

    async fn tell_family_end(&self, key: StoreKey, now: SystemTime) -> Result<(), StoreError> {
        self.tell_end(key, now).await?;
        // After its own end: a child that is being added meanwhile asks after its parent once it is named here.
        let children = self.store.members(Relation::Children, key, now).await?;
        let ends = children.into_iter().map(|child| async move {
            self.cache.deny(child, now + self.lifetimes.absolute, now);
            self.tell_end(child, now).await?;
            self.store.remove_member(Relation::Children, key, child).await
        });
        join_all(ends).await.into_iter().collect()
    }

    /// The mark first: were the record removed first, a copy put back in between would live.
    async fn tell_end(&self, key: StoreKey, now: SystemTime) -> Result<(), StoreError> {
        self.store.insert(Kind::Ended, key, ENDED, self.lifetimes.absolute, now).await?;
        let removed = [self.store.remove(Kind::Session, key), self.store.remove(Kind::Provider, key)];
        join_all(removed).await.into_iter().collect()
    }

    /// Tells the store again, until it has heard, of ends that it did not hear. Never returns.
    pub async fn tell_pending(self: Arc<Self>, clock: fn() -> SystemTime) {
        let mut pause = self.pending.pause();
        loop {
            self.pending.wait().await;
            match self.tell_all_pending(clock()).await {
                0 => pause.reset(),
                _ => tokio::time::sleep(pause.next_delay(&*self.entropy)).await,
            }
        }
    }

    /// Tells the store of every end that waits; how many still wait afterwards.
    pub(crate) async fn tell_all_pending(&self, now: SystemTime) -> usize {
        let mut told = 0;
        while let Some(some) = self.pending.next_to_tell(now) {
            let tries = some.iter().map(|revocation| self.tell_store(*revocation, now));
            let outcomes = join_all(tries).await;
            let mut failed = false;
            for (revocation, outcome) in some.into_iter().zip(outcomes) {
                match outcome {
                    Ok(()) => {
                        self.pending.done(revocation);
                        told += 1;
                    }
                    Err(_) => failed = true,
                }
            }
            if failed {
                break;
            }
        }
        if told > 0 {
            info!(sessions = told, "The session store has heard of ends that it had missed");
        }
        let left = self.pending.len();
        if left == 0 {
            self.pending.all_heard();
        }
        left
    }

    /// Before the process ends: lets sign-outs and openings that have begun finish, and tells the store what it has missed,
    /// for at most `grace`. What it still has not heard comes back.
    pub async fn finish(self: &Arc<Self>, grace: Duration, now: SystemTime) -> BTreeSet<Revocation> {
        let settled = async {
            while Arc::strong_count(&self.under_way) > 1 || self.tell_all_pending(now).await > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let _in_time_or_not = tokio::time::timeout(grace, settled).await;
        self.pending.all()
    }
}
