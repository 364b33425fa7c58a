//! What is kept of one person: the account of the app that they belong to, the name that stays theirs at every carrier, and
//! where both went when they moved.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{AccountName, Link, NameFault, Subject};
use crate::ground::time::Timestamp;
use crate::secret::{sha256, sha256_of};

/// A name of our own for a person, which stays theirs when their carrier, and with it issuer and subject, becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StableSubject(String);

impl StableSubject {
    /// That of whoever first came as `subject`: so it is the same again if its record is lost before they move. Whoever comes
    /// after a person who moved away from that name is somebody else, by the moment of that move.
    pub fn of(subject: &Subject, after: Option<&Gone>) -> Self {
        let (issuer, name) = (sha256(subject.issuer().as_bytes()), sha256(subject.subject().as_bytes()));
        let after = after.map_or(0, |gone| gone.at.as_secs()).to_be_bytes();
        Self(URL_SAFE_NO_PAD.encode(sha256_of(&[b"zengate stable subject v1 ", &issuer, &name, &after])))
    }

    /// Reads one: 1 to 64 visible ASCII characters.
    ///
    /// # Errors
    /// It is none that was ever written.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let sound = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if sound { Ok(Self(text.to_owned())) } else { Err(NameFault::Stable) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person is known by another name from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// By which.
    pub to: Subject,
    /// Since when, to the second.
    pub at: Timestamp,
}

/// What is kept of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who an issuer says they are.
    pub subject: Subject,
    /// The account that they belong to.
    pub account: Option<AccountName>,
    /// Since when, to the second.
    pub since: Timestamp,
    /// The name that stays theirs.
    pub stable: Option<StableSubject>,
    /// Whoever had this subject before, and moved. What was theirs is not this person's.
    pub gone: Option<Gone>,
}

impl Person {
    /// Whether somebody is known by this subject now; else it is the trace of somebody who moved.
    pub fn is_somebody(&self) -> bool {
        self.account.is_some() || self.stable.is_some()
    }

    /// Their link to an account, if they have one.
    pub fn link(&self) -> Option<Link> {
        let account = self.account.clone()?;
        Some(Link { subject: self.subject.clone(), account, since: self.since })
    }
}

impl From<&Link> for Person {
    fn from(link: &Link) -> Self {
        let (subject, account) = (link.subject.clone(), Some(link.account.clone()));
        Self { subject, account, since: link.since, stable: None, gone: None }
    }
}

/// The content of a person's record. A later version may add fields; this one ignores them.
#[derive(Serialize, Deserialize)]
pub(super) struct PersonRecord {
    #[serde(rename = "iss")]
    issuer: String,
    #[serde(rename = "sub")]
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    since: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stable: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<GoneRecord>,
}

#[derive(Serialize, Deserialize)]
struct GoneRecord {
    #[serde(rename = "iss")]
    issuer: String,
    #[serde(rename = "sub")]
    subject: String,
    at: u64,
}

impl From<&Person> for PersonRecord {
    fn from(person: &Person) -> Self {
        let gone = person.gone.as_ref().map(|gone| GoneRecord {
            issuer: gone.to.issuer().to_owned(),
            subject: gone.to.subject().to_owned(),
            at: gone.at.as_secs(),
        });
        Self {
            issuer: person.subject.issuer().to_owned(),
            subject: person.subject.subject().to_owned(),
            account: person.account.as_ref().map(|account| account.as_str().to_owned()),
            since: person.since.as_secs(),
            stable: person.stable.as_ref().map(|stable| stable.as_str().to_owned()),
            gone,
        }
    }
}

impl PersonRecord {
    pub(super) fn read(self) -> Result<Person, NameFault> {
        let gone = |gone: GoneRecord| {
            Subject::parse(&gone.issuer, &gone.subject).map(|to| Gone { to, at: Timestamp::from_secs(gone.at) })
        };
        Ok(Person {
            subject: Subject::parse(&self.issuer, &self.subject)?,
            account: self.account.as_deref().map(AccountName::parse).transpose()?,
            since: Timestamp::from_secs(self.since),
            stable: self.stable.as_deref().map(StableSubject::parse).transpose()?,
            gone: self.gone.map(gone).transpose()?,
        })
    }
}
