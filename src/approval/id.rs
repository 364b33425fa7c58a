//! What an approval is known by: to the carrier a bearer that may answer it, to everybody else an id that may not.
//!
//! The id is a hash of the bearer, so one leads to the other and never back. A bearer has 256 random bits, and a mark that only
//! holders of the operator key can make: what somebody made up costs no question to the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::{Entropy, SecretBytes, SecretString, constant_time_eq, hmac_sha256, sha256_of};
use crate::session::StoreKey;
use crate::session::seal::Sealer;

const DRAWN: usize = 32;
const MARK: usize = 16;

/// Names the keys that bearers are marked with.
const PURPOSE: &str = "bearers of approvals";
const NO_SECRET: &[u8; 32] = b"zengate: bearers of approvals   ";

/// What an approval is known by to us and the app.
#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalId(SecretBytes);

impl std::fmt::Debug for ApprovalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(approval)")
    }
}

/// Something that is written of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Question = 0,
    Acknowledged = 1,
    Notice = 2,
    Outcome = 3,
}

impl ApprovalId {
    /// Reads what [`ApprovalId::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        SecretBytes::parse(text).map(Self)
    }

    /// As text.
    pub fn to_text(&self) -> SecretString {
        self.0.to_text()
    }

    /// What its records are sealed under, beside the operator key: the store has hashes of it only.
    pub(super) fn secret(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Where a part of it lies.
    pub(super) fn place(&self, part: Part) -> StoreKey {
        StoreKey(sha256_of(&[b"zengate approval v1 ", &[part as u8], self.0.expose()]))
    }

    fn of_drawn(drawn: &[u8]) -> Self {
        Self(SecretBytes::new(sha256_of(&[b"zengate approval id v1 ", drawn])))
    }
}

/// What the carrier shows when it answers.
#[derive(Debug)]
pub struct Bearer {
    text: SecretString,
    id: ApprovalId,
}

impl Bearer {
    /// Draws one.
    pub fn draw(sealer: &Sealer, entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; DRAWN + MARK];
        let (drawn, mark) = bytes.split_at_mut(DRAWN);
        entropy.fill(drawn);
        if let Some(made) = marks(sealer, drawn).next() {
            mark.copy_from_slice(&made);
        }
        let id = ApprovalId::of_drawn(drawn);
        Self { text: SecretString::new(URL_SAFE_NO_PAD.encode(bytes)), id }
    }

    /// The approval that may be answered with `text`; `None` for what no gateway with one of our keys has drawn.
    pub fn recognise(text: &str, sealer: &Sealer) -> Option<ApprovalId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == DRAWN + MARK)?;
        let (drawn, mark) = bytes.split_at(DRAWN);
        let known = marks(sealer, drawn).fold(false, |known, made| known | constant_time_eq(&made, mark));
        known.then(|| ApprovalId::of_drawn(drawn))
    }

    /// As text.
    pub fn text(&self) -> &SecretString {
        &self.text
    }

    /// The approval it is for.
    pub fn id(&self) -> &ApprovalId {
        &self.id
    }
}

fn marks<'a>(sealer: &'a Sealer, drawn: &'a [u8]) -> impl Iterator<Item = [u8; MARK]> + 'a {
    let mac = move |key: SecretBytes| hmac_sha256(key.expose(), drawn);
    sealer.keys_for(PURPOSE, NO_SECRET).map(move |key| mac(key).first_chunk().copied().unwrap_or_default())
}
