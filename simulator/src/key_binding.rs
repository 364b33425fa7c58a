//! `x-authorization`: proof that a request comes from the holder of the client's key.
//!
//! Public material shows it once and disagrees on the digest's encoding, so both are taken.

use std::fmt::Write as _;
use std::time::SystemTime;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::call::Call;
use super::jwt;
use super::mint::seconds;
use super::settings::Client;

const LEEWAY: u64 = 10;

/// Whether the proof is there, and good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Absent,
    Bad,
    Good,
}

/// Looks at the proof that came with a request.
pub(super) fn examine(call: &Call, client: &Client) -> Proof {
    let Some(token) = call.header("x-authorization") else {
        return Proof::Absent;
    };
    if is_good(call, client, token).unwrap_or(false) { Proof::Good } else { Proof::Bad }
}

fn is_good(call: &Call, client: &Client, token: &str) -> Option<bool> {
    let claims = jwt::verify(token, client.jwks.as_ref()?)?;
    let now = seconds(SystemTime::now());
    let number = |name: &str| claims.get(name).and_then(Value::as_u64);
    if number("iat")? > now + LEEWAY || number("exp")? + LEEWAY < now {
        return Some(false);
    }
    if claims.get("ehts")?.as_str()? != "authorization" {
        return Some(false);
    }
    let covered = call.header("authorization")?;
    let hash = digest::digest(&digest::SHA256, covered.as_bytes());
    let mut hex = String::new();
    for byte in hash.as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    let edts = claims.get("edts")?.as_str()?;
    Some(edts == hex || edts == URL_SAFE_NO_PAD.encode(hash))
}
