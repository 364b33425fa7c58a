//! A sign-in for a page that demands more of the way in which people sign in than others do, and the step-up of somebody
//! who is signed in already (RFC 9470; OpenID Connect Core 3.1.2.1 `acr_values`, `max_age`, `prompt`).
//!
//! Rule: whoever steps up comes back as the same person, or nothing changes. Otherwise somebody who sits down at a signed-in
//! browser could confirm with a phone of their own, and go on in the other person's place.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::auth::SignIn;
use crate::auth::refusal::Refusal;
use crate::identity::Identity;
use crate::policy::Unmet;
use crate::route::path::{NormalTarget, ReturnTo};
use crate::route::{Found, Traits};
use crate::secret::{constant_time_eq, sha256_of};
use crate::session::sessions::Lookup;
use crate::snapshot::CompiledRoute;
use crate::web::RequestView;

/// What names, for another of our hosts, the demanding route of its page: the route's path.
pub(super) const FOR: &str = "for";

/// A page that demands something of the sign-in that is under way for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Demand {
    /// Host of the route.
    pub host: String,
    /// Its path, which it alone has there. The route is looked up again when the answer comes: what counts is what is
    /// demanded then.
    pub path: String,
    /// Who must come back, if somebody is signed in: see [`mark_of`].
    pub same: Option<String>,
    /// Whether they want to be asked again what they share.
    #[serde(default)]
    pub consent: bool,
}

/// What an authorization request for a demand asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Authentication contexts; empty: those of every sign-in.
    pub(super) acr_values: Vec<String>,
    /// Longest time since the person authenticated.
    pub(super) max_age: Option<Duration>,
    /// For what the person must be asked though the provider knows them (Core 3.1.2.1).
    pub(super) prompt: Option<&'static str>,
    /// What the person reads beside the question.
    pub(super) context: Option<String>,
}

impl Asked {
    /// The same of somebody who must authenticate anew.
    pub(super) fn anew(self) -> Self {
        let prompt =
            if self.prompt.is_some_and(|prompt| prompt.contains("consent")) { "login consent" } else { "login" };
        Self { max_age: Some(Duration::ZERO), prompt: Some(prompt), ..self }
    }
}

/// By what a person is known in the record of an attempt: 128 bits that tell nobody who they are.
fn mark_of(identity: &Identity) -> String {
    let issuer = sha256_of(&[identity.issuer().as_bytes()]);
    let digest = sha256_of(&[b"zengate step-up v1 ", &issuer, identity.subject().as_bytes()]);
    URL_SAFE_NO_PAD.encode(digest.first_chunk::<16>().unwrap_or(&[0; 16]))
}

/// Whether `route` demands something of the way in which people sign in, or, where they want to be asked again what they share,
/// of that.
fn is_demanding(route: &CompiledRoute, consent: bool) -> bool {
    route.require.demands_of_sign_in() || consent && !route.require.attributes.is_empty()
}

impl<'a> SignIn<'a> {
    /// The route of the page to return to, if it demands something of the way in which people sign in.
    pub(super) fn demanding_page(&self, host: &str, page: &ReturnTo, consent: bool) -> Option<&'a CompiledRoute> {
        let target = page.origin().is_none().then(|| NormalTarget::parse(page.target().as_bytes()).ok()).flatten()?;
        match self.snapshot.find(host, &target, Traits::page()) {
            Found::Route(route) => Some(&**route).filter(|route| is_demanding(route, consent)),
            _ => None,
        }
    }

    /// The demanding route at `path` of `host`. Who names another one than their page's only comes back once more: the page
    /// judges whoever opens it.
    pub(super) fn demanding_route(&self, host: &str, path: &str, consent: bool) -> Option<&'a CompiledRoute> {
        let mut routes = self.snapshot.routes().iter().map(AsRef::as_ref);
        routes.find(|route: &&CompiledRoute| {
            (route.host == host || route.is_for(host)) && route.path == path && is_demanding(route, consent)
        })
    }

    /// What a sign-in for `route` must bring, where `found` is the session at hand.
    pub(super) fn demand_of(&self, route: &CompiledRoute, found: &Lookup, consent: bool, now: SystemTime) -> Demand {
        let same = match found {
            Lookup::SignedIn(live, _) => {
                let session = live.value().session();
                let identity = session.identity();
                let falls_short = consent
                    || route.require.check_sign_in(identity, now).is_err()
                    || route.require.check_sim(session.sim(), identity) == Err(Unmet::SimConfirmation);
                let steps_up = route.admits(identity) && falls_short;
                steps_up.then(|| mark_of(identity))
            }
            _ => None,
        };
        Demand { host: route.host.clone(), path: route.path.clone(), same, consent }
    }

    /// What to ask the provider for.
    pub(super) fn asked_for(&self, demand: Option<&Demand>) -> Asked {
        let Some(demand) = demand else { return Asked::default() };
        let route = self.demanding_route(&demand.host, &demand.path, demand.consent);
        let Some(route) = route else { return Asked::default() };
        let step_up = match demand.same {
            Some(_) => self.registration.step_up(&route.require.of_step_up()),
            None => self.registration.step_up(&route.require),
        };
        let step_up = step_up.unwrap_or_default();
        let context = route.step_up_context.as_ref().filter(|_| self.registration.profile.shows_context);
        Asked {
            acr_values: step_up.acr_values,
            max_age: step_up.max_age,
            prompt: match (demand.consent, route.require.demands_of_sign_in() && demand.same.is_some()) {
                (true, true) => Some("login consent"),
                (true, false) => Some("consent"),
                (false, true) => Some("login"),
                (false, false) => None,
            },
            context: context.map(|text| text.replace("%host%", &demand.host)),
        }
    }

    /// Whether `identity`, which has just been verified, is what a step-up was to bring.
    ///
    /// # Errors
    /// Somebody else came back; or the same person, in a way that is not enough. The session that was there is not touched.
    pub(super) fn meets(
        &self,
        view: &RequestView<'_>,
        demand: Option<&Demand>,
        identity: &Identity,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let Some((demand, same)) = demand.and_then(|demand| Some((demand, demand.same.as_ref()?))) else {
            return Ok(());
        };
        let request_id = view.request_id;
        if !constant_time_eq(same.as_bytes(), mark_of(identity).as_bytes()) {
            info!(request_id, reason = "other_person", "A step-up was confirmed by somebody else");
            return Err(Refusal::OtherPerson);
        }
        let Some(route) = self.demanding_route(&demand.host, &demand.path, demand.consent) else { return Ok(()) };
        route.require.check_step_up(identity, now).map_err(|unmet| {
            info!(request_id, route = route.name, reason = %unmet, "A step-up was not enough");
            Refusal::WeakSignIn
        })
    }
}
