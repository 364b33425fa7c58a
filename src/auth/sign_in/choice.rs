//! With which of several providers a person signs in.
//!
//! An address, a link of a provider's own, or the route that was asked for may name them; where more than one is left, the
//! person chooses on a page of ours. Whatever was named, only what the configuration and the route allow is left.

use std::time::SystemTime;

use super::attempt::SignInAttempt;
use crate::auth::SignIn;
use crate::auth::own_address::{OwnQuery, PROVIDER};
use crate::auth::refusal::Refusal;
use crate::provider::IssuerSettings;
use crate::route::path::{NormalTarget, ReturnTo};
use crate::route::{Found, Traits};
use crate::snapshot::ClientRegistration;
use crate::web::page::chooser_page;
use crate::web::{Reply, RequestView};

/// What names the carrier that a person picked, by its id.
pub(super) const MEMBER: &str = "carrier";
/// What says that a person knows none of those that they could pick.
const UNSURE: &str = "unsure";
/// What names those that another of our hosts leaves to choose from, by their ids, between commas.
pub(super) const AMONG: &str = "among";

/// What a person said of their carrier.
pub(super) enum Picked<'a> {
    /// Nothing yet: they are asked.
    Nothing,
    /// This one.
    Member(&'a IssuerSettings),
    /// It is for others to find out.
    LeftOpen,
}

impl<'a> SignIn<'a> {
    /// What the address says of the carrier, where people pick one. A carrier's own link names it by `iss`; who confirms
    /// does so at the carrier that they are `known_by`, and is not asked which.
    pub(super) fn picked(&self, query: &OwnQuery<'_>, known_by: Option<&str>) -> Result<Picked<'a>, Refusal> {
        let registration = self.registration;
        if !registration.picks() {
            return Ok(Picked::LeftOpen);
        }
        let member = |issuer: &str| registration.issuers.iter().find(|member| member.names(issuer));
        let named = query.value("iss").and_then(|issuer| member(&issuer)).or_else(|| known_by.and_then(member));
        match (query.value(MEMBER), named) {
            (Some(id), _) => registration.member(&id).map(Picked::Member).ok_or(Refusal::RequestMalformed),
            (None, Some(member)) => Ok(Picked::Member(member)),
            (None, None) if query.is_set(UNSURE) && registration.discovery_ui.is_some() => Ok(Picked::LeftOpen),
            (None, None) => Ok(Picked::Nothing),
        }
    }

    /// The page on which a person picks their carrier, the one of their last sign-in marked. Each link is this very request,
    /// with the choice added.
    pub(super) fn ask_which_carrier(&self, query: &OwnQuery<'_>, view: &RequestView<'_>, now: SystemTime) -> Reply {
        let last = self.last_carrier(view, now).map(|last| last.member).unwrap_or_default();
        let link = |name: &str, value: &str| format!("{}?{}", self.snapshot.start(), query.with(name, value));
        let members = self.registration.issuers.iter().filter(|member| !member.id.is_empty());
        let mut choices: Vec<_> = members
            .map(|member| {
                let mark = if member.id == last { " (last time)" } else { "" };
                (format!("{}{mark}", member.name), link(MEMBER, &member.id))
            })
            .collect();
        if self.registration.discovery_ui.is_some() {
            choices.push(("Another one, or I do not know".to_owned(), link(UNSURE, "1")));
        }
        chooser_page("Choose your mobile carrier.", &choices, view.request_id)
    }

    /// The providers that this sign-in may be with, in the order of the configuration; never none.
    ///
    /// `iss` is what a provider's own link names itself by (OpenID Connect Core 4).
    pub(super) fn allowed(
        &self,
        view: &RequestView<'_>,
        query: &OwnQuery<'_>,
        return_to: &ReturnTo,
        handing_off: bool,
    ) -> Result<Vec<&'a ClientRegistration>, Refusal> {
        let mut left: Vec<_> = self.settings.registrations.iter().collect();
        if let Some(issuer) = query.value("iss") {
            left.retain(|registration| registration.trusts(&issuer));
        }
        if self.settings.registrations.are_many() {
            if let Some(id) = query.value(PROVIDER) {
                left.retain(|registration| registration.id == id);
            }
            if let Some(ids) = query.value(AMONG) {
                left.retain(|registration| ids.split(',').any(|id| id == registration.id));
            }
            // Where the other host's person wants to go is that host's to say: it is in what it named.
            if !handing_off {
                let named = self.providers_of_page(view.host, return_to);
                left.retain(|registration| named.is_empty() || named.contains(&registration.id));
            }
        }
        if left.is_empty() { Err(Refusal::UnknownIssuer) } else { Ok(left) }
    }

    /// The providers that the route of the page to return to names; none if it takes people of any.
    fn providers_of_page(&self, host: &str, return_to: &ReturnTo) -> &'a [String] {
        let target = match return_to.origin() {
            None => NormalTarget::parse(return_to.target().as_bytes()).ok(),
            Some(_) => None,
        };
        match target.map(|target| self.snapshot.find(host, &target, Traits::page())) {
            Some(Found::Route(route)) => &route.providers,
            _ => &[],
        }
    }

    /// The page on which a person chooses between `providers`. Each link is this very request, with the choice added.
    pub(super) fn ask_which(&self, query: &OwnQuery<'_>, providers: &[&ClientRegistration], request_id: &str) -> Reply {
        let choices = providers.iter().map(|registration| {
            let href = format!("{}?{}", self.snapshot.start(), query.with(PROVIDER, &registration.id));
            (registration.name.clone(), href)
        });
        chooser_page("Choose where you have an account.", &choices.collect::<Vec<_>>(), request_id)
    }

    /// Whether the address of `view` is one to which answers come: our own, or one of several providers'.
    pub(super) fn is_a_callback(&self, view: &RequestView<'_>) -> bool {
        let known = |below: &str| {
            let mut all = self.settings.registrations.iter().flat_map(ClientRegistration::all_below_callback);
            all.any(|known| known == below)
        };
        self.below_callback(view).is_none_or(|below| !below.is_empty() && known(below))
    }

    /// What follows `callback/` in the address of `view`.
    fn below_callback<'v>(&self, view: &RequestView<'v>) -> Option<&'v str> {
        view.target.path().strip_prefix(self.settings.prefix.as_str())?.strip_prefix("/callback/")
    }

    /// The provider that `attempt` is with, if its answer came where the answers of that provider come.
    ///
    /// Rule: each of several providers, and each carrier that has one, has a redirect URI of its own, and an answer at another one is refused before
    /// anything is redeemed. A hostile provider could otherwise be given another provider's code (mix-up, RFC 9700 4.4).
    pub(super) fn chosen_for(&self, view: &RequestView<'_>, attempt: &SignInAttempt) -> Result<SignIn<'a>, Refusal> {
        let registration = self.settings.registrations.get(&attempt.provider).ok_or(Refusal::AttemptUnknown)?;
        let own = self.below_callback(view).unwrap_or_default();
        if !attempt.is_hand_off() && own != registration.below_callback(attempt.member()) {
            return Err(Refusal::CarrierMismatch);
        }
        self.at(registration).ok_or(Refusal::AttemptUnknown)
    }
}
