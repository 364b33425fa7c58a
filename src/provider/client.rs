//! The one HTTP client towards providers, and the only home of `reqwest`.
//!
//! It asks once and believes little: TLS with name check, no redirects, no cookies, no proxy but the
//! configured one, a deadline over the whole exchange, answers cut while they stream. What it hands up is a status, the two header
//! values we use, and a body of bounded size. What the answer calls its body (`Content-Type`) is not looked at: whoever
//! reads the body parses it strictly, and static hosts call everything by odd names. Secrets travel in headers marked
//! sensitive or in the body, never in a URL; of an address an error keeps scheme, host and path.

use std::error::Error as StdError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use url::{Host, Origin, Url};
use zeroize::Zeroizing;

use super::address;
use super::{ErrorKind, ProviderError, ProviderSettings};
use crate::secret::SecretString;

/// The longest wait a provider may ask us to pass on (security N03).
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Idle connections are dropped before common servers drop them, so that a code is not written into a dying one.
const IDLE_CONNECTION: Duration = Duration::from_secs(20);

/// Why no client could be built: all of it is for the operator, at start.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The CA bundle holds no certificate that can be read.
    #[error("the CA bundle for providers is not a PEM file with certificates")]
    CaInvalid,
    /// The CA bundle cannot be read.
    #[error("the CA bundle for providers cannot be read: {0}")]
    CaUnreadable(std::io::Error),
    /// The proxy cannot be used.
    #[error("the proxy towards providers cannot be used")]
    Proxy,
    /// TLS cannot be set up.
    #[error("TLS towards providers cannot be set up: {0}")]
    Tls(String),
}

/// Client towards providers; cheap to share behind an `Arc`, holds a pool of connections.
#[derive(Debug)]
pub struct HttpClient {
    inner: reqwest::Client,
    allow_private: bool,
    /// Names are resolved by a proxy, so ours are looked at before.
    proxied: bool,
    /// Origins that may be asked over plain http although they are not this machine.
    plain_origins: Vec<Origin>,
    total_timeout: Duration,
    max_answer: usize,
    /// Where the configuration speaks of it, for advice.
    section: String,
}

/// What came back: any status but a redirect, and a body no longer than asked for.
///
/// `Debug` is absent on purpose: the body of a token answer is a bundle of secrets, wiped on drop.
pub struct Answer {
    /// Which exchange it belongs to, as in `zengate_provider_exchanges_total`.
    pub exchange: &'static str,
    /// What was asked.
    pub address: Url,
    /// HTTP status.
    pub status: u16,
    /// `max-age` of `Cache-Control`; zero for `no-store` and `no-cache`; none when nothing was said.
    pub max_age: Option<Duration>,
    /// `Retry-After`, at most 60 s. A date counts as the full 60 s.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// Sorts every status but 200: an overloaded or broken provider is an outage, anything else a broken contract.
    pub(super) fn expect_ok(&self) -> Result<(), ProviderError> {
        match self.status {
            200 => Ok(()),
            429 | 503 => Err(self.overloaded()),
            500..=599 => Err(self.blame(ProviderError::unavailable("server error", None))),
            _ => Err(self.blame(ProviderError::invalid("unexpected status"))),
        }
    }

    /// `error`, with what an operator needs to know of this answer.
    pub(super) fn blame(&self, error: ProviderError) -> ProviderError {
        error.at(self.exchange, &self.address).status(self.status)
    }

    /// The error for 429 and 503 (security N03).
    pub(super) fn overloaded(&self) -> ProviderError {
        self.blame(ProviderError::unavailable("provider is overloaded", self.retry_after))
    }
}

impl HttpClient {
    /// Builds the client, at start: rustls with the process's crypto provider, the system's roots and `ca_file`.
    #[expect(clippy::disallowed_methods, reason = "one file, read at start")]
    pub fn new(settings: &ProviderSettings) -> Result<Self, ClientError> {
        let extra = match &settings.ca_file {
            Some(path) => {
                let pem = std::fs::read(path).map_err(ClientError::CaUnreadable)?;
                let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| ClientError::CaInvalid)?;
                if certificates.is_empty() {
                    return Err(ClientError::CaInvalid);
                }
                certificates
            }
            None => Vec::new(),
        };
        let proxy = settings.proxy.as_ref().map(|proxy| {
            // This machine is never asked for through another one.
            let exempt = format!("localhost,.localhost,127.0.0.0/8,::1,{}", proxy.exempt);
            let through = reqwest::Proxy::all(proxy.url.clone()).map_err(|_| ClientError::Proxy)?;
            Ok(through.no_proxy(reqwest::NoProxy::from_string(&exempt)))
        });
        let proxy = proxy.transpose()?;
        let proxy_host = settings.proxy.as_ref().and_then(|proxy| proxy.url.host_str().map(str::to_owned));
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(concat!("zengate/", env!("CARGO_PKG_VERSION")))
                .tls_backend_rustls()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .no_proxy()
                .http1_only()
                .connect_timeout(settings.connect_timeout)
                .pool_idle_timeout(IDLE_CONNECTION)
                .pool_max_idle_per_host(16)
                .dns_resolver(GuardedResolver {
                    allow_private: settings.allow_private_addresses,
                    proxy_host: proxy_host.clone(),
                });
            match &proxy {
                Some(proxy) => builder.proxy(proxy.clone()),
                None => builder,
            }
        };
        let inner = match builder().tls_certs_merge(extra.clone()).build() {
            Ok(client) => client,
            // An image without any system roots: trust the given bundle alone. Without one nothing is trusted, and only
            // plain HTTP to this very machine works.
            Err(error) => {
                tracing::warn!("No system certificates could be loaded; only the configured CA bundle is trusted");
                builder()
                    .tls_certs_only(extra)
                    .build()
                    .map_err(|_| ClientError::Tls(error.without_url().to_string()))?
            }
        };
        Ok(Self {
            inner,
            allow_private: settings.allow_private_addresses,
            proxied: settings.proxy.is_some(),
            plain_origins: settings
                .plain_origins()
                .into_iter()
                .chain(settings.backchannel_base_url.as_ref().map(Url::origin))
                .collect(),
            total_timeout: settings.total_timeout,
            max_answer: settings.max_answer,
            section: settings.section.clone(),
        })
    }

    /// GET for a public document in JSON of at most `limit` bytes (and never more than the configured most).
    pub async fn get(&self, exchange: &'static str, url: &Url, limit: usize) -> Result<Answer, ProviderError> {
        self.exchange(exchange, self.inner.get(url.clone()), url, limit).await
    }

    /// GET with an access token as bearer (RFC 6750 2.1).
    pub async fn get_bearer(
        &self,
        exchange: &'static str,
        url: &Url,
        token: &SecretString,
    ) -> Result<Answer, ProviderError> {
        let value = SecretString::new(format!("Bearer {}", token.expose()));
        self.get_authorized(exchange, url, &value, None).await
    }

    /// GET with an `Authorization` value ready to send, and perhaps a proof of whose it is (`x-authorization`).
    pub async fn get_authorized(
        &self,
        exchange: &'static str,
        url: &Url,
        authorization: &SecretString,
        proof: Option<&SecretString>,
    ) -> Result<Answer, ProviderError> {
        let mut request = self.inner.get(url.clone()).header(AUTHORIZATION, sensitive(authorization)?);
        if let Some(proof) = proof {
            request = request.header("x-authorization", sensitive(proof)?);
        }
        self.exchange(exchange, request, url, self.max_answer).await
    }

    /// POST of an already encoded form, perhaps with an `Authorization` value ready to send. Sent at most once.
    pub async fn post_form(
        &self,
        exchange: &'static str,
        url: &Url,
        authorization: Option<&SecretString>,
        form: &SecretString,
    ) -> Result<Answer, ProviderError> {
        let mut request = self.inner.post(url.clone());
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, sensitive(authorization)?);
        }
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.expose().to_owned());
        self.exchange(exchange, request, url, self.max_answer).await
    }

    /// POST of a JSON document. Sent at most once.
    pub async fn post_json(
        &self,
        exchange: &'static str,
        url: &Url,
        document: &SecretString,
    ) -> Result<Answer, ProviderError> {
        let request = self.inner.post(url.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(document.expose().to_owned());
        self.exchange(exchange, request, url, self.max_answer).await
    }

    async fn exchange(
        &self,
        exchange: &'static str,
        request: reqwest::RequestBuilder,
        url: &Url,
        limit: usize,
    ) -> Result<Answer, ProviderError> {
        let limit = limit.min(self.max_answer);
        let read = async {
            self.check(url)?;
            self.check_name(url).await?;
            let response = request.header(ACCEPT, "application/json").send().await.map_err(|error| sort(&error))?;
            let status = response.status().as_u16();
            read(exchange, url, response, limit).await.map_err(|error| error.status(status))
        };
        let outcome = tokio::time::timeout(self.total_timeout, read).await;
        let outcome = outcome.unwrap_or(Err(ProviderError::timeout()));
        outcome.map_err(|error| {
            let error = error.at(exchange, url);
            let late = error.kind() == ErrorKind::Timeout;
            let error = if late { error.about("total_timeout", "is how long we wait") } else { error };
            error.in_section(&self.section)
        })
    }

    /// With a proxy the resolver never sees the name: a name that leads inside, as far as we can tell, is refused before. One
    /// that only the proxy can resolve is the proxy's to judge.
    async fn check_name(&self, url: &Url) -> Result<(), ProviderError> {
        let (true, Some(Host::Domain(name))) = (self.proxied, url.host()) else { return Ok(()) };
        let Ok(found) = tokio::net::lookup_host((name, 0)).await else { return Ok(()) };
        for at in found {
            if !address::is_permitted(at.ip(), self.allow_private) {
                return Err(private_address(at.ip()));
            }
        }
        Ok(())
    }

    /// Rule: HTTPS, or plain HTTP to this very machine or to where the operator said so; no address that DNS would have been refused for. A literal
    /// address never meets the resolver, so without this a discovery answer could name `169.254.169.254` outright.
    fn check(&self, url: &Url) -> Result<(), ProviderError> {
        match url.scheme() {
            "https" => {}
            "http" if address::is_loopback_host(url) || self.plain_origins.contains(&url.origin()) => {}
            _ => return Err(ProviderError::untrusted("endpoint is not https").found(url.scheme())),
        }
        match address::literal(url) {
            Some(ip) if !address::is_permitted(ip, self.allow_private) => Err(private_address(ip)),
            _ => Ok(()),
        }
    }
}

/// The name leads to an address that the operator has not allowed, or to one that no provider has.
fn private_address(ip: IpAddr) -> ProviderError {
    let error = ProviderError::untrusted("address is private or reserved").found(&ip.to_string());
    if address::is_permitted(ip, true) {
        return error.about("allow_private_addresses: true", "lets providers have such addresses");
    }
    error
}

fn sensitive(value: &SecretString) -> Result<HeaderValue, ProviderError> {
    let mut value = HeaderValue::from_str(value.expose())
        .map_err(|_| ProviderError::invalid("credential has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read(
    exchange: &'static str,
    url: &Url,
    mut response: reqwest::Response,
    limit: usize,
) -> Result<Answer, ProviderError> {
    let status = response.status();
    let headers = response.headers();
    // Security D10: a followed redirect would carry code and credentials to a host nobody vouched for.
    if status.is_redirection() {
        let target = headers.get(LOCATION).and_then(|target| url.join(target.to_str().ok()?).ok());
        let target = target.map(|target| format!("{}{}", target.origin().ascii_serialization(), target.path()));
        return Err(ProviderError::invalid("answered with a redirect").found(target.as_deref().unwrap_or("no address")));
    }
    // We sent no Accept-Encoding; a compressed answer is either broken or a bomb (D14, N07).
    if headers.get_all("content-encoding").iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(ProviderError::invalid("answer is compressed"));
    }
    let announced = response.content_length().unwrap_or(0);
    let too_large = || ProviderError::invalid("answer is too large").about("max_answer", "bounds answers");
    if announced > limit as u64 {
        return Err(too_large());
    }
    let mut answer = Answer {
        exchange,
        address: url.clone(),
        status: status.as_u16(),
        max_age: max_age(headers),
        retry_after: retry_after(headers),
        body: Zeroizing::new(Vec::with_capacity(
            usize::try_from(announced).unwrap_or(0).clamp(8 << 10, limit.max(8 << 10)),
        )),
    };
    while let Some(chunk) = response.chunk().await.map_err(|error| sort(&error))? {
        if answer.body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut found = None;
    for value in headers.get_all("cache-control") {
        for directive in value.to_str().unwrap_or("").split(',') {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return Some(Duration::ZERO),
                "max-age" => found = seconds(argument.trim().trim_matches('"')).or(found),
                _ => {}
            }
        }
    }
    found
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(HeaderName::from_static("retry-after"))?.to_str().ok()?.trim();
    Some(seconds(value).unwrap_or(LONGEST_RETRY_AFTER).min(LONGEST_RETRY_AFTER))
}

/// Delta-seconds (RFC 9111 1.2.2): digits only; too many of them mean "very long".
fn seconds(text: &str) -> Option<Duration> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))))
}

/// Sorts a transport error by fault; nothing of its text goes on.
fn sort(error: &reqwest::Error) -> ProviderError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(AddressRefused(ip)) = current.downcast_ref() {
            return private_address(*ip);
        }
        if is_certificate_fault(current) {
            return ProviderError::invalid("certificate is not acceptable")
                .about("ca_file", "adds a certificate authority");
        }
        // `io::Error` shows its payload's causes, not the payload itself.
        let payload = current
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .map(|payload| payload as &(dyn StdError + 'static));
        cause = payload.or_else(|| current.source());
    }
    let unavailable = |reason| ProviderError::unavailable(reason, None);
    if error.is_timeout() {
        ProviderError::timeout()
    } else if error.is_dns() {
        unavailable("name does not resolve")
    } else if error.is_connect() {
        unavailable("no connection")
    } else if error.is_builder() {
        ProviderError::invalid("request cannot be built")
    } else {
        unavailable("connection broke")
    }
}

/// Security N06: an expired, foreign or misnamed certificate is a wrong answer, not an outage to wait for.
fn is_certificate_fault(error: &(dyn StdError + 'static)) -> bool {
    matches!(
        error.downcast_ref::<rustls::Error>(),
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
    )
}

/// DNS gave an address that a provider cannot have.
#[derive(Debug, thiserror::Error)]
#[error("address is private or reserved")]
struct AddressRefused(IpAddr);

/// Resolver that answers for `localhost` itself (RFC 6761 6.3) and refuses answers that point inside (N08).
///
/// One forbidden address spoils the whole answer: whoever can mix one in is not to be trusted with the others.
/// What is checked here is what is connected to, so a second answer (DNS rebinding) cannot slip between.
struct GuardedResolver {
    allow_private: bool,
    /// The configured proxy may have any address.
    proxy_host: Option<String>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        let is_proxy = self.proxy_host.as_deref() == Some(name.as_str());
        Box::pin(async move {
            let found: Vec<SocketAddr> = if address::is_localhost_name(name.as_str()) {
                [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)].map(|ip| (ip, 0).into()).into()
            } else {
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect()
            };
            if let Some(at) = found.iter().find(|at| !is_proxy && !address::is_permitted(at.ip(), allow_private)) {
                return Err(Box::new(AddressRefused(at.ip())) as Box<dyn StdError + Send + Sync>);
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
