//! The seam between sessions and whoever can ask the provider about their people again; see `recheck.rs`.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::Session;
use super::provider_session::ProviderSession;
use crate::identity::Identity;

/// When the provider is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecheckPolicy {
    /// A session that was not confirmed for so long is not served before it is.
    pub every: Duration,
    /// While the provider cannot be asked, it is served for so much longer.
    pub grace: Duration,
}

impl RecheckPolicy {
    /// From here on the question goes out behind a request's back.
    pub(super) fn early(&self) -> Duration {
        self.every / 5 * 4
    }
}

/// What the provider says about the person of a session.
#[derive(Debug)]
pub enum Recheck {
    /// They are who they were, perhaps with other claims; this is kept of the provider's session from now on.
    Confirmed(Box<Identity>, ProviderSession),
    /// They are nobody there any more, or somebody else.
    Refused,
    /// It gave no answer that says either.
    Unavailable,
}

/// Asks the provider. A seam: whom to ask, and what an answer proves, is not for sessions to know.
#[async_trait]
pub trait ProviderCheck: Send + Sync {
    /// Asks by what is kept of the session at the provider, which holds a refresh token.
    async fn recheck(&self, session: &Session, kept: &ProviderSession, now: SystemTime) -> Recheck;
}

/// What came of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The copy in memory is a newer one.
    Confirmed,
    /// The session is over.
    Ended,
    /// Nobody knows.
    Unknown,
}
