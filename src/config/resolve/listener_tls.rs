//! TLS of listeners: files that can be read and belong together.

use std::path::{Path, PathBuf};

use super::{Resolver, time};
use crate::config::fault::shown;
use crate::config::file::{ClientCertificatesFile, List, ListenerTlsFile, TlsVersionWord};
use crate::config::secret_ref::SecretFile;
use crate::gateway::{Certificate, CertificateFiles, ClientCertificates, TlsSettings, client_roots};

impl Resolver<'_> {
    pub(super) fn listener_tls(&mut self, key: &str, file: &ListenerTlsFile) -> TlsSettings {
        let mut certificates = Vec::new();
        for (index, pair) in file.certificates.iter().flat_map(List::items) {
            let key = format!("{key}.certificates[{index}]");
            let (Some(certificate), Some(private)) = (&pair.certificate, &pair.key) else { continue };
            let files =
                CertificateFiles { certificate: self.base.join(&certificate.0.0), key: self.base.join(&private.0.0) };
            let (chain_key, private_key) = (format!("{key}.certificate"), format!("{key}.key"));
            let chain = self.readable(&chain_key, &files.certificate);
            let private = self.readable(&private_key, &files.key);
            if private.as_ref().is_some_and(|private| private.world_readable) {
                self.open_to_all(&private_key, &shown(&files.key.to_string_lossy()));
            }
            if let (Some(chain), Some(private)) = (chain, private) {
                match Certificate::read(&chain.bytes, &private.bytes) {
                    Ok(found) if found.names().is_empty() => {
                        self.warn(&chain_key, "is for no name (subjectAltName); browsers take it for none");
                    }
                    Ok(_) => {}
                    Err(fault) if fault.is_keys() => self.fault(&private_key, fault.to_string()),
                    Err(fault) => self.fault(&chain_key, fault.to_string()),
                }
            }
            certificates.push(files);
        }
        let clients = file.client_certificates.as_ref();
        TlsSettings {
            certificates,
            only_tls13: file.min_version == Some(TlsVersionWord::Tls13),
            http2: file.http2.unwrap_or(true),
            handshake_deadline: time(file.handshake_deadline.as_ref()),
            client_certificates: clients.and_then(|clients| self.client_certificates(key, clients)),
        }
    }

    fn client_certificates(&mut self, key: &str, file: &ClientCertificatesFile) -> Option<ClientCertificates> {
        let key = format!("{key}.client_certificates.ca_file");
        let ca_file: PathBuf = self.base.join(&file.ca_file.as_ref()?.0.0);
        if let Some(found) = self.readable(&key, &ca_file)
            && let Err(fault) = client_roots(&found.bytes)
        {
            self.fault(&key, fault.to_string());
        }
        Some(ClientCertificates { ca_file, required: file.required? })
    }

    /// A file as it is now; a fault if it cannot be read.
    fn readable(&mut self, key: &str, path: &Path) -> Option<SecretFile> {
        let found = self.surroundings.read(path);
        let wrong =
            |error: &std::io::Error| format!("{} cannot be read: {}", shown(&path.to_string_lossy()), error.kind());
        found.map_err(|error| self.fault(key, wrong(&error))).ok()
    }
}
