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
        for (index, provider) in providers.iter().enumerate() {
            let section = if provider.id.is_empty() { "provider".to_owned() } else { format!("providers[{index}]") };
            self.unasked_headers(&section, provider, routes.iter().filter(|route| asks(route, provider)));
        }
        for (index, route) in routes.iter().enumerate() {
            for (claim, _) in &route.require.claims {
                let mut scopes =
                    providers.iter().filter(|provider| asks(route, provider)).map(|one| unasked(one, claim));
                if let Some(Some(scope)) = scopes.next()
                    && scopes.all(|scope| scope.is_some())
                {
                    let text =
                        format!("demands a claim that no sign-in asks for; add `{scope}` to the provider's scopes");
                    self.warn(&format!("routes[{index}].require.claims.{claim}"), text);
                }
            }
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
