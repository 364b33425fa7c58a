//! Leaving: by a form of ours, never by a link of somebody else's.

use std::time::SystemTime;

use http::{HeaderValue, Method, StatusCode, header};

use super::answers::{Answers, query_value};
use super::refusal::Refusal;
use super::session_cookie::id_of;
use crate::session::Session;
use crate::session::ending::SignedOut;
use crate::telemetry::events::SecurityEvent;
use crate::telemetry::log::pseudonym;
use crate::web::cookie::{clear_cookie, find_cookie};
use crate::web::page::{sign_out_confirm_page, signed_out_page};
use crate::web::{Reply, RequestView, single_value};

impl Answers<'_> {
    /// `sign_out?rd=`: `GET` asks, `POST` from our own pages ends the session (B16).
    pub(super) async fn sign_out(&self, view: &RequestView<'_>, now: SystemTime) -> Reply {
        match *view.method {
            Method::GET | Method::HEAD => return self.ask_to_sign_out(view),
            Method::POST => {}
            _ => {
                let mut reply = self.refusal(Refusal::MethodNotAllowed, view);
                reply.set(header::ALLOW, HeaderValue::from_static("GET, POST"));
                return reply;
            }
        }
        if !self.is_same_origin(view) {
            return self.refusal(Refusal::SignOutForeign, view);
        }
        let outcome = match id_of(view, &self.settings.cookies) {
            Some(id) => self.sessions.sign_out(id, view.host, now, told(view.request_id)).await,
            None => SignedOut::Everywhere,
        };
        let mut reply = if outcome == SignedOut::NotKept {
            // The cookie stays: with it the person can ask again.
            return self.refusal(Refusal::SignOutNotKept, view);
        } else if outcome == SignedOut::HereForNow {
            self.refusal(Refusal::SignOutUnheard, view)
        } else if let Some(rd) = query_value(view, "rd") {
            match HeaderValue::try_from(self.return_to(Some(&rd), view).location()) {
                Ok(location) => Reply::redirect(StatusCode::SEE_OTHER, location),
                Err(_) => Reply::empty(StatusCode::BAD_REQUEST),
            }
        } else {
            signed_out_page(self.snapshot.start(), view.request_id)
        };
        reply.add_cookie(clear_cookie(&self.settings.cookies.session));
        let name = self.settings.cookies.loop_guard();
        if find_cookie(view.headers, &name).is_some() {
            reply.add_cookie(clear_cookie(&name));
        }
        reply
    }

    /// The page that asks first. Where to go afterwards is judged now and again when the form comes back.
    fn ask_to_sign_out(&self, view: &RequestView<'_>) -> Reply {
        let here = format!("{}/sign_out", self.settings.prefix);
        let form = match query_value(view, "rd") {
            Some(rd) => {
                let rd = self.return_to(Some(&rd), view).location();
                let rd: String = url::form_urlencoded::byte_serialize(rd.as_bytes()).collect();
                format!("{here}?rd={rd}")
            }
            None => here,
        };
        sign_out_confirm_page(&form, view.request_id)
    }

    /// Whether a browser says that a page of this very origin sent the form. Every browser in use says so on a POST;
    /// whoever says nothing is refused.
    ///
    /// A page that sends no referrer, as ours and many apps' do, has its forms sent with `Origin: null`; there
    /// `Sec-Fetch-Site`, which no page can set, says where they came from. A form in a sandboxed frame of another site
    /// sends `null` as well, with `cross-site`.
    fn is_same_origin(&self, view: &RequestView<'_>) -> bool {
        let value = |name: &str| single_value(view.headers, name);
        let (Ok(site), Ok(origin)) = (value("sec-fetch-site"), value("origin")) else { return false };
        match (site, origin) {
            (Some(site), None) => site == "same-origin",
            (Some(site), Some("null")) => site == "same-origin",
            (site, Some(origin)) => {
                origin == self.snapshot.origin_of(view.host) && site.is_none_or(|site| site == "same-origin")
            }
            (None, None) => false,
        }
    }
}

/// Tells the log who signed out.
fn told(request_id: &str) -> impl FnOnce(&Session) + Send + 'static {
    let request_id = request_id.to_owned();
    move |session| {
        let who = session.identity();
        let subject = pseudonym(who.issuer(), who.subject());
        let (outcome, issuer, request_id) = ("signed_out", who.issuer(), request_id.as_str());
        SecurityEvent::SessionEnd { outcome, request_id, issuer, subject: &subject }.emit();
    }
}
