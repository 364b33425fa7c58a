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

use crate::provider::KeyMemory;
use crate::secret::{SystemEntropy, sha256};
use crate::session::StoreKey;
use crate::session::seal::Sealer;
use crate::session::store::{Kind, RecordStore};

/// Stands where a session's record has the secret of its cookie. It is none: the operator key alone protects this one.
const NO_SECRET: &[u8; 32] = b"zengate: key sets have no cookie";

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

    fn place() -> StoreKey {
        StoreKey(sha256(b"zengate key sets of token issuers v1"))
    }
}

#[async_trait]
impl KeyMemory for SharedKeys {
    async fn recall(&self) -> Result<Option<Vec<u8>>, String> {
        let found = self.store.get(Kind::Keys, Self::place(), SystemTime::now()).await;
        let Some(record) = found.map_err(|error| error.to_string())? else { return Ok(None) };
        match self.sealer.open(Kind::Keys, Self::place(), NO_SECRET, &record) {
            Ok(kept) => Ok(Some(kept.to_vec())),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn keep(&self, kept: Vec<u8>, useful: Duration) -> Result<(), String> {
        let record = self.sealer.seal(Kind::Keys, Self::place(), NO_SECRET, &kept, &SystemEntropy);
        let put = self.store.put(Kind::Keys, Self::place(), &record, useful, SystemTime::now()).await;
        put.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretBytes;
    use crate::session::memory::MemoryStore;
    use crate::session::seal::SealKeys;
    use crate::session::store::Limits;

    const HOUR: Duration = Duration::from_secs(3600);

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(SealKeys::new(Some(SecretBytes::new([byte; 32])), Vec::new()))
    }

    async fn lies(store: &Arc<dyn RecordStore>) -> Vec<u8> {
        store.get(Kind::Keys, SharedKeys::place(), SystemTime::now()).await.unwrap().unwrap()
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
            |sealer: Sealer, kind| sealer.seal(kind, SharedKeys::place(), NO_SECRET, b"planted", &SystemEntropy);
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
            store.put(Kind::Keys, SharedKeys::place(), &record, HOUR, SystemTime::now()).await.unwrap();
            assert!(ours.recall().await.is_err(), "{record:?}");
        }
        store.put(Kind::Keys, SharedKeys::place(), &honest, HOUR, SystemTime::now()).await.unwrap();
        assert_eq!(ours.recall().await, Ok(Some(b"keys".to_vec())));
    }
}
