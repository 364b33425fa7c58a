//! What is kept of a person's session at their provider, in a sealed box of its own beside the session's record.
//!
//! Requests of a signed-in person never open it: it is read when they sign out, and when the provider is asked whether they
//! are still somebody there. A session without it is as small as if there were no such thing.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SessionId;
use super::seal::{SealError, Sealer};
use super::store::Kind;
use crate::secret::{Entropy, SecretString};

/// Longest ID token that is kept, in bytes. It comes back to the provider within an address, and longer addresses are
/// refused by servers in use; signing out works without it.
pub const MAX_HINT: usize = 4 * 1024;

/// See the module's page.
#[derive(Debug, Clone, Default)]
pub struct ProviderSession {
    /// `sid` of the ID token (OpenID Connect Front-Channel Logout 1.0, 3): by this name the provider may end the session.
    pub sid: Option<String>,
    /// The ID token, for `id_token_hint` at sign-out (RP-Initiated Logout 1.0, 2).
    pub id_token: Option<SecretString>,
    /// The refresh token, for asking the provider again (OpenID Connect Core, 12).
    pub refresh_token: Option<SecretString>,
}

/// The content of the box.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

impl ProviderSession {
    /// Whether there is anything that needs a box.
    pub(super) fn needs_a_box(&self) -> bool {
        self.id_token.is_some() || self.refresh_token.is_some()
    }

    /// Seals it under the session's id, for a place of its own kind.
    pub(super) fn seal(&self, id: &SessionId, sealer: &Sealer, entropy: &dyn Entropy) -> Vec<u8> {
        let text = |token: &Option<SecretString>| token.as_ref().map(|token| token.expose().to_owned());
        let kept = Kept { id_token: text(&self.id_token), refresh_token: text(&self.refresh_token) };
        // Texts always serialise; if ever not, an empty plaintext opens as `Corrupt`.
        let plaintext = Zeroizing::new(serde_json::to_vec(&kept).unwrap_or_default());
        sealer.seal(Kind::Provider, id.store_key(), id.secret().expose(), &plaintext, entropy)
    }

    pub(super) fn open(id: &SessionId, record: &[u8], sealer: &Sealer) -> Result<Self, SealError> {
        let plaintext = sealer.open(Kind::Provider, id.store_key(), id.secret().expose(), record)?;
        let kept: Kept = serde_json::from_slice(&plaintext).map_err(|_| SealError::Corrupt)?;
        Ok(Self {
            sid: None,
            id_token: kept.id_token.map(SecretString::new),
            refresh_token: kept.refresh_token.map(SecretString::new),
        })
    }
}
