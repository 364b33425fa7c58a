//! The authorization response (RFC 6749 4.1.2, RFC 9207): what a browser brings back, believed as little as possible.
//!
//! A callback is read whole or refused whole. Order: well-formed, then `state` (the caller compares it and takes the
//! attempt), then `iss`, then `error`, then `code`. Looking at `error` first would let any page end a sign-in.

use url::form_urlencoded;

use crate::secret::{SecretString, constant_time_eq};

/// Longest query that is taken apart, in bytes; the single values have limits of their own.
const MAX_QUERY: usize = 32 * 1024;

/// Known parameters and the longest value of each in bytes. Codes that hold a whole token are long; before this limit the
/// one on addresses counts (`limits.uri_bytes`).
const KNOWN: [(&str, usize); 7] = [
    ("code", 10 * 1024),
    ("correlation_id", 128),
    ("error", 128),
    ("iss", 512),
    ("login_hint_token", 8192),
    ("mccmnc", 6),
    ("state", 512),
];
/// Names of what an answer may hold and we read, for whoever passes an answer on.
pub(crate) const KNOWN_NAMES: [&str; 5] = ["code", "error", "error_description", "iss", "state"];

/// Known parameters that no page shows: their text is the carrier's, and the browser's to change (R03, B11).
const DROPPED: [&str; 2] = ["error_description", "error_uri"];

/// Why a callback's query is refused. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackFault {
    /// A value has characters outside visible ASCII and space: no `code`, `state` or `iss` has them (RFC 6749, A).
    #[error("the parameter `{0}` has characters it cannot have")]
    Character(&'static str),
    /// A value is not correctly percent-encoded.
    #[error("the parameter `{0}` is not correctly encoded")]
    Encoding(&'static str),
    /// `mccmnc` is not six ASCII digits (D07).
    #[error("`mccmnc` is not six digits")]
    Mccmnc,
    /// A known parameter stands more than once, in whatever spelling.
    #[error("the parameter `{0}` is repeated")]
    Repeated(&'static str),
    /// A value is longer than its limit (B13); `query` for the whole.
    #[error("the parameter `{0}` is too long")]
    TooLong(&'static str),
}

/// A well-formed callback: nothing in it has been compared with anything yet.
///
/// A parameter without a value counts as absent (RFC 6749, 3.1).
#[derive(Debug, Default)]
pub struct CallbackParams {
    /// `state`, at most 512 bytes.
    pub state: Option<String>,
    /// `code`, at most 10 KiB.
    pub code: Option<SecretString>,
    /// `error`, at most 128 bytes; the peer's text until [`ErrorCode`] has read it.
    pub error: Option<String>,
    /// The beginning of `error_description`, at most 200 printable ASCII characters, `?` for any other: for comparing and
    /// for logs, never for a page.
    pub error_description: Option<String>,
    /// `iss` (RFC 9207), at most 512 bytes.
    pub iss: Option<String>,
    /// `mccmnc`, six ASCII digits (dossier 6).
    pub mccmnc: Option<String>,
    /// `login_hint_token`, at most 8 KiB, opaque (dossier 6).
    pub login_hint_token: Option<SecretString>,
    /// `correlation_id`, at most 128 bytes.
    pub correlation_id: Option<String>,
}

/// An authorization response that came, as far as it can tell, from the issuer we asked.
#[derive(Debug)]
pub enum AuthorizationResponse {
    /// A code to redeem at that issuer's token endpoint and nowhere else.
    Code(SecretString),
    /// The issuer or the person said no.
    Refused(ErrorCode),
}

/// Why a callback is no authorization response of the issuer we asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseFault {
    /// Both `code` and `error`: an honest server sends one of them (B12).
    #[error("the response has both a code and an error")]
    CodeAndError,
    /// `iss` is another issuer's: a mix-up attack, or a bad bug (D01, RFC 9207, 2.4).
    #[error("the response is from another issuer")]
    IssuerMismatch,
    /// The issuer promises `iss` and it is missing (D02).
    #[error("the response does not name its issuer, as this issuer promises to")]
    IssuerMissing,
    /// Neither `code` nor `error`, or they are empty.
    #[error("the response has neither a code nor an error")]
    Nothing,
}

/// An `error` of an authorization endpoint, fit for comparing and for logs: letters, digits, `_`, `-` and `.`, at most
/// 128; anything else reads as `other`. For pages, map it to own words (R: no reflection).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode(String);

impl ErrorCode {
    /// Reads what a peer sent.
    pub fn read(text: &str) -> Self {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let fits = !text.is_empty() && text.len() <= 128 && text.bytes().all(plain);
        Self(if fits { text } else { "other" }.to_owned())
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CallbackParams {
    /// Decodes a query once, as a form, and refuses it whole if a known parameter is repeated, too long, or has
    /// characters it cannot have. Unknown parameters are ignored (RFC 6749, 4.1.2). No query is an empty callback.
    pub fn parse(query: Option<&str>) -> Result<Self, CallbackFault> {
        let query = query.unwrap_or_default();
        if query.len() > MAX_QUERY {
            return Err(CallbackFault::TooLong("query"));
        }
        let mut values: [Option<String>; KNOWN.len()] = Default::default();
        let mut dropped = [false; DROPPED.len()];
        let mut error_description = None;
        for piece in query.split('&') {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let name = form_urlencoded::parse(name.as_bytes()).next().map(|(name, _)| name).unwrap_or_default();
            if let Some((seen, known)) = dropped.iter_mut().zip(DROPPED).find(|(_, known)| *known == name)
                && std::mem::replace(seen, true)
            {
                return Err(CallbackFault::Repeated(known));
            }
            if name == "error_description" {
                error_description = description(value);
            }
            let Some((place, (known, longest))) = values.iter_mut().zip(KNOWN).find(|(_, known)| known.0 == name)
            else {
                continue;
            };
            if place.is_some() {
                return Err(CallbackFault::Repeated(known));
            }
            *place = Some(read(known, longest, value)?);
        }
        let [code, correlation_id, error, iss, login_hint_token, mccmnc, state] =
            values.map(|value| value.filter(|value| !value.is_empty()));
        if mccmnc.as_ref().is_some_and(|code| !is_mccmnc(code)) {
            return Err(CallbackFault::Mccmnc);
        }
        let secret = |value: Option<String>| value.map(SecretString::new);
        Ok(Self {
            state,
            code: secret(code),
            error,
            error_description,
            iss,
            mccmnc,
            login_hint_token: secret(login_hint_token),
            correlation_id,
        })
    }

    /// Judges the callback as an answer of `carrier_issuer`, to which the sign-in attempt is bound. The caller has
    /// compared `state` and taken the attempt.
    ///
    /// RFC 9207, 2.4: `iss` is compared first, exactly; without it a hostile carrier could have its own error or code
    /// taken for another's.
    pub fn into_response(
        self,
        carrier_issuer: &str,
        iss_parameter_supported: bool,
    ) -> Result<AuthorizationResponse, ResponseFault> {
        match &self.iss {
            Some(iss) if !constant_time_eq(iss.as_bytes(), carrier_issuer.as_bytes()) => {
                return Err(ResponseFault::IssuerMismatch);
            }
            None if iss_parameter_supported => return Err(ResponseFault::IssuerMissing),
            _ => {}
        }
        match (self.error, self.code) {
            (Some(_), Some(_)) => Err(ResponseFault::CodeAndError),
            (Some(error), None) => Ok(AuthorizationResponse::Refused(ErrorCode::read(&error))),
            (None, Some(code)) => Ok(AuthorizationResponse::Code(code)),
            (None, None) => Err(ResponseFault::Nothing),
        }
    }
}

/// What may be logged of a description.
fn description(encoded: &str) -> Option<String> {
    let decoded = form_urlencoded::parse(encoded.as_bytes()).next()?.0.into_owned();
    let printable = |sign: char| if matches!(sign, ' '..='~') { sign } else { '?' };
    let text: String = decoded.chars().take(200).map(printable).collect();
    (!text.is_empty()).then_some(text)
}

/// Whether `text` is a mobile country and network code: six ASCII digits (dossier 3).
pub(crate) fn is_mccmnc(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit())
}

/// One value, decoded strictly: a decoder that replaces or passes over what it does not understand gives two parties
/// two readings.
fn read(name: &'static str, longest: usize, encoded: &str) -> Result<String, CallbackFault> {
    let mut out = String::with_capacity(encoded.len().min(longest));
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                    _ => return Err(CallbackFault::Encoding(name)),
                }
            }
            plain => plain,
        };
        if !(b' '..=b'~').contains(&byte) {
            return Err(CallbackFault::Character(name));
        }
        if out.len() == longest {
            return Err(CallbackFault::TooLong(name));
        }
        out.push(char::from(byte));
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
