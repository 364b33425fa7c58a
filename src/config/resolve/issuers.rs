//! Issuers that can be seen not to work without asking anybody.

use url::Url;

use super::{Resolver, values};
use crate::config::fault::shown;
use crate::config::file::{BearerFile, EndpointsFile, IssuerEntry, List, OidcFile, ProviderFile};
use crate::config::form::Written;
use crate::config::form::address::{EndpointUrl, is_plain_http};
use crate::oidc::tenants::{Tenants, any_tenant};
use crate::provider::{Endpoints, is_refused_by_address};

impl Resolver<'_> {
    /// Addresses of the issuer that are given by hand, and whether they and the issuer may be plain http.
    pub(super) fn endpoints(&mut self, section: &str, file: Option<&OidcFile>) -> Endpoints {
        let Some(file) = file else { return Endpoints::default() };
        let allowed = file.allow_plain_http == Some(true);
        let endpoints = file.endpoints.as_ref();
        let mut plain = Vec::new();
        let issuer = file.issuer.as_ref().and_then(|issuer| Url::parse(&issuer.0.0).ok());
        if issuer.as_ref().is_some_and(is_plain_http) {
            plain.push("issuer".to_owned());
        }
        let mut read = |name: &str, pick: fn(&EndpointsFile) -> Option<&Written<EndpointUrl>>| {
            let url = pick(endpoints?)?.0.0.clone();
            if is_plain_http(&url) {
                plain.push(format!("endpoints.{name}"));
            }
            Some(url)
        };
        let found = Endpoints {
            authorization: read("authorization", |file| file.authorization.as_ref()),
            token: read("token", |file| file.token.as_ref()),
            jwks: read("jwks", |file| file.jwks.as_ref()),
            userinfo: read("userinfo", |file| file.userinfo.as_ref()),
            end_session: read("end_session", |file| file.end_session.as_ref()),
            pushed_authorization_request: read("pushed_authorization_request", |file| {
                file.pushed_authorization_request.as_ref()
            }),
        };
        for name in plain {
            if allowed {
                let text =
                    "is plain http: whoever is on the way reads client secret and tokens and can sign in as anybody";
                self.warn(&format!("{section}.{name}"), text);
            } else {
                let text = format!(
                    "is plain http outside this machine: anyone on the way could answer in its place; use https, or say with \
                     `{section}.allow_plain_http: true` that this network is yours alone"
                );
                self.fault(&format!("{section}.{name}"), text);
            }
        }
        found
    }

    /// Judges the address of every issuer that the provider at `section` names.
    pub(super) fn issuer_addresses(&mut self, section: &str, file: &ProviderFile) {
        let allow = file.allow_private_addresses.unwrap_or(false);
        let mut all: Vec<(String, &str)> = Vec::new();
        if let Some(issuer) = file.oidc.as_ref().and_then(|oidc| oidc.issuer.as_ref()) {
            all.push((format!("{section}.oidc.issuer"), &issuer.0.0));
        }
        if let Some(endpoints) = file.oidc.as_ref().and_then(|oidc| oidc.endpoints.as_ref()) {
            // Those that the gateway asks itself.
            for (name, url) in [
                ("token", &endpoints.token),
                ("jwks", &endpoints.jwks),
                ("userinfo", &endpoints.userinfo),
                ("pushed_authorization_request", &endpoints.pushed_authorization_request),
            ] {
                all.extend(url.iter().map(|url| (format!("{section}.oidc.endpoints.{name}"), url.0.0.as_str())));
            }
        }
        if let Some(zenkey) = &file.zenkey {
            if let Some(issuer) = &zenkey.discovery_issuer {
                all.push((format!("{section}.zenkey.discovery_issuer"), issuer.0.0.as_str()));
            }
            for (index, entry) in zenkey.trusted_issuers.iter().flat_map(List::items) {
                let key = format!("{section}.zenkey.trusted_issuers[{index}]");
                match entry {
                    IssuerEntry::Name(name) => all.push((key, &name.0.0)),
                    IssuerEntry::Full(full) => {
                        all.extend(full.issuer.iter().map(|name| (format!("{key}.issuer"), &*name.0.0)));
                    }
                }
            }
        }
        for (key, issuer) in all {
            self.issuer_address(&key, issuer, allow);
        }
    }

    /// The same for issuers of access tokens.
    pub(super) fn token_issuer_addresses(&mut self, file: Option<&BearerFile>, allow_private_addresses: bool) {
        let issuers = file.and_then(|bearer| bearer.issuers.as_ref()).into_iter().flat_map(List::items);
        for (index, issuer) in issuers {
            if let Some(name) = &issuer.issuer {
                if let Some(word) = any_tenant(&name.0.0).filter(|_| is_entra(&name.0.0)) {
                    let text = format!(
                        "{} stands for many tenants: tokens name their own tenant's issuer; write one entry for each tenant, \
                         with its id in place of `{word}`",
                        shown(&name.0.0)
                    );
                    self.fault(&format!("bearer.issuers[{index}].issuer"), text);
                }
                self.issuer_address(&format!("bearer.issuers[{index}].issuer"), &name.0.0, allow_private_addresses);
            }
        }
    }

    /// Faults of the address of an issuer, at `key`.
    fn issuer_address(&mut self, key: &str, issuer: &str, allow_private_addresses: bool) {
        let Ok(url) = Url::parse(issuer) else { return };
        if is_refused_by_address(&url, allow_private_addresses) {
            let text = if is_refused_by_address(&url, true) {
                format!("{} is at an address at which no provider can be", shown(issuer))
            } else {
                format!(
                    "{} is at a private address, which is not asked unless the provider's `allow_private_addresses: true` says \
                     that it is meant",
                    shown(issuer)
                )
            };
            self.fault(key, text);
        }
    }

    /// The tenants of an issuer that stands for many. Without a list nobody could sign in there: tokens name their own tenant's
    /// issuer, and a token of any tenant must not count.
    pub(super) fn tenants(&mut self, section: &str, file: &OidcFile) -> Tenants {
        let Some(issuer) = file.issuer.as_ref().map(|issuer| issuer.0.0.as_str()) else { return Tenants::default() };
        let ids = values(file.tenants.as_ref(), |id| id.0.0.clone());
        for (index, id) in ids.iter().enumerate() {
            if ids[..index].contains(id) {
                self.fault(&format!("{section}.tenants[{index}]"), format!("{} stands twice", shown(id)));
            }
        }
        match (any_tenant(issuer), file.tenants.is_some()) {
            (Some(word), false) if is_entra(issuer) => {
                let text = format!(
                    "{} stands for many tenants: tokens name their own tenant's issuer, so nobody could sign in; write your \
                     tenant's id in place of `{word}`, or list the tenants that may sign in in `{section}.tenants`",
                    shown(issuer)
                );
                self.fault(&format!("{section}.issuer"), text);
            }
            (None, true) => {
                let text = "is for an issuer with `common`, `organizations` or `consumers` where a tenant would stand; remove it";
                self.fault(&format!("{section}.tenants"), text);
            }
            (Some(_), true) => return Tenants::at(issuer, &ids).unwrap_or_default(),
            _ => {}
        }
        Tenants::default()
    }
}

/// Hosts of Microsoft Entra ID.
const ENTRA: [&str; 4] =
    ["login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "login.windows.net"];

fn is_entra(issuer: &str) -> bool {
    Url::parse(issuer).is_ok_and(|url| url.host_str().is_some_and(|host| ENTRA.contains(&host)))
}
