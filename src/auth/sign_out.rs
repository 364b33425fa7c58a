//! Leaving: by a form of ours, never by a link of somebody else's.

use std::time::SystemTime;

use http::{HeaderValue, Method, StatusCode, header};

use super::RelyingParty;
use super::answers::{Answers, query_value};
use super::refusal::Refusal;
use crate::session::SessionId;
use crate::session::store::Kind;
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
        let id = find_cookie(view.headers, &self.settings.cookies.session).and_then(SessionId::parse);
        let heard = match &id {
            Some(id) => self.sessions.end_with_parent(id, view.request_id, now).await,
            None => true,
        };
        let mut reply = if !heard {
            // Dead here and in this browser; replicas will know when the store does.
            self.refusal(Refusal::SignOutUnheard, view)
        } else if let Some(rd) = query_value(view, "rd") {
            match HeaderValue::try_from(self.return_to(Some(&rd)).location()) {
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
                let rd = self.return_to(Some(&rd)).location();
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

impl RelyingParty {
    /// Ends a session, the one it was handed over from, so that the next visit does not sign in again by itself, and all
    /// that were handed over from either.
    pub(super) async fn end_with_parent(&self, id: &SessionId, request_id: &str, now: SystemTime) -> bool {
        let key = id.store_key();
        let known = match self.cache.get(&key) {
            Some(cached) => Some(cached.value().session().clone()),
            None => match self.store.get(Kind::Session, key, now).await {
                Ok(Some(record)) => self.sealer.open_session(id, &record).ok(),
                // Nothing is there to end. Were it denied all the same, whoever posts made-up ids could push real
                // denials off the list and make us write to the store.
                Ok(None) => return true,
                // Perhaps a session, perhaps made up.
                Err(_) => return self.end_doubtful(key, now).await,
            },
        };
        if let Some(session) = &known {
            let who = session.identity();
            let subject = pseudonym(who.issuer(), who.subject());
            let (outcome, issuer) = ("signed_out", who.issuer());
            SecurityEvent::SessionEnd { outcome, request_id, issuer, subject: &subject }.emit();
        }
        let parent = known.and_then(|session| session.parent());
        let own = self.end_family(key, now).await;
        let parents = match parent {
            Some(parent) => self.end_family(parent, now).await,
            None => true,
        };
        own && parents
    }
}
