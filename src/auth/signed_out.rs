//! The way back from the provider after signing out there: what was to happen then travels in `state`, sealed.
//!
//! It says no more than where the person may go. Whoever replays it sends themselves to a place that the operator lists.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::SignIn;
use super::answers::query_value;
use super::sign_out::Afterwards;
use crate::ground::time::Timestamp;
use crate::secret::sha256;
use crate::session::StoreKey;
use crate::session::store::Kind;
use crate::web::page::sign_out::signed_out_page;
use crate::web::{Reply, RequestView};

/// How long a provider may take to come back.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Longest place to go that travels along, in bytes; a longer one is left out, so that the provider's address stays short.
const MAX_PLACE: usize = 1024;

/// Longest `state` that is looked at, in bytes.
const MAX_STATE: usize = 2 * 1024;

/// The content needs no secret of its own: the operator key seals it.
const SECRET: &[u8; 32] = b"zengate after signing out v1    ";

#[derive(Serialize, Deserialize)]
struct State {
    /// Absolute address.
    to: Option<String>,
    /// When it was made, in milliseconds since 1970.
    at: u64,
}

fn place() -> StoreKey {
    StoreKey(sha256(b"zengate after signing out v1"))
}

impl SignIn<'_> {
    /// The `state` that brings back where the person goes after the provider.
    pub(super) fn after_sign_out(&self, view: &RequestView<'_>, afterwards: &Afterwards, now: SystemTime) -> String {
        let to = match afterwards {
            Afterwards::To(to) if to.origin().is_some() => Some(to.location()),
            Afterwards::To(to) => Some(format!("{}{}", self.snapshot.origin_of(view.host), to.target())),
            Afterwards::Here | Afterwards::Refused => None,
        };
        let state = State { to: to.filter(|to| to.len() <= MAX_PLACE), at: Timestamp::of(now).as_millis() };
        let content = serde_json::to_vec(&state).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(self.sealer.seal(Kind::Attempt, place(), SECRET, &content, self.entropy))
    }

    /// `signed_out?state=`: the provider has ended its session and led the person back. Without a state of ours nobody knows
    /// what has ended: the page of the sign-out says what there is.
    pub(super) fn signed_out(&self, view: &RequestView<'_>, now: SystemTime) -> Reply {
        let location = match query_value(view, "state").and_then(|state| self.opened(&state, now)) {
            Some(State { to: None, .. }) => return signed_out_page(true, self.snapshot.start(), view.request_id),
            Some(State { to: Some(to), .. }) => to,
            None => format!("{}/sign_out", self.settings.prefix),
        };
        match HeaderValue::try_from(location) {
            Ok(location) => Reply::redirect(StatusCode::FOUND, location),
            Err(_) => Reply::empty(StatusCode::BAD_REQUEST),
        }
    }

    fn opened(&self, state: &str, now: SystemTime) -> Option<State> {
        let sealed = URL_SAFE_NO_PAD.decode(Some(state).filter(|state| state.len() <= MAX_STATE)?).ok()?;
        let content = self.sealer.open(Kind::Attempt, place(), SECRET, &sealed).ok()?;
        let state: State = serde_json::from_slice(&content).ok()?;
        (Timestamp::of(now).since(Timestamp::from_millis(state.at)) < LIFETIME).then_some(state)
    }
}
