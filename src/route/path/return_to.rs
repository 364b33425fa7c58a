//! Where a person is sent after signing in or out.
//!
//! Open redirects live in the gap between two readings of one URL (security.md, section A). A return address is
//! therefore read by the parser that browsers use (WHATWG), must be a [`NormalTarget`] as well, and is written out
//! again from what was understood: the text that came in is never sent to a browser.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

use super::{MAX_TARGET, NormalTarget, TargetFault};

/// Why a return address was refused. The person is then sent to `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReturnFault {
    /// An absolute URL whose origin is not on the list, or a text that is no URL of ours at all.
    #[error("the return address leads to a foreign origin")]
    ForeignOrigin,
    /// Under the gateway's own prefix: a sign-in that ends at `sign_out` would be a forced logout. What another origin has
    /// under that path is its own business.
    #[error("the return address lies under the reserved prefix")]
    Reserved,
    /// The path or query has more than one meaning.
    #[error("the return address is not normal: {0}")]
    Target(#[from] TargetFault),
    /// Longer than a page's own address may be.
    #[error("the return address is too long")]
    TooLong,
}

/// Why an allow-list cannot be used. The number is the entry's place in the list, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReturnPolicyFault {
    /// Not exactly `scheme://host` or `scheme://host:port` as a browser writes it: lower case, no default port, no
    /// path, no user, no wildcard, no pattern.
    #[error("return origin {0} is not a plain origin: write https://host or https://host:port, nothing else")]
    NotAnOrigin(usize),
    /// The reserved prefix is not a normal path below `/`.
    #[error("the reserved prefix is not a plain path such as /oauth2")]
    ReservedPrefix,
}

/// What counts as a place to return to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnPolicy {
    reserved_prefix: String,
    origins: Vec<String>,
    /// Those of them that are ours.
    own_origins: Vec<String>,
    /// Scheme, and host and port, of which whatever lies one label below is ours.
    own_below: Vec<(String, String)>,
    longest: usize,
}

impl ReturnPolicy {
    /// `reserved_prefix` is the gateway's own (`/oauth2`). `origins` are literals, compared whole: an entry that looks
    /// like a pattern, or would need any reading at all, is a fault. All faults come together.
    pub fn new<I>(reserved_prefix: &str, origins: I) -> Result<Self, Vec<ReturnPolicyFault>>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let origins: Vec<String> = origins.into_iter().map(Into::into).collect();
        let foreign = |(place, entry): (usize, &String)| {
            (!is_plain_origin(entry)).then_some(ReturnPolicyFault::NotAnOrigin(place))
        };
        let mut faults: Vec<_> = origins.iter().enumerate().filter_map(foreign).collect();
        if !is_plain_prefix(reserved_prefix) {
            faults.push(ReturnPolicyFault::ReservedPrefix);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            reserved_prefix: reserved_prefix.to_owned(),
            origins,
            own_origins: Vec::new(),
            own_below: Vec::new(),
            longest: MAX_TARGET,
        })
    }

    /// The same with the origins of our own hosts, which are no foreign ones; with scheme, and host and port, of those of which
    /// whatever lies one label below is ours; and with the longest address that our listener takes, in bytes: what can be
    /// opened can be returned to, and nothing else.
    #[must_use]
    pub fn for_hosts(
        mut self,
        own_origins: impl IntoIterator<Item = String>,
        own_below: Vec<(String, String)>,
        longest: usize,
    ) -> Self {
        self.own_origins.extend(own_origins);
        self.own_below = own_below;
        self.longest = longest.min(MAX_TARGET);
        self
    }

    /// Whether `origin` is that of a host of ours.
    pub fn is_own(&self, origin: &str) -> bool {
        let is_below = |(scheme, parent): &(String, String)| {
            let host = origin.strip_prefix(scheme.as_str()).and_then(|rest| rest.strip_prefix("://"));
            let label = host.and_then(|host| host.strip_suffix(parent.as_str())?.strip_suffix('.'));
            // One label, of what a host name may have: no `@`, no `/`, no dot.
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
            label.is_some_and(|label| (1..=63).contains(&label.len()) && label.bytes().all(plain))
        };
        self.own_origins.iter().any(|own| own == origin) || self.own_below.iter().any(is_below)
    }
}

/// A place that is safe to send a browser to: a path and query on the host where the sign-in began, or on an
/// allow-listed origin.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct ReturnTo {
    origin: Option<String>,
    target: String,
}

impl ReturnTo {
    /// `/` on the host where the sign-in began.
    pub fn home() -> Self {
        Self { origin: None, target: "/".to_owned() }
    }

    /// The very page that was asked for; `/` in place of one that servers read in different ways.
    pub fn local(target: &NormalTarget) -> Self {
        if target.is_odd() {
            return Self::home();
        }
        Self { origin: None, target: target.as_str().to_owned() }
    }

    /// The same place for somebody on the host with `origin`, where it may be a path.
    #[must_use]
    pub fn seen_from(mut self, origin: &str) -> Self {
        self.origin = self.origin.filter(|own| own != origin);
        self
    }

    /// Reads `rd`, `target_link_uri` or a sign-out's return address, already form-decoded once.
    ///
    /// Accepted are a path (with query), and an absolute URL whose origin is one of ours or equals an allow-listed one.
    /// Path and query follow the one rule that pages follow ([`NormalTarget`]): what can be opened can be returned to, also
    /// `%0A` in a query. What goes into `Location` is printable ASCII whatever it stands for, so it makes no header.
    pub fn parse(rd: &str, policy: &ReturnPolicy) -> Result<Self, ReturnFault> {
        let (origin, target) = if rd.starts_with('/') { (None, rd) } else { split_absolute(rd, policy)? };
        // No page of ours writes these raw into an address to return to.
        if target.bytes().any(|byte| matches!(byte, b'"' | b'<' | b'>' | 0x80..)) {
            return Err(TargetFault::Unsafe.into());
        }
        // First the text as it stands: whatever the URL parser would tidy up silently is refused here.
        let as_it_stands = NormalTarget::parse(rooted(target).as_bytes())?;
        if as_it_stands.as_str().len() > policy.longest {
            return Err(ReturnFault::TooLong);
        }
        // Then as a browser understands it, with any base: a target that can leave its base is foreign.
        let base = Url::parse(origin.as_deref().unwrap_or("https://return.invalid"))
            .map_err(|_| ReturnFault::ForeignOrigin)?;
        let url = base.join(&rooted(target)).map_err(|_| ReturnFault::ForeignOrigin)?;
        let stays = url.origin() == base.origin() && url.username().is_empty() && url.password().is_none();
        if !stays || url.fragment().is_some() {
            return Err(ReturnFault::ForeignOrigin);
        }
        let written = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        if written.len() > policy.longest {
            return Err(ReturnFault::TooLong);
        }
        let target = NormalTarget::parse(written.as_bytes())?;
        let is_ours = origin.as_ref().is_none_or(|origin| policy.is_own(origin));
        if is_ours && target.is_under(&policy.reserved_prefix) {
            return Err(ReturnFault::Reserved);
        }
        Ok(Self { origin, target: target.as_str().to_owned() })
    }

    /// The allow-listed origin, or `None` for the host where the sign-in began.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Path and query; begins with one `/`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What goes into `Location`: the target, behind its origin if it has one of its own. Printable ASCII.
    pub fn location(&self) -> String {
        format!("{}{}", self.origin().unwrap_or_default(), self.target)
    }
}

impl fmt::Debug for ReturnTo {
    /// Without the query, which may carry an app's own tokens (R02).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        f.debug_struct("ReturnTo").field("origin", &self.origin).field("path", &path).finish()
    }
}

/// What a record holds; checked again when it is read, because a store is not trusted to keep a promise for us.
#[derive(Deserialize)]
struct Stored {
    origin: Option<String>,
    target: String,
}

impl TryFrom<Stored> for ReturnTo {
    type Error = ReturnFault;

    fn try_from(stored: Stored) -> Result<Self, ReturnFault> {
        if stored.origin.as_deref().is_some_and(|origin| !is_plain_origin(origin)) {
            return Err(ReturnFault::ForeignOrigin);
        }
        let target = NormalTarget::parse(stored.target.as_bytes())?;
        if target.as_str() != stored.target {
            return Err(ReturnFault::ForeignOrigin);
        }
        Ok(Self { origin: stored.origin, target: stored.target })
    }
}

/// Splits `https://host/rest` into the allow-listed origin and the rest, which may be empty.
fn split_absolute<'a>(rd: &'a str, policy: &ReturnPolicy) -> Result<(Option<String>, &'a str), ReturnFault> {
    let (scheme, rest) = rd.split_once("://").ok_or(ReturnFault::ForeignOrigin)?;
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    // No user, no escapes, no letters that IDNA would map to others: nothing is left for two parsers to disagree on.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    if !web || authority.is_empty() || authority.ends_with(':') || !authority.bytes().all(plain) {
        return Err(ReturnFault::ForeignOrigin);
    }
    let url = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| ReturnFault::ForeignOrigin)?;
    let origin = url.origin().ascii_serialization();
    if policy.is_own(&origin) || policy.origins.contains(&origin) {
        Ok((Some(origin), target))
    } else {
        Err(ReturnFault::ForeignOrigin)
    }
}

/// `""` and `?x` stand for `/` and `/?x` in an absolute URL.
fn rooted(target: &str) -> String {
    if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }
}

/// Exactly what a browser would write for this origin, and a host without any character that means something in a
/// pattern (the WHATWG parser would let `*` and parentheses through).
fn is_plain_origin(entry: &str) -> bool {
    let Some((scheme @ ("https" | "http"), authority)) = entry.split_once("://") else {
        return false;
    };
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    // A bracketed address is judged by the parser alone: only its one canonical spelling is equal to the entry.
    let host = authority.split(':').next().unwrap_or_default();
    if !authority.starts_with('[') && !host.split('.').all(label) {
        return false;
    }
    Url::parse(&format!("{scheme}://{authority}/"))
        .is_ok_and(|url| url.host().is_some() && url.origin().ascii_serialization() == entry)
}

fn is_plain_prefix(prefix: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.');
    prefix.len() > 1
        && !prefix.ends_with('/')
        && prefix.bytes().all(plain)
        && NormalTarget::parse(prefix.as_bytes()).is_ok_and(|target| target.as_str() == prefix)
}
