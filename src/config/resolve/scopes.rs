//! Claims that no sign-in asks for: a header that is never there, or a rule that nobody can meet, is said before anybody is
//! puzzled by it.

use std::collections::BTreeSet;

use super::Resolver;
use super::provider::Provider;
use crate::identity::headers::HeaderPlan;
use crate::route::RouteSettings;

/// Scopes and the claims that they ask for (OpenID Connect Core 5.4). Of other claims, `groups` above all, each provider
/// says itself how they come.
const STANDARD: [(&str, &[&str]); 4] = [
    ("address", &["address"]),
    ("email", &["email", "email_verified"]),
    ("phone", &["phone_number", "phone_number_verified"]),
    (
        "profile",
        &[
            "birthdate",
            "family_name",
            "gender",
            "given_name",
            "locale",
            "middle_name",
            "name",
            "nickname",
            "picture",
            "preferred_username",
            "profile",
            "updated_at",
            "website",
            "zoneinfo",
        ],
    ),
];

/// The scope that asks for `claim`, if the standard names one.
fn scope_of(claim: &str) -> Option<&'static str> {
    STANDARD.iter().find(|(_, claims)| claims.contains(&claim)).map(|(scope, _)| *scope)
}

/// The scope for `claim` that `provider` does not ask for. With carriers each names its own scopes.
fn unasked(provider: &Provider, claim: &str) -> Option<&'static str> {
    let standard = provider.settings.federation.profile.has_standard_scopes;
    scope_of(claim).filter(|scope| standard && !provider.scopes.iter().any(|asked| asked == scope))
}

impl Resolver<'_> {
    /// Warns of what routes want of people and no scope brings. Access tokens say what they like: only what a session is to
    /// tell is judged.
    pub(super) fn unasked_claims(&mut self, routes: &[RouteSettings], providers: &[Provider]) {
        let asks = |route: &RouteSettings, provider: &Provider| {
            route.access.takes_sessions() && (route.providers.is_empty() || route.providers.contains(&provider.id))
        };
        for provider in providers {
            let section = &provider.settings.section;
            self.unasked_headers(section, provider, routes.iter().filter(|route| asks(route, provider)));
        }
        for (index, route) in routes.iter().enumerate() {
            let asked: Vec<_> = providers.iter().filter(|provider| asks(route, provider)).collect();
            // What one of them brings can be met.
            let missing = |claim: &str| {
                let scopes: Option<Vec<_>> = asked.iter().map(|provider| unasked(provider, claim)).collect();
                scopes.and_then(|scopes| scopes.first().copied())
            };
            let claims = route.require.claims.iter().map(|(claim, _)| (claim, format!("claims.{claim}")));
            let attributes = route.require.attributes.iter().enumerate();
            let attributes = attributes.map(|(place, name)| (name, format!("attributes[{place}]")));
            for (claim, at) in claims.chain(attributes) {
                if let Some(scope) = missing(claim) {
                    let text =
                        format!("demands a claim that no sign-in asks for; add `{scope}` to the provider's scopes");
                    self.warn(&format!("routes[{index}].require.{at}"), text);
                }
            }
        }
    }

    /// Warns of refresh tokens that are asked for and that nothing uses.
    pub(super) fn unused_refresh_tokens(&mut self, providers: &[Provider]) {
        for provider in providers.iter().filter(|one| one.scopes.iter().any(|scope| scope == "offline_access")) {
            let key = format!("{}.{}.scopes", provider.settings.section, provider.settings.federation.profile.name);
            let text = "asks for `offline_access`, and nothing uses the refresh token that comes for it, while some providers \
                        keep a session open for it after the person has signed out; leave it out, or set sessions.recheck";
            self.warn(&key, text);
        }
    }

    fn unasked_headers<'a>(
        &mut self,
        section: &str,
        provider: &Provider,
        routes: impl Iterator<Item = &'a RouteSettings>,
    ) {
        let (mut names, mut scopes) = (BTreeSet::new(), BTreeSet::new());
        for plan in routes.filter_map(|route| HeaderPlan::compile(&route.identity_headers).ok()) {
            for (name, claim) in plan.claims() {
                if let Some(scope) = unasked(provider, claim) {
                    names.insert(name.to_owned());
                    scopes.insert(scope);
                }
            }
        }
        if !names.is_empty() {
            let text = format!(
                "bring no claim for the headers {}; add {}, or choose other headers",
                names.into_iter().collect::<Vec<_>>().join(", "),
                scopes.into_iter().collect::<Vec<_>>().join(", "),
            );
            self.warn(&format!("{section}.oidc.scopes"), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_has_the_scope_of_the_standard_or_none() {
        assert_eq!(scope_of("email"), Some("email"));
        assert_eq!(scope_of("preferred_username"), Some("profile"));
        assert_eq!(scope_of("groups"), None);
        assert_eq!(scope_of("sub"), None);
    }
}
