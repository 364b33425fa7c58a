//! Values of identity headers: what an issuer vouched for, in text that no parser can take apart.
//!
//! A value that was cut would be another value, and perhaps another person's; so whatever does not fit is left out
//! whole, and said, unless the operator chose otherwise for a header ([`TooLong`]).

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::plan::{HeaderPlan, Source};
use super::{Encoding, TooLong};
use crate::identity::packed::{Head, Reader, put_length};
use crate::identity::{ClaimRef, Identity, Texts};
use crate::oidc::claims::{LeftOut, Why};

/// What headers may say of a person that no issuer says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside<'a> {
    /// The app's account that they are linked to.
    pub account: Option<&'a str>,
    /// The name that stays theirs at every carrier.
    pub stable: Option<&'a str>,
    /// Issuer and subject by which they were known until the sign-in that opened this session.
    pub previous: Option<(&'a str, &'a str)>,
    /// What became of the words of earlier carriers.
    pub migration: Option<&'a str>,
    /// Whether their number has been on its SIM for more than a day: `true`, `false`, `unknown`.
    pub sim_tenure: Option<&'a str>,
}

/// A value before it is encoded.
#[derive(Clone)]
enum Found<'a> {
    /// The only one there can be.
    Text(Cow<'a, str>),
    /// The only element of what could be a list.
    Element(&'a str),
    List(Texts<'a>),
}

impl Source {
    fn find<'a>(&self, identity: &Head<'a>, beside: Beside<'a>) -> Option<Found<'a>> {
        let text = |text: &'a str| Found::Text(Cow::Borrowed(text));
        match self {
            Self::LinkedAccount => beside.account.map(text),
            Self::StableSubject => beside.stable.map(text),
            Self::PreviousIssuer => beside.previous.map(|(issuer, _)| text(issuer)),
            Self::PreviousSubject => beside.previous.map(|(_, subject)| text(subject)),
            Self::Migration => beside.migration.map(text),
            Self::SimTenure => beside.sim_tenure.map(text),
            Self::Acr => identity.acr.map(text),
            Self::Amr => Some(Found::List(identity.amr.clone())),
            Self::Assurance => identity.assurance.map(|assurance| text(assurance.as_str())),
            Self::AuthTime => identity.auth_time.map(|seconds| Found::Text(seconds.to_string().into())),
            Self::Issuer => Some(text(identity.issuer)),
            Self::Mccmnc => identity.mccmnc.map(text),
            Self::Subject => Some(text(identity.subject)),
            Self::Claim(name) | Self::Text(name) => Some(match identity.claim(name)? {
                ClaimRef::Bool(value) => Found::Text(if value { "true" } else { "false" }.into()),
                ClaimRef::Integer(value) => Found::Text(value.to_string().into()),
                ClaimRef::List(list) => Found::List(list),
                ClaimRef::Text(value) if matches!(self, Self::Claim(_)) => Found::Element(value),
                ClaimRef::Text(value) => text(value),
            }),
        }
    }
}

/// The identity headers of one session. Cloning shares them.
///
/// Names are the plan's; values lie in one piece of memory with the identity and the values of other plans, and a value
/// that reads as the identity has it is not written a second time. A [`HeaderValue`] of its own for each would weigh
/// more than what it says.
#[derive(Clone, Default)]
pub struct HeaderSet {
    names: Arc<[HeaderName]>,
    /// Identity, values, and at the end where which value lies: see [`END`].
    written: Bytes,
}

impl fmt::Debug for HeaderSet {
    /// Names only (R01).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// Behind the values of a set: for each its place in the plan, its length and where it begins (see `packed.rs`); then
/// how many there are, how many were left out, which header's want refuses the person (its place in the plan and one more,
/// or zero), and where the first of them stands, in ten bytes.
const END: usize = 10;

/// The identity headers of one person, for each plan that they were rendered for.
#[derive(Debug, Clone, Default)]
pub struct RenderedHeaders(Box<[HeaderSet]>);

impl RenderedHeaders {
    /// Bytes of the one piece of memory that identity and values lie in, and of what says where: 0 without plans.
    pub fn bytes(&self) -> usize {
        let written = self.0.iter().map(|set| set.written.len()).max().unwrap_or(0);
        written + size_of_val(&*self.0)
    }

    /// The set of `plan`; `None` if the person's headers were rendered for other plans, those of an earlier
    /// configuration.
    pub fn of(&self, plan: &HeaderPlan) -> Option<&HeaderSet> {
        self.0.iter().find(|set| Arc::ptr_eq(&set.names, &plan.names))
    }
}

/// Renders the headers of every plan for one identity, and gives the identity back as it lies beside them.
pub fn render_all<P: Borrow<HeaderPlan>>(
    plans: &[P],
    identity: &Identity,
    beside: Beside<'_>,
) -> (Identity, RenderedHeaders) {
    let plans: Vec<&HeaderPlan> = plans.iter().map(Borrow::borrow).collect();
    let head = identity.head();
    let mut memory = Memory { identity: identity.packed(), written: identity.packed().to_vec(), values: Vec::new() };
    let mut ends = Vec::with_capacity(plans.len());
    for plan in &plans {
        render(plan, &head, beside, &mut memory, &mut |_, _| {});
        ends.push(memory.written.len());
    }
    let written = memory.written;
    // Copied, not cut to size: allocators leave a block that is cut as large as it was.
    let written = Bytes::copy_from_slice(&written);
    let sets = plans.iter().zip(ends);
    let sets = sets.map(|(plan, end)| HeaderSet { names: Arc::clone(&plan.names), written: written.slice(..end) });
    (identity.moved_to(&written), RenderedHeaders(sets.collect()))
}

/// The one piece of memory while it grows.
struct Memory<'a> {
    /// The identity as it lies elsewhere; a copy of it is the beginning of `written`.
    identity: &'a [u8],
    written: Vec<u8>,
    /// Where values lie that the identity does not hold as they are.
    values: Vec<Range<usize>>,
}

impl Memory<'_> {
    /// Where `value` lies, which is `of` if the identity holds it as it is. Written if it lies nowhere yet.
    fn place(&mut self, value: &[u8], of: Option<&str>) -> usize {
        let known = of.and_then(|of| {
            let start = of.as_ptr().addr().checked_sub(self.identity.as_ptr().addr())?;
            Some(start..start.checked_add(of.len())?)
        });
        let mut places = known.iter().chain(&self.values);
        if let Some(place) = places.find(|place| self.written.get((*place).clone()) == Some(value)) {
            return place.start;
        }
        let start = self.written.len();
        self.written.extend_from_slice(value);
        self.values.push(start..self.written.len());
        start
    }
}

/// Appends values and entries of one plan; `note` is told what does not stand in a header, or not whole.
fn render(
    plan: &HeaderPlan,
    identity: &Head<'_>,
    beside: Beside<'_>,
    memory: &mut Memory<'_>,
    note: &mut dyn FnMut(&str, Why),
) {
    let mut entries = Vec::with_capacity(plan.rules.len());
    let (mut size, mut omitted, mut refused) = (0, 0_u16, 0_u16);
    let mut text = Vec::new();
    for (place, (rule, name)) in plan.rules.iter().zip(plan.names.iter()).enumerate() {
        let Some(value) = rule.source.find(identity, beside) else { continue };
        let of = match &value {
            Found::Text(Cow::Borrowed(of)) | Found::Element(of) => Some(*of),
            Found::Text(Cow::Owned(_)) | Found::List(_) => None,
        };
        text.clear();
        let line = name.as_str().len() + 4;
        let room = plan.max_total.saturating_sub(size + line).min(plan.max_value);
        let fault = match write(value.clone(), rule.encoding, plan.max_value, &mut text) {
            // Encoded text is visible ASCII and spaces; what is not would be left out here.
            Ok(()) if text.len() <= room => HeaderValue::from_bytes(&text).is_err().then_some(Why::Encoding),
            Ok(()) if text.len() > plan.max_value => Some(Why::HeaderTooLong),
            Ok(()) => Some(Why::HeadersTooLong),
            Err(why) => Some(why),
        };
        let is_long = matches!(fault, Some(Why::HeaderTooLong | Why::HeadersTooLong));
        let is_cut =
            is_long && rule.too_long == TooLong::Truncate && write_first(value, rule.encoding, room, &mut text);
        if let Some(why) = fault {
            note(rule.source.name(), if is_cut { Why::Truncated } else { why });
            if !is_cut {
                omitted = omitted.saturating_add(1);
                // Without its header somebody who belongs to an account would look as if they did not.
                let must_stand = rule.too_long == TooLong::Refuse || rule.source == Source::LinkedAccount;
                if is_long && must_stand && refused == 0 {
                    refused = u16::try_from(place + 1).unwrap_or(u16::MAX);
                }
                continue;
            }
        }
        if text.is_empty() {
            continue; // An empty claim says nothing; an empty header might.
        }
        size += line + text.len();
        entries.push([place, text.len(), memory.place(&text, of)]);
    }
    let written = &mut memory.written;
    let first = u32::try_from(written.len()).unwrap_or(u32::MAX);
    entries.as_flattened().iter().for_each(|number| put_length(written, *number));
    // More rules than a route may have headers would be left out.
    written.extend(u16::try_from(entries.len()).unwrap_or(0).to_le_bytes());
    written.extend(omitted.to_le_bytes());
    written.extend(refused.to_le_bytes());
    written.extend(first.to_le_bytes());
}

/// What of an identity does not stand in the headers of `plans`, or not whole, by the names of the configuration. Asked
/// once when somebody signs in, for the log.
pub fn left_out<P: Borrow<HeaderPlan>>(plans: &[P], identity: &Identity) -> Vec<LeftOut> {
    let head = identity.head();
    let mut all: Vec<LeftOut> = Vec::new();
    for plan in plans {
        let mut memory = Memory { identity: &[], written: Vec::new(), values: Vec::new() };
        // To which account they belong is not known yet.
        render(plan.borrow(), &head, Beside::default(), &mut memory, &mut |claim, why| {
            let note = LeftOut { claim: claim.to_owned(), why };
            if !all.contains(&note) {
                all.push(note);
            }
        });
    }
    all
}

impl HeaderPlan {
    /// Writes the values for one identity. Done once per session; a request only clones the result.
    pub fn render(&self, identity: &Identity) -> HeaderSet {
        self.render_with(identity, Beside::default())
    }

    /// The same for a person of whom more is known.
    pub fn render_with(&self, identity: &Identity, beside: Beside<'_>) -> HeaderSet {
        HeaderSet::render(self, identity, beside)
    }
}

impl HeaderSet {
    pub(super) fn render(plan: &HeaderPlan, identity: &Identity, beside: Beside<'_>) -> Self {
        let (_, sets) = render_all(std::slice::from_ref(plan), identity, beside);
        sets.0.into_iter().next().unwrap_or_default()
    }

    /// Names and values in the plan's order. Values share the memory of the set, and are marked sensitive, so that no
    /// log prints them.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, HeaderValue)> {
        let End { count, first, .. } = self.end();
        let mut entries = Reader(self.written.get(first..).unwrap_or_default());
        (0..count).filter_map(move |_| {
            let (place, length, start) = (entries.length()?, entries.length()?, entries.length()?);
            let span = start..start.checked_add(length).filter(|end| *end <= first)?;
            let mut value = HeaderValue::from_maybe_shared(self.written.slice(span)).ok()?;
            value.set_sensitive(true);
            Some((self.names.get(place)?, value))
        })
    }

    /// Whether `other` is this very set, or a clone of it. Equal sets that were rendered twice are not.
    pub fn is_same(&self, other: &Self) -> bool {
        let place = |set: &Self| (set.written.as_ptr(), set.written.len());
        Arc::ptr_eq(&self.names, &other.names) && place(self) == place(other)
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.end().count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values the identity has that could not be written: too long, or not ASCII where only ASCII may stand.
    pub fn omitted(&self) -> usize {
        self.end().omitted
    }

    /// The header that the person has to have whole, by the operator's word, and that does not fit: they are refused.
    pub fn refused(&self) -> Option<&HeaderName> {
        let place = self.end().refused.checked_sub(1)?;
        self.names.get(place)
    }

    fn end(&self) -> End {
        let Some(&[c0, c1, o0, o1, r0, r1, f0, f1, f2, f3]) = self.written.last_chunk::<END>() else {
            return End::default();
        };
        let number = |bytes| usize::from(u16::from_le_bytes(bytes));
        let first = usize::try_from(u32::from_le_bytes([f0, f1, f2, f3])).unwrap_or(usize::MAX);
        End { count: number([c0, c1]), omitted: number([o0, o1]), refused: number([r0, r1]), first }
    }
}

/// What stands behind the values of a set: see [`END`].
#[derive(Default)]
struct End {
    count: usize,
    omitted: usize,
    refused: usize,
    first: usize,
}

/// Appends a value; what was appended is to be dropped if it is said why this encoding has no form for it, or none of at
/// most `longest` bytes.
fn write(value: Found<'_>, encoding: Encoding, longest: usize, out: &mut Vec<u8>) -> Result<(), Why> {
    match (value, encoding) {
        (Found::Text(text), Encoding::Base64Url) => {
            out.extend_from_slice(URL_SAFE_NO_PAD.encode(text.as_bytes()).as_bytes())
        }
        (Found::Text(text), _) => return write_plain(&text, encoding, false, longest, out),
        (Found::Element(text), Encoding::Base64Url) => {
            out.extend_from_slice(URL_SAFE_NO_PAD.encode(escape_commas(text)).as_bytes());
        }
        (Found::Element(text), _) => return write_plain(text, encoding, true, longest, out),
        (Found::List(list), Encoding::Base64Url) => {
            let escaped = list.filter(|element| !element.is_empty()).map(escape_commas);
            out.extend_from_slice(URL_SAFE_NO_PAD.encode(escaped.collect::<Vec<_>>().join(",")).as_bytes());
        }
        (Found::List(list), _) => {
            let start = out.len();
            for element in list.filter(|element| !element.is_empty()) {
                if out.len() > start {
                    out.push(b',');
                }
                // A list that lacks one of its elements is another list: it is left out whole as well.
                write_plain(element, encoding, true, longest, out)?;
                if out.len() > longest {
                    return Err(Why::HeaderTooLong);
                }
            }
        }
    }
    Ok(())
}

/// Writes as many of the first elements of a list as fit into `room`, each whole, in place of what is there; `false` if
/// there is no list, or not even one fits.
fn write_first(value: Found<'_>, encoding: Encoding, room: usize, out: &mut Vec<u8>) -> bool {
    out.clear();
    let Found::List(list) = value else { return false };
    let mut plain = Vec::new();
    for element in list.filter(|element| !element.is_empty()) {
        let before = plain.len();
        if before > 0 {
            plain.push(b',');
        }
        let written = match encoding {
            Encoding::Base64Url => {
                plain.extend_from_slice(escape_commas(element).as_bytes());
                plain.len().saturating_mul(4).div_ceil(3) <= room
            }
            _ => write_plain(element, encoding, true, room, &mut plain).is_ok() && plain.len() <= room,
        };
        if !written {
            plain.truncate(before);
            break;
        }
    }
    match encoding {
        Encoding::Base64Url => out.extend_from_slice(URL_SAFE_NO_PAD.encode(&plain).as_bytes()),
        _ => out.append(&mut plain),
    }
    !out.is_empty()
}

/// An element that holds no comma of its own any more, so that those between elements are the only ones.
fn escape_commas(element: &str) -> String {
    element.replace('%', "%25").replace(',', "%2C")
}

/// Appends text as [`Encoding::Percent`] or [`Encoding::Ascii`]; `element` of a list.
fn write_plain(text: &str, encoding: Encoding, element: bool, longest: usize, out: &mut Vec<u8>) -> Result<(), Why> {
    let ascii = encoding == Encoding::Ascii;
    // Long enough that it could not be used anyway: do not even write it.
    if text.len() > longest {
        return Err(Why::HeaderTooLong);
    }
    if ascii && text.trim_matches(' ') != text {
        return Err(Why::Encoding);
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
            return Err(Why::Encoding);
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            out.push(b'%');
            out.extend([byte >> 4, byte & 15].iter().filter_map(|digit| DIGITS.get(usize::from(*digit))));
        }
    }
    Ok(())
}
