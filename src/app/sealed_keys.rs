//! How key sets of token issuers are sealed, wherever they are kept.

use crate::provider::KeyMemoryError;
use crate::secret::{SystemEntropy, sha256};
use crate::session::StoreKey;
use crate::session::seal::Sealer;
use crate::session::store::Kind;

/// Stands where a session's record has the secret of its cookie. It is none: the operator key alone protects this one.
pub(super) const NO_SECRET: &[u8; 32] = b"zengate: key sets have no cookie";

/// The name they are kept under, in a store and in the seal.
pub(super) fn place() -> StoreKey {
    StoreKey(sha256(b"zengate key sets of token issuers v1"))
}

pub(super) fn seal(sealer: &Sealer, kept: &[u8]) -> Vec<u8> {
    sealer.seal(Kind::Keys, place(), NO_SECRET, kept, &SystemEntropy)
}

/// What was sealed with our key. Anything else, in whatever way it is wrong, was not kept by us.
pub(super) fn open(sealer: &Sealer, record: &[u8]) -> Result<Vec<u8>, KeyMemoryError> {
    match sealer.open(Kind::Keys, place(), NO_SECRET, record) {
        Ok(kept) => Ok(kept.to_vec()),
        Err(_) => Err(KeyMemoryError::Foreign),
    }
}
