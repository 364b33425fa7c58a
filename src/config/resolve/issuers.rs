//! Issuers that can be seen not to work without asking anybody.

use url::Url;

use super::Resolver;
use crate::config::fault::shown;
use crate::config::file::{BearerFile, EndpointsFile, IssuerEntry, List, OidcFile, ProviderFile};
use crate::config::form::Written;
use crate::config::form::address::{EndpointUrl, is_plain_http};
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
        if let Some(tenant) = entra_pseudo_tenant(&url) {
            let text = format!(
                "{} stands for many tenants: tokens name their own tenant's issuer, so nobody could sign in; write your \
                 tenant's id in place of `{tenant}`",
                shown(issuer)
            );
            self.fault(key, text);
        }
    }
}

/// The word that stands for "any tenant" at Microsoft Entra ID, if `url` has one in place of a tenant.
fn entra_pseudo_tenant(url: &Url) -> Option<&'static str> {
    let host = url.host_str()?;
    let entra = [
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.windows.net",
    ];
    if !entra.contains(&host) {
        return None;
    }
    let first = url.path_segments()?.next()?.to_ascii_lowercase();
    ["common", "consumers", "organizations"].into_iter().find(|word| *word == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    // XM09
    #[test]
    fn any_tenant_is_no_issuer() {
        let tenant = |text: &str| entra_pseudo_tenant(&Url::parse(text).unwrap());
        assert_eq!(tenant("https://login.microsoftonline.com/common/v2.0"), Some("common"));
        assert_eq!(tenant("https://login.microsoftonline.com/Organizations/v2.0/"), Some("organizations"));
        assert_eq!(tenant("https://login.microsoftonline.us/consumers/v2.0"), Some("consumers"));
        for fine in [
            "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
            "https://login.example/common/v2.0",
            "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0",
            "https://login.microsoftonline.com",
        ] {
            assert_eq!(tenant(fine), None, "{fine}");
        }
    }
}
