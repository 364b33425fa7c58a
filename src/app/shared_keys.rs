//! Key sets of token issuers in the store that gateways share, for after a restart.
//!
//! The store is not ours alone: whoever could plant a signing key there would come in as anybody. So the record is
//! sealed like a session, with the operator key or the one derived from the client secret, which the store never sees.
//! What does not open with it was not kept by us, and is as good as nothing. A writer of the store can bring back an
//! older record of ours; its sets then count as old as they are, and are refreshed before they are used if the issuer
//! answers.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::sealed_keys;
use crate::provider::{KeyMemory, KeyMemoryError};
use crate::session::seal::Sealer;
use crate::session::store::{Kind, RecordStore};

/// See the module's page.
pub(super) struct SharedKeys {
    store: Arc<dyn RecordStore>,
    sealer: Sealer,
}

impl SharedKeys {
    /// `sealer` has a primary key: without one, anybody could seal.
    pub(super) fn new(store: Arc<dyn RecordStore>, sealer: Sealer) -> Self {
        Self { store, sealer }
    }
}

#[async_trait]
impl KeyMemory for SharedKeys {
    async fn recall(&self) -> Result<Option<Vec<u8>>, KeyMemoryError> {
        let found = self.store.get(Kind::Keys, sealed_keys::place(), SystemTime::now()).await;
        match found.map_err(|_| KeyMemoryError::Store)? {
            Some(record) => sealed_keys::open(&self.sealer, &record).map(Some),
            None => Ok(None),
        }
    }

    async fn keep(&self, kept: Vec<u8>, useful: Duration) -> Result<(), KeyMemoryError> {
        let record = sealed_keys::seal(&self.sealer, &kept);
        let put = self.store.put(Kind::Keys, sealed_keys::place(), &record, useful, SystemTime::now()).await;
        put.map_err(|_| KeyMemoryError::Store)
    }
}

#[cfg(test)]
mod tests {
    use super::sealed_keys::NO_SECRET;
    use super::*;
    use crate::secret::{SecretBytes, SystemEntropy};
    use crate::session::memory::MemoryStore;
    use crate::session::seal::SealKeys;
    use crate::session::store::Limits;

    const HOUR: Duration = Duration::from_secs(3600);

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(SealKeys::new(Some(SecretBytes::new([byte; 32])), Vec::new()))
    }

    async fn lies(store: &Arc<dyn RecordStore>) -> Vec<u8> {
        store.get(Kind::Keys, sealed_keys::place(), SystemTime::now()).await.unwrap().unwrap()
    }

    // TM7
    #[tokio::test]
    async fn only_what_a_gateway_with_our_key_kept_is_recalled() {
        let store: Arc<dyn RecordStore> = Arc::new(MemoryStore::new(Limits::default()));
        let ours = SharedKeys::new(Arc::clone(&store), sealer(1));
        assert_eq!(ours.recall().await, Ok(None));
        ours.keep(b"keys".to_vec(), HOUR).await.unwrap();
        let replica = SharedKeys::new(Arc::clone(&store), sealer(1));
        assert_eq!(replica.recall().await, Ok(Some(b"keys".to_vec())));
        let honest = lies(&store).await;

        // Another's key, no key at all, a bit turned, plain text, and what was sealed for another kind of record.
        let unkeyed = Sealer::new(SealKeys::default());
        let foreign =
            |sealer: Sealer, kind| sealer.seal(kind, sealed_keys::place(), NO_SECRET, b"planted", &SystemEntropy);
        let mut bent = honest.clone();
        *bent.last_mut().unwrap() ^= 1;
        let forged = [
            foreign(sealer(2), Kind::Keys),
            foreign(unkeyed, Kind::Keys),
            foreign(sealer(1), Kind::Session),
            bent,
            b"planted".to_vec(),
            Vec::new(),
        ];
        for record in forged {
            store.put(Kind::Keys, sealed_keys::place(), &record, HOUR, SystemTime::now()).await.unwrap();
            assert!(ours.recall().await.is_err(), "{record:?}");
        }
        store.put(Kind::Keys, sealed_keys::place(), &honest, HOUR, SystemTime::now()).await.unwrap();
        assert_eq!(ours.recall().await, Ok(Some(b"keys".to_vec())));
    }
}
