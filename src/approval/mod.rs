//! Approvals: somebody who is signed in is asked for one thing, on their phone or in their browser, and agrees or not.
//!
//! `Prepared → Sent → Waiting → (Approved | Declined | Expired | Failed)`. What is asked is written down before it leaves,
//! each thing that becomes of it is written once (`shelf.rs`), and the first ending is the ending: of any number of replicas,
//! repeated notifications and restarts, exactly one writes it. Nothing here signs anybody in or changes a session (RFC 10027).

pub mod id;
pub mod quota;
pub mod shelf;
pub mod verdict;

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::ground::time::Timestamp;
use crate::provider::Carrier;

/// How approvals are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalSettings {
    /// Origin of the app: who a receipt is for.
    pub audience: String,
    /// How long a person has to answer. Default 5 min.
    pub ttl: Duration,
    /// How long a receipt is good. Default 2 min.
    pub receipt_ttl: Duration,
    /// How long it is kept how an approval ended. Default 1 h.
    pub keep: Duration,
    /// Most approvals that are kept at once. Default 10,000.
    pub most: u64,
    /// How one person may be bothered.
    pub quota: Quota,
    /// Where the app is told how an approval ended; `None`: it asks.
    pub webhook: Option<Url>,
}

/// How one person may be bothered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Questions on the phone in an hour. Default 3.
    pub per_hour: u32,
    /// Questions in the browser in an hour. Default 30: nobody is called by them, the person is at the app's page already.
    pub in_browser_per_hour: u32,
    /// How long nobody is asked who has said no. Default 15 min; zero: not at all.
    pub pause: Duration,
}

/// What was asked of whom: written down before the question leaves, and never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Id of the provider in the configuration.
    pub provider: String,
    /// The carrier, frozen: its issuer is the one whose answer counts, its keys are where they were.
    pub carrier: Carrier,
    /// Where the question is taken back.
    pub cancel: Option<Url>,
    /// Our client id there.
    pub client_id: String,
    /// Whom: their subject at the carrier.
    pub subject: String,
    /// What the carrier asks: contexts of which one must be reached.
    pub acr_values: Vec<String>,
    /// Comes back with a notification.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// The same in all that is said of it.
    pub correlation_id: String,
    /// What the person is shown.
    pub context: String,
    /// The app's own word for it.
    pub reference: Option<String>,
    /// Name of the token with which it was asked for.
    pub by: String,
    /// When it was written down, in milliseconds since 1970.
    pub sent: u64,
    /// How long it was meant to last, in milliseconds.
    pub lasts: u64,
    /// Where the person's browser goes on to, if it is there that they are asked; `None`: on their phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
}

impl Approval {
    /// When it was written down.
    pub fn sent(&self) -> Timestamp {
        Timestamp::from_millis(self.sent)
    }

    /// How long it was meant to last.
    pub fn lasts(&self) -> Duration {
        Duration::from_millis(self.lasts)
    }

    /// Whether the person is asked in their browser, and not on their phone.
    pub fn is_in_browser(&self) -> bool {
        self.return_to.is_some()
    }
}

/// The carrier has taken the question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// What the carrier calls it.
    pub auth_req_id: String,
    /// Until when the person can answer, in milliseconds since 1970.
    pub until: u64,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Outcome {
    /// The person agreed.
    Approved {
        /// The context that was reached.
        acr: Option<String>,
        /// How they proved to be there.
        amr: Vec<String>,
        /// When they did, in seconds since 1970.
        auth_time: Option<i64>,
        /// When we heard of it, in milliseconds since 1970.
        at: u64,
    },
    /// The person said no.
    Declined {
        /// Why, by a word of ours.
        code: String,
    },
    /// Nobody answered in time.
    Expired {
        /// Why, by a word of ours.
        code: String,
    },
    /// Anything else.
    Failed {
        /// Why, by a word of ours.
        code: String,
    },
}

impl Outcome {
    /// Why, by a word of ours; `None` for somebody who agreed.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Approved { .. } => None,
            Self::Declined { code } | Self::Expired { code } | Self::Failed { code } => Some(code),
        }
    }

    /// Something went wrong; `code` says what.
    pub fn failed(code: &str) -> Self {
        Self::Failed { code: code.to_owned() }
    }

    /// Nobody answered in time.
    pub fn expired() -> Self {
        Self::Expired { code: "authentication_timed_out".to_owned() }
    }
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The question was written down, and is on its way to the carrier.
    Sent,
    /// The carrier has it, or the person's browser may fetch it.
    Waiting,
    /// The person agreed.
    Approved,
    /// The person said no.
    Declined,
    /// Nobody answered in time.
    Expired,
    /// Anything else.
    Failed,
}

impl State {
    /// The word for programs, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Sent | Self::Waiting)
    }
}

/// All that is written of one approval.
#[derive(Debug)]
pub struct Found {
    /// What was asked.
    pub approval: Approval,
    /// Whether the carrier has it.
    pub acknowledged: Option<Acknowledged>,
    /// The first notification, as it came.
    pub notice: Option<Vec<u8>>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl Found {
    /// Where it stands.
    pub fn state(&self) -> State {
        match &self.outcome {
            Some(Outcome::Approved { .. }) => State::Approved,
            Some(Outcome::Declined { .. }) => State::Declined,
            Some(Outcome::Expired { .. }) => State::Expired,
            Some(Outcome::Failed { .. }) => State::Failed,
            // In the browser it is the person who comes to the question.
            None if self.acknowledged.is_some() || self.approval.is_in_browser() => State::Waiting,
            None => State::Sent,
        }
    }

    /// Until when the person can answer: as the carrier said, and no longer than we asked.
    pub fn deadline(&self) -> Timestamp {
        let ours = self.approval.sent().plus(self.approval.lasts());
        self.acknowledged.as_ref().map_or(ours, |taken| ours.min(Timestamp::from_millis(taken.until)))
    }

    /// How long that is from `now`.
    pub fn left(&self, now: SystemTime) -> Duration {
        self.deadline().since(Timestamp::of(now))
    }
}

#[cfg(test)]
mod tests;
