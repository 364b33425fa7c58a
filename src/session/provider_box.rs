//! Reading back what is kept of a session at the provider.

use std::time::SystemTime;

use tracing::warn;

use super::SessionId;
use super::provider_session::ProviderSession;
use super::sessions::Sessions;
use super::store::{Kind, StoreError};

impl Sessions {
    /// What is kept of the provider's session beside the session of `id`; `None` if nothing is. Its `sid` is not read back:
    /// it names a set, and nothing else.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn provider_session(
        &self,
        id: &SessionId,
        now: SystemTime,
    ) -> Result<Option<ProviderSession>, StoreError> {
        if !self.sealer.has_made(id) {
            return Ok(None);
        }
        let Some(record) = self.store.get(Kind::Provider, id.store_key(), now).await? else { return Ok(None) };
        match ProviderSession::open(id, &record, &self.sealer) {
            Ok(kept) => Ok(Some(kept)),
            Err(reason) => {
                warn!(reason = %reason, "What was kept of a session at the provider could not be opened");
                Ok(None)
            }
        }
    }
}
