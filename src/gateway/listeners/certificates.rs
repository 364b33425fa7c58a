//! Certificates of a TLS listener: read from their files, chosen by the name that a client asks for (SNI, RFC 6066, 3), and
//! read anew when their files change.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tracing::{info, warn};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::telemetry::Metrics;

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, and behind it those that lead to its root; PEM.
    pub certificate: PathBuf,
    /// Its key; PEM.
    pub key: PathBuf,
}

/// Why a certificate cannot be used. The first word is the key of the file that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// A file cannot be read.
    #[error("{path}: cannot be read: {kind}", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        kind: io::ErrorKind,
    },
    /// There is no certificate in the file.
    #[error("holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`)")]
    NoCertificate,
    /// What stands there is none.
    #[error("holds a certificate that cannot be read (RFC 5280)")]
    Malformed,
    /// There is no key in the file.
    #[error("holds no private key in PEM without a password (`-----BEGIN PRIVATE KEY-----`)")]
    NoKey,
    /// The two do not belong together.
    #[error("is not the key of the certificate beside it, or of a kind that is not supported")]
    NotItsKey,
}

impl CertificateFault {
    /// Whether it is the key's file that is wrong.
    pub fn is_keys(&self) -> bool {
        matches!(self, Self::NoKey | Self::NotItsKey)
    }
}

/// A certificate that can be used.
#[derive(Debug, Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    /// Seconds since 1970.
    not_after: i64,
}

impl Certificate {
    /// Reads it.
    ///
    /// # Errors
    /// If one of the two cannot be read, or they do not belong together.
    pub fn read(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateFault> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateFault::NoCertificate)?;
        let first = chain.first().ok_or(CertificateFault::NoCertificate)?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|_| CertificateFault::Malformed)?;
        let not_after = parsed.validity().not_after.timestamp();
        let names = parsed.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        let names = names.collect();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateFault::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, &default_provider()).map_err(|_| CertificateFault::NotItsKey)?;
        Ok(Self { key: Arc::new(key), names, not_after })
    }

    /// The names that it is for.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether its time is over.
    pub fn has_expired(&self, now: SystemTime) -> bool {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.not_after < i64::try_from(now).unwrap_or(i64::MAX)
    }
}

/// The state of a file that tells whether it was written anew.
type Mark = Option<(SystemTime, u64, u64)>;

#[derive(Debug)]
struct Kept {
    files: CertificateFiles,
    marks: Mutex<(Mark, Mark)>,
    current: ArcSwap<Certificate>,
}

/// The certificates of one listener.
#[derive(Debug)]
pub(super) struct Certificates(Vec<Kept>);

impl Certificates {
    /// Reads all of them. Blocks.
    pub(super) fn load(files: &[CertificateFiles], metrics: &Metrics) -> Result<Self, CertificateFault> {
        let kept = files.iter().map(|files| {
            let marks = Mutex::new(marks(files));
            let certificate = load(files)?;
            show(files, &certificate, metrics);
            Ok(Kept { files: files.clone(), marks, current: ArcSwap::from_pointee(certificate) })
        });
        Ok(Self(kept.collect::<Result<_, _>>()?))
    }

    /// Reads those anew whose files changed. What cannot be used leaves the one before in its place. Blocks.
    pub(super) fn refresh(&self, metrics: &Metrics) {
        for kept in &self.0 {
            let now = marks(&kept.files);
            if std::mem::replace(&mut *kept.marks.lock(), now) == now {
                continue;
            }
            let file = kept.files.certificate.display();
            match load(&kept.files) {
                Ok(certificate) => {
                    show(&kept.files, &certificate, metrics);
                    info!(%file, names = certificate.names.join(" "), "A certificate was read anew");
                    kept.current.store(Arc::new(certificate));
                }
                Err(fault) => {
                    metrics.certificate_faults.inc();
                    warn!(%file, key = "listeners[].tls.certificates", reason = %fault, "A certificate that changed cannot be used; the one before goes on");
                }
            }
        }
    }

    /// The one for `name`: whose names hold it, then whose wildcard does, then the first of all.
    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let find = |wanted: &str| {
            let all = self.0.iter().map(|kept| kept.current.load());
            all.into_iter().find(|certificate| certificate.names.iter().any(|name| name == wanted))
        };
        let wildcard = |name: &str| find(&format!("*.{}", name.split_once('.')?.1));
        let found = name.and_then(|name| find(name).or_else(|| wildcard(name)));
        let found = found.or_else(|| self.0.first().map(|kept| kept.current.load()));
        found.map(|certificate| Arc::clone(&certificate.key))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name())
    }
}

fn load(files: &CertificateFiles) -> Result<Certificate, CertificateFault> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| CertificateFault::Unreadable { path: path.to_owned(), kind: error.kind() })
    };
    Certificate::read(&read(&files.certificate)?, &read(&files.key)?)
}

fn marks(files: &CertificateFiles) -> (Mark, Mark) {
    let mark = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len(), found.ino()))
    };
    (mark(&files.certificate), mark(&files.key))
}

fn show(files: &CertificateFiles, certificate: &Certificate, metrics: &Metrics) {
    let file = files.certificate.display().to_string();
    metrics.certificate_expiry.with_label_values(&[&*file]).set(certificate.not_after);
}

/// Reads certificates anew for as long as the gateway runs.
pub(super) async fn keep(all: Vec<Arc<Certificates>>, every: Duration, metrics: Arc<Metrics>) {
    loop {
        tokio::time::sleep(every).await;
        let (all, metrics) = (all.clone(), Arc::clone(&metrics));
        let round = move || all.iter().for_each(|certificates| certificates.refresh(&metrics));
        // It panics no more than this task would.
        let _done = tokio::task::spawn_blocking(round).await;
    }
}
