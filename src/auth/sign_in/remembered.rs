//! Which carrier a browser signed in with last, where the operator wants that remembered (`remember_carrier`).
//!
//! It lies in the browser and nowhere else, sealed, because it says something about a person. It chooses nothing that a person
//! could not choose themselves: it marks a line on a page of ours, and on a phone it leads past the discovery UI, which would
//! have answered the same. A desktop is never led past it: only that page can hand out the `login_hint_token` without which
//! the carrier does not know whose phone to ring (dossier 6).

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::{Deserialize, Serialize};

use super::attempt::SignInAttempt;
use crate::auth::SignIn;
use crate::ground::time::Timestamp;
use crate::identity::Identity;
use crate::provider::{Carrier, Discovery};
use crate::secret::{Entropy, sha256};
use crate::session::StoreKey;
use crate::session::seal::Sealer;
use crate::session::store::Kind;
use crate::web::RequestView;
use crate::web::cookie::{clear_cookie, find_cookie, set_cookie};

/// Stands in for the secret of a cookie: what is sealed here is the browser's own to bring, and ours alone to make.
const SECRET: &[u8; 32] = b"zengate cookie of a last carrier";

/// Longest such cookie that is looked at, in bytes.
const LONGEST: usize = 512;

/// The carrier of a browser's last sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::auth) struct LastCarrier {
    /// Its id; empty if it has none.
    #[serde(rename = "m")]
    pub(in crate::auth) member: String,
    /// The person's network, as far as discovery confirmed it.
    #[serde(rename = "n")]
    network: Option<String>,
    /// When that was, in seconds.
    at: u64,
}

impl LastCarrier {
    fn place() -> StoreKey {
        StoreKey(sha256(b"zengate cookie of a last carrier v1"))
    }

    fn to_cookie(&self, sealer: &Sealer, entropy: &dyn Entropy) -> String {
        // Texts and numbers always serialise; if ever not, an empty plaintext opens as nothing.
        let content = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(sealer.seal(Kind::Attempt, Self::place(), SECRET, &content, entropy))
    }

    fn of_cookie(cookie: &str, lifetime: Duration, sealer: &Sealer, now: SystemTime) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(Some(cookie).filter(|cookie| cookie.len() <= LONGEST)?).ok()?;
        let content = sealer.open(Kind::Attempt, Self::place(), SECRET, &sealed).ok()?;
        let last: Self = serde_json::from_slice(&content).ok()?;
        (Timestamp::of(now).since(Timestamp::from_secs(last.at)) < lifetime).then_some(last)
    }
}

impl SignIn<'_> {
    fn carrier_cookie(&self) -> String {
        format!("{}carrier", self.settings.cookies.attempt_prefix)
    }

    /// The carrier of this browser's last sign-in, if it is remembered.
    pub(super) fn last_carrier(&self, view: &RequestView<'_>, now: SystemTime) -> Option<LastCarrier> {
        let lifetime = self.registration.remember_carrier?;
        LastCarrier::of_cookie(find_cookie(view.headers, &self.carrier_cookie())?, lifetime, self.sealer, now)
    }

    /// What a browser is to remember of a sign-in that ended well; on a device of somebody else's nothing.
    pub(super) fn remember_carrier(
        &self,
        view: &RequestView<'_>,
        identity: &Identity,
        ends_with_browser: bool,
        now: SystemTime,
    ) -> Option<HeaderValue> {
        let there = self.at_issuer(identity.issuer()).filter(|_| view.host == self.snapshot.public_host())?;
        let lifetime = there.registration.remember_carrier?;
        if ends_with_browser {
            return self.forget_carrier(view);
        }
        let member = there.registration.issuers.iter().find(|member| member.names(identity.issuer()))?;
        let last = LastCarrier {
            member: member.id.clone(),
            network: identity.parts().mccmnc,
            at: Timestamp::of(now).as_secs(),
        };
        Some(set_cookie(&self.carrier_cookie(), &last.to_cookie(self.sealer, self.entropy), Some(lifetime)))
    }

    /// Takes the cookie away, if the browser has one.
    pub(in crate::auth) fn forget_carrier(&self, view: &RequestView<'_>) -> Option<HeaderValue> {
        let name = self.carrier_cookie();
        find_cookie(view.headers, &name).map(|_| clear_cookie(&name))
    }

    /// The carrier to which a phone goes without the discovery UI. Whatever is in the way of it leads to that page.
    pub(super) async fn remembered_carrier(
        &self,
        view: &RequestView<'_>,
        attempt: &SignInAttempt,
        now: SystemTime,
    ) -> Option<Carrier> {
        // Whoever could pick, and left it open, wants it to be found out.
        let asks_anew = attempt.wishes.other_account || attempt.ends_with_browser || self.registration.picks();
        let network = self.last_carrier(view, now).filter(|_| view.is_phone() && !asks_anew)?.network?;
        match self.provider.discover(&network, &attempt.correlation_id, now).await {
            Ok(Discovery::Carrier(carrier)) => {
                self.metrics.sign_ins.with_label_values(&["carrier_remembered"]).inc();
                Some(*carrier)
            }
            Ok(Discovery::AskUser(_)) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{SecretBytes, SystemEntropy};
    use crate::session::seal::SealKeys;

    #[test]
    fn only_a_gateway_with_our_key_makes_the_cookie_and_it_ends() {
        let sealer = |key| Sealer::new(SealKeys::new(Some(SecretBytes::new([key; 32])), Vec::new()));
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let (member, network) = ("one".to_owned(), Some("310410".to_owned()));
        let last = LastCarrier { member, network, at: Timestamp::of(noon).as_secs() };
        let cookie = last.to_cookie(&sealer(1), &SystemEntropy);
        let lifetime = Duration::from_secs(60);
        let read = |cookie: &str, key, after| LastCarrier::of_cookie(cookie, lifetime, &sealer(key), noon + after);
        assert_eq!(read(&cookie, 1, Duration::from_secs(59)), Some(last));
        assert_eq!(read(&cookie, 1, lifetime), None);
        assert_eq!(read(&cookie, 2, Duration::ZERO), None);
        assert!(cookie.len() <= LONGEST && !cookie.contains("310410"));
        for bent in ["", "x", &cookie[..cookie.len() - 2], &"A".repeat(600)] {
            assert_eq!(read(bent, 1, Duration::ZERO), None);
        }
    }
}
