//! An identity in one piece of memory: hundreds of thousands of them are kept, and a tree of small texts weighs four
//! times what stands in them.
//!
//! A text is its length (seven bits a byte, the last byte below 128) and its bytes; a list how many texts there are, how many
//! bytes they take together, and those. In order: issuer, subject, then a
//! byte of flags that says which of `mccmnc`, `acr`, the assurance and `auth_time` follow, those, the list `amr`, and the claims by name, names
//! that everybody uses as a number. Packed and read in this process alone and never stored, so the form may change with
//! every build. What cannot be read is not there: a claim that is not there meets no demand.

use std::collections::BTreeMap;

use super::{ClaimValue, IdentityParts};
use crate::oidc::acr::Assurance;

const HAS_MCCMNC: u8 = 1;
const HAS_ACR: u8 = 2;
const HAS_AUTH_TIME: u8 = 4;
const ACCEPTS_UNVERIFIED: u8 = 8;
const ABSENT_IS_VERIFIED: u8 = 16;
const HAS_ASSURANCE: u8 = 32;

const FALSE: u8 = 0;
const TRUE: u8 = 1;
const INTEGER: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;

/// Names of claims that are written as a number (Core 5.1, and what carriers and apps use besides).
const KNOWN: [&str; 24] = [
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "groups",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "postal_code",
    "preferred_username",
    "profile",
    "roles",
    "tid",
    "updated_at",
    "upn",
    "website",
    "zoneinfo",
];

/// A claim where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimRef<'a> {
    /// As [`ClaimValue::Bool`].
    Bool(bool),
    /// As [`ClaimValue::Integer`].
    Integer(i64),
    /// As [`ClaimValue::List`].
    List(Texts<'a>),
    /// As [`ClaimValue::Text`].
    Text(&'a str),
}

/// The elements of a list where they lie.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts<'a> {
    left: usize,
    reader: Reader<'a>,
}

impl Texts<'_> {
    /// Whether `wanted` is one of them: asked on every request, of lists of hundreds, so nothing is read but bytes.
    pub fn has(&self, wanted: &str) -> bool {
        let mut reader = self.reader.clone();
        (0..self.left).any(|_| {
            let length = reader.length().unwrap_or(usize::MAX);
            reader.take(length) == Some(wanted.as_bytes())
        })
    }
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.left = self.left.checked_sub(1)?;
        self.reader.text()
    }
}

pub(super) fn pack(parts: &IdentityParts) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put_text(&mut out, &parts.issuer);
    put_text(&mut out, &parts.subject);
    let there = |there: bool, flag: u8| if there { flag } else { 0 };
    out.push(
        there(parts.mccmnc.is_some(), HAS_MCCMNC)
            | there(parts.acr.is_some(), HAS_ACR)
            | there(parts.assurance.is_some(), HAS_ASSURANCE)
            | there(parts.auth_time.is_some(), HAS_AUTH_TIME)
            | there(parts.accept_unverified, ACCEPTS_UNVERIFIED)
            | there(parts.absent_is_verified, ABSENT_IS_VERIFIED),
    );
    for text in parts.mccmnc.iter().chain(&parts.acr) {
        put_text(&mut out, text);
    }
    if let Some(assurance) = parts.assurance {
        out.push(Assurance::ALL.iter().position(|known| *known == assurance).unwrap_or(usize::MAX) as u8);
    }
    if let Some(seconds) = parts.auth_time {
        out.extend(seconds.to_le_bytes());
    }
    put_list(&mut out, &parts.amr);
    put_length(&mut out, parts.claims.len());
    for (name, value) in &parts.claims {
        match KNOWN.iter().position(|known| known == name) {
            Some(place) => put_length(&mut out, place << 1 | 1),
            None => {
                put_length(&mut out, name.len() << 1);
                out.extend_from_slice(name.as_bytes());
            }
        }
        match value {
            ClaimValue::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
            ClaimValue::Integer(value) => {
                out.push(INTEGER);
                out.extend(value.to_le_bytes());
            }
            ClaimValue::List(list) => {
                out.push(LIST);
                put_list(&mut out, list);
            }
            ClaimValue::Text(text) => {
                out.push(TEXT);
                put_text(&mut out, text);
            }
        }
    }
    out
}

pub(super) fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// How many texts, how many bytes they take, and the texts.
fn put_list(out: &mut Vec<u8>, list: &[String]) {
    let mut texts = Vec::with_capacity(list.iter().map(|text| text.len() + 2).sum());
    list.iter().for_each(|text| put_text(&mut texts, text));
    put_length(out, list.len());
    put_length(out, texts.len());
    out.extend_from_slice(&texts);
}

/// Everything but the claims, read once; the claims lie behind it.
#[derive(Default)]
pub(super) struct Head<'a> {
    pub(super) issuer: &'a str,
    pub(super) subject: &'a str,
    pub(super) mccmnc: Option<&'a str>,
    pub(super) acr: Option<&'a str>,
    pub(super) assurance: Option<Assurance>,
    pub(super) auth_time: Option<i64>,
    pub(super) amr: Texts<'a>,
    accept_unverified: bool,
    pub(super) absent_is_verified: bool,
    claims: Claims<'a>,
}

impl<'a> Head<'a> {
    pub(super) fn read(packed: &'a [u8]) -> Self {
        Self::try_read(packed).unwrap_or_default()
    }

    fn try_read(packed: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(packed);
        let (issuer, subject) = (reader.text()?, reader.text()?);
        let flags = reader.byte()?;
        let mccmnc = if flags & HAS_MCCMNC != 0 { Some(reader.text()?) } else { None };
        let acr = if flags & HAS_ACR != 0 { Some(reader.text()?) } else { None };
        let assurance =
            if flags & HAS_ASSURANCE != 0 { Assurance::ALL.get(usize::from(reader.byte()?)).copied() } else { None };
        let auth_time = if flags & HAS_AUTH_TIME != 0 { Some(reader.integer()?) } else { None };
        let amr = reader.list()?;
        let claims = Claims { left: reader.length()?, reader };
        let accept_unverified = flags & ACCEPTS_UNVERIFIED != 0;
        let absent_is_verified = flags & ABSENT_IS_VERIFIED != 0;
        Some(Self {
            issuer,
            subject,
            mccmnc,
            acr,
            assurance,
            auth_time,
            amr,
            accept_unverified,
            absent_is_verified,
            claims,
        })
    }

    pub(super) fn claim(&self, name: &str) -> Option<ClaimRef<'a>> {
        self.claims.clone().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    pub(super) fn unpack(self) -> IdentityParts {
        let owned = |texts: Texts<'_>| texts.map(str::to_owned).collect::<Vec<_>>();
        let claims: BTreeMap<String, ClaimValue> = self
            .claims
            .map(|(name, value)| {
                let value = match value {
                    ClaimRef::Bool(value) => ClaimValue::Bool(value),
                    ClaimRef::Integer(value) => ClaimValue::Integer(value),
                    ClaimRef::List(list) => ClaimValue::List(owned(list)),
                    ClaimRef::Text(text) => ClaimValue::Text(text.to_owned()),
                };
                (name.to_owned(), value)
            })
            .collect();
        IdentityParts {
            issuer: self.issuer.to_owned(),
            subject: self.subject.to_owned(),
            mccmnc: self.mccmnc.map(str::to_owned),
            acr: self.acr.map(str::to_owned),
            assurance: self.assurance,
            amr: owned(self.amr),
            auth_time: self.auth_time,
            claims,
            accept_unverified: self.accept_unverified,
            absent_is_verified: self.absent_is_verified,
        }
    }
}

/// Names and values of the claims.
#[derive(Clone, Default)]
struct Claims<'a> {
    left: usize,
    reader: Reader<'a>,
}

impl<'a> Iterator for Claims<'a> {
    type Item = (&'a str, ClaimRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = self.reader.name()?;
        let value = match self.reader.byte()? {
            FALSE => ClaimRef::Bool(false),
            TRUE => ClaimRef::Bool(true),
            INTEGER => ClaimRef::Integer(self.reader.integer()?),
            LIST => ClaimRef::List(self.reader.list()?),
            TEXT => ClaimRef::Text(self.reader.text()?),
            _ => return None,
        };
        Some((name, value))
    }
}

/// What is still to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn length(&mut self) -> Option<usize> {
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(length);
            }
            shift += 7;
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn name(&mut self) -> Option<&'a str> {
        let number = self.length()?;
        if number & 1 == 1 {
            return KNOWN.get(number >> 1).copied();
        }
        std::str::from_utf8(self.take(number >> 1)?).ok()
    }

    fn integer(&mut self) -> Option<i64> {
        self.take(8)?.first_chunk().map(|bytes| i64::from_le_bytes(*bytes))
    }

    /// A list, however long, in one step; what follows it is read next.
    fn list(&mut self) -> Option<Texts<'a>> {
        let (left, bytes) = (self.length()?, self.length()?);
        Some(Texts { left, reader: Reader(self.take(bytes)?) })
    }
}

#[cfg(test)]
mod tests;
