//! What routes demand of people's SIMs, and headers tell of them.

use super::Resolver;
use super::provider::Provider;
use crate::config::file::{HeaderEntry, RequireFile, RouteFile, SimTenureWord, SimUnknownWord};
use crate::config::validate::join;
use crate::identity::headers::SIM_TENURE;
use crate::oidc::acr::Assurance;
use crate::oidc::request_object::can_sign;
use crate::policy::{RecentSim, SimRule};
use crate::route::Access;

/// Why no carrier can be asked.
const NO_KEY: &str = "is a question that must be signed, and there is no key for RS256; write `client_keys` for ZenKey or for one \
                      of its members (`zengate keys --algorithm RS256`)";

impl Resolver<'_> {
    /// What a route demands of SIMs, where carriers can be asked about those of the people who come.
    pub(super) fn sim_rule(
        &mut self,
        key: &str,
        file: &RequireFile,
        access: Option<Access>,
        providers: &[Provider],
    ) -> Option<SimRule> {
        let claims = format!("{key}.require.claims");
        let unknown = format!("{key}.require.sim_tenure_24_unknown");
        let key = format!("{key}.require.sim_tenure_24");
        if file.claims.as_ref().is_some_and(|claims| claims.contains_key(SIM_TENURE)) {
            let text = "is none of an issuer's claims; write `require: { sim_tenure_24: refuse }`";
            self.fault(&join(&claims, SIM_TENURE), text);
        }
        let Some(word) = file.sim_tenure_24 else {
            if file.sim_tenure_24_unknown.is_some() {
                self.fault(&unknown, "is for `sim_tenure_24`, and there is none; write it, or remove this");
            }
            return None;
        };
        if access.is_some_and(Access::takes_tokens) {
            let text = "is for `access: session`: carriers are asked about people who sign in, and about no token";
            self.fault(&key, text);
        }
        if !can_be_asked(providers) {
            self.fault(&key, NO_KEY);
        }
        let recent = match word {
            SimTenureWord::Refuse => RecentSim::Refuse,
            SimTenureWord::StepUp => {
                let assuring = |provider: &Provider| {
                    provider.assurance.iter().any(|(_, found)| *found >= Assurance::Person)
                        || provider.acr_vocabulary().assuring(Assurance::Person).next().is_some()
                };
                if !providers.is_empty() && !providers.iter().any(assuring) {
                    let text = "has people confirm who they are, and of no word of an issuer it is known that it assures `person`; \
                                say so in `assurance` of the provider";
                    self.fault(&key, text);
                }
                RecentSim::StepUp
            }
        };
        Some(SimRule { recent, allow_unknown: matches!(file.sim_tenure_24_unknown, Some(SimUnknownWord::Allow)) })
    }

    /// Headers that tell of SIMs need somebody who can be asked.
    pub(super) fn told_sims(&mut self, key: &str, file: &RouteFile, providers: &[Provider]) {
        let headers = file.identity_headers.as_ref().and_then(|headers| headers.map.as_ref());
        for (name, entry) in headers.into_iter().flatten() {
            let claim = match entry {
                HeaderEntry::Claim(claim) => Some(claim),
                HeaderEntry::Full(full) => full.claim.as_ref(),
            };
            if claim.is_some_and(|claim| claim.0.0 == SIM_TENURE) && !can_be_asked(providers) {
                self.fault(&join(&format!("{key}.identity_headers.map"), name), NO_KEY);
            }
        }
    }
}

/// Whether questions to one of the issuers can be signed. Where the providers themselves are at fault, their faults are enough.
fn can_be_asked(providers: &[Provider]) -> bool {
    let signs = |provider: &Provider| {
        let settings = &provider.settings;
        let own = settings.federation.members.iter().filter_map(|member| member.authentication.as_ref());
        own.chain([&settings.authentication]).any(can_sign)
    };
    providers.is_empty() || providers.iter().any(signs)
}
