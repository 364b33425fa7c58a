//! Which account of the app a person belongs to: links from who an issuer says they are to a name that the app gave.
//!
//! The only key of a person is `iss` and `sub` of their token (OpenID Connect Core 5.7). No e-mail address and no phone
//! number ever leads to an account: both change hands.

mod index;
pub mod links;
pub mod moves;
pub mod person;
pub mod table;

use crate::ground::time::Timestamp;

/// Most bytes of an account name, and of a subject (Core, 2).
pub const LONGEST_NAME: usize = 255;

/// Most bytes of an issuer.
const LONGEST_ISSUER: usize = 512;

/// Why a text is no name of an account, a subject or an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// An account name.
    #[error("account: expected 1 to 255 bytes without control characters, and no space at either end")]
    Account,
    /// An issuer.
    #[error("issuer: expected 1 to 512 bytes of visible ASCII")]
    Issuer,
    /// The name that stays a person's.
    #[error("stable_subject: expected 1 to 64 visible ASCII characters")]
    Stable,
    /// A subject.
    #[error("subject: expected 1 to 255 bytes without control characters")]
    Subject,
}

/// Who an issuer says somebody is: `iss` and `sub`. A well-formed name, no proof of anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    issuer: String,
    subject: String,
}

impl Subject {
    /// Reads both.
    ///
    /// # Errors
    /// If one of them can be no part of a verified token.
    pub fn parse(issuer: &str, subject: &str) -> Result<Self, NameFault> {
        if !(1..=LONGEST_ISSUER).contains(&issuer.len()) || !issuer.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(NameFault::Issuer);
        }
        if !(1..=LONGEST_NAME).contains(&subject.len()) || subject.chars().any(char::is_control) {
            return Err(NameFault::Subject);
        }
        Ok(Self { issuer: issuer.to_owned(), subject: subject.to_owned() })
    }

    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

/// The app's own name of an account. Compared byte for byte; what it means only the app knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(String);

impl AccountName {
    /// Reads one.
    ///
    /// # Errors
    /// If it could not stand in a header and a table and come back as it was.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let sound = (1..=LONGEST_NAME).contains(&text.len()) && text.trim() == text;
        if !sound || text.chars().any(char::is_control) {
            return Err(NameFault::Account);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person's link to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Who.
    pub subject: Subject,
    /// To which account.
    pub account: AccountName,
    /// Since when, to the second.
    pub since: Timestamp,
}

#[cfg(test)]
mod tests;
