//! How often one person may be asked: whoever asks without end gets a yes from somebody who wants to be left in peace
//! (T11). Kept in the store, so that it holds over restarts and for all replicas together.

use std::time::{Duration, SystemTime};

use super::Quota;
use super::id::ApprovalId;
use crate::ground::time::Timestamp;
use crate::secret::sha256_of;
use crate::session::StoreKey;
use crate::session::store::{Kind, RecordStore, StoreError};

const HOUR: Duration = Duration::from_secs(3600);

/// Why somebody is not asked now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// They are being asked already.
    #[error("this person is being asked already")]
    UnderWay(Duration),
    /// They have been asked as often as they may be.
    #[error("this person has been asked as often as approvals.per_hour, or in_browser_per_hour, allows")]
    TooMany(Duration),
    /// They said no a short while ago.
    #[error("this person has said no within approvals.pause_after_denial")]
    Paused(Duration),
    /// The store did not answer, or took nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Busy {
    /// The word for programs and metrics, and how long to wait; `None` where it is the store's fault.
    pub fn words(&self) -> Option<(&'static str, Duration)> {
        match self {
            Self::UnderWay(wait) => Some(("approval_under_way", *wait)),
            Self::TooMany(wait) => Some(("too_many_approvals", *wait)),
            Self::Paused(wait) => Some(("approval_paused", *wait)),
            Self::Store(_) => None,
        }
    }
}

/// What is kept of one person, under a name that nobody without the operator key can make.
#[derive(Clone, Copy)]
pub struct Person<'a> {
    /// Where.
    pub store: &'a dyn RecordStore,
    /// The name.
    pub key: StoreKey,
}

impl Person<'_> {
    /// Takes one of the person's turns for the approval `id`, which ends at the latest after `lasts`.
    ///
    /// # Errors
    /// [`Busy`]; no turn is taken then.
    pub async fn take(&self, id: &ApprovalId, lasts: Duration, quota: &Quota, now: SystemTime) -> Result<(), Busy> {
        if let Some(wait) = self.left(self.place(b"paused  ", 0), now).await? {
            return Err(Busy::Paused(wait));
        }
        let live = self.live();
        let mark = [end(lasts, now).as_slice(), &id.place(super::id::Part::Question).0].concat();
        if !self.store.insert(Kind::Approval, live, &mark, lasts, now).await? {
            return Err(Busy::UnderWay(self.left(live, now).await?.unwrap_or_default()));
        }
        let turn = self.turn(b"turn    ", quota.per_hour, now).await;
        if turn.is_err() {
            self.store.remove(Kind::Approval, live).await?;
        }
        turn
    }

    /// Takes one of the person's turns to be asked in their browser. Whoever left one question open may be asked the next: it
    /// is they who come to it.
    ///
    /// # Errors
    /// [`Busy`]; no turn is taken then.
    pub async fn take_in_browser(&self, quota: &Quota, now: SystemTime) -> Result<(), Busy> {
        self.turn(b"browser ", quota.in_browser_per_hour, now).await
    }

    async fn turn(&self, what: &[u8; 8], most: u32, now: SystemTime) -> Result<(), Busy> {
        let mut soonest = HOUR;
        for turn in 0..most {
            let place = self.place(what, turn);
            if self.store.insert(Kind::Approval, place, &end(HOUR, now), HOUR, now).await? {
                return Ok(());
            }
            soonest = soonest.min(self.left(place, now).await?.unwrap_or_default());
        }
        Err(Busy::TooMany(soonest))
    }

    /// The approval `id` is over; somebody else's turn is not touched.
    pub async fn release(&self, id: &ApprovalId, now: SystemTime) -> Result<(), StoreError> {
        let mark = self.store.get(Kind::Approval, self.live(), now).await?;
        let ours = mark.is_some_and(|mark| mark.get(8..) == Some(&id.place(super::id::Part::Question).0[..]));
        if ours { self.store.remove(Kind::Approval, self.live()).await } else { Ok(()) }
    }

    /// They said no.
    pub async fn pause(&self, quota: &Quota, now: SystemTime) -> Result<(), StoreError> {
        if quota.pause.is_zero() {
            return Ok(());
        }
        let place = self.place(b"paused  ", 0);
        self.store.put(Kind::Approval, place, &end(quota.pause, now), quota.pause, now).await
    }

    fn live(&self) -> StoreKey {
        self.place(b"live    ", 0)
    }

    fn place(&self, what: &[u8; 8], number: u32) -> StoreKey {
        StoreKey(sha256_of(&[b"zengate approvals of a person v1 ", what, &number.to_le_bytes(), &self.key.0]))
    }

    /// How long a mark lasts; `None` if there is none.
    async fn left(&self, place: StoreKey, now: SystemTime) -> Result<Option<Duration>, StoreError> {
        let mark = self.store.get(Kind::Approval, place, now).await?;
        let end = mark.and_then(|mark| mark.first_chunk::<8>().map(|end| u64::from_be_bytes(*end)));
        Ok(end.map(|end| Timestamp::from_millis(end).since(Timestamp::of(now))))
    }
}

/// When it ends, as it stands in a mark. It is no secret: whoever reads the store learns that somebody was asked, and not who.
fn end(lasts: Duration, now: SystemTime) -> [u8; 8] {
    Timestamp::of(now).plus(lasts).as_millis().to_be_bytes()
}
