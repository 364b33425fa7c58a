//! Approvals in the store of the sessions: what was asked, that the carrier has it, what came first, and how it ended.
//!
//! Each of the four is a record of its own that is written once and never changed. So a compare-and-set is an insert: of
//! any number of replicas one writes the ending, and what the others saw does not matter.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::id::{ApprovalId, Part};
use super::{Acknowledged, Approval, Found, Outcome};
use crate::secret::Entropy;
use crate::session::seal::Sealer;
use crate::session::store::{Kind, RecordStore, StoreError};

/// See the module's page.
#[derive(Clone, Copy)]
pub struct Shelf<'a> {
    /// Where.
    pub store: &'a dyn RecordStore,
    /// Sealed by.
    pub sealer: &'a Sealer,
    /// Randomness for it.
    pub entropy: &'a dyn Entropy,
    /// How long it is kept beyond the time to answer.
    pub keep: Duration,
}

impl Shelf<'_> {
    /// Writes down what is to be asked. Before it leaves: an answer may come before the carrier's acknowledgement does.
    pub async fn prepare(&self, id: &ApprovalId, approval: &Approval, now: SystemTime) -> Result<(), StoreError> {
        let keep = self.keep + approval.lasts();
        self.write(id, Part::Question, &encode(approval), keep, now).await.map(drop)
    }

    /// It never left: as if it had not been.
    pub async fn forget(&self, id: &ApprovalId) -> Result<(), StoreError> {
        for part in [Part::Question, Part::Notice] {
            self.store.remove(Kind::Approval, id.place(part)).await?;
        }
        Ok(())
    }

    /// The carrier has it.
    pub async fn acknowledge(
        &self,
        id: &ApprovalId,
        found: &Approval,
        taken: &Acknowledged,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        self.write(id, Part::Acknowledged, &encode(taken), self.keep + found.lasts(), now).await
    }

    /// A notification came. Whether it is the first.
    pub async fn note(
        &self,
        id: &ApprovalId,
        found: &Approval,
        body: &[u8],
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        self.write(id, Part::Notice, body, self.keep + found.lasts(), now).await
    }

    /// It is over. Whether it was not before: the first ending is the ending.
    pub async fn end(
        &self,
        id: &ApprovalId,
        found: &Approval,
        outcome: &Outcome,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        self.write(id, Part::Outcome, &encode(outcome), self.keep + found.lasts(), now).await
    }

    /// All that is written of it; `None` if there is no such approval.
    pub async fn look(&self, id: &ApprovalId, now: SystemTime) -> Result<Option<Found>, StoreError> {
        let Some(approval) = self.read(id, Part::Question, now).await?.and_then(|text| decode(&text)) else {
            return Ok(None);
        };
        // The ending first: whoever sees what came before it, and no ending, has seen that there was none then.
        let outcome = self.read(id, Part::Outcome, now).await?.and_then(|text| decode(&text));
        let acknowledged = self.read(id, Part::Acknowledged, now).await?.and_then(|text| decode(&text));
        let notice = self.read(id, Part::Notice, now).await?.map(|text| text.to_vec());
        Ok(Some(Found { approval, acknowledged, notice, outcome }))
    }

    async fn write(
        &self,
        id: &ApprovalId,
        part: Part,
        content: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let place = id.place(part);
        let record = self.sealer.seal(Kind::Approval, place, id.secret(), content, self.entropy);
        self.store.insert(Kind::Approval, place, &record, keep, now).await
    }

    /// A record that does not open was not written by us: it is as good as none.
    async fn read(
        &self,
        id: &ApprovalId,
        part: Part,
        now: SystemTime,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let place = id.place(part);
        let record = self.store.get(Kind::Approval, place, now).await?;
        Ok(record.and_then(|record| self.sealer.open(Kind::Approval, place, id.secret(), &record).ok()))
    }
}

/// Texts and numbers always serialise; if ever not, what is written opens as nothing.
fn encode(content: &impl Serialize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(content).unwrap_or_default())
}

fn decode<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    serde_json::from_slice(text).ok()
}
