//! Operator keys: what only this deployment knows, added to every record's sealing key.
//!
//! A record is sealed under the secret in the person's cookie anyway. What the operator key adds: whoever can *write*
//! to the store could otherwise pick a session id of their own, seal a session of anybody's name under it and walk in
//! with it as their cookie (security.md TM7). Gateways that share a store share the key.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::secret::{SecretBytes, SecretString, derive_key, hmac_sha256};

/// The key that the documentation shows. It reads like a key, so somebody will paste it; it is refused.
pub const SAMPLE_KEY_TEXT: &str = "emVuZ2F0ZS1zYW1wbGUta2V5LWRvLW5vdC11c2UtaXQ=";

/// What [`SAMPLE_KEY_TEXT`] spells, so that it is refused in every other spelling too.
const SAMPLE_KEY: &[u8; 32] = b"zengate-sample-key-do-not-use-it";

/// A key of this many random bytes has fewer than [`FEWEST_VALUES`] different ones about once in 10^13 draws.
const LEAST_BYTES: usize = 32;
const FEWEST_VALUES: usize = 16;

/// Why a text is no operator key. Never holds a part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// All zero, one byte over and over, a counting row, or in another way plainly not drawn at random.
    #[error("the key is not random: draw one with `openssl rand -base64 32`")]
    NotRandom,
    /// The key of the documentation.
    #[error("the key is the sample of the documentation: draw your own with `openssl rand -base64 32`")]
    Sample,
    /// Fewer than 32 bytes once decoded.
    #[error("the key is shorter than 32 bytes: draw one with `openssl rand -base64 32`")]
    TooShort,
    /// Neither hexadecimal nor base64.
    #[error("the key is neither hexadecimal nor base64: draw one with `openssl rand -base64 32`")]
    Unreadable,
}

/// Reads an operator key: at least 32 bytes as hexadecimal, base64 or base64url, with or without padding, white space
/// around it ignored (security.md Q03).
///
/// A text of hexadecimal digits only is hexadecimal, though it could be read as base64: 48 such digits are 24 bytes, too
/// short, not the 36 that a base64 reader would take them for. A key of exactly 32 bytes is used as it is, a longer one
/// is hashed down to 32.
pub fn parse_key_text(text: &str) -> Result<SecretBytes, KeyFault> {
    let bytes = decode(text.trim()).ok_or(KeyFault::Unreadable)?;
    if bytes.len() < LEAST_BYTES {
        return Err(KeyFault::TooShort);
    }
    if bytes.windows(LEAST_BYTES).any(|window| window == SAMPLE_KEY) {
        return Err(KeyFault::Sample);
    }
    if !looks_random(&bytes) {
        return Err(KeyFault::NotRandom);
    }
    Ok(match <[u8; LEAST_BYTES]>::try_from(bytes.as_slice()) {
        Ok(exact) => SecretBytes::new(exact),
        Err(_) => derive_key(&bytes, b"zengate operator key", &[b"long key v1"]),
    })
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !text.is_empty() && text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return decode_hex(text.as_bytes());
    }
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    GeneralPurpose::new(alphabet, config).decode(text).ok().map(Zeroizing::new)
}

fn decode_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.chunks_exact(2) {
        let &[high, low] = pair else { return None };
        out.push((digit(high)? << 4) | digit(low)?);
    }
    Some(out)
}

fn looks_random(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        if let Some(slot) = seen.get_mut(usize::from(*byte)) {
            *slot = true;
        }
    }
    let values = seen.iter().filter(|seen| **seen).count();
    let mut steps = bytes.windows(2).filter_map(|pair| match pair {
        &[a, b] => Some(b.wrapping_sub(a)),
        _ => None,
    });
    let first = steps.next();
    let counting = steps.all(|step| Some(step) == first);
    values >= FEWEST_VALUES && !counting
}

/// Names a key in a record without telling anything about it: four bytes of a keyed hash of a label.
///
/// Two keys may share a name; opening then tries both, and authenticated encryption says which it is.
pub(super) fn key_id(key: &SecretBytes) -> [u8; 4] {
    let [a, b, c, d, ..] = hmac_sha256(key.expose(), b"zengate operator key id v1");
    [a, b, c, d]
}

/// The key a gateway seals with if its operator set none: whoever runs it has the client secret, the store has not.
pub fn from_client_secret(client_secret: &SecretString) -> SecretBytes {
    derive_key(client_secret.expose().as_bytes(), b"zengate operator key", &[b"from the client secret v1"])
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;
    use crate::secret::{Entropy, SystemEntropy};

    fn drawn<const N: usize>() -> [u8; N] {
        let mut bytes = [0; N];
        SystemEntropy.fill(&mut bytes);
        bytes
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn spellings(bytes: &[u8]) -> [String; 6] {
        [
            STANDARD.encode(bytes),
            STANDARD_NO_PAD.encode(bytes),
            URL_SAFE.encode(bytes),
            URL_SAFE_NO_PAD.encode(bytes),
            hex(bytes),
            hex(bytes).to_uppercase(),
        ]
    }

    // Q03
    #[test]
    fn a_random_key_is_read_in_every_spelling() {
        for _ in 0..200 {
            let key = drawn::<32>();
            for text in spellings(&key) {
                assert_eq!(parse_key_text(&format!(" {text}\n")), Ok(SecretBytes::new(key)), "{text}");
            }
        }
        let long = spellings(&drawn::<48>()).map(|text| parse_key_text(&text).unwrap());
        assert!(long.windows(2).all(|pair| pair[0] == pair[1]));
    }

    // Q03
    #[test]
    fn the_sample_of_the_documentation_is_refused_in_every_spelling() {
        assert_eq!(STANDARD.decode(SAMPLE_KEY_TEXT).unwrap(), SAMPLE_KEY);
        assert_eq!(parse_key_text(SAMPLE_KEY_TEXT), Err(KeyFault::Sample));
        for text in spellings(SAMPLE_KEY) {
            assert_eq!(parse_key_text(&text), Err(KeyFault::Sample), "{text}");
        }
        assert_eq!(parse_key_text(&STANDARD.encode([SAMPLE_KEY.as_slice(), b"!"].concat())), Err(KeyFault::Sample));
    }

    // Q03
    #[test]
    fn a_short_key_is_refused() {
        for text in spellings(&drawn::<31>()) {
            assert_eq!(parse_key_text(&text), Err(KeyFault::TooShort), "{text}");
        }
        // 48 hexadecimal digits are 24 bytes of key; read as base64 they would pass for 36.
        assert_eq!(parse_key_text(&hex(&drawn::<24>())), Err(KeyFault::TooShort));
        assert_eq!(parse_key_text(""), Err(KeyFault::TooShort));
    }

    // Q03
    #[test]
    fn a_key_that_nobody_drew_is_refused() {
        let counting: Vec<u8> = (0..32).collect();
        let down: Vec<u8> = (0..40).map(|step: u8| 200 - step * 3).collect();
        let pattern: Vec<u8> = (0..64).map(|at: u8| b"\xde\xad\xbe\xef"[usize::from(at) % 4]).collect();
        let digits = b"01234567890123456789012345678901";
        for bytes in [&[0; 32][..], &[0xff; 32], &[0x41; 64], &counting, &down, &pattern, digits] {
            for text in spellings(bytes) {
                assert_eq!(parse_key_text(&text), Err(KeyFault::NotRandom), "{text}");
            }
        }
    }

    // Q03
    #[test]
    fn a_text_that_is_no_encoding_is_refused() {
        for text in ["correct horse battery staple, correct horse", "ключ", "+-+-+-", "0x0!", "a"] {
            assert_eq!(parse_key_text(text), Err(KeyFault::Unreadable), "{text}");
        }
    }
}
