//! Changing links: one place for whoever may, so that each change is told to the sessions, counted and written down.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt as _, stream};
use tracing::warn;

use crate::account::links::{IfLinked, LinkError, Links, Written};
use crate::account::person::Person;
use crate::account::table::Row;
use crate::account::{AccountName, Link, Subject};
use crate::ground::limit::RateLimiter;
use crate::session::sessions::Sessions;
use crate::session::store::StoreError;
use crate::telemetry::Metrics;
use crate::telemetry::events::{LinkChange, SecurityEvent};
use crate::telemetry::log::pseudonym;

/// Lines of a table that are written at once: enough that a disk takes many in one write.
const WRITTEN_AT_ONCE: usize = 32;

/// So many minutes' worth of changes may come at once.
const BURST_MINUTES: u32 = 2;

/// Who changes a link.
#[derive(Debug, Clone, Copy)]
pub struct ChangedBy<'a> {
    /// Name of the token that it was done with.
    pub token: &'a str,
    /// From where.
    pub client: IpAddr,
}

/// What came of an import.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Links that are new.
    pub new: usize,
    /// Links that were there already.
    pub same: usize,
    /// People who belong to another account now.
    pub replaced: usize,
    /// Lines that were not taken, by their numbers, and why; all others were.
    pub refused: Vec<(u64, LinkError)>,
}

/// What [`Linking`] is made of.
pub struct LinkingParts {
    /// The links.
    pub links: Arc<Links>,
    /// How many of them one client may change in a minute; zero: no limit.
    pub changes_per_minute: u32,
    /// How long a ticket for the link page lives.
    pub ticket_ttl: Duration,
}

/// See the module's page.
pub struct Linking {
    links: Arc<Links>,
    pub(super) sessions: Arc<Sessions>,
    metrics: Arc<Metrics>,
    changes: RateLimiter,
    pub(super) ticket_ttl: Duration,
}

impl Linking {
    pub(super) fn new(parts: LinkingParts, sessions: Arc<Sessions>, metrics: Arc<Metrics>) -> Self {
        let LinkingParts { links, changes_per_minute, ticket_ttl } = parts;
        let changes = RateLimiter::new(changes_per_minute, BURST_MINUTES);
        Self { links, sessions, metrics, changes, ticket_ttl }
    }

    /// To read them. They are changed here.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Whether `client` may change something now; an import is one change.
    ///
    /// # Errors
    /// How long it must wait.
    pub fn may_change(&self, client: IpAddr, now: SystemTime) -> Result<(), Duration> {
        self.changes.take(client, now)
    }

    /// Links `subject` to `account`. Open sessions of theirs belong to it as soon as a sign-out would reach them.
    ///
    /// # Errors
    /// [`LinkError`]; nothing has changed.
    pub async fn put(
        &self,
        subject: &Subject,
        account: &AccountName,
        if_linked: IfLinked,
        by: ChangedBy<'_>,
        now: SystemTime,
    ) -> Result<Written, LinkError> {
        let written = self.links.put(subject, account, if_linked, now).await;
        self.written(written, subject, Some(account), by, now).await
    }

    /// As [`Linking::put`], for a line of a table, which may say more of a person than their account.
    async fn restore(
        &self,
        person: &Person,
        if_linked: IfLinked,
        by: ChangedBy<'_>,
        now: SystemTime,
    ) -> Result<Written, LinkError> {
        let written = self.links.restore(person, if_linked, now).await;
        self.written(written, &person.subject, person.account.as_ref(), by, now).await
    }

    async fn written(
        &self,
        written: Result<Written, LinkError>,
        subject: &Subject,
        account: Option<&AccountName>,
        by: ChangedBy<'_>,
        now: SystemTime,
    ) -> Result<Written, LinkError> {
        let change = match &written {
            Ok(Written::New) => LinkChange::Linked,
            Ok(Written::Replaced(_)) => LinkChange::Moved,
            Ok(Written::Same) => return written,
            Err(error) => {
                self.count(if matches!(error, LinkError::Store(_)) { "unavailable" } else { "refused" });
                return written;
            }
        };
        self.changed(change, subject, account, by, now).await;
        written
    }

    /// Removes the link of `subject` and says which it was. Their open sessions belong to nobody as soon as a sign-out would
    /// reach them; they stay signed in.
    ///
    /// # Errors
    /// The store does not answer; the link may be there still.
    pub async fn remove(
        &self,
        subject: &Subject,
        by: ChangedBy<'_>,
        now: SystemTime,
    ) -> Result<Option<Link>, StoreError> {
        let removed = self.links.remove(subject, now).await.inspect_err(|_| self.count("unavailable"))?;
        if let Some(link) = &removed {
            self.changed(LinkChange::Unlinked, subject, Some(&link.account), by, now).await;
        }
        Ok(removed)
    }

    /// Writes every row. If the store fails in between, the rows that were not taken are named.
    pub async fn import(&self, rows: Vec<Row>, if_linked: IfLinked, by: ChangedBy<'_>, now: SystemTime) -> Imported {
        let puts =
            stream::iter(rows).map(async |row: Row| (row.line, self.restore(&row.person, if_linked, by, now).await));
        let mut puts = puts.buffered(WRITTEN_AT_ONCE);
        let mut imported = Imported::default();
        while let Some((line, outcome)) = puts.next().await {
            match outcome {
                Ok(Written::New) => imported.new += 1,
                Ok(Written::Same) => imported.same += 1,
                Ok(Written::Replaced(_)) => imported.replaced += 1,
                Err(error) => imported.refused.push((line, error)),
            }
        }
        imported
    }

    async fn changed(
        &self,
        change: LinkChange,
        subject: &Subject,
        account: Option<&AccountName>,
        by: ChangedBy<'_>,
        now: SystemTime,
    ) {
        self.count(change.as_str());
        let person = pseudonym(subject.issuer(), subject.subject());
        SecurityEvent::Link {
            change,
            issuer: subject.issuer(),
            subject: &person,
            account: account.map_or("", AccountName::as_str),
            by: by.token,
            client: by.client,
        }
        .emit();
        if let Err(error) = self.sessions.relinked(subject.issuer(), subject.subject(), now).await {
            warn!(reason = %error, "Open sessions of a person whose link changed are looked at when their time comes");
        }
    }

    fn count(&self, outcome: &'static str) {
        self.metrics.link_changes.with_label_values(&[outcome]).inc();
    }
}
