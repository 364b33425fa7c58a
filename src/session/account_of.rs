//! The seam between sessions and whoever knows to which account of the app a person belongs; see `linked.rs`.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use async_trait::async_trait;

use super::store::StoreError;
use crate::identity::Identity;

/// Says to which account a person belongs.
#[async_trait]
pub trait AccountOf: Send + Sync {
    /// The app's name of the account of `identity`; `None` for somebody who is linked to none.
    ///
    /// # Errors
    /// The store does not answer.
    async fn account_of(&self, identity: &Identity, now: SystemTime) -> Result<Option<Box<str>>, StoreError>;
}

/// Who says it, and how often links have changed here.
#[derive(Default)]
pub(super) struct Linked {
    pub(super) source: OnceLock<Arc<dyn AccountOf>>,
    pub(super) changes: AtomicU64,
}
