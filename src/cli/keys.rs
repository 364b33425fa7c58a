//! `zengate keys`: a private key for `private_key_jwt`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;

use super::fail;
use crate::oidc::client_auth::ClientKey;
use crate::secret::signing::{SigningAlgorithm, SigningKey};

/// What the key signs with.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KeyKind {
    /// ECDSA on P-256: small, and known to nearly every provider.
    #[value(name = "ES256")]
    Es256,
    /// RSA of 3072 bits.
    #[value(name = "RS256")]
    Rs256,
    /// Ed25519.
    #[value(name = "EdDSA")]
    EdDsa,
}

/// Writes a new key to `out`, which must not exist, for its owner alone; prints the public half as a key set.
#[expect(clippy::disallowed_methods, reason = "a command that writes one file")]
pub(crate) fn run(kind: KeyKind, out: &Path) -> ExitCode {
    let algorithm = match kind {
        KeyKind::Es256 => SigningAlgorithm::Es256,
        KeyKind::Rs256 => SigningAlgorithm::Rs256,
        KeyKind::EdDsa => SigningAlgorithm::EdDsa,
    };
    let pem = SigningKey::generate(algorithm);
    let key = pem.as_ref().and_then(|pem| ClientKey::from_pem(pem.expose().as_bytes()));
    let (Some(pem), Some(key)) = (pem, key) else {
        return fail("no key could be made: the machine gives no randomness");
    };
    // Never over another file: the key in it may be the one that providers know.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out);
    let written = file.and_then(|mut file| {
        file.write_all(pem.expose().as_bytes())?;
        file.sync_all()
    });
    if let Err(error) = written {
        return fail(format!("{} cannot be written: {error}", out.display()));
    }
    println!("{:#}", serde_json::json!({ "keys": [key.public_jwk()] }));
    ExitCode::SUCCESS
}
