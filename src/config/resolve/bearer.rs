//! Access tokens: distinct issuers, audiences that no sign-in uses, routes that demand what can be had.

use std::collections::HashMap;
use std::sync::Arc;

use super::provider::Provider;
use super::{Resolver, bytes, count, values};
use crate::config::fault::shown;
use crate::config::file::{BearerFile, BearerIssuerFile, List, RouteFile};
use crate::oidc::acr::Vocabulary;
use crate::provider::{FederationSettings, TokenIssuerSettings};
use crate::route::{Access, TokenDemand};
use crate::snapshot::{BearerIssuer, BearerSettings};

/// What the section says, for its two consumers.
#[derive(Default)]
pub(super) struct Bearer {
    pub(super) settings: BearerSettings,
    pub(super) key_issuers: Vec<TokenIssuerSettings>,
}

impl Resolver<'_> {
    pub(super) fn bearer(&mut self, file: Option<&BearerFile>, providers: &[Provider]) -> Bearer {
        let Some(file) = file else { return Bearer::default() };
        let mut bearer = Bearer::default();
        bearer.settings.cache_entries = count(file.cache_entries);
        bearer.settings.max_token = bytes(file.max_token.as_ref());
        bearer.settings.failures_per_minute = file.failures_per_minute.unwrap_or(0);
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (index, issuer) in file.issuers.iter().flat_map(List::items) {
            let key = format!("bearer.issuers[{index}]");
            if let Some(name) = &issuer.issuer
                && let Some(earlier) = places.insert(&name.0.0, index)
            {
                let text = format!("{} is already bearer.issuers[{earlier}]; name each issuer once", shown(&name.0.0));
                self.fault(&format!("{key}.issuer"), text);
            }
            self.token_issuer(&key, issuer, providers, &mut bearer);
        }
        bearer
    }

    fn token_issuer(
        &mut self,
        key: &str,
        file: &BearerIssuerFile,
        providers: &[Provider],
        bearer: &mut Bearer,
    ) -> Option<()> {
        let issuer = &file.issuer.as_ref()?.0.0;
        let audiences = values(file.audiences.as_ref(), |audience| audience.0.0.clone());
        let accept_untyped = file.accept_untyped?;
        let (absent, split) = (file.email_verified_absent, file.split_claims.as_ref());
        let claims = self.claim_rules(key, file.accept_unverified_contacts, absent, split);
        let takes_id_tokens = |provider: &Provider| {
            audiences.contains(&provider.settings.client_id)
                && (accept_untyped || signs_id_tokens_as_access_tokens(&provider.settings.federation, issuer))
        };
        if providers.iter().any(takes_id_tokens) {
            let text = "holds the client id of our own sign-in, and nothing tells this issuer's access tokens from its \
                        ID tokens; let it name the API by another audience";
            self.fault(&format!("{key}.audiences"), text);
        }
        let sign_in = providers.iter().find(|provider| provider.issuers().iter().any(|ours| ours.issuer == *issuer));
        let assurance = match (&file.assurance, sign_in) {
            (None, Some(provider)) => provider.assurance.clone(),
            (said, _) => self.ladder(&format!("{key}.assurance"), said.as_ref()),
        };
        bearer.settings.issuers.push(Arc::new(BearerIssuer {
            issuer: issuer.clone(),
            audiences,
            trusted_audiences: values(file.trusted_audiences.as_ref(), |audience| audience.0.0.clone()),
            algorithms: values(file.algorithms.as_ref(), |algorithm| algorithm.0.0.clone()),
            accept_untyped,
            claims,
            acr_vocabulary: sign_in.map_or(Vocabulary::PLAIN, Provider::acr_vocabulary),
            assurance,
        }));
        bearer.key_issuers.push(TokenIssuerSettings {
            issuer: issuer.clone(),
            jwks_uri: file.jwks_uri.as_ref().map(|uri| uri.0.0.clone()),
            allowed_hosts: values(file.allowed_hosts.as_ref(), |host| host.0.0.clone()),
        });
        Some(())
    }

    /// What a route demands of tokens; words about tokens where none is taken are a mistake worth telling.
    pub(super) fn token_demand(
        &mut self,
        key: &str,
        file: &RouteFile,
        access: Option<Access>,
        bearer: &BearerSettings,
    ) -> TokenDemand {
        let scopes = file.require.as_ref().and_then(|require| require.scopes.as_ref());
        let demand = TokenDemand {
            audiences: values(file.audiences.as_ref(), |audience| audience.0.0.clone()),
            scopes: values(scopes, |scope| scope.0.0.clone()),
        };
        let Some(access) = access else { return demand };
        if !access.takes_tokens() {
            for (name, is_there) in [("audiences", file.audiences.is_some()), ("require.scopes", scopes.is_some())] {
                if is_there {
                    let text = format!(
                        "is about access tokens, which `access: {}` does not take; write `bearer` or `session-or-bearer`",
                        access.as_str()
                    );
                    self.fault(&format!("{key}.{name}"), text);
                }
            }
            return demand;
        }
        if !self.is_given("bearer") {
            let text = "takes access tokens, but `bearer.issuers` names nobody whose tokens count; add `bearer`";
            self.fault(&format!("{key}.access"), text);
            return demand;
        }
        for (index, audience) in file.audiences.iter().flat_map(List::items) {
            if !bearer.issuers.iter().any(|issuer| issuer.audiences.contains(&audience.0.0)) {
                let text = format!("{} is an audience of no issuer in bearer.issuers", shown(&audience.0.0));
                self.fault(&format!("{key}.audiences[{index}]"), text);
            }
        }
        demand
    }
}

/// Whether ID tokens of `issuer` may call themselves `at+jwt`, as one recorded sample does.
fn signs_id_tokens_as_access_tokens(federation: &FederationSettings, issuer: &str) -> bool {
    federation.member(issuer).is_some_and(|member| member.accept_at_jwt_typ)
}
