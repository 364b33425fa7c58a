//! Why a provider gave no usable answer: a rule in our words, and for the operator what was asked where and what was found.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use url::Url;

use crate::telemetry::foreign_text::shown;

/// Whose fault it is, as far as one can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The provider's answer breaks its contract.
    Invalid,
    /// The provider refused.
    Refused,
    /// No answer within the deadline.
    Timeout,
    /// No connection, or the provider says it is overloaded.
    Unavailable,
    /// The issuer that the operator named lies where the configuration does not allow anybody to be asked: nothing was asked.
    NotAllowed,
    /// The issuer that was named is not trusted here, or an endpoint lies outside its hosts.
    Untrusted,
}

/// Why a provider gave no usable answer.
///
/// Two errors are equal if they are of one kind, for one reason and with one wait: what was found on the way is for the
/// operator, and decides nothing.
#[derive(Debug, Clone)]
pub struct ProviderError {
    kind: ErrorKind,
    reason: &'static str,
    retry_after: Option<Duration>,
    details: Option<Box<Details>>,
}

/// What an operator needs to find the cause. Texts of others have been through [`shown`].
#[derive(Debug, Clone, Default)]
struct Details {
    exchange: Option<&'static str>,
    address: Option<String>,
    status: Option<u16>,
    expected: Option<String>,
    found: Option<String>,
    error: Option<String>,
    description: Option<String>,
    advice: Option<Cow<'static, str>>,
    /// A key of the provider's section, and what it does.
    key: Option<(&'static str, &'static str)>,
}

impl ProviderError {
    /// The answer breaks the rule that `reason` names.
    pub const fn invalid(reason: &'static str) -> Self {
        Self::new(ErrorKind::Invalid, reason, None)
    }

    /// The provider refused: `reason` is an OAuth error code from the known set, or `other`.
    pub const fn refused(reason: &'static str) -> Self {
        Self::new(ErrorKind::Refused, reason, None)
    }

    /// There was no answer in time.
    pub const fn timeout() -> Self {
        Self::new(ErrorKind::Timeout, "no answer in time", None)
    }

    /// There is no connection or no place; `retry_after`, at most 60 s, is when to come back.
    pub const fn unavailable(reason: &'static str, retry_after: Option<Duration>) -> Self {
        Self::new(ErrorKind::Unavailable, reason, retry_after)
    }

    /// What was named is not on the operator's list.
    pub const fn untrusted(reason: &'static str) -> Self {
        Self::new(ErrorKind::Untrusted, reason, None)
    }

    /// The same, where the operator and nobody else has named the address: it is theirs to allow it.
    pub(super) fn of_the_configuration(mut self) -> Self {
        if self.kind == ErrorKind::Untrusted {
            self.kind = ErrorKind::NotAllowed;
        }
        self
    }

    const fn new(kind: ErrorKind, reason: &'static str, retry_after: Option<Duration>) -> Self {
        Self { kind, reason, retry_after, details: None }
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Our own words for what went wrong.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// When to come back, if the provider or the way to it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Which exchange it was and where, unless that is known already. Of the address nothing is kept that can hold a secret
    /// or a person: no query.
    pub(super) fn at(mut self, exchange: &'static str, address: &Url) -> Self {
        let details = self.details();
        if details.exchange.is_none() {
            details.exchange = Some(exchange);
            details.address = Some(plain(address));
        }
        self
    }

    /// The status of the answer.
    pub(super) fn status(mut self, status: u16) -> Self {
        self.details().status = Some(status);
        self
    }

    /// What was wanted and what was there.
    pub(super) fn instead(mut self, expected: &str, found: &str) -> Self {
        let details = self.details();
        (details.expected, details.found) = (Some(shown(expected)), Some(shown(found)));
        self
    }

    /// What was there.
    pub(super) fn found(mut self, found: &str) -> Self {
        self.details().found = Some(shown(found));
        self
    }

    /// The provider's own words.
    pub(super) fn said(mut self, error: Option<&str>, description: Option<&str>) -> Self {
        let details = self.details();
        (details.error, details.description) = (error.map(shown), description.map(shown));
        self
    }

    /// Which key to change, unless somebody who knew more has said it.
    pub(super) fn advise(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.details().advice.get_or_insert_with(|| advice.into());
        self
    }

    /// As [`ProviderError::advise`], where it is not known yet in which section of the configuration the key is.
    pub(super) fn about(mut self, key: &'static str, does: &'static str) -> Self {
        self.details().key = Some((key, does));
        self
    }

    /// The section that [`ProviderError::about`] did not know.
    pub(super) fn in_section(mut self, section: &str) -> Self {
        match self.details.as_mut().and_then(|details| details.key.take()) {
            Some((key, does)) => self.advise(format!("`{section}.{key}` {does}")),
            None => self,
        }
    }

    fn details(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }
}

impl PartialEq for ProviderError {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.reason, self.retry_after) == (other.kind, other.reason, other.retry_after)
    }
}

impl Eq for ProviderError {}

impl std::error::Error for ProviderError {}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason;
        match self.kind {
            ErrorKind::Invalid => write!(f, "invalid answer: {reason}")?,
            ErrorKind::Refused => write!(f, "refused: {reason}")?,
            ErrorKind::Timeout => f.write_str(reason)?,
            ErrorKind::Unavailable => write!(f, "not reachable: {reason}")?,
            ErrorKind::NotAllowed => write!(f, "not allowed: {reason}")?,
            ErrorKind::Untrusted => write!(f, "not trusted: {reason}")?,
        }
        let Some(details) = &self.details else { return Ok(()) };
        if let (Some(exchange), Some(address)) = (details.exchange, &details.address) {
            write!(f, "; exchange {exchange} at {address}")?;
        }
        if let Some(status) = details.status {
            write!(f, "; status {status}")?;
        }
        match (&details.expected, &details.found) {
            (Some(expected), Some(found)) => write!(f, "; expected `{expected}`, found `{found}`")?,
            (None, Some(found)) => write!(f, "; found `{found}`")?,
            _ => {}
        }
        if let Some(error) = &details.error {
            write!(f, "; the provider says `{error}`")?;
        }
        if let Some(description) = &details.description {
            write!(f, " ({description})")?;
        }
        details.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

/// Scheme, host, port and path of an address.
fn plain(address: &Url) -> String {
    format!("{}{}", address.origin().ascii_serialization(), address.path())
}
