//! The seam between what we remember and where: one trait, one contract, three stores.
//!
//! A store sees hashes and sealed bytes, never an id, a person or a key. The contract every store keeps is the test
//! suite in `contract.rs`.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::StoreKey;
use super::write_fault::WriteFault;

/// Which of the kinds of record a key belongs to; also part of what a record is sealed to, so that a record of one
/// kind can never be passed off as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A signed-in person's session.
    Session,
    /// A sign-in that is under way.
    Attempt,
    /// A session that ended before its time: nothing that lies in its place is believed.
    Ended,
    /// What the gateways of one store keep for each other: key sets of token issuers.
    Keys,
    /// That something which counts once has been used: a state of a sign-in, a logout token, a turn to ask the provider.
    Spent,
    /// What is kept of a person's session at their provider, beside the record of the session here.
    Provider,
    /// A page that a person wanted to go to, too long to be kept anywhere else.
    Page,
    /// To which account of the app a person belongs. It outlives every session.
    Link,
    /// Of an approval that somebody was asked for on their phone: the question, and each thing that became of it.
    Approval,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Kind; 9] = [
        Kind::Session,
        Kind::Attempt,
        Kind::Ended,
        Kind::Keys,
        Kind::Spent,
        Kind::Provider,
        Kind::Page,
        Kind::Link,
        Kind::Approval,
    ];

    /// The word used in store keys, in sealing and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Session => "session",
            Kind::Attempt => "attempt",
            Kind::Ended => "ended",
            Kind::Keys => "keys",
            Kind::Spent => "spent",
            Kind::Provider => "provider",
            Kind::Page => "page",
            Kind::Link => "link",
            Kind::Approval => "approval",
        }
    }

    /// Whether a record that is inserted into a full table pushes out the one that would end first. A link is nobody's to
    /// lose, and neither is how an approval ended: a full table takes no more of them.
    pub fn makes_room(self) -> bool {
        !matches!(self, Kind::Link | Kind::Approval)
    }
}

/// Which of the kinds of relation a set is: what its members are to the record, or the person, that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Sessions that were handed over from the session that names the set.
    Children,
    /// The session that the one that names the set was handed over from.
    Parents,
    /// Sessions of the person whose pseudonymous key names the set.
    Person,
    /// Sessions that were opened in the session at the provider (`sid`) whose pseudonymous key names the set.
    ProviderSession,
    /// Links of people to the account of the app whose pseudonymous key names the set.
    Account,
    /// All links, in many sets of like size, so that they can be listed.
    Links,
}

impl Relation {
    /// Every relation there is.
    pub const ALL: [Relation; 6] = [
        Relation::Children,
        Relation::Parents,
        Relation::Person,
        Relation::ProviderSession,
        Relation::Account,
        Relation::Links,
    ];

    /// Most members of one set. One more pushes out the member that would end first.
    pub const MOST: usize = 1_000;

    /// The word used in store keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Relation::Children => "children",
            Relation::Parents => "parents",
            Relation::Person => "person",
            Relation::ProviderSession => "provider_session",
            Relation::Account => "account",
            Relation::Links => "links",
        }
    }
}

/// The store could not answer. Callers fail closed with 503; nobody is signed out by it.
///
/// `Clone`, because many callers may wait for one answer (see `cache.rs`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// More records than the configured limit.
    #[error("the session store is full")]
    Full,
    /// It takes nothing new; what it holds can be read.
    #[error("the session store takes nothing new: {0}")]
    NotWritable(WriteFault),
    /// What answers keeps no sessions, and will not until the configuration, or it, is changed. A text of our own.
    #[error("the session store keeps no sessions: {0}")]
    Unfit(String),
    /// No answer in time, or no connection. The text is one of our own: it never holds an address, a password or
    /// words of the peer.
    #[error("the session store is not available: {0}")]
    Unavailable(String),
}

/// How many records of each kind a store of our own keeps. Each kind has its own bound: whoever can begin sign-ins
/// needs no account, and must not be able to crowd out the sessions of people who are signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sessions. Default 1,000,000.
    pub sessions: u64,
    /// Sign-ins under way. Default 100,000.
    pub attempts: u64,
    /// Pages that people wanted to go to and that are too long to be kept elsewhere; each a little more than
    /// `limits.uri_bytes` at most. Default 2,000.
    pub pages: u64,
    /// Links of people to accounts. Default 1,000,000.
    pub links: u64,
    /// Records of approvals, several each. Default 100,000.
    pub approvals: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: 1_000_000, attempts: 100_000, pages: 2_000, links: 1_000_000, approvals: 100_000 }
    }
}

impl Limits {
    /// Records of [`Kind::Keys`]: only gateways write them, each the same one.
    const KEYS: u64 = 16;

    /// Records of [`Kind::Spent`]: some hundred bytes each, kept for as long as a sign-in may take, a token could be sent again, or
    /// (`anew.rs`) a session from before could still be open.
    const SPENT: u64 = 200_000;

    /// The bound of one kind.
    pub fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Session => self.sessions,
            Kind::Attempt => self.attempts,
            // As many as there may be sessions.
            Kind::Ended | Kind::Provider => self.sessions,
            Kind::Keys => Self::KEYS,
            Kind::Spent => Self::SPENT,
            Kind::Page => self.pages,
            Kind::Link => self.links,
            Kind::Approval => self.approvals,
        }
    }
}

/// One record of a change that is made whole or not at all.
#[derive(Debug, Clone, Copy)]
pub struct Swap<'a> {
    /// Which record.
    pub key: StoreKey,
    /// What must be there, byte for byte; `None`: nothing.
    pub before: Option<&'a [u8]>,
    /// What is there afterwards.
    pub after: &'a [u8],
    /// For how long.
    pub keep: Duration,
}

/// Keeps sealed records for a bounded time.
#[async_trait]
pub trait RecordStore: Send + Sync {
    /// Writes or replaces a record that lives for `keep` from `now` on. A `keep` of zero leaves no record.
    async fn put(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<(), StoreError>;

    /// Reads a record that is not yet over.
    async fn get(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError>;

    /// Takes a record out, atomically: of any number of callers, on any number of replicas, exactly one gets it.
    ///
    /// RFC 9700, 4.7. If a sign-in attempt could be read twice, a captured callback URL would open a second session
    /// for whoever holds it.
    async fn take(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes a record; removing what is not there is fine.
    async fn remove(&self, kind: Kind, key: StoreKey) -> Result<(), StoreError>;

    /// Replaces a record only if it is still there: a session that was signed out elsewhere is never brought back by
    /// a late "last seen". Returns whether it was there. A `keep` of zero removes it.
    async fn replace(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError>;

    /// Writes a record only if none is there; of any number of callers, on any number of replicas, exactly one writes it
    /// and is told so. A `keep` of zero leaves no record.
    ///
    /// Where a kind's bound is reached, the record that would end first makes room. Whoever begins sign-ins without end
    /// shuts nobody out by it: what they push off the list is the oldest of it, mostly their own. Of kinds whose records are
    /// nobody's to lose ([`Kind::makes_room`]) a full store takes no more.
    async fn insert(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError>;

    /// Writes all of `swaps`, each of another record, or none of them: only if every place holds what it is said to hold. Of any
    /// number of callers that saw the same, on any number of replicas, exactly one writes and is told so. A store that is full
    /// takes nothing.
    ///
    /// If it were not one step, a person's account could be at two places after a crash, or at none.
    async fn swap(&self, kind: Kind, swaps: &[Swap<'_>], now: SystemTime) -> Result<bool, StoreError>;

    /// Adds `member` to the set of `of`, for `keep` from `now` on; a member that is there lives as long as the later of
    /// the two says. A set that is full ([`Relation::MOST`]) loses the member that would end first: it is given back.
    /// Whoever adds must end what was pushed out. Otherwise a thief could add until an earlier session is in no set any
    /// more, and keep it when its owner signs out.
    async fn add_member(
        &self,
        relation: Relation,
        of: StoreKey,
        member: StoreKey,
        keep: Duration,
        now: SystemTime,
    ) -> Result<Vec<StoreKey>, StoreError>;

    /// The members of a set whose time is not over, in no order.
    async fn members(&self, relation: Relation, of: StoreKey, now: SystemTime) -> Result<Vec<StoreKey>, StoreError>;

    /// Takes one member out of a set; taking out what is not there is fine.
    async fn remove_member(&self, relation: Relation, of: StoreKey, member: StoreKey) -> Result<(), StoreError>;

    /// Why the store takes nothing new, as far as it knows without asking anybody: costs next to nothing. Whoever
    /// begins something that ends in a write asks first, so that nobody goes to their phone for a sign-in that cannot
    /// be kept.
    fn write_fault(&self) -> Option<WriteFault> {
        None
    }

    /// Writes it has refused since start, by what kept it from writing.
    fn refused_writes(&self) -> Vec<(WriteFault, u64)> {
        Vec::new()
    }

    /// Whether the store answers and takes what is new: for readiness.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Drops what is over; stores that expire by themselves do nothing. Called from time to time in the background.
    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError>;
}
