//! `link`: somebody who is signed in to an account of the app links their sign-in here to it.
//!
//! The app vouches for the account with a ticket (`link_ticket.rs`), the issuer for the person, and the person agrees on a page
//! of ours that says what is linked to what. Nothing else leads to a link: no e-mail address, no phone number, no GET.

use std::time::SystemTime;

use http::{HeaderValue, Method, StatusCode, header};
use tracing::warn;

use super::SignIn;
use super::link_ticket::Vouched;
use super::linking::{ChangedBy, Linking};
use super::own_address::OwnQuery;
use super::refusal::Refusal;
use crate::account::Subject;
use crate::account::links::{IfLinked, LinkError};
use crate::identity::Identity;
use crate::route::path::ReturnTo;
use crate::secret::constant_time_eq;
use crate::session::StoreKey;
use crate::session::sessions::{Lookup, Purpose};
use crate::session::store::{Kind, StoreError};
use crate::web::cookie::{clear_cookie, find_cookie, set_cookie};
use crate::web::page::link::{LinkQuestion, linked_page};
use crate::web::{AsksFor, Reply, RequestView};

impl SignIn<'_> {
    /// `link?ticket=`: takes the ticket; `link`: asks; a form of that page: links, or not.
    pub(super) async fn link(&self, view: &RequestView<'_>, now: SystemTime) -> Reply {
        let (Some(linking), true) = (self.linking, view.host == self.snapshot.public_host()) else {
            return self.answers.refusal(Refusal::NotFound, view);
        };
        match *view.method {
            Method::POST => return self.agree(linking, view, now).await,
            Method::GET => {}
            _ => {
                let mut reply = self.answers.refusal(Refusal::MethodNotAllowed, view);
                reply.set(header::ALLOW, HeaderValue::from_static("GET, POST"));
                return reply;
            }
        }
        // Whatever fetches the address ahead of the person does not use the ticket up.
        if view.asks_for() != AsksFor::Page || view.is_speculative() {
            return self.answers.refusal(Refusal::LinkUnknown, view);
        }
        match OwnQuery::of(view).value("ticket") {
            Some(ticket) => self.exchange(&ticket, view, now).await,
            None => self.ask_to_link(linking, view, now).await,
        }
    }

    fn cookie_name(&self) -> String {
        format!("{}link", self.settings.cookies.attempt_prefix)
    }

    fn own_page(&self) -> String {
        format!("{}/link", self.settings.prefix)
    }

    /// The browser gets a cookie for the ticket, and goes on without it in the address.
    async fn exchange(&self, ticket: &str, view: &RequestView<'_>, now: SystemTime) -> Reply {
        let vouched = match Vouched::take(ticket, self.store, self.sealer, now).await {
            Ok(Some(vouched)) => vouched,
            Ok(None) => return self.answers.refusal(Refusal::LinkUnknown, view),
            Err(error) => return self.link_store_refusal(&error, view),
        };
        let Ok(location) = HeaderValue::try_from(self.own_page()) else {
            return self.answers.refusal(Refusal::LinkUnknown, view);
        };
        let mut reply = Reply::redirect(StatusCode::SEE_OTHER, location);
        let value = vouched.to_cookie(self.sealer, self.entropy);
        reply.add_cookie(set_cookie(&self.cookie_name(), &value, Some(self.settings.lifetimes.attempt)));
        reply
    }

    fn vouched(&self, view: &RequestView<'_>, now: SystemTime) -> Option<Vouched> {
        let cookie = find_cookie(view.headers, &self.cookie_name())?;
        Vouched::of_cookie(cookie, self.settings.lifetimes.attempt, self.sealer, now)
    }

    /// The page that says what would be linked to what; whoever is not signed in does that first.
    async fn ask_to_link(&self, linking: &Linking, view: &RequestView<'_>, now: SystemTime) -> Reply {
        let Some(vouched) = self.vouched(view, now) else { return self.answers.refusal(Refusal::LinkUnknown, view) };
        let found = self.answers.session_of(view, Purpose::Use, now).await;
        let (live, session) = match &found {
            Lookup::SignedIn(live, session) => (live, *session),
            Lookup::StoreDown => return self.answers.refusal(Refusal::StoreUnavailable, view),
            Lookup::Absent | Lookup::Dead => {
                let start = self.start_for_link("");
                let reply = match HeaderValue::try_from(start) {
                    Ok(location) => Reply::redirect(StatusCode::FOUND, location),
                    Err(_) => Reply::empty(StatusCode::BAD_REQUEST),
                };
                return self.answers.without_dead_cookie(reply, &found);
            }
        };
        let identity = live.value().session().identity();
        // Before they agree to what could not be.
        match self.linked_to(linking, identity, now).await {
            Ok(Some(account)) if account == vouched.account => return self.done(&vouched, view),
            Ok(Some(_)) => return self.answers.refusal(Refusal::LinkedElsewhere, view),
            Ok(None) => {}
            Err(error) => return self.link_store_refusal(&error, view),
        }
        self.question(&vouched, identity, session, view)
    }

    fn question(&self, vouched: &Vouched, identity: &Identity, session: StoreKey, view: &RequestView<'_>) -> Reply {
        let who = self.settings.display_name(identity);
        LinkQuestion {
            address: &self.own_page(),
            account: &vouched.account,
            who: who.as_deref(),
            agreement: &vouched.agreement(session, self.sealer),
            other: &self.start_for_link("?account=other"),
            request_id: view.request_id,
        }
        .page()
    }

    /// The address that begins a sign-in which ends on the link page.
    fn start_for_link(&self, more: &str) -> String {
        let to = self.answers.own_link_page();
        self.answers.start_with(more, &to.unwrap_or_else(ReturnTo::home))
    }

    async fn linked_to(
        &self,
        linking: &Linking,
        identity: &Identity,
        now: SystemTime,
    ) -> Result<Option<String>, StoreError> {
        let Ok(subject) = Subject::parse(identity.issuer(), identity.subject()) else { return Ok(None) };
        let link = linking.links().find(&subject, now).await?;
        Ok(link.map(|link| link.account.as_str().to_owned()))
    }

    /// The form of the page came back.
    async fn agree(&self, linking: &Linking, view: &RequestView<'_>, now: SystemTime) -> Reply {
        if !self.answers.is_same_origin(view) {
            return self.answers.refusal(Refusal::LinkForeign, view);
        }
        let Some(vouched) = self.vouched(view, now) else { return self.answers.refusal(Refusal::LinkUnknown, view) };
        let form = OwnQuery::of_form(view);
        if form.value("decision").as_deref() != Some("link") {
            return self.done(&vouched, view);
        }
        let (live, session) = match self.answers.session_of(view, Purpose::Use, now).await {
            Lookup::SignedIn(live, session) => (live, session),
            Lookup::StoreDown => return self.answers.refusal(Refusal::StoreUnavailable, view),
            Lookup::Absent | Lookup::Dead => return self.ask_to_link(linking, view, now).await,
        };
        let identity = live.value().session().identity();
        let agreed = form.value("agreement").unwrap_or_default();
        if !constant_time_eq(agreed.as_bytes(), vouched.agreement(session, self.sealer).as_bytes()) {
            // They agreed to something else than what would be done now: another sign-in, or another ticket.
            return self.question(&vouched, identity, session, view);
        }
        let (subject, account) = match (Subject::parse(identity.issuer(), identity.subject()), vouched.account()) {
            (Ok(subject), Some(account)) => (subject, account),
            _ => return self.answers.refusal(Refusal::LinkUnknown, view),
        };
        // One ticket links one person, in whatever copies of a browser it is.
        match self.store.insert(Kind::Spent, vouched.spent(), &[], self.settings.lifetimes.attempt, now).await {
            Ok(true) => {}
            Ok(false) => return self.answers.refusal(Refusal::LinkUnknown, view),
            Err(error) => return self.link_store_refusal(&error, view),
        }
        let by = ChangedBy { token: &vouched.by, client: view.client };
        match linking.put(&subject, &account, IfLinked::Refuse, by, now).await {
            Ok(_) => self.done(&vouched, view),
            Err(LinkError::OtherAccount | LinkError::Differs) => self.answers.refusal(Refusal::LinkedElsewhere, view),
            Err(LinkError::TooMany) => self.answers.refusal(Refusal::TooManySubjects, view),
            Err(LinkError::Store(error)) => self.link_store_refusal(&error, view),
        }
    }

    /// On to where the app wanted the person, linked or not. A page leads on: the policy of the one with the form would bind
    /// a redirect to this host.
    fn done(&self, vouched: &Vouched, view: &RequestView<'_>) -> Reply {
        let to = vouched.return_to.clone().unwrap_or_else(ReturnTo::home);
        let mut reply = linked_page(&to.location(), view.request_id);
        reply.add_cookie(clear_cookie(&self.cookie_name()));
        reply
    }

    fn link_store_refusal(&self, error: &StoreError, view: &RequestView<'_>) -> Reply {
        self.metrics.store_errors.inc();
        warn!(request_id = view.request_id, reason = %error, "The session store did not answer");
        self.answers.refusal(Refusal::StoreUnavailable, view)
    }
}
