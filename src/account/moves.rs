//! What becomes of a person who comes by a name that nobody is known by: somebody new, or somebody who was known by another
//! one and brings their account along.
//!
//! What was theirs moves in one step of the store: the new record is written and the old one becomes the trace of somebody
//! who moved, or neither. Whoever comes by the old name later is somebody else, and no word of a carrier ever moves that name
//! again: a port token that was used is worth nothing to anybody but the person who used it.

use std::collections::BTreeSet;
use std::time::SystemTime;

use futures_util::future::try_join_all;

use super::links::{FOR_EVER, Held, IfLinked, LinkError, Links, TRIES, Written, changed_meanwhile};
use super::person::{Gone, Person, StableSubject};
use super::{AccountName, Subject};
use crate::ground::time::Timestamp;
use crate::session::StoreKey;
use crate::session::store::{Kind, Relation, StoreError, Swap};

/// Who somebody was before, as far as it is proven.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Former {
    /// By which names earlier carriers knew them.
    pub subjects: BTreeSet<Subject>,
    /// Whether there is a word of an earlier carrier more that could not be proven now: its keys could not be had.
    pub unproven: bool,
}

/// What became of somebody who came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// They were known by this very name; nothing else was looked at.
    Known,
    /// They are somebody new.
    New,
    /// What was kept of them by this other name is theirs here now.
    Moved(Subject),
    /// By their earlier names several people are known. Nothing has changed.
    Ambiguous,
    /// One of their earlier names moved to somebody else before. They are somebody new.
    Conflict,
    /// It cannot be told now whether they are somebody who is known. Nothing has changed.
    Unproven,
}

/// What became of somebody who came, and what stays theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// What became of them.
    pub settled: Settled,
    /// The name that stays theirs; none as long as it is open who they are.
    pub stable: Option<StableSubject>,
}

impl Settlement {
    fn of(settled: Settled, stable: Option<StableSubject>) -> Option<Self> {
        Some(Self { settled, stable })
    }
}

impl Links {
    /// What is kept of whoever comes as `subject`, if they are known by that name; earlier names are then of no interest
    /// (dossier 14, step 1).
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn known(&self, subject: &Subject, now: SystemTime) -> Result<Option<Person>, StoreError> {
        let held = self.held(subject, now).await?;
        Ok(held.map(|held| held.person).filter(Person::is_somebody))
    }

    /// Settles who somebody is that comes as `subject` and, by the word of earlier carriers, was `former` before.
    ///
    /// # Errors
    /// The store does not answer, or takes nothing new; nothing has changed.
    pub async fn settle(&self, subject: &Subject, former: &Former, now: SystemTime) -> Result<Settlement, StoreError> {
        for _ in 0..TRIES {
            if let Some(settlement) = self.try_settle(subject, former, now).await? {
                return Ok(settlement);
            }
        }
        Err(changed_meanwhile())
    }

    /// `None` if a record was changed meanwhile.
    async fn try_settle(
        &self,
        subject: &Subject,
        former: &Former,
        now: SystemTime,
    ) -> Result<Option<Settlement>, StoreError> {
        let Some(key) = self.index.names_of(subject).next() else { return Err(StoreError::Full) };
        let held = self.held(subject, now).await?;
        if let Some(known) = held.as_ref().filter(|held| held.person.is_somebody()) {
            let kept = match &known.person.stable {
                Some(stable) => Some(stable.clone()),
                // They were linked before anybody was kept by a name of their own.
                None => self.name(key, subject, held.as_ref(), now).await?,
            };
            return Ok(kept.and_then(|stable| Settlement::of(Settled::Known, Some(stable))));
        }
        let olds = former.subjects.iter().filter(|old| *old != subject);
        let found: Vec<Held> = try_join_all(olds.map(|old| self.held(old, now))).await?.into_iter().flatten().collect();
        // A name that moved leads to whoever took it along: this person, somebody they were in between, or somebody else.
        let foreign = |gone: &Gone| gone.to != *subject && !former.subjects.contains(&gone.to);
        if found.iter().any(|old| old.person.gone.as_ref().is_some_and(foreign)) {
            let stable = self.name(key, subject, held.as_ref(), now).await?;
            return Ok(stable.and_then(|stable| Settlement::of(Settled::Conflict, Some(stable))));
        }
        let mut hits = found.into_iter().filter(|old| old.person.gone.is_none() && old.person.is_somebody());
        match (hits.next(), hits.next()) {
            (Some(_), Some(_)) => Ok(Settlement::of(Settled::Ambiguous, None)),
            _ if former.unproven => Ok(Settlement::of(Settled::Unproven, None)),
            (Some(old), None) => self.move_here((key, subject, held.as_ref()), old, now).await,
            (None, _) => {
                let stable = self.name(key, subject, held.as_ref(), now).await?;
                Ok(stable.and_then(|stable| Settlement::of(Settled::New, Some(stable))))
            }
        }
    }

    /// Keeps a person by a name of their own from now on; `None` if their record was changed meanwhile.
    async fn name(
        &self,
        key: StoreKey,
        subject: &Subject,
        held: Option<&Held>,
        now: SystemTime,
    ) -> Result<Option<StableSubject>, StoreError> {
        let known = held.map(|held| &held.person);
        let gone = known.and_then(|person| person.gone.clone());
        let stable = StableSubject::of(subject, gone.as_ref());
        let since = known.filter(|person| person.is_somebody()).map_or(Timestamp::of(now), |person| person.since);
        let account = known.and_then(|person| person.account.clone());
        self.list(key, now).await?;
        if let Some(account) = &account {
            self.list_under(account, key, now).await?;
        }
        let person = Person { subject: subject.clone(), account, since, stable: Some(stable.clone()), gone };
        Ok(self.write(key, held, &person, now).await?.then_some(stable))
    }

    /// Moves what is kept of `old` to the person at `key`; `None` if one of the two was changed meanwhile.
    async fn move_here(
        &self,
        (key, subject, held): (StoreKey, &Subject, Option<&Held>),
        old: Held,
        now: SystemTime,
    ) -> Result<Option<Settlement>, StoreError> {
        let from = old.person.subject.clone();
        let stable = old.person.stable.clone().unwrap_or_else(|| StableSubject::of(&from, None));
        let here = Person {
            subject: subject.clone(),
            account: old.person.account.clone(),
            since: old.person.since,
            stable: Some(stable.clone()),
            // Somebody who comes back to a name that they had is who they were: it may move with them again.
            gone: None,
        };
        let gone = Some(Gone { to: subject.clone(), at: Timestamp::of(now) });
        let trace = Person { account: None, stable: None, gone, ..old.person.clone() };
        self.list(key, now).await?;
        if let Some(account) = &here.account {
            self.list_under(account, key, now).await?;
        }
        let [new, trace] =
            [(key, &here), (old.key, &trace)].map(|(key, person)| self.index.seal(key, person, &*self.entropy));
        let before = held.filter(|held| held.key == key).map(|held| held.record.as_slice());
        let swaps = [
            Swap { key, before, after: &new, keep: self.settings.keep },
            Swap { key: old.key, before: Some(&old.record), after: &trace, keep: FOR_EVER },
        ];
        if !self.store.swap(Kind::Link, &swaps, now).await? {
            return Ok(None);
        }
        if let Some(account) = &old.person.account {
            self.unlist_from(account, old.key).await?;
        }
        Ok(Settlement::of(Settled::Moved(from), Some(stable)))
    }

    async fn list_under(&self, account: &AccountName, key: StoreKey, now: SystemTime) -> Result<(), StoreError> {
        if let Some(set) = self.index.names_of_account(account).next() {
            self.store.add_member(Relation::Account, set, key, self.settings.keep, now).await?;
        }
        Ok(())
    }

    /// Writes what an export said of a person: also their name and the trace of a move.
    ///
    /// # Errors
    /// [`LinkError`]; what is kept of them is what it was.
    pub async fn restore(&self, person: &Person, if_linked: IfLinked, now: SystemTime) -> Result<Written, LinkError> {
        if let Person { account: Some(account), stable: None, gone: None, .. } = person {
            return self.put(&person.subject, account, if_linked, now).await;
        }
        let Some(key) = self.index.names_of(&person.subject).next() else { return Err(StoreError::Full.into()) };
        for _ in 0..TRIES {
            let held = self.held(&person.subject, now).await?;
            let since = held.as_ref().map_or(Timestamp::of(now), |held| held.person.since);
            let wanted = Person { since, ..person.clone() };
            if held.as_ref().is_some_and(|held| held.person == wanted) {
                return Ok(Written::Same);
            }
            if held.is_some() && if_linked == IfLinked::Refuse {
                return Err(LinkError::Differs);
            }
            let before = held.as_ref().and_then(|held| held.person.account.clone());
            if let Some(account) = person.account.as_ref().filter(|account| before.as_ref() != Some(account)) {
                if self.of_account(account, now).await?.len() >= self.settings.subjects_per_account {
                    return Err(LinkError::TooMany);
                }
                self.list_under(account, key, now).await?;
            }
            self.list(key, now).await?;
            if self.write(key, held.as_ref(), &wanted, now).await? {
                let Some(before) = before.filter(|before| wanted.account.as_ref() != Some(before)) else {
                    return Ok(Written::New);
                };
                self.unlist_from(&before, key).await?;
                return Ok(Written::Replaced(before));
            }
        }
        Err(changed_meanwhile().into())
    }
}

#[cfg(test)]
mod tests;
