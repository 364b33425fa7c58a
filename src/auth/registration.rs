//! Somebody who is signed in and has no account yet: the app's registration page is told who they are and what they agreed to
//! share, in a signed statement.
//!
//! The statement goes in the body of a form that the person sends. In an address it would stand in histories, logs and
//! `Referer`, with a name and an e-mail address in it. It names the app's origin as its audience, lives for minutes, and has
//! an id by which the app takes it once.

use std::sync::Arc;
use std::time::SystemTime;

use http::{Method, StatusCode};
use serde_json::json;

use super::Auth;
use super::denial::{UNLINKED, page_of_form, refused};
use super::judge::{Cause, Denial};
use super::refusal::{Denied, Refusal};
use crate::assertion::Purpose;
use crate::assertion::keeper::AssertionKeys;
use crate::ground::time::Timestamp;
use crate::secret::{SecretString, random_text};
use crate::session::Session;
use crate::snapshot::{RegistrationSettings, Snapshot};
use crate::web::page::registration::{RegistrationPage, registration_page};
use crate::web::{Reply, RequestView};

/// Random bytes of a statement's id.
const ID_BYTES: usize = 16;

/// Signs what the app's registration page is told.
pub(super) struct Registration {
    pub(super) keys: Arc<AssertionKeys>,
}

impl Auth {
    /// The page that leads somebody without an account to the app's registration; `None` for everybody else, for programs,
    /// and while there is no key to sign with.
    pub(super) fn to_registration(
        &self,
        snapshot: &Snapshot,
        denial: &Denial,
        view: &RequestView<'_>,
        now: SystemTime,
    ) -> Option<Reply> {
        let (Cause::Unlinked(live), Some(registration), Some(settings)) =
            (&denial.cause, &self.registration, &snapshot.settings().registration)
        else {
            return None;
        };
        if !view.wants_html() {
            return None;
        }
        let page = match *view.method {
            Method::GET | Method::HEAD => view.target.as_str().to_owned(),
            _ => page_of_form(view, snapshot),
        };
        let page = format!("{}{page}", snapshot.origin_of(view.host));
        let session = live.value().session();
        let statement = self.statement(registration, settings, session, snapshot, &page, now)?;
        let denied = Denied::because(Refusal::UnlinkedUser, UNLINKED);
        self.exit.note(refused(&denied, denial.route.as_deref(), view));
        let who = snapshot.settings().display_name(session.identity());
        let claims = session.identity().parts().claims;
        Some(registration_page(RegistrationPage {
            status: StatusCode::FORBIDDEN,
            address: &settings.url,
            assertion: statement.expose(),
            who: who.as_deref(),
            told: &claims.keys().map(String::as_str).collect::<Vec<_>>(),
            code: Refusal::UnlinkedUser.message().code,
            request_id: view.request_id,
        }))
    }

    /// What the app is told: who (`sub_id`, RFC 9493), what they agreed to share, and where they wanted to go.
    fn statement(
        &self,
        registration: &Registration,
        settings: &RegistrationSettings,
        session: &Session,
        snapshot: &Snapshot,
        page: &str,
        now: SystemTime,
    ) -> Option<SecretString> {
        let parts = session.identity().parts();
        let issued = Timestamp::of(now);
        let claims = json!({
            "iss": snapshot.settings().public_url.origin().ascii_serialization(),
            "aud": settings.url.origin().ascii_serialization(),
            "iat": issued.as_secs(),
            "exp": issued.plus(settings.ttl).as_secs(),
            "jti": random_text::<ID_BYTES>(self.sessions.entropy()),
            "sub_id": { "format": "iss_sub", "iss": parts.issuer, "sub": parts.subject },
            "acr": parts.acr,
            "amr": parts.amr,
            "auth_time": parts.auth_time,
            "claims": parts.claims,
            "return_to": page,
        });
        registration.keys.sign(Purpose::Registration, &claims, now)
    }
}
