//! Whom we believe: the issuers the operator listed, and the hosts each may live on.
//!
//! A discovery answer is a claim by a third party. It becomes a [`Carrier`] only here, and only if its issuer is on
//! the list, byte for byte, and every endpoint lies on a host that belongs to that issuer. Otherwise a bent answer could
//! send codes and our client secret to a host of its choice (RFC 9700 4.4; security D05, D09, D15).

use url::{Origin, Url};

use super::address;
use super::{Carrier, IssuerSettings, ProviderError, ProviderSettings, TokenIssuerSettings};
use crate::oidc::client_auth::AuthMethod;
use crate::oidc::metadata::{MetadataError, ProviderMetadata};

/// Issuers and their hosts, compiled once.
#[derive(Debug)]
pub(super) struct TrustList {
    issuers: Vec<Trusted>,
    /// Userinfo is asked: only then it matters where it is.
    userinfo: bool,
}

#[derive(Debug)]
struct Trusted {
    issuer: String,
    hosts: Vec<AllowedHost>,
    /// Nobody signs in there: of its endpoints only the keys are ever asked, and only they must lie on its hosts.
    keys_only: bool,
    /// Where the configuration says so, for advice.
    key: String,
    /// Origin of the addresses at which we ask it ourselves, if it is another one; over plain http if the operator said so.
    backchannel: Option<Origin>,
    /// Addresses that stand in the configuration: whoever wrote them there knows whose they are.
    by_hand: Vec<Url>,
    /// Origins of the configuration that may be plain http.
    plain_origins: Vec<Origin>,
}

/// A host, and the port if it is not the scheme's own.
#[derive(Debug)]
struct AllowedHost {
    host: String,
    port: Option<u16>,
}

impl TrustList {
    /// The issuers at which people sign in. Where their userinfo is matters only if it is asked.
    pub(super) fn new(settings: &ProviderSettings) -> Self {
        let trusted = |issuer: &IssuerSettings| Trusted::new(issuer).of_the_one_issuer(settings);
        let issuers = settings.federation.members.iter().map(trusted).collect();
        Self { issuers, userinfo: settings.userinfo }
    }

    /// The issuers of access tokens. What the configuration says of the addresses of one that people sign in with holds for its
    /// keys too.
    pub(super) fn of_token_issuers(settings: &ProviderSettings) -> Self {
        let trusted = |(at, issuer): (usize, &TokenIssuerSettings)| {
            let trusted = Trusted {
                keys_only: true,
                ..Trusted::of(&issuer.issuer, &issuer.allowed_hosts, format!("bearer.issuers[{at}]"))
            };
            let is_the_one = settings.federation.fixed().is_some_and(|fixed| fixed.issuer == issuer.issuer);
            if is_the_one { trusted.of_the_one_issuer(settings) } else { trusted }
        };
        Self { issuers: settings.token_issuers.iter().enumerate().map(trusted).collect(), userinfo: false }
    }

    /// The issuers on the list.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().map(|trusted| trusted.issuer.as_str())
    }

    /// Whether `issuer` is on the list, and its own metadata address may be asked.
    pub(super) fn is_listed(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|trusted| trusted.issuer == issuer)
    }

    /// Whether the keys of `issuer` may lie at `uri`.
    pub(super) fn allows_keys(&self, issuer: &str, uri: &Url) -> bool {
        self.issuers.iter().any(|trusted| trusted.issuer == issuer && trusted.check("jwks_uri", uri).is_ok())
    }

    /// Turns metadata into a carrier, or names what is not trusted about it. `jwks_uri` comes apart because some
    /// carriers leave it blank in the discovery answer. What is never asked of this issuer is not judged.
    pub(super) fn carrier(
        &self,
        metadata: ProviderMetadata,
        jwks_uri: Url,
        mccmnc: Option<&str>,
        auth_method: AuthMethod,
    ) -> Result<Carrier, ProviderError> {
        let trusted = self.find(&metadata.issuer)?;
        let endpoint = |member: Result<Url, MetadataError>| match member {
            Err(_) if trusted.keys_only => Ok(jwks_uri.clone()),
            member => member.map_err(bad_metadata),
        };
        let end_session_endpoint = end_session_endpoint(trusted, &metadata);
        let carrier = Carrier {
            end_session_endpoint,
            authorization_endpoint: endpoint(metadata.authorization_endpoint)?,
            token_endpoint: endpoint(metadata.token_endpoint)?,
            userinfo_endpoint: if self.userinfo { metadata.userinfo_endpoint.map_err(bad_metadata)? } else { None },
            mccmnc: mccmnc.map(str::to_owned),
            mccmnc_confirmed: mccmnc.is_some() && metadata.mccmnc.is_ok_and(|said| said.as_deref() == mccmnc),
            iss_parameter_supported: metadata.iss_parameter_supported,
            auth_method,
            // A request that is pushed to nowhere is refused when one is to be pushed.
            pushed_endpoint: metadata.pushed_authorization_request_endpoint.ok().flatten(),
            server_initiated_endpoint: metadata.server_initiated_authorization_endpoint.ok().flatten(),
            server_initiated_cancel_endpoint: metadata.server_initiated_cancel_endpoint.ok().flatten(),
            sim_tenure_endpoint: metadata.sim_tenure_endpoint.ok().flatten(),
            requires_pushed_requests: metadata.requires_pushed_requests,
            issuer: metadata.issuer,
            jwks_uri,
        };
        self.check(&carrier)?;
        Ok(carrier)
    }

    /// Checks a carrier, also one that was frozen into a sign-in attempt before the list changed (D16).
    pub(super) fn check(&self, carrier: &Carrier) -> Result<(), ProviderError> {
        let trusted = self.find(&carrier.issuer)?;
        trusted.check("jwks_uri", &carrier.jwks_uri)?;
        if trusted.keys_only {
            return Ok(());
        }
        trusted.check("authorization_endpoint", &carrier.authorization_endpoint)?;
        trusted.check("token_endpoint", &carrier.token_endpoint)?;
        match &carrier.userinfo_endpoint {
            Some(endpoint) if self.userinfo => trusted.check("userinfo_endpoint", endpoint),
            _ => Ok(()),
        }
    }

    /// Checks where a request is to be pushed: it holds what a sign-in is bound to.
    pub(super) fn check_pushed<'c>(&self, carrier: &'c Carrier) -> Result<&'c Url, ProviderError> {
        let endpoint = carrier.pushed_endpoint.as_ref();
        let endpoint = endpoint.ok_or(ProviderError::invalid("no endpoint for pushed requests"))?;
        self.find(&carrier.issuer)?.check("pushed_authorization_request_endpoint", endpoint)?;
        Ok(endpoint)
    }

    /// Checks where a person is to be asked on their phone, or such a question taken back: whoever got the request could answer
    /// it in the carrier's place.
    pub(super) fn check_question<'c>(
        &self,
        carrier: &'c Carrier,
        member: &'static str,
        endpoint: Option<&'c Url>,
    ) -> Result<&'c Url, ProviderError> {
        let none = || ProviderError::invalid("no endpoint for questions of a server").found(member);
        let endpoint = endpoint.ok_or_else(none)?;
        self.find(&carrier.issuer)?.check(member, endpoint)?;
        Ok(endpoint)
    }

    /// Checks where a person's SIM is to be asked about; `None` where the carrier says nothing of it. Whoever got the question
    /// could vouch for a SIM of their own.
    pub(super) fn check_sim_tenure<'c>(&self, carrier: &'c Carrier) -> Result<Option<&'c Url>, ProviderError> {
        let Some(endpoint) = &carrier.sim_tenure_endpoint else { return Ok(None) };
        self.find(&carrier.issuer)?.check("usertrait_endpoint", endpoint)?;
        Ok(Some(endpoint))
    }

    fn find(&self, issuer: &str) -> Result<&Trusted, ProviderError> {
        let found = self.issuers.iter().find(|trusted| trusted.issuer == issuer);
        found.ok_or_else(|| ProviderError::untrusted("issuer is not on the list").found(issuer))
    }
}

/// The place where sessions end, if it is one of the issuer's: the ID token is shown there. Nobody needs it to sign in, so
/// one that is none is left out and told.
fn end_session_endpoint(trusted: &Trusted, metadata: &ProviderMetadata) -> Option<Url> {
    let endpoint = metadata.end_session_endpoint.clone().map_err(bad_metadata).transpose()?;
    match endpoint.and_then(|endpoint| trusted.check("end_session_endpoint", &endpoint).map(|()| endpoint)) {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            tracing::warn!(%error, "Signing out does not end the session at the issuer");
            None
        }
    }
}

/// A member of a metadata document is missing or no address.
fn bad_metadata(error: MetadataError) -> ProviderError {
    ProviderError::invalid("not metadata").found(&error.to_string())
}

impl Trusted {
    fn new(settings: &IssuerSettings) -> Self {
        Self::of(&settings.issuer, &settings.allowed_hosts, settings.key.clone())
    }

    fn of(issuer: &str, allowed_hosts: &[String], key: String) -> Self {
        let own = Url::parse(issuer).ok().and_then(|url| {
            Some(AllowedHost { host: url.host_str()?.to_owned(), port: Some(url.port_or_known_default()?) })
        });
        let listed = allowed_hosts.iter().filter_map(|entry| AllowedHost::parse(entry));
        Self {
            issuer: issuer.to_owned(),
            hosts: own.into_iter().chain(listed).collect(),
            keys_only: false,
            key,
            backchannel: None,
            by_hand: Vec::new(),
            plain_origins: Vec::new(),
        }
    }

    /// With what the configuration says of the one issuer's addresses.
    fn of_the_one_issuer(self, settings: &ProviderSettings) -> Self {
        Self {
            backchannel: settings.backchannel_base_url.as_ref().map(Url::origin),
            by_hand: settings.endpoints.given().cloned().collect(),
            plain_origins: settings.plain_origins(),
            ..self
        }
    }

    fn check(&self, member: &'static str, endpoint: &Url) -> Result<(), ProviderError> {
        let fault = |rule| Err(ProviderError::untrusted(rule).at(member, endpoint));
        // Where browsers are sent is never this address.
        let is_ours = self.backchannel.is_some() && self.backchannel.as_ref() == Some(&endpoint.origin());
        if is_ours && member != "authorization_endpoint" {
            return Ok(());
        }
        let secure = match endpoint.scheme() {
            "https" => true,
            "http" => address::is_loopback_host(endpoint) || self.plain_origins.contains(&endpoint.origin()),
            _ => false,
        };
        if !secure {
            return fault("endpoint is not https");
        }
        if !endpoint.username().is_empty() || endpoint.password().is_some() || endpoint.fragment().is_some() {
            return fault("endpoint is not a plain URL");
        }
        let is_own = self.by_hand.contains(endpoint) || self.hosts.iter().any(|allowed| allowed.matches(endpoint));
        if !is_own {
            let host = endpoint.host_str().unwrap_or_default();
            let port = endpoint.port().map(|port| format!(":{port}")).unwrap_or_default();
            let advice = format!("if the issuer means it, list `{host}{port}` in `{}.allowed_hosts`", self.key);
            return fault("endpoint lies outside the issuer's hosts").map_err(|error| error.advise(advice));
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
    use crate::provider::ErrorKind;

    fn list(issuer: &str, hosts: &[&str]) -> TrustList {
        let issuer = IssuerSettings {
            allowed_hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            ..IssuerSettings::of("provider.oidc", issuer)
        };
        TrustList::new(&crate::provider::tests::settings(crate::provider::tests::one_issuer(issuer)))
    }

    fn carrier(issuer: &str) -> Carrier {
        let at = |path: &str| Url::parse(&format!("https://a.example/{path}")).unwrap();
        Carrier {
            issuer: issuer.to_owned(),
            authorization_endpoint: at("authorize"),
            token_endpoint: at("token"),
            userinfo_endpoint: Some(at("userinfo")),
            end_session_endpoint: None,
            jwks_uri: at("jwks"),
            mccmnc: None,
            mccmnc_confirmed: false,
            iss_parameter_supported: false,
            auth_method: AuthMethod::default(),
            pushed_endpoint: None,
            server_initiated_endpoint: None,
            server_initiated_cancel_endpoint: None,
            sim_tenure_endpoint: None,
            requires_pushed_requests: false,
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
            assert!(trust.check(&carrier(near)).is_err_and(|error| error.kind() == ErrorKind::Untrusted), "{near}");
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
                assert!(check(bad).is_err_and(|error| error.kind() == ErrorKind::Untrusted), "{bad}");
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
            assert!(check(bad).is_err_and(|error| error.kind() == ErrorKind::Untrusted), "{bad}");
        }
    }

    // XS06, PF09
    #[test]
    fn an_endpoint_outside_is_named_with_the_key_that_allows_it_and_one_that_is_not_asked_is_not_judged() {
        let mut carrier = carrier("https://a.example");
        carrier.userinfo_endpoint = Some(Url::parse("https://graph.example:8443/userinfo?x=secret").unwrap());
        let mut trust = list("https://a.example", &[]);
        let error = trust.check(&carrier).unwrap_err().to_string();
        for part in [
            "userinfo_endpoint at https://graph.example:8443/userinfo;",
            "`graph.example:8443` in `provider.oidc.allowed_hosts`",
        ] {
            assert!(error.contains(part), "{error}");
        }
        assert!(!error.contains("secret"), "{error}");
        trust.userinfo = false;
        assert_eq!(trust.check(&carrier), Ok(()));
        // What is asked is judged all the same.
        carrier.token_endpoint = Url::parse("https://graph.example/token").unwrap();
        assert!(trust.check(&carrier).is_err());
    }
}
