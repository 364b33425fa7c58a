//! Leaving: by a form of ours, never by a link of somebody else's.

use std::time::SystemTime;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tracing::info;
use url::Url;

use super::SignIn;
use super::answers::{Answers, query_value};
use super::refusal::Refusal;
use super::session_cookie::id_of;
use crate::route::path::ReturnTo;
use crate::session::ending::SignedOut;
use crate::session::sessions::{Lookup, Purpose};
use crate::session::{Session, SessionId};
use crate::snapshot::ProviderSignOut;
use crate::telemetry::events::SecurityEvent;
use crate::telemetry::log::pseudonym;
use crate::web::cookie::{clear_cookie, find_cookie};
use crate::web::page::sign_out::{Onward, SignOutQuestion, not_signed_in_page, onward_page, signed_out_page};
use crate::web::{Reply, RequestView, single_value};

/// The W3C's "Clear Site Data": what an app let the browser keep of its pages is not to come back with the Back button.
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// The part of the query that says that the session at the provider is to end too.
const WITH_PROVIDER: (&str, &str) = ("provider", "yes");

/// Where a link to the sign-out wants to lead afterwards.
pub(super) enum Afterwards {
    /// Nowhere: the page that says what has ended.
    Here,
    /// A place that people may be sent to.
    To(ReturnTo),
    /// A place that they may not be sent to.
    Refused,
}

impl SignIn<'_> {
    /// `sign_out?rd=`: `GET` asks, `POST` from our own pages ends the session (B16).
    pub(super) async fn sign_out(&self, view: &RequestView<'_>, now: SystemTime) -> Reply {
        match *view.method {
            Method::GET | Method::HEAD => return self.ask_to_sign_out(view, now).await,
            Method::POST => {}
            _ => {
                let mut reply = self.answers.refusal(Refusal::MethodNotAllowed, view);
                reply.set(header::ALLOW, HeaderValue::from_static("GET, POST"));
                return reply;
            }
        }
        if !self.answers.is_same_origin(view) {
            return self.answers.refusal(Refusal::SignOutForeign, view);
        }
        let afterwards = self.afterwards(view);
        let id = id_of(view, &self.settings.cookies);
        let wanted = match self.settings.sign_out {
            ProviderSignOut::Never => false,
            ProviderSignOut::Ask => query_value(view, WITH_PROVIDER.0).as_deref() == Some(WITH_PROVIDER.1),
            ProviderSignOut::Always => true,
        };
        // Before it ends: afterwards nobody could say where its provider is.
        let provider = if wanted { self.end_session_url(view, id.as_ref(), &afterwards, now).await } else { None };
        let outcome = match id {
            Some(id) => self.sessions.sign_out(id, view.host, now, told(view.request_id)).await,
            None => SignedOut::Everywhere,
        };
        let mut reply = if outcome == SignedOut::NotKept {
            // The cookie stays: with it the person can ask again.
            return self.answers.refusal(Refusal::SignOutNotKept, view);
        } else if outcome == SignedOut::HereForNow {
            self.answers.refusal(Refusal::SignOutUnheard, view)
        } else if let Some(to) = provider {
            onward_page(Onward::Provider, &to, view.request_id)
        } else {
            self.lead_on(view, &afterwards)
        };
        reply.set(CLEAR_SITE_DATA, HeaderValue::from_static("\"cache\""));
        reply.add_cookie(clear_cookie(&self.settings.cookies.session));
        self.forget_carrier(view).into_iter().for_each(|cookie| reply.add_cookie(cookie));
        let name = self.settings.cookies.loop_guard();
        if find_cookie(view.headers, &name).is_some() {
            reply.add_cookie(clear_cookie(&name));
        }
        reply
    }

    fn lead_on(&self, view: &RequestView<'_>, afterwards: &Afterwards) -> Reply {
        let home = ReturnTo::home();
        let to = match afterwards {
            Afterwards::Here => return signed_out_page(false, self.snapshot.start(), view.request_id),
            Afterwards::To(to) => to,
            // No form of ours says this (A13).
            Afterwards::Refused => &home,
        };
        let location = to.location();
        match (to.origin(), Url::parse(&location), HeaderValue::try_from(location.as_str())) {
            (Some(_), Ok(url), _) => onward_page(Onward::Elsewhere, &url, view.request_id),
            (None, _, Ok(location)) => Reply::redirect(StatusCode::SEE_OTHER, location),
            _ => Reply::empty(StatusCode::BAD_REQUEST),
        }
    }

    /// What the link says about afterwards. It is judged when the page asks and again when its form comes back.
    fn afterwards(&self, view: &RequestView<'_>) -> Afterwards {
        let Some(rd) = query_value(view, "rd") else { return Afterwards::Here };
        match ReturnTo::parse(&rd, self.snapshot.return_policy()) {
            Ok(to) => Afterwards::To(to.seen_from(&self.snapshot.origin_of(view.host))),
            Err(fault) => {
                self.metrics.return_refused.inc();
                info!(
                    code = "redirect_rejected",
                    reason = %fault,
                    key = "sign_in.return_origins",
                    "A sign-out will lead nowhere: its return address was refused"
                );
                Afterwards::Refused
            }
        }
    }

    /// The page that asks first, and says beforehand what will not happen.
    async fn ask_to_sign_out(&self, view: &RequestView<'_>, now: SystemTime) -> Reply {
        let found = self.answers.session_of(view, Purpose::Ask, now).await;
        let issuer = match &found {
            Lookup::SignedIn(live, _) => Some(live.value().session().identity().issuer().to_owned()),
            // Nobody knows; signing out holds here all the same.
            Lookup::StoreDown => None,
            Lookup::Absent | Lookup::Dead => {
                let page = not_signed_in_page(self.snapshot.start(), view.request_id);
                return self.answers.without_dead_cookie(page, &found);
            }
        };
        let afterwards = self.afterwards(view);
        let here = self.form(&afterwards, false);
        let both = match (&issuer, self.settings.sign_out) {
            (None, _) | (_, ProviderSignOut::Never) => None,
            (Some(issuer), _) => match self.at_issuer(issuer) {
                Some(there) => there.provider.end_session_endpoint(issuer, now).await,
                None => None,
            },
        };
        let both = both.map(|_| self.form(&afterwards, true));
        let offers_here = both.is_none() || self.settings.sign_out == ProviderSignOut::Ask;
        let question = SignOutQuestion {
            here: offers_here.then_some(&here),
            both: both.as_deref(),
            refused: matches!(afterwards, Afterwards::Refused),
            request_id: view.request_id,
        };
        question.page()
    }

    /// The address that a form of the page posts to.
    fn form(&self, afterwards: &Afterwards, with_provider: bool) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if with_provider {
            query.append_pair(WITH_PROVIDER.0, WITH_PROVIDER.1);
        }
        if let Afterwards::To(to) = afterwards {
            query.append_pair("rd", &to.location());
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}/sign_out{mark}{query}", self.settings.prefix)
    }

    /// The address at the provider that ends the session there and leads back (RP-Initiated Logout 1.0, 2); `None` if the
    /// provider does not say how, or nobody is signed in. The ID token goes along where it was kept: without it the provider
    /// asks the person once more.
    async fn end_session_url(
        &self,
        view: &RequestView<'_>,
        id: Option<&SessionId>,
        afterwards: &Afterwards,
        now: SystemTime,
    ) -> Option<Url> {
        let id = id?;
        let Lookup::SignedIn(live, _) = self.answers.session_of(view, Purpose::Ask, now).await else { return None };
        let issuer = live.value().session().identity().issuer();
        let there = self.at_issuer(issuer)?;
        let mut url = there.provider.end_session_endpoint(issuer, now).await?;
        let kept = match self.sessions.provider_session(id, now).await {
            Ok(kept) => kept.unwrap_or_default(),
            Err(error) => {
                self.sessions.store_failed(&error, "The session store did not say what is kept for a sign-out");
                Default::default()
            }
        };
        let state = self.after_sign_out(view, afterwards, now);
        let mut query = url.query_pairs_mut();
        if let Some(hint) = &kept.id_token {
            query.append_pair("id_token_hint", hint.expose());
        }
        query.append_pair("client_id", there.registration.client_id_at(issuer));
        query.append_pair("post_logout_redirect_uri", self.snapshot.post_logout_redirect_uri());
        query.append_pair("state", &state);
        drop(query);
        Some(url)
    }
}

impl Answers<'_> {
    /// Whether a browser says that a page of this very origin sent the form. Every browser in use says so on a POST;
    /// whoever says nothing is refused.
    ///
    /// A page that sends no referrer, as ours and many apps' do, has its forms sent with `Origin: null`; there
    /// `Sec-Fetch-Site`, which no page can set, says where they came from. A form in a sandboxed frame of another site
    /// sends `null` as well, with `cross-site`.
    pub(super) fn is_same_origin(&self, view: &RequestView<'_>) -> bool {
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
