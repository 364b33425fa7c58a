//! To which account of the app the person of a session belongs.
//!
//! A link is no part of a session's record: it may change while the session lives. It is asked for whenever the record is,
//! and a copy in memory counts only as long as both are what they were. So a link that was made, changed or removed is in
//! force as soon as a sign-out would be ([`super::cached::CachePolicy`]), and no request of a session at hand asks for it.

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::SystemTime;

use super::account_of::AccountOf;
use super::cached::CachedSession;
use super::live::LiveSession;
use super::sessions::{Lookup, Purpose, Sessions};
use super::store::{Relation, StoreError};
use super::{Session, SessionId, StoreKey};
use crate::identity::Identity;
use crate::identity::headers::HeaderPlan;

impl Sessions {
    /// Sessions belong to the accounts that `links` says from now on. Once.
    pub fn linked_by(&self, links: Arc<dyn AccountOf>) {
        let _the_first_counts = self.links.source.set(links);
    }

    /// To which account the person belongs; nobody to any where the configuration has no accounts.
    pub(super) async fn account_of(
        &self,
        identity: &Identity,
        now: SystemTime,
    ) -> Result<Option<Box<str>>, StoreError> {
        match self.links.source.get() {
            Some(links) => links.account_of(identity, now).await,
            None => Ok(None),
        }
    }

    /// A session that was read from `record`, or sealed into it, with the account that its person belongs to now.
    pub(super) async fn live(
        &self,
        session: Session,
        record: &[u8],
        plans: &[Arc<HeaderPlan>],
        now: SystemTime,
    ) -> Result<LiveSession, StoreError> {
        let account = self.account_of(session.identity(), now).await?;
        Ok(LiveSession::new(session, account, record, plans))
    }

    /// The record of a session, and whether the person of the copy at hand still belongs to the same account: one round trip.
    pub(super) async fn stored_beside(
        &self,
        known: Option<&CachedSession<LiveSession>>,
        key: StoreKey,
        now: SystemTime,
    ) -> Result<(Option<Vec<u8>>, bool), StoreError> {
        let same_account = async {
            match known {
                Some(known) => self.has_its_account(known, now).await,
                None => Ok(false),
            }
        };
        let (record, same_account) = tokio::join!(self.stored(key, now), same_account);
        Ok((record?, same_account?))
    }

    /// Whether a copy is still what it says: its session is there, and belongs to the same account.
    pub(super) async fn still_is(
        &self,
        cached: &CachedSession<LiveSession>,
        key: StoreKey,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let (record, same_account) = self.stored_beside(Some(cached), key, now).await?;
        Ok(record.is_some() && same_account)
    }

    /// How often links have changed here, to be told to [`Sessions::forget_if_relinked`].
    pub(super) fn relinked_so_far(&self) -> u64 {
        self.links.changes.load(Acquire)
    }

    /// Forgets a copy that was made since links had changed `before` times, if they have changed more often: what it was made
    /// of may have been read before. Where no other gateway writes to the store, it would not be looked at for long.
    pub(super) fn forget_if_relinked(&self, key: &StoreKey, before: u64) {
        if self.relinked_so_far() != before {
            self.cache.remove(key);
        }
    }

    /// Whether the account of a copy is still the one that its person belongs to.
    pub(super) async fn has_its_account(
        &self,
        cached: &CachedSession<LiveSession>,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let live = cached.value();
        Ok(self.account_of(live.session().identity(), now).await?.as_deref() == live.account())
    }

    /// As [`Sessions::look_up`], but the store is asked, whatever is at hand: for somebody who would be turned away for want
    /// of a link.
    pub async fn look_up_anew(
        self: &Arc<Self>,
        id: SessionId,
        host: &str,
        plans: &Arc<[Arc<HeaderPlan>]>,
        now: SystemTime,
    ) -> Lookup {
        let copy = self.cache.get(&id.store_key());
        let found = self.load(id, copy, Purpose::Use, plans, now).await;
        self.on_host(found, host, now)
    }

    /// The link of `subject` at `issuer` is another: copies of their sessions here are not served again before the store was
    /// asked. Those at other gateways are looked at as for a sign-out.
    ///
    /// # Errors
    /// The store does not say which sessions there are. They are then looked at when their time comes.
    pub async fn relinked(&self, issuer: &str, subject: &str, now: SystemTime) -> Result<(), StoreError> {
        // Before the copies go: a load that read the old link either sees it, or is among them.
        self.links.changes.fetch_add(1, AcqRel);
        for person in self.sealer.person_keys(issuer, subject) {
            for session in self.store.members(Relation::Person, person, now).await? {
                self.cache.remove(&session);
                for child in self.store.members(Relation::Children, session, now).await? {
                    self.cache.remove(&child);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use parking_lot::Mutex;
    use tokio::sync::Notify;

    use super::*;
    use crate::secret::SystemEntropy;
    use crate::session::Lifetimes;
    use crate::session::cache::{CacheLimits, SessionCache};
    use crate::session::cached::CachePolicy;
    use crate::session::memory::MemoryStore;
    use crate::session::samples::{noon, session_of};
    use crate::session::seal::{SealKeys, Sealer};
    use crate::session::sessions::Parts;
    use crate::session::store::Limits;
    use crate::telemetry::Metrics;

    /// Links of one person, whose answer can be held back after it was read.
    #[derive(Default)]
    struct Slow {
        account: Mutex<Option<&'static str>>,
        holds: Mutex<bool>,
        was_read: Notify,
        goes_on: Notify,
    }

    #[async_trait]
    impl AccountOf for Slow {
        async fn account_of(&self, _: &Identity, _: SystemTime) -> Result<Option<Box<str>>, StoreError> {
            let read = *self.account.lock();
            if std::mem::take(&mut *self.holds.lock()) {
                self.was_read.notify_one();
                self.goes_on.notified().await;
            }
            Ok(read.map(Into::into))
        }
    }

    #[tokio::test]
    async fn a_load_that_read_the_old_link_leaves_no_copy_behind() {
        let lifetimes = Lifetimes::default();
        let sessions = Sessions::new(Parts {
            store: Arc::new(MemoryStore::new(Limits::default())),
            sealer: Sealer::new(SealKeys::default()),
            cache: SessionCache::new(CacheLimits::default()),
            entropy: Arc::new(SystemEntropy),
            metrics: Arc::new(Metrics::new()),
            // Where copies are not looked at for half a minute.
            policy: CachePolicy::for_lifetimes(&lifetimes).for_exclusive_store(),
            lifetimes,
            pending_revocations: 10,
            recheck: None,
        });
        let links = Arc::new(Slow::default());
        sessions.linked_by(Arc::clone(&links) as Arc<dyn AccountOf>);
        *links.account.lock() = Some("old");
        let session = session_of("s", noon());
        let (issuer, subject) = (session.identity().issuer().to_owned(), session.identity().subject().to_owned());
        let plans: Arc<[Arc<HeaderPlan>]> = Arc::new([]);
        let id = sessions.open(session, None, "h", None, &plans, noon()).await.unwrap();
        let told = async || match sessions.look_up(id.clone(), "h", Purpose::Use, &plans, noon()).await {
            Lookup::SignedIn(live, _) => live.value().account().map(str::to_owned),
            other => panic!("{other:?}"),
        };
        assert_eq!(told().await.as_deref(), Some("old"));
        sessions.cache.remove(&id.store_key());
        *links.holds.lock() = true;
        let change = async {
            links.was_read.notified().await;
            *links.account.lock() = Some("new");
            sessions.relinked(&issuer, &subject, noon()).await.unwrap();
            links.goes_on.notify_one();
        };
        let (under_way, ()) = tokio::join!(told(), change);
        assert_eq!(under_way.as_deref(), Some("old"), "it was under way");
        assert_eq!(told().await.as_deref(), Some("new"));
    }
}
