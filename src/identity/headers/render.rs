//! Values of identity headers: what an issuer vouched for, in text that no parser can take apart.
//!
//! A value that was cut would be another value, and perhaps another person's; so whatever does not fit is left out
//! whole, and counted.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::Encoding;
use super::plan::HeaderPlan;
use crate::identity::{ClaimValue, Identity};

/// Longest value in bytes, as written (C30).
pub const MAX_VALUE: usize = 4 * 1024;

/// Longest set in bytes as it stands on the wire: names, values, `: ` and line ends (R11).
pub const MAX_SET: usize = 8 * 1024;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Acr,
    Amr,
    AuthTime,
    Claim(String),
    Issuer,
    Mccmnc,
    Subject,
}

/// A value before it is encoded.
enum Found<'a> {
    Text(Cow<'a, str>),
    List(&'a [String]),
}

impl Source {
    /// The names of the verified parts are never looked up among the claims: a userinfo answer with an `acr` or a
    /// `sub` of its own must not be able to speak for the ID token.
    pub(super) fn of(claim: &str) -> Self {
        match claim {
            "acr" => Self::Acr,
            "amr" => Self::Amr,
            "auth_time" => Self::AuthTime,
            "iss" => Self::Issuer,
            "mccmnc" => Self::Mccmnc,
            "sub" => Self::Subject,
            other => Self::Claim(other.to_owned()),
        }
    }

    fn find<'a>(&self, identity: &'a Identity) -> Option<Found<'a>> {
        let parts = identity.parts();
        let text = |text: &'a String| Found::Text(Cow::Borrowed(text.as_str()));
        match self {
            Self::Acr => parts.acr.as_ref().map(text),
            Self::Amr => Some(Found::List(&parts.amr)),
            Self::AuthTime => parts.auth_time.map(|seconds| Found::Text(seconds.to_string().into())),
            Self::Issuer => Some(text(&parts.issuer)),
            Self::Mccmnc => parts.mccmnc.as_ref().map(text),
            Self::Subject => Some(text(&parts.subject)),
            Self::Claim(name) => Some(match parts.claims.get(name)? {
                ClaimValue::Bool(value) => Found::Text(if *value { "true" } else { "false" }.into()),
                ClaimValue::Integer(value) => Found::Text(value.to_string().into()),
                ClaimValue::List(list) => Found::List(list),
                ClaimValue::Text(value) => text(value),
            }),
        }
    }
}

/// The identity headers of one session. Cloning shares them; all values lie in one piece of memory.
#[derive(Debug, Clone, Default)]
pub struct HeaderSet(Arc<Written>);

#[derive(Debug, Default)]
struct Written {
    names: Arc<[HeaderName]>,
    /// Place in `names`, and the value.
    values: Box<[(u16, HeaderValue)]>,
    omitted: usize,
}

impl HeaderSet {
    pub(super) fn render(plan: &HeaderPlan, identity: &Identity) -> Self {
        let mut text = Vec::new();
        let mut spans = Vec::with_capacity(plan.rules.len());
        let mut size = 0;
        let mut omitted = 0;
        for (place, (rule, name)) in plan.rules.iter().zip(plan.names.iter()).enumerate() {
            let Some(value) = rule.source.find(identity) else { continue };
            let start = text.len();
            let sound = write(&value, rule.encoding, &mut text);
            let length = text.len() - start;
            let line = name.as_str().len() + length + 4;
            if sound && length == 0 {
                continue; // An empty claim says nothing; an empty header might.
            }
            match u16::try_from(place) {
                Ok(place) if sound && length <= MAX_VALUE && size + line <= MAX_SET => {
                    size += line;
                    spans.push((place, start..text.len()));
                }
                _ => {
                    text.truncate(start);
                    omitted += 1;
                }
            }
        }
        let text = Bytes::from(text.into_boxed_slice());
        let mut values = Vec::with_capacity(spans.len());
        for (place, span) in spans {
            // Encoded text is visible ASCII and spaces; what is not would be left out here.
            match HeaderValue::from_maybe_shared(text.slice(span)) {
                Ok(mut value) => {
                    value.set_sensitive(true);
                    values.push((place, value));
                }
                Err(_) => omitted += 1,
            }
        }
        Self(Arc::new(Written { names: Arc::clone(&plan.names), values: values.into(), omitted }))
    }

    /// Names and values in the plan's order. Values are marked sensitive, so that no log prints them.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.values.iter().filter_map(|(place, value)| Some((self.0.names.get(usize::from(*place))?, value)))
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.0.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.values.is_empty()
    }

    /// How many values the identity has that could not be written: too long, or not ASCII where only ASCII may stand.
    pub fn omitted(&self) -> usize {
        self.0.omitted
    }
}

/// Appends a value; `false` if this encoding has no form for it, in which case what was appended is to be dropped.
fn write(value: &Found<'_>, encoding: Encoding, out: &mut Vec<u8>) -> bool {
    match (value, encoding) {
        (Found::Text(text), Encoding::Base64Url) => out.extend_from_slice(URL_SAFE_NO_PAD.encode(&**text).as_bytes()),
        (Found::Text(text), _) => return write_plain(text, encoding, false, out),
        (Found::List(list), Encoding::Base64Url) => {
            let escaped =
                list.iter().filter(|element| !element.is_empty()).map(|e| e.replace('%', "%25").replace(',', "%2C"));
            out.extend_from_slice(URL_SAFE_NO_PAD.encode(escaped.collect::<Vec<_>>().join(",")).as_bytes());
        }
        (Found::List(list), _) => {
            let start = out.len();
            for element in list.iter().filter(|element| !element.is_empty()) {
                if out.len() > start {
                    out.push(b',');
                }
                // A list that lacks one of its elements is another list: it is left out whole as well.
                if !write_plain(element, encoding, true, out) {
                    return false;
                }
            }
        }
    }
    true
}

/// Appends text as [`Encoding::Percent`] or [`Encoding::Ascii`]; `element` of a list.
fn write_plain(text: &str, encoding: Encoding, element: bool, out: &mut Vec<u8>) -> bool {
    let ascii = encoding == Encoding::Ascii;
    // Long enough that it could not be used anyway: do not even write it.
    if text.len() > MAX_VALUE || (ascii && text.trim_matches(' ') != text) {
        return false;
    }
    let trimmed = text.len() - text.trim_start_matches(' ').len()..text.trim_end_matches(' ').len();
    for (place, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b' ' => !trimmed.contains(&place),
            b'%' => element || !ascii,
            b',' => element,
            _ => !byte.is_ascii_graphic(),
        };
        if !escaped {
            out.push(byte);
        } else if ascii && !matches!(byte, b'%' | b',') {
            return false;
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            out.push(b'%');
            out.extend([byte >> 4, byte & 15].iter().filter_map(|digit| DIGITS.get(usize::from(*digit))));
        }
    }
    true
}
