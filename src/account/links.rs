//! Links in the store: found by person, listed by account, written and removed.
//!
//! The record is the truth: it says who and which account. The sets that list it are hints, written before it and cleared
//! after it, so a crash in between leaves an entry that leads nowhere and is passed over, and never a link that cannot be
//! listed. A link lives in the same store as sessions, in its own kind of record, and outlives all of them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tracing::warn;

use super::index::{BUCKETS, Index, bucket_name, bucket_of};
use super::{AccountName, Link, Subject};
use crate::ground::time::Timestamp;
use crate::identity::Identity;
use crate::secret::Entropy;
use crate::session::StoreKey;
use crate::session::account_of::AccountOf;
use crate::session::seal::Sealer;
use crate::session::store::{Kind, RecordStore, Relation, StoreError};

/// How long a link without a lifetime of its own is kept: 100 years. Stores keep nothing for ever.
pub const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How the operator wants links kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSettings {
    /// How long a link lives after it was last written. Default [`FOR_EVER`].
    pub keep: Duration,
    /// Most people that may be linked to one account. Default 10.
    pub subjects_per_account: usize,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self { keep: FOR_EVER, subjects_per_account: 10 }
    }
}

/// What may become of a link that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfLinked {
    /// The person belongs to the new account from now on.
    Replace,
    /// It stays as it is.
    Refuse,
}

/// What came of writing a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The person had none.
    New,
    /// They had this very one; it lives anew.
    Same,
    /// They had another one, to this account.
    Replaced(AccountName),
}

/// Why a link was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The person belongs to another account.
    #[error("this person is linked to another account")]
    OtherAccount,
    /// The account has as many people as it may have.
    #[error("the account has as many people as accounts.subjects_per_account allows")]
    TooMany,
    /// The store did not take it, or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// See the module's page.
pub struct Links {
    store: Arc<dyn RecordStore>,
    index: Index,
    settings: LinkSettings,
    entropy: Arc<dyn Entropy>,
    /// Held while a link is written, first by person, then by account: what is read before is then true after, but for other
    /// gateways of the store.
    writing: Box<[Turns; 2]>,
}

/// Whoever writes about one of a kind waits for others that do; so many may be under way at once.
type Turns = [Mutex<()>; 64];

fn turn<'a>(turns: &'a Turns, of: &StoreKey) -> &'a Mutex<()> {
    let [first, ..] = of.0;
    let [zero, ..] = turns;
    turns.get(usize::from(first) % turns.len()).unwrap_or(zero)
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Some of all links.
#[derive(Debug, Default)]
pub struct Listed {
    /// Those that could be opened.
    pub links: Vec<Link>,
    /// How many could not: their key is none of ours any more, or they were altered.
    pub unreadable: usize,
}

impl Links {
    /// Links in `store`, sealed by `sealer`.
    pub fn new(store: Arc<dyn RecordStore>, sealer: Sealer, settings: LinkSettings, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            store,
            index: Index::new(sealer),
            settings,
            entropy,
            writing: Box::new([(); 2].map(|()| [(); 64].map(|()| Mutex::new(())))),
        }
    }

    /// The link of `subject`.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn find(&self, subject: &Subject, now: SystemTime) -> Result<Option<Link>, StoreError> {
        for found in join_all(self.index.names_of(subject).map(|key| self.at(key, now))).await {
            if let Some(link) = found?.and_then(Result::ok).filter(|link| link.subject == *subject) {
                return Ok(Some(link));
            }
        }
        Ok(None)
    }

    /// All links to `account`, in the order of their people.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn of_account(&self, account: &AccountName, now: SystemTime) -> Result<Vec<Link>, StoreError> {
        let mut links = Vec::new();
        for set in self.index.names_of_account(account) {
            let members = self.store.members(Relation::Account, set, now).await?;
            for found in join_all(members.into_iter().map(|key| self.at(key, now))).await {
                // A hint that leads to another account, or nowhere, is left over from a write that was cut short.
                links.extend(found?.and_then(Result::ok).filter(|link| link.account == *account));
            }
        }
        links.sort_by(|a, b| a.subject.cmp(&b.subject));
        links.dedup_by(|a, b| a.subject == b.subject);
        Ok(links)
    }

    /// The next of all links, in no order. `bucket` counts from 0; `None` when there are no more.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn listed(&self, bucket: u16, now: SystemTime) -> Result<Option<Listed>, StoreError> {
        if bucket >= BUCKETS {
            return Ok(None);
        }
        let mut listed = Listed::default();
        let members = self.store.members(Relation::Links, bucket_name(bucket), now).await?;
        for found in join_all(members.into_iter().map(|key| self.at(key, now))).await {
            match found? {
                Some(Ok(link)) => listed.links.push(link),
                Some(Err(())) => listed.unreadable += 1,
                None => {}
            }
        }
        listed.links.sort_by(|a, b| a.subject.cmp(&b.subject));
        Ok(Some(listed))
    }

    /// Links `subject` to `account`.
    ///
    /// # Errors
    /// [`LinkError`]; the person's link is what it was.
    pub async fn put(
        &self,
        subject: &Subject,
        account: &AccountName,
        if_linked: IfLinked,
        now: SystemTime,
    ) -> Result<Written, LinkError> {
        let [subjects, accounts] = &*self.writing;
        let mut names = self.index.names_of(subject);
        let mut sets = self.index.names_of_account(account);
        // There is always a key, be it that of no key at all.
        let (Some(key), Some(set)) = (names.next(), sets.next()) else { return Err(StoreError::Full.into()) };
        let _this_person = turn(subjects, &key).lock().await;
        let _this_account = turn(accounts, &set).lock().await;
        let before = self.find(subject, now).await?;
        let same = before.as_ref().is_some_and(|link| link.account == *account);
        if before.is_some() && !same && if_linked == IfLinked::Refuse {
            return Err(LinkError::OtherAccount);
        }
        if !same && self.of_account(account, now).await?.len() >= self.settings.subjects_per_account {
            return Err(LinkError::TooMany);
        }
        let keep = self.settings.keep;
        let since = before.as_ref().filter(|_| same).map_or(Timestamp::of(now), |link| link.since);
        let link = Link { subject: subject.clone(), account: account.clone(), since };
        let pushed_out = self.store.add_member(Relation::Links, bucket_name(bucket_of(key)), key, keep, now).await?;
        if !pushed_out.is_empty() {
            // A link that no set lists could not be exported: the other keeps its place.
            self.list_again(&pushed_out, key, now).await?;
            return Err(StoreError::Full.into());
        }
        self.store.add_member(Relation::Account, set, key, keep, now).await?;
        let record = self.index.seal(key, &link, &*self.entropy);
        if before.is_none() && if_linked == IfLinked::Refuse {
            // Another gateway may have been quicker.
            if !self.store.insert(Kind::Link, key, &record, keep, now).await? {
                return Err(LinkError::OtherAccount);
            }
        } else {
            self.store.put(Kind::Link, key, &record, keep, now).await?;
        }
        for old in names {
            self.forget(old, before.as_ref().map(|link| &link.account), now).await?;
        }
        match before {
            Some(link) if !same => {
                self.unlist_from(&link.account, key).await?;
                Ok(Written::Replaced(link.account))
            }
            Some(_) => Ok(Written::Same),
            None => Ok(Written::New),
        }
    }

    /// Removes the link of `subject`, and says which it was.
    ///
    /// # Errors
    /// The store does not answer; the link may be there still.
    pub async fn remove(&self, subject: &Subject, now: SystemTime) -> Result<Option<Link>, StoreError> {
        let [subjects, _] = &*self.writing;
        let Some(first) = self.index.names_of(subject).next() else { return Ok(None) };
        let _this_person = turn(subjects, &first).lock().await;
        let before = self.find(subject, now).await?;
        for key in self.index.names_of(subject) {
            self.forget(key, before.as_ref().map(|link| &link.account), now).await?;
        }
        Ok(before)
    }

    /// Gives the places back that `key` took from others.
    async fn list_again(&self, pushed_out: &[StoreKey], key: StoreKey, now: SystemTime) -> Result<(), StoreError> {
        let bucket = bucket_name(bucket_of(key));
        self.store.remove_member(Relation::Links, bucket, key).await?;
        for other in pushed_out {
            self.store.add_member(Relation::Links, bucket, *other, self.settings.keep, now).await?;
        }
        Ok(())
    }

    /// Takes the record at `key` away, then what lists it.
    async fn forget(&self, key: StoreKey, account: Option<&AccountName>, now: SystemTime) -> Result<(), StoreError> {
        if self.store.get(Kind::Link, key, now).await?.is_some() {
            self.store.remove(Kind::Link, key).await?;
        }
        self.store.remove_member(Relation::Links, bucket_name(bucket_of(key)), key).await?;
        match account {
            Some(account) => self.unlist_from(account, key).await,
            None => Ok(()),
        }
    }

    async fn unlist_from(&self, account: &AccountName, key: StoreKey) -> Result<(), StoreError> {
        for set in self.index.names_of_account(account) {
            self.store.remove_member(Relation::Account, set, key).await?;
        }
        Ok(())
    }

    /// The link at `key`; `Err` for a record that does not open.
    async fn at(&self, key: StoreKey, now: SystemTime) -> Result<Option<Result<Link, ()>>, StoreError> {
        let Some(record) = self.store.get(Kind::Link, key, now).await? else { return Ok(None) };
        Ok(Some(self.index.open(key, &record).map_err(|reason| {
            warn!(reason = %reason, code = "link_corrupt", "The record of a link could not be opened");
        })))
    }
}

#[async_trait]
impl AccountOf for Links {
    async fn account_of(&self, identity: &Identity, now: SystemTime) -> Result<Option<Box<str>>, StoreError> {
        // Whoever cannot be linked is not.
        let Ok(subject) = Subject::parse(identity.issuer(), identity.subject()) else { return Ok(None) };
        Ok(self.find(&subject, now).await?.map(|link| link.account.0.into_boxed_str()))
    }
}
