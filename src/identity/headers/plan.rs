//! Which headers a route's upstream gets, compiled once at start: every name valid, ours to set, and unlike the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::HeaderName;
use parking_lot::Mutex;
use thiserror::Error;

use super::reserved::{Forwarding, Reserved, fold, is_preset};
use super::{Encoding, HeaderRule, IdentityHeaderSettings, TooLong};
use crate::oidc::claims::is_single;

/// Why a mapping cannot be used. Names are those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderFault {
    /// A rule that takes its value from nowhere.
    #[error("header {name:?} names no claim")]
    ClaimMissing {
        /// The header.
        name: String,
    },
    /// Two rules for names that some apps cannot tell apart (`X-Sub` and `X_Sub`).
    #[error("headers {first:?} and {second:?} are the same name to many apps; keep one")]
    Duplicate {
        /// The earlier of the two.
        first: String,
        /// The later of the two.
        second: String,
    },
    /// A name that HTTP, a proxy, a browser or this gateway uses for something else.
    #[error("header {name:?} has another meaning in HTTP or in proxies; choose a name such as X-Auth-Sub")]
    Forbidden {
        /// The header.
        name: String,
    },
    /// Not a header name (RFC 9110, 5.1).
    #[error("{name:?} is not a header name")]
    Invalid {
        /// The header.
        name: String,
    },
}

/// Names that no rule may write, folded; those with `_` at the end are families. Whatever a plan writes is taken out of
/// what clients send, so these would break ordinary requests as well.
const FORBIDDEN: &[&str] = &[
    "accept",
    "accept_",
    "access_control_",
    "age",
    "allow",
    "alt_svc",
    "authorization",
    "baggage",
    "cache_control",
    "clear_site_data",
    "connection",
    "content_",
    "cookie",
    "date",
    "dnt",
    "early_data",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "http2_settings",
    "if_",
    "keep_alive",
    "last_event_id",
    "last_modified",
    "link",
    "location",
    "max_forwards",
    "origin",
    "pragma",
    "prefer",
    "priority",
    "proxy",
    "proxy_",
    "range",
    "referer",
    "retry_after",
    "sec_",
    "server",
    "set_cookie",
    "strict_transport_security",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer_encoding",
    "upgrade",
    "upgrade_insecure_requests",
    "user_agent",
    "vary",
    "via",
    "warning",
    "www_authenticate",
    "x_csrf_token",
    "x_request_id",
    "x_requested_with",
];

/// The word for the app's account that a person is linked to, where a claim's name could stand. No issuer says it.
pub const LINKED_ACCOUNT: &str = "linked_account";

/// The words for what is known of a person who may have come from another carrier. No issuer says them.
pub const OF_MIGRATION: [&str; 4] = ["stable_subject", "previous_issuer", "previous_subject", "migration"];

/// The word for what a carrier says of a person's SIM. It says so beside its claims.
pub const SIM_TENURE: &str = "sim_tenure_24";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Acr,
    Amr,
    Assurance,
    AuthTime,
    /// A claim that may be a list: one text is written as a list of one.
    Claim(String),
    Issuer,
    /// The app's account that the person is linked to.
    LinkedAccount,
    Mccmnc,
    /// What became of the words of earlier carriers.
    Migration,
    /// Issuer and subject until the sign-in that opened the session.
    PreviousIssuer,
    PreviousSubject,
    /// Whether their number has been on its SIM for more than a day.
    SimTenure,
    /// The name that stays theirs at every carrier.
    StableSubject,
    Subject,
    /// A claim that is one text by definition.
    Text(String),
}

impl Source {
    /// The names of the verified parts are never looked up among the claims: a userinfo answer with an `acr` or a
    /// `sub` of its own must not be able to speak for the ID token.
    pub(super) fn of(claim: &str) -> Self {
        match claim {
            "acr" => Self::Acr,
            "amr" => Self::Amr,
            "assurance" => Self::Assurance,
            "auth_time" => Self::AuthTime,
            "iss" => Self::Issuer,
            LINKED_ACCOUNT => Self::LinkedAccount,
            "mccmnc" => Self::Mccmnc,
            "migration" => Self::Migration,
            "previous_issuer" => Self::PreviousIssuer,
            "previous_subject" => Self::PreviousSubject,
            SIM_TENURE => Self::SimTenure,
            "stable_subject" => Self::StableSubject,
            "sub" => Self::Subject,
            single if is_single(single) => Self::Text(single.to_owned()),
            other => Self::Claim(other.to_owned()),
        }
    }

    /// Whether it is something that no issuer says.
    fn is_ours(&self) -> bool {
        let ours = [
            Self::LinkedAccount,
            Self::Migration,
            Self::PreviousIssuer,
            Self::PreviousSubject,
            Self::SimTenure,
            Self::StableSubject,
        ];
        ours.contains(self)
    }

    /// The claim's name in the configuration.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Acr => "acr",
            Self::Amr => "amr",
            Self::Assurance => "assurance",
            Self::AuthTime => "auth_time",
            Self::Issuer => "iss",
            Self::LinkedAccount => LINKED_ACCOUNT,
            Self::Mccmnc => "mccmnc",
            Self::Migration => "migration",
            Self::PreviousIssuer => "previous_issuer",
            Self::PreviousSubject => "previous_subject",
            Self::SimTenure => SIM_TENURE,
            Self::StableSubject => "stable_subject",
            Self::Subject => "sub",
            Self::Claim(name) | Self::Text(name) => name,
        }
    }
}

/// One header that will be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) source: Source,
    pub(super) encoding: Encoding,
    pub(super) too_long: TooLong,
}

/// A rule on its way into a plan.
struct Chosen {
    name: HeaderName,
    folded: String,
    rule: Rule,
    preset: bool,
}

/// What a route's upstream is told, compiled.
#[derive(Debug, Clone, Default)]
pub struct HeaderPlan {
    pub(super) names: Arc<[HeaderName]>,
    pub(super) rules: Vec<Rule>,
    pub(super) max_value: usize,
    pub(super) max_total: usize,
}

impl HeaderPlan {
    /// Compiles the settings of one route. All faults come together.
    pub fn compile(settings: &IdentityHeaderSettings) -> Result<Self, Vec<HeaderFault>> {
        let mut faults = Vec::new();
        let mut chosen: Vec<Chosen> = Vec::new();
        for (name, claim) in settings.presets.iter().flat_map(|preset| preset.headers()) {
            let folded = fold(name.as_bytes());
            if !chosen.iter().any(|other| other.folded == folded) {
                let rule = Rule { source: Source::of(claim), encoding: Encoding::Percent, too_long: TooLong::LeaveOut };
                chosen.push(Chosen { name: HeaderName::from_static(name), folded, rule, preset: true });
            }
        }
        for HeaderRule { name: written, claim, encoding, too_long } in &settings.map {
            if claim.is_empty() {
                faults.push(HeaderFault::ClaimMissing { name: written.clone() });
            }
            let name = match checked_name(written) {
                Ok(name) => name,
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            };
            let folded = fold(name.as_str().as_bytes());
            let rule = Rule { source: Source::of(claim), encoding: *encoding, too_long: *too_long };
            let ours = Chosen { name, folded, rule, preset: false };
            match chosen.iter_mut().find(|other| other.folded == ours.folded) {
                Some(other) if other.preset => *other = ours,
                Some(other) => {
                    faults.push(HeaderFault::Duplicate { first: other.name.to_string(), second: written.clone() });
                }
                None => chosen.push(ours),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let (names, rules): (Vec<_>, Vec<_>) = chosen.into_iter().map(|chosen| (chosen.name, chosen.rule)).unzip();
        let IdentityHeaderSettings { max_value, max_total, .. } = *settings;
        Ok(Self { names: names.into(), rules, max_value, max_total })
    }

    /// The claims that it writes, by name.
    pub fn claim_names(&self) -> impl Iterator<Item = &str> {
        let said = self.rules.iter().filter(|rule| !rule.source.is_ours());
        said.map(|rule| rule.source.name())
    }

    /// Each header that takes its value from a claim, with the claim.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names.iter().zip(&self.rules).filter_map(|(name, rule)| match &rule.source {
            Source::Claim(claim) | Source::Text(claim) => Some((name.as_str(), claim.as_str())),
            _ => None,
        })
    }

    /// The names this plan may write, whether an identity has values for them or not.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.names.iter()
    }
}

impl Reserved {
    /// Collects the names of all plans beside those that are always reserved: all presets, configured or not, and the
    /// well-known names of others. Built from *all* routes: an app may stand behind two of them.
    /// `further`: names that the operator's apps believe beside them.
    pub fn build<'a>(plans: impl Iterator<Item = &'a HeaderPlan>, further: &'a [HeaderName]) -> Self {
        Self::beside_presets(plans.flat_map(HeaderPlan::names).chain(further))
    }
}

/// A name that can be taken from what clients send, with all that begin with it, and no request is broken by it.
///
/// # Errors
/// If one would be.
pub fn reservable(name: &str) -> Result<HeaderName, HeaderFault> {
    checked_name(name)
}

fn checked_name(name: &str) -> Result<HeaderName, HeaderFault> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderFault::Invalid { name: name.to_owned() })?;
    let folded = fold(parsed.as_str().as_bytes());
    // Clients lose every header that begins with a name we write: `Acc` would take `Accept` from all of them.
    let taken = FORBIDDEN.iter().any(|forbidden| match forbidden.strip_suffix('_') {
        Some(_) => folded.starts_with(forbidden) || forbidden.starts_with(&folded),
        None => folded == *forbidden || forbidden.starts_with(&folded),
    });
    if taken || folded.bytes().all(|byte| byte == b'_') || (Forwarding::touches(&folded) && !is_preset(&folded)) {
        return Err(HeaderFault::Forbidden { name: name.to_owned() });
    }
    Ok(interned(&parsed))
}

/// The same name, kept for as long as the process lives, once however many routes use it: every request clones the
/// names it writes, and of one that lasts nobody counts the clones.
fn interned(name: &HeaderName) -> HeaderName {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock();
    let known = names.get(name.as_str()).copied();
    let text = known.unwrap_or_else(|| Box::leak(name.as_str().into()));
    names.insert(text);
    HeaderName::from_static(text)
}
