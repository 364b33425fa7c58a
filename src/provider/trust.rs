//! Whom we believe: the issuers the operator listed, and the hosts each may live on.
//!
//! A discovery answer is a claim by a third party. It becomes a [`Carrier`] only here, and only if its issuer is on
//! the list, byte for byte, and every endpoint lies on a host that belongs to that issuer. Otherwise a bent answer could
//! send codes and our client secret to a host of its choice (RFC 9700 4.4; security D05, D09, D15).

use url::Url;

use super::address;
use super::{Carrier, FederationSettings, IssuerSettings, ProviderError, TokenIssuerSettings};
use crate::oidc::metadata::ProviderMetadata;

/// Issuers and their hosts, compiled once.
#[derive(Debug)]
pub(super) struct TrustList(Vec<Trusted>);

#[derive(Debug)]
struct Trusted {
    issuer: String,
    hosts: Vec<AllowedHost>,
    /// Nobody signs in there: of its endpoints only the keys are ever asked, and only they must lie on its hosts.
    keys_only: bool,
}

/// A host, and the port if it is not the scheme's own.
#[derive(Debug)]
struct AllowedHost {
    host: String,
    port: Option<u16>,
}

impl TrustList {
    pub(super) fn new(federation: &FederationSettings) -> Self {
        Self(match federation {
            FederationSettings::Zenkey { trusted, .. } => trusted.iter().map(Trusted::new).collect(),
            FederationSettings::Oidc { issuer } => vec![Trusted::new(issuer)],
        })
    }

    /// The issuers of access tokens.
    pub(super) fn of_token_issuers(issuers: &[TokenIssuerSettings]) -> Self {
        let trusted = |settings: &TokenIssuerSettings| Trusted {
            keys_only: true,
            ..Trusted::of(&settings.issuer, &settings.allowed_hosts)
        };
        Self(issuers.iter().map(trusted).collect())
    }

    /// The issuers on the list.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|trusted| trusted.issuer.as_str())
    }

    /// Whether `issuer` is on the list, and its own metadata address may be asked.
    pub(super) fn is_listed(&self, issuer: &str) -> bool {
        self.0.iter().any(|trusted| trusted.issuer == issuer)
    }

    /// Whether the keys of `issuer` may lie at `uri`.
    pub(super) fn allows_keys(&self, issuer: &str, uri: &Url) -> bool {
        self.0.iter().any(|trusted| trusted.issuer == issuer && trusted.check(uri).is_ok())
    }

    /// Turns metadata into a carrier, or names what is not trusted about it. `jwks_uri` comes apart because some
    /// carriers leave it blank in the discovery answer.
    pub(super) fn carrier(
        &self,
        metadata: ProviderMetadata,
        jwks_uri: Url,
        mccmnc: Option<&str>,
    ) -> Result<Carrier, ProviderError> {
        let carrier = Carrier {
            issuer: metadata.issuer,
            authorization_endpoint: metadata.authorization_endpoint,
            token_endpoint: metadata.token_endpoint,
            userinfo_endpoint: metadata.userinfo_endpoint,
            jwks_uri,
            mccmnc: mccmnc.map(str::to_owned),
            mccmnc_confirmed: mccmnc.is_some() && metadata.mccmnc.as_deref() == mccmnc,
            iss_parameter_supported: metadata.iss_parameter_supported,
        };
        self.check(&carrier)?;
        Ok(carrier)
    }

    /// Checks a carrier, also one that was frozen into a sign-in attempt before the list changed (D16).
    pub(super) fn check(&self, carrier: &Carrier) -> Result<(), ProviderError> {
        let trusted = self
            .0
            .iter()
            .find(|trusted| trusted.issuer == carrier.issuer)
            .ok_or(ProviderError::Untrusted("issuer is not on the list"))?;
        trusted.check(&carrier.jwks_uri)?;
        if trusted.keys_only {
            return Ok(());
        }
        let endpoints = [&carrier.authorization_endpoint, &carrier.token_endpoint];
        for endpoint in endpoints.into_iter().chain(&carrier.userinfo_endpoint) {
            trusted.check(endpoint)?;
        }
        Ok(())
    }
}

impl Trusted {
    fn new(settings: &IssuerSettings) -> Self {
        Self::of(&settings.issuer, &settings.allowed_hosts)
    }

    fn of(issuer: &str, allowed_hosts: &[String]) -> Self {
        let own = Url::parse(issuer).ok().and_then(|url| {
            Some(AllowedHost { host: url.host_str()?.to_owned(), port: Some(url.port_or_known_default()?) })
        });
        let listed = allowed_hosts.iter().filter_map(|entry| AllowedHost::parse(entry));
        Self { issuer: issuer.to_owned(), hosts: own.into_iter().chain(listed).collect(), keys_only: false }
    }

    fn check(&self, endpoint: &Url) -> Result<(), ProviderError> {
        let secure =
            endpoint.scheme() == "https" || (endpoint.scheme() == "http" && address::is_loopback_host(endpoint));
        if !secure {
            return Err(ProviderError::Untrusted("endpoint is not https"));
        }
        if !endpoint.username().is_empty() || endpoint.password().is_some() || endpoint.fragment().is_some() {
            return Err(ProviderError::Untrusted("endpoint is not a plain URL"));
        }
        if !self.hosts.iter().any(|allowed| allowed.matches(endpoint)) {
            return Err(ProviderError::Untrusted("endpoint lies outside the issuer's hosts"));
        }
        Ok(())
    }
}

impl AllowedHost {
    /// Reads `host` or `host:port`. Anything else matches nothing; the configuration refuses it with words.
    fn parse(entry: &str) -> Option<Self> {
        let url = Url::parse(&format!("https://{entry}/")).ok()?;
        let plain = url.username().is_empty() && url.password().is_none() && url.path() == "/" && url.query().is_none();
        let port = entry.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        (plain && url.fragment().is_none()).then_some(Self { host: url.host_str()?.to_owned(), port })
    }

    fn matches(&self, endpoint: &Url) -> bool {
        let default = if endpoint.scheme() == "http" { 80 } else { 443 };
        endpoint.host_str() == Some(self.host.as_str())
            && endpoint.port_or_known_default() == Some(self.port.unwrap_or(default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(issuer: &str, hosts: &[&str]) -> TrustList {
        TrustList::new(&FederationSettings::Oidc {
            issuer: IssuerSettings {
                issuer: issuer.to_owned(),
                allowed_hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
                algorithms: vec![],
                accept_at_jwt_typ: false,
                accept_unverified_contacts: false,
            },
        })
    }

    fn carrier(issuer: &str) -> Carrier {
        let at = |path: &str| Url::parse(&format!("https://a.example/{path}")).unwrap();
        Carrier {
            issuer: issuer.to_owned(),
            authorization_endpoint: at("authorize"),
            token_endpoint: at("token"),
            userinfo_endpoint: Some(at("userinfo")),
            jwks_uri: at("jwks"),
            mccmnc: None,
            mccmnc_confirmed: false,
            iss_parameter_supported: false,
        }
    }

    // D05
    #[test]
    fn an_issuer_is_trusted_by_its_exact_string_and_nothing_near_it() {
        let trust = list("https://a.example", &[]);
        assert_eq!(trust.check(&carrier("https://a.example")), Ok(()));
        for near in
            ["https://a.example/", "https://A.example", "https://a.example:443", "https://b.a.example", "a.example", ""]
        {
            assert!(matches!(trust.check(&carrier(near)), Err(ProviderError::Untrusted(_))), "{near}");
        }
    }

    // D09
    #[test]
    fn every_endpoint_must_lie_on_a_host_of_its_issuer() {
        type Bend = fn(&mut Carrier, Url);
        let bends: [Bend; 4] = [
            |carrier, url| carrier.authorization_endpoint = url,
            |carrier, url| carrier.token_endpoint = url,
            |carrier, url| carrier.userinfo_endpoint = Some(url),
            |carrier, url| carrier.jwks_uri = url,
        ];
        let trust = list("https://a.example", &["login.a.example", "keys.a.example:8443"]);
        for bend in bends {
            let check = |url: &str| {
                let mut bent = carrier("https://a.example");
                bend(&mut bent, Url::parse(url).unwrap());
                trust.check(&bent)
            };
            for good in ["https://login.a.example/x", "https://LOGIN.a.example:443/", "https://keys.a.example:8443/x"] {
                assert_eq!(check(good), Ok(()), "{good}");
            }
            for bad in [
                "https://e.example/x",
                "https://x.login.a.example/",
                "https://login.a.example.e.example/",
                "https://login.a.example./",
                "https://login.a.example:8443/",
                "https://keys.a.example/x",
                "https://a.example:444/x",
                "http://a.example/x",
                "http://login.a.example:443/x",
                "https://a.example@e.example/",
                "https://e@a.example/",
                "https://a.example/#f",
                "ftp://a.example/",
                "http://127.0.0.1/x",
                "https://127.0.0.1/x",
            ] {
                assert!(matches!(check(bad), Err(ProviderError::Untrusted(_))), "{bad}");
            }
        }
    }

    #[test]
    fn plain_http_is_for_this_very_machine_only() {
        let trust = list("http://localhost:9001", &["carrier.localhost:9002", "127.0.0.1:9003", "10.0.0.1:80"]);
        let check = |url: &str| {
            let at = Url::parse(url).unwrap();
            let mut carrier = carrier("http://localhost:9001");
            (carrier.authorization_endpoint, carrier.token_endpoint) = (at.clone(), at.clone());
            (carrier.userinfo_endpoint, carrier.jwks_uri) = (None, at);
            trust.check(&carrier)
        };
        for good in ["http://localhost:9001/", "http://carrier.localhost:9002/", "http://127.0.0.1:9003/"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["http://10.0.0.1/", "http://localhost:9002/", "http://localhost/"] {
            assert!(matches!(check(bad), Err(ProviderError::Untrusted(_))), "{bad}");
        }
    }
}
