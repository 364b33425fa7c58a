//! `routes.upstream`: servers that are not ourselves, and what is read of their files.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Resolver, time};
use crate::config::fault::shown;
use crate::config::file::{
    BalanceWord, EjectionFile, HealthFile, List, RouteFile, ServerEntry, TimeoutsFile, UpstreamEntry, UpstreamFile,
    UpstreamTlsFile,
};
use crate::config::form::Written;
use crate::config::form::address::{UpstreamHost, UpstreamUrl};
use crate::config::form::text::FilePath;
use crate::route::upstream::{
    Balance, ClientCertificate, EjectionSettings, GroupSettings, HealthSettings, HostRule, MOST_SERVERS, ServerAddress,
    ServerSettings, TlsSettings, UpstreamSettings,
};
use crate::secret::SecretString;
use crate::upstream::{is_this_machine, reaches};

/// The gateway's own listeners, by their keys.
pub(super) type Listeners = [(&'static str, SocketAddr)];

impl Resolver<'_> {
    pub(super) fn upstream(&mut self, route_key: &str, route: &RouteFile, own: &Listeners) -> Option<UpstreamSettings> {
        let key = format!("{route_key}.upstream");
        if route.upstream.is_none() && (route.answer.is_some() || route.redirect.is_some()) {
            return Some(UpstreamSettings::nowhere());
        }
        let (group, host) = match route.upstream.as_ref()? {
            UpstreamEntry::Url(url) => {
                let server = self.server(&key, &url.0, 1, own);
                (GroupSettings::of(server, url.0.tls.then(tls_by_default)), HostRule::Keep)
            }
            UpstreamEntry::Full(file) => (self.group(&key, file, own)?, self.host_rule(&key, file)),
        };
        if group.tls.as_ref().is_some_and(|tls| tls.server_name.is_none())
            && group.servers.iter().any(|server| matches!(server.at, ServerAddress::Unix(_)))
        {
            let text = "is missing: a socket has no name that a certificate could have";
            self.fault(&format!("{key}.tls.server_name"), text);
        }
        let timeouts = route.timeouts.as_ref()?;
        self.timeouts(&format!("{route_key}.timeouts"), timeouts);
        Some(UpstreamSettings {
            group: Arc::new(group),
            host,
            connect_timeout: time(timeouts.connect.as_ref()),
            first_byte_timeout: time(timeouts.first_byte.as_ref().or(timeouts.read.as_ref())),
            read_timeout: time(timeouts.read.as_ref()),
            stream_idle: time(timeouts.stream_idle.as_ref()),
            write_timeout: time(timeouts.write.as_ref()),
            total_timeout: timeouts.total.as_ref().map(|total| time(Some(total))),
        })
    }

    fn timeouts(&mut self, key: &str, file: &TimeoutsFile) {
        let (first_byte, total) = (format!("{key}.first_byte"), format!("{key}.total"));
        self.at_most((&first_byte, file.first_byte.as_ref()), (&format!("{key}.read"), file.read.as_ref()));
        if file.total.is_some() {
            self.at_most((&first_byte, file.first_byte.as_ref()), (&total, file.total.as_ref()));
        }
    }

    fn group(&mut self, key: &str, file: &UpstreamFile, own: &Listeners) -> Option<GroupSettings> {
        let mut servers: Vec<ServerSettings> = Vec::new();
        let mut tls: Option<bool> = None;
        for (index, entry) in file.servers.iter().flat_map(List::items) {
            let here = format!("{key}.servers[{index}]");
            let (url, weight) = match entry {
                ServerEntry::Url(url) => (Some(url), None),
                ServerEntry::Full(full) => (full.url.as_ref(), full.weight),
            };
            let Some(Written(url)) = url else { continue };
            let server = self.server(&here, url, weight.unwrap_or(1), own);
            if servers.iter().any(|other| other.at == server.at) {
                self.fault(&here, format!("{} stands twice; a larger share is a larger `weight`", server.at));
            }
            if matches!(server.at, ServerAddress::Tcp { .. }) && *tls.get_or_insert(url.tls) != url.tls {
                self.fault(&here, "all servers of an upstream speak TLS, or none; what goes to one may go to any");
            }
            servers.push(server);
        }
        if servers.len() > MOST_SERVERS {
            self.fault(&format!("{key}.servers"), format!("names more than {MOST_SERVERS} servers"));
        }
        let speaks_tls = tls.unwrap_or_else(|| self.is_given(&format!("{key}.tls")));
        if !speaks_tls && self.is_given(&format!("{key}.tls")) {
            self.fault(&format!("{key}.tls"), "says how TLS is spoken to servers that are `http://`; write `https://`");
        }
        let tls = self.tls(&format!("{key}.tls"), file.tls.as_ref())?;
        let balance = match file.balance? {
            BalanceWord::RoundRobin => Balance::RoundRobin,
            BalanceWord::LeastRequests => Balance::LeastRequests,
            BalanceWord::Session => Balance::Session,
        };
        self.at_most(
            (&format!("{key}.reuse_within"), file.reuse_within.as_ref()),
            (&format!("{key}.keepalive"), file.keepalive.as_ref()),
        );
        Some(GroupSettings {
            servers: if servers.is_empty() { return None } else { servers },
            balance,
            tls: speaks_tls.then_some(tls),
            http2: file.http2?,
            keepalive: time(file.keepalive.as_ref()),
            reuse_within: time(file.reuse_within.as_ref()),
            health: self.health(&format!("{key}.health"), file.health.as_ref()),
            ejection: ejection(file.ejection.as_ref()?)?,
            slow_start: time(file.slow_start.as_ref()),
        })
    }

    /// One server, which must not be ourselves: the public listener would ask itself for ever; the private one would be opened
    /// to the public. What other names stand for is found out when they are resolved.
    fn server(&mut self, key: &str, url: &UpstreamUrl, weight: u32, own: &Listeners) -> ServerSettings {
        if let ServerAddress::Tcp { host, port } = &url.at {
            let addresses = match host.parse::<IpAddr>() {
                Ok(address) => vec![address],
                Err(_) if is_this_machine(host) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
                Err(_) => Vec::new(),
            };
            for (name, listener) in own {
                let mut all = addresses.iter().map(|address| SocketAddr::new(*address, *port));
                if let Some(address) = all.find(|address| reaches(*address, *listener)) {
                    self.fault(key, format!("\"{address}\" is the gateway's own {name}; name the app's address"));
                }
            }
        }
        ServerSettings { at: url.at.clone(), weight }
    }

    fn host_rule(&mut self, key: &str, file: &UpstreamFile) -> HostRule {
        match file.host.as_ref().map(|Written(host)| host) {
            None | Some(UpstreamHost::Keep) => HostRule::Keep,
            Some(UpstreamHost::Fixed(host)) => HostRule::Fixed(host.clone()),
            Some(UpstreamHost::Server) => {
                let sockets = file.servers.iter().flat_map(List::items).any(|(_, entry)| {
                    let url = match entry {
                        ServerEntry::Url(url) => Some(url),
                        ServerEntry::Full(full) => full.url.as_ref(),
                    };
                    url.is_some_and(|url| matches!(url.0.at, ServerAddress::Unix(_)))
                });
                if sockets {
                    self.fault(&format!("{key}.host"), "is `upstream`, and a socket has no host; name one");
                }
                HostRule::Server
            }
        }
    }

    fn tls(&mut self, key: &str, file: Option<&UpstreamTlsFile>) -> Option<TlsSettings> {
        let Some(file) = file else { return Some(tls_by_default()) };
        let authorities = file.ca_file.as_ref().map(|path| self.certificates(&format!("{key}.ca_file"), path));
        let verify = file.verify.unwrap_or(true);
        if !verify {
            let text = "is off: whoever sits between gateway and app reads and writes all of it; `ca_file` names who is trusted";
            self.warn(&format!("{key}.verify"), text);
            if authorities.is_some() {
                self.fault(&format!("{key}.verify"), "is off beside `ca_file`, which nothing would be checked with");
            }
        }
        let client = match (&file.certificate, &file.key) {
            (None, None) => None,
            (Some(_), None) => {
                self.fault(&format!("{key}.key"), "is missing beside `certificate`");
                None
            }
            (None, Some(_)) => {
                self.fault(&format!("{key}.certificate"), "is missing beside `key`");
                None
            }
            (Some(certificate), Some(path)) => {
                let chain = self.certificates(&format!("{key}.certificate"), certificate);
                let (_, found) = self.key_file(&format!("{key}.key"), path)?;
                self.client_certificate(key, chain, &found.bytes)
            }
        };
        Some(TlsSettings {
            server_name: file.server_name.as_ref().map(|name| name.0.0.clone()),
            authorities,
            client,
            verify,
        })
    }

    /// Whether certificate and key belong together is found out now, and not when the first person comes.
    fn client_certificate(&mut self, key: &str, chain: Vec<Vec<u8>>, pem: &[u8]) -> Option<ClientCertificate> {
        let (Ok(private), Ok(pem)) = (PrivateKeyDer::from_pem_slice(pem), std::str::from_utf8(pem)) else {
            self.fault(&format!("{key}.key"), "holds no private key in PEM (PKCS #8, PKCS #1 or SEC 1)");
            return None;
        };
        if chain.is_empty() {
            return None;
        }
        let certificates = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let signing = provider.key_provider.load_private_key(private);
        let fits = signing.map(|signing| rustls::sign::CertifiedKey::new(certificates, signing).keys_match());
        match fits {
            Ok(Ok(())) => Some(ClientCertificate { chain, key: SecretString::new(pem) }),
            Ok(Err(_)) => {
                self.fault(&format!("{key}.key"), "is not the key of the first certificate in `certificate`");
                None
            }
            Err(_) => {
                self.fault(&format!("{key}.key"), "is a private key of a kind that cannot be used");
                None
            }
        }
    }

    /// The certificates of a PEM file, each of which can be read.
    fn certificates(&mut self, key: &str, path: &Written<FilePath>) -> Vec<Vec<u8>> {
        let path = self.base.join(&path.0.0);
        let name = shown(&path.to_string_lossy());
        let bytes = match self.surroundings.read(&path) {
            Ok(file) => file.bytes,
            Err(error) => {
                self.fault(key, format!("{name} cannot be read: {}", error.kind()));
                return Vec::new();
            }
        };
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let Ok(all) = all else {
            self.fault(key, format!("{name} is not a file of certificates in PEM"));
            return Vec::new();
        };
        let mut roots = rustls::RootCertStore::empty();
        if all.is_empty() {
            self.fault(key, format!("{name} holds no certificate"));
        } else if all.iter().any(|der| roots.add(der.clone()).is_err()) {
            self.fault(key, format!("{name} holds a certificate that cannot be read"));
            return Vec::new();
        }
        all.into_iter().map(|der| der.to_vec()).collect()
    }

    fn health(&mut self, key: &str, file: Option<&HealthFile>) -> Option<HealthSettings> {
        let file = file?;
        self.at_most(
            (&format!("{key}.timeout"), file.timeout.as_ref()),
            (&format!("{key}.every"), file.every.as_ref()),
        );
        Some(HealthSettings {
            path: file.path.as_ref()?.0.0.clone(),
            every: time(file.every.as_ref()),
            timeout: time(file.timeout.as_ref()),
            status: file.status,
            healthy: file.healthy?,
            unhealthy: file.unhealthy?,
        })
    }
}

fn tls_by_default() -> TlsSettings {
    TlsSettings { server_name: None, authorities: None, client: None, verify: true }
}

fn ejection(file: &EjectionFile) -> Option<EjectionSettings> {
    Some(EjectionSettings { failures: file.failures?, time: time(file.time.as_ref()) })
}
