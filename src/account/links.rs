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
use super::person::Person;
use super::{AccountName, Link, Subject};
use crate::ground::time::Timestamp;
use crate::identity::Identity;
use crate::secret::Entropy;
use crate::session::StoreKey;
use crate::session::account_of::AccountOf;
use crate::session::seal::Sealer;
use crate::session::store::{Kind, RecordStore, Relation, StoreError, Swap};

/// How long a link without a lifetime of its own is kept: 100 years. Stores keep nothing for ever.
pub const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How the operator wants links kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSettings {
    /// How long a link lives after it was last written. Default [`FOR_EVER`].
    pub keep: Duration,
    /// Most people that may be linked to one account. Default 10.
    pub subjects_per_account: usize,
    /// Whether everybody who signs in is kept, by a name that stays theirs: where people may bring their account along from
    /// another carrier. Default no.
    pub keeps_everybody: bool,
}

/// How often a write is tried whose record somebody else changed meanwhile.
pub(super) const TRIES: usize = 8;

/// All tries were in vain.
pub(super) fn changed_meanwhile() -> StoreError {
    StoreError::Unavailable("the record of a person changed again and again while it was written".to_owned())
}

/// A person's record, as it lies in the store.
pub(super) struct Held {
    pub(super) key: StoreKey,
    pub(super) record: Vec<u8>,
    pub(super) person: Person,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self { keep: FOR_EVER, subjects_per_account: 10, keeps_everybody: false }
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
    /// Something else is kept of this person than a table says.
    #[error("something else is kept of this person than the table says")]
    Differs,
    /// The account has as many people as it may have.
    #[error("the account has as many people as accounts.subjects_per_account allows")]
    TooMany,
    /// The store did not take it, or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// See the module's page.
pub struct Links {
    pub(super) store: Arc<dyn RecordStore>,
    pub(super) index: Index,
    pub(super) settings: LinkSettings,
    pub(super) entropy: Arc<dyn Entropy>,
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
    /// The same, and people who are kept without an account, and traces of those who moved.
    pub people: Vec<Person>,
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
        Ok(self.held(subject, now).await?.and_then(|held| held.person.link()))
    }

    /// Whether everybody who signs in is kept.
    pub fn keeps_everybody(&self) -> bool {
        self.settings.keeps_everybody
    }

    /// What is kept of `subject`.
    pub(super) async fn held(&self, subject: &Subject, now: SystemTime) -> Result<Option<Held>, StoreError> {
        for found in join_all(self.index.names_of(subject).map(|key| self.at(key, now))).await {
            if let Some(held) = found?.and_then(Result::ok).filter(|held| held.person.subject == *subject) {
                return Ok(Some(held));
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
                let link = found?.and_then(Result::ok).and_then(|held| held.person.link());
                links.extend(link.filter(|link| link.account == *account));
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
                Some(Ok(held)) => {
                    listed.links.extend(held.person.link());
                    listed.people.push(held.person);
                }
                Some(Err(())) => listed.unreadable += 1,
                None => {}
            }
        }
        listed.links.sort_by(|a, b| a.subject.cmp(&b.subject));
        listed.people.sort_by(|a, b| a.subject.cmp(&b.subject));
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
        for _ in 0..TRIES {
            if let Some(written) = self.try_put(subject, account, if_linked, (key, set), now).await? {
                return Ok(written);
            }
        }
        Err(changed_meanwhile().into())
    }

    /// `None` if the record was changed while it was written.
    async fn try_put(
        &self,
        subject: &Subject,
        account: &AccountName,
        if_linked: IfLinked,
        (key, set): (StoreKey, StoreKey),
        now: SystemTime,
    ) -> Result<Option<Written>, LinkError> {
        let held = self.held(subject, now).await?;
        let before = held.as_ref().and_then(|held| held.person.link());
        let same = before.as_ref().is_some_and(|link| link.account == *account);
        if before.is_some() && !same && if_linked == IfLinked::Refuse {
            return Err(LinkError::OtherAccount);
        }
        if !same && self.of_account(account, now).await?.len() >= self.settings.subjects_per_account {
            return Err(LinkError::TooMany);
        }
        let keep = self.settings.keep;
        let since = before.as_ref().filter(|_| same).map_or(Timestamp::of(now), |link| link.since);
        let known = held.as_ref().map(|held| &held.person);
        let (stable, gone) = known.map(|known| (known.stable.clone(), known.gone.clone())).unwrap_or_default();
        let person = Person { subject: subject.clone(), account: Some(account.clone()), since, stable, gone };
        self.list(key, now).await?;
        self.store.add_member(Relation::Account, set, key, keep, now).await?;
        if !self.write(key, held.as_ref(), &person, now).await? {
            return Ok(None);
        }
        match before {
            Some(link) if !same => {
                self.unlist_from(&link.account, key).await?;
                Ok(Some(Written::Replaced(link.account)))
            }
            Some(_) => Ok(Some(Written::Same)),
            None => Ok(Some(Written::New)),
        }
    }

    /// Writes what is kept of a person to `key`, their place by the newest of our keys, if it still is as it was found; `false`
    /// if not. What lies under an earlier key goes.
    pub(super) async fn write(
        &self,
        key: StoreKey,
        held: Option<&Held>,
        person: &Person,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let record = self.index.seal(key, person, &*self.entropy);
        let here = held.filter(|held| held.key == key);
        let before = match here {
            Some(held) => Some(held.record.clone()),
            // What no key opens is nobody's.
            None => self.store.get(Kind::Link, key, now).await?,
        };
        let swap = Swap { key, before: before.as_deref(), after: &record, keep: self.settings.keep };
        if !self.store.swap(Kind::Link, &[swap], now).await? {
            return Ok(false);
        }
        for old in self.index.names_of(&person.subject).filter(|old| *old != key) {
            let account = held.and_then(|held| held.person.account.as_ref());
            self.forget(old, account, now).await?;
        }
        Ok(true)
    }

    /// Lists the record at `key`, so that it can be exported.
    pub(super) async fn list(&self, key: StoreKey, now: SystemTime) -> Result<(), StoreError> {
        let keep = self.settings.keep;
        let pushed_out = self.store.add_member(Relation::Links, bucket_name(bucket_of(key)), key, keep, now).await?;
        if pushed_out.is_empty() {
            return Ok(());
        }
        // A link that no set lists could not be exported: the other keeps its place.
        self.list_again(&pushed_out, key, now).await?;
        Err(StoreError::Full)
    }

    /// Removes the link of `subject`, and says which it was.
    ///
    /// # Errors
    /// The store does not answer; the link may be there still.
    pub async fn remove(&self, subject: &Subject, now: SystemTime) -> Result<Option<Link>, StoreError> {
        let [subjects, _] = &*self.writing;
        let Some(first) = self.index.names_of(subject).next() else { return Ok(None) };
        let _this_person = turn(subjects, &first).lock().await;
        for _ in 0..TRIES {
            let held = self.held(subject, now).await?;
            let before = held.as_ref().and_then(|held| held.person.link());
            let account = before.as_ref().map(|link| &link.account);
            match held {
                Some(held) if held.person.stable.is_some() || held.person.gone.is_some() => {
                    // Without an account they are still who they were, and whoever moved away is not them.
                    let Some(account) = account else { return Ok(None) };
                    let person = Person { account: None, ..held.person.clone() };
                    if !self.write(first, Some(&held), &person, now).await? {
                        continue;
                    }
                    self.unlist_from(account, first).await?;
                }
                _ => {
                    for key in self.index.names_of(subject) {
                        self.forget(key, account, now).await?;
                    }
                }
            }
            return Ok(before);
        }
        Err(changed_meanwhile())
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

    pub(super) async fn unlist_from(&self, account: &AccountName, key: StoreKey) -> Result<(), StoreError> {
        for set in self.index.names_of_account(account) {
            self.store.remove_member(Relation::Account, set, key).await?;
        }
        Ok(())
    }

    /// The record at `key`; `Err` for one that does not open.
    async fn at(&self, key: StoreKey, now: SystemTime) -> Result<Option<Result<Held, ()>>, StoreError> {
        let Some(record) = self.store.get(Kind::Link, key, now).await? else { return Ok(None) };
        let opened = self.index.open(key, &record).map_err(|reason| {
            warn!(reason = %reason, code = "link_corrupt", "The record of a link could not be opened");
        });
        Ok(Some(opened.map(|person| Held { key, record, person })))
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
