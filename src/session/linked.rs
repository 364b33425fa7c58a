//! To which account of the app the person of a session belongs.
//!
//! A link is no part of a session's record: it may change while the session lives. It is asked for whenever the record is,
//! and a copy in memory counts only as long as both are what they were. So a link that was made, changed or removed is in
//! force as soon as a sign-out would be ([`super::cached::CachePolicy`]), and no request of a session at hand asks for it.

use std::sync::Arc;
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
        let _the_first_counts = self.links.set(links);
    }

    /// To which account the person belongs; nobody to any where the configuration has no accounts.
    pub(super) async fn account_of(
        &self,
        identity: &Identity,
        now: SystemTime,
    ) -> Result<Option<Box<str>>, StoreError> {
        match self.links.get() {
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
