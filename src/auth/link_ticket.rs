//! The app's word that whoever brings a ticket is signed in to one of its accounts, and what becomes of it in a browser.
//!
//! A ticket stands in an address, so it may be seen by others: it opens one record, once, and lives for minutes. Whoever
//! brings it first gets in exchange a cookie of their browser, sealed, and from then on only that browser can go on.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::linking::Linking;
use crate::account::AccountName;
use crate::ground::time::Timestamp;
use crate::route::path::ReturnTo;
use crate::secret::{Entropy, SecretString, hmac_sha256, sha256};
use crate::session::seal::Sealer;
use crate::session::store::{Kind, RecordStore, StoreError};
use crate::session::{SessionId, StoreKey};

/// Longest cookie that is looked at, in bytes: the longest names and the longest page fit.
const LONGEST_COOKIE: usize = 4 * 1024;

/// Longest place to go on to that is kept, in bytes.
pub const LONGEST_PLACE: usize = 1024;

/// Seals the cookie; it is no secret, the operator key is.
const SECRET: &[u8; 32] = b"zengate cookie of a link page   ";

/// What a ticket, and then the cookie, stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Vouched {
    /// Which ticket it was, as a hash.
    pub(super) ticket: [u8; 32],
    /// The account that the app's person is signed in to.
    pub(super) account: String,
    /// Name of the token with which the app vouched.
    pub(super) by: String,
    /// Where the person goes afterwards.
    pub(super) return_to: Option<ReturnTo>,
    /// When it was last exchanged, in milliseconds since 1970.
    pub(super) at: u64,
}

impl Vouched {
    /// The account; `None` only for a record that no gateway wrote.
    pub(super) fn account(&self) -> Option<AccountName> {
        AccountName::parse(&self.account).ok()
    }

    /// Marks the ticket as used up.
    pub(super) fn spent(&self) -> StoreKey {
        StoreKey(self.ticket)
    }

    /// What the form of the link page brings back: that it was shown for this ticket and this session. Another ticket that was
    /// slipped into the browser meanwhile has another one.
    pub(super) fn agreement(&self, session: StoreKey, sealer: &Sealer) -> String {
        let key = sealer.keys_for("agreement to a link", &self.ticket).next();
        let mac = key.map(|key| hmac_sha256(key.expose(), &[&session.0[..], self.account.as_bytes()].concat()));
        URL_SAFE_NO_PAD.encode(mac.unwrap_or_default())
    }

    fn place() -> StoreKey {
        StoreKey(sha256(b"zengate cookie of a link page v1"))
    }

    /// The value of the cookie.
    pub(super) fn to_cookie(&self, sealer: &Sealer, entropy: &dyn Entropy) -> String {
        // Texts and numbers always serialise; if ever not, an empty plaintext opens as nothing.
        let content = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(sealer.seal(Kind::Attempt, Self::place(), SECRET, &content, entropy))
    }

    /// What [`Vouched::to_cookie`] wrote no longer than `lifetime` ago.
    pub(super) fn of_cookie(cookie: &str, lifetime: Duration, sealer: &Sealer, now: SystemTime) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(Some(cookie).filter(|cookie| cookie.len() <= LONGEST_COOKIE)?).ok()?;
        let content = sealer.open(Kind::Attempt, Self::place(), SECRET, &sealed).ok()?;
        let vouched: Self = serde_json::from_slice(&content).ok()?;
        (Timestamp::of(now).since(Timestamp::from_millis(vouched.at)) < lifetime).then_some(vouched)
    }

    /// Takes what a ticket stands for; it is nobody's afterwards. What was made up costs no question to the store.
    pub(super) async fn take(
        ticket: &str,
        store: &dyn RecordStore,
        sealer: &Sealer,
        now: SystemTime,
    ) -> Result<Option<Self>, StoreError> {
        let Some(id) = SessionId::parse(ticket).filter(|id| sealer.has_made(id)) else { return Ok(None) };
        let Some(record) = store.take(Kind::Attempt, id.store_key(), now).await? else { return Ok(None) };
        let content = sealer.open(Kind::Attempt, id.store_key(), id.secret().expose(), &record).ok();
        let vouched = content.and_then(|content| serde_json::from_slice::<Self>(&content).ok());
        Ok(vouched.map(|vouched| Self { at: Timestamp::of(now).as_millis(), ..vouched }))
    }
}

impl Linking {
    /// Makes a ticket for whoever is signed in to `account` at the app, which vouches for it by the token `by`.
    ///
    /// # Errors
    /// The store does not take it.
    pub async fn ticket(
        &self,
        account: &AccountName,
        return_to: Option<ReturnTo>,
        by: &str,
        now: SystemTime,
    ) -> Result<SecretString, StoreError> {
        let (sealer, entropy) = (self.sessions.sealer(), self.sessions.entropy());
        let id = sealer.new_id(entropy);
        let key = id.store_key();
        let at = Timestamp::of(now).as_millis();
        let vouched = Vouched { ticket: key.0, account: account.as_str().to_owned(), by: by.to_owned(), return_to, at };
        let content = serde_json::to_vec(&vouched).unwrap_or_default();
        let record = sealer.seal(Kind::Attempt, key, id.secret().expose(), &content, entropy);
        self.sessions.store().insert(Kind::Attempt, key, &record, self.ticket_ttl, now).await?;
        Ok(id.to_text())
    }

    /// How long a ticket lives.
    pub fn ticket_ttl(&self) -> Duration {
        self.ticket_ttl
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{SecretBytes, SystemEntropy};
    use crate::session::seal::SealKeys;

    fn sealer(key: u8) -> Sealer {
        Sealer::new(SealKeys::new(Some(SecretBytes::new([key; 32])), Vec::new()))
    }

    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
    }

    fn vouched(account: &str) -> Vouched {
        let at = Timestamp::of(noon()).as_millis();
        Vouched { ticket: [7; 32], account: account.to_owned(), by: "crm".to_owned(), return_to: None, at }
    }

    #[test]
    fn only_a_gateway_with_our_key_makes_the_cookie_and_it_ends() {
        let (ours, lifetime) = (sealer(1), Duration::from_secs(60));
        let cookie = vouched("maya").to_cookie(&ours, &SystemEntropy);
        let read = |cookie: &str, sealer: &Sealer, after| Vouched::of_cookie(cookie, lifetime, sealer, noon() + after);
        assert_eq!(read(&cookie, &ours, lifetime - Duration::from_millis(1)), Some(vouched("maya")));
        assert_eq!(read(&cookie, &ours, lifetime), None);
        assert_eq!(read(&vouched("maya").to_cookie(&sealer(2), &SystemEntropy), &ours, Duration::ZERO), None);
        for bent in ["", "x", &cookie[..cookie.len() - 2], &"A".repeat(5000)] {
            assert_eq!(read(bent, &ours, Duration::ZERO), None);
        }
    }

    #[test]
    fn an_agreement_is_to_one_ticket_one_account_and_one_session() {
        let (ours, session) = (sealer(1), StoreKey([1; 32]));
        let agreed = vouched("maya").agreement(session, &ours);
        assert_eq!(agreed, vouched("maya").agreement(session, &ours));
        let other_ticket = Vouched { ticket: [8; 32], ..vouched("maya") };
        for other in [
            vouched("noor").agreement(session, &ours),
            other_ticket.agreement(session, &ours),
            vouched("maya").agreement(StoreKey([2; 32]), &ours),
            vouched("maya").agreement(session, &sealer(2)),
        ] {
            assert_ne!(agreed, other);
        }
    }
}
