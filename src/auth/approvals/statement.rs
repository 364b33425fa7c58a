//! What the app can check by itself: a receipt for what was approved, and an event for how it ended; signed, each with a `typ`
//! of its own, for the app and nobody else.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::desk::Desk;
use crate::approval::id::ApprovalId;
use crate::approval::{Found, Outcome};
use crate::assertion::Purpose;
use crate::ground::time::Timestamp;
use crate::secret::{SecretString, sha256_of};

impl Desk<'_> {
    /// That this person approved of this; `None` for every other ending, and while there is no key. Its id is the same
    /// however often it is asked for, so that the app takes it once.
    pub(super) fn receipt(&self, id: &ApprovalId, found: &Found, now: SystemTime) -> Option<SecretString> {
        let Some(Outcome::Approved { acr, amr, auth_time, at }) = &found.outcome else { return None };
        let mut claims = self.claims(id, found, "receipt", now);
        claims["acr"] = json!(acr);
        claims["amr"] = json!(amr);
        claims["auth_time"] = json!(auth_time);
        claims["asked_in"] = way(found).into();
        claims["approved_at"] = json!(Timestamp::from_millis(*at).as_secs());
        self.keys?.sign(Purpose::Approval, &claims, now)
    }

    /// How it ended, for the app's webhook.
    pub(super) fn event(&self, id: &ApprovalId, found: &Found, now: SystemTime) -> Option<SecretString> {
        let mut claims = self.claims(id, found, "event", now);
        claims["state"] = found.state().as_str().into();
        if let Some(code) = found.outcome.as_ref().and_then(Outcome::code) {
            claims["code"] = code.into();
        }
        self.keys?.sign(Purpose::ApprovalEvent, &claims, now)
    }

    fn claims(&self, id: &ApprovalId, found: &Found, what: &str, now: SystemTime) -> Value {
        let (approval, issued) = (&found.approval, Timestamp::of(now));
        let text = id.to_text();
        let statement = sha256_of(&[
            b"zengate statement of an approval v1 ",
            &sha256_of(&[what.as_bytes()]),
            text.expose().as_bytes(),
        ]);
        let jti: String = statement.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let mut claims = json!({
            "iss": self.snapshot.settings().public_url.origin().ascii_serialization(),
            "aud": self.settings.audience,
            "iat": issued.as_secs(),
            "exp": issued.plus(self.settings.receipt_ttl).as_secs(),
            "jti": jti,
            "sub_id": { "format": "iss_sub", "iss": approval.carrier.issuer, "sub": approval.subject },
            "approval": text.expose(),
            "context": approval.context,
        });
        if let Some(reference) = &approval.reference {
            claims["reference"] = reference.as_str().into();
        }
        claims
    }
}

/// Where the person was asked, in a word.
fn way(found: &Found) -> &'static str {
    if found.approval.is_in_browser() { "browser" } else { "phone" }
}
