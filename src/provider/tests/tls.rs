//! Certificates: a wrong one is a wrong answer, whatever is wrong with it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::super::client::Answer;
use super::peer::json_answer;
use super::*;

/// A certificate signed with its own key, and that key.
struct SelfSigned {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl SelfSigned {
    /// For `name`, until the end of `year` (two digits).
    fn new(name: &str, year: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let ecdsa_with_sha256 = der(0x30, &[&[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
        let common_name = der(0x30, &[&[0x06, 3, 0x55, 4, 3], &der(0x0c, &[name.as_bytes()])]);
        let whose = der(0x30, &[&der(0x31, &[&common_name])]);
        let end = format!("{year}1231235959Z");
        let validity = der(0x30, &[&der(0x17, &[b"200101000000Z"]), &der(0x17, &[end.as_bytes()])]);
        let ec_p256: [&[u8]; 2] =
            [&[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]];
        let public = der(0x30, &[&der(0x30, &ec_p256), &der(0x03, &[&[0], pair.public_key().as_ref()])]);
        let names = der(0x30, &[&der(0x82, &[name.as_bytes()])]);
        let extension = der(0x30, &[&[0x06, 3, 0x55, 0x1d, 0x11], &der(0x04, &[&names])]);
        let body = der(
            0x30,
            &[
                &der(0xa0, &[&[0x02, 1, 2]]),
                &[0x02, 1, 1],
                &ecdsa_with_sha256,
                &whose,
                &validity,
                &whose,
                &public,
                &der(0xa3, &[&der(0x30, &[&extension])]),
            ],
        );
        let signature = pair.sign(&SystemRandom::new(), &body).unwrap();
        let certificate = der(0x30, &[&body, &ecdsa_with_sha256, &der(0x03, &[&[0], signature.as_ref()])]);
        Self { certificate, key: pair.to_pkcs8v1().unwrap().as_ref().to_vec() }
    }

    fn pem(&self) -> String {
        let body = base64::engine::general_purpose::STANDARD.encode(&self.certificate);
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// Serves one connection and answers it with `{}`; returns the port.
    fn serve_once(&self) -> u16 {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(self.certificate.clone())], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, socket);
            let (mut heard, mut buffer) = (Vec::new(), [0; 1024]);
            while !heard.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(read) if read > 0 => heard.extend_from_slice(&buffer[..read]),
                    _ => return,
                }
            }
            let _ = stream.write_all(&json_answer(200, &json!({})));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        });
        port
    }
}

/// One DER element: tag, length, parts.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let head = match length {
        [0, short] if short < 0x80 => vec![tag, short],
        [0, short] => vec![tag, 0x81, short],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [head, body].concat()
}

async fn ask(server: &SelfSigned, trusted: &SelfSigned) -> Result<Answer, ProviderError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), trusted.pem()).unwrap();
    let mut settings = plain("https://localhost");
    settings.ca_file = Some(file.path().to_owned());
    let client = HttpClient::new(&settings).unwrap();
    let url = Url::parse(&format!("https://localhost:{}/", server.serve_once())).unwrap();
    client.get("metadata", &url, usize::MAX).await
}

// N06
#[tokio::test]
async fn a_certificate_must_be_current_for_the_name_and_from_somebody_trusted() {
    let good = SelfSigned::new("localhost", "49");
    // The client installs the process's TLS provider, which the servers need too.
    let _ = plain("https://localhost");
    assert_eq!(ask(&good, &good).await.map(|answer| answer.status), Ok(200));
    let refused = Some(ProviderError::invalid("certificate is not acceptable"));
    let stranger = SelfSigned::new("localhost", "49");
    assert_eq!(ask(&stranger, &good).await.err(), refused, "unknown signer");
    let misnamed = SelfSigned::new("elsewhere.localhost", "49");
    assert_eq!(ask(&misnamed, &misnamed).await.err(), refused, "wrong name");
    let expired = SelfSigned::new("localhost", "20");
    assert_eq!(ask(&expired, &expired).await.err(), refused, "expired");
}
