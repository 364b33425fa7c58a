//! What a route demands of an identity, beyond that there is one.
//!
//! Everything here fails closed: a claim that is missing, of another type or written in a doubtful way meets nothing.

mod sim;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use thiserror::Error;

pub use self::sim::{RecentSim, SimRule};
use crate::ground::time::Timestamp;
use crate::identity::{ClaimRef, EmailWord, Identity};
use crate::oidc::acr::{Assurance, Vocabulary};

/// How far in the future, in seconds, an authentication may lie: no clock that is kept is more wrong.
const FUTURE: i64 = 300;

/// Demands of one route; the default demands nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    /// Authentication context: one of these; at carriers also a higher one of ZenKey's levels (`a1`, `a3`). Empty: any.
    pub acr: Vec<String>,
    /// What the words in `acr` mean.
    pub acr_vocabulary: Vocabulary,
    /// The least that the way in which they signed in must assure; `None`: no rank is asked for. Who has no rank has less
    /// than any.
    pub assurance: Option<Assurance>,
    /// Longest time since they authenticated (`auth_time`), from a minute on; `None`: any. An identity that does not say
    /// when is too old.
    pub max_auth_age: Option<Duration>,
    /// Authentication methods (`amr`): of each group one must have been used. Empty: any.
    pub amr: Vec<Vec<String>>,
    /// Claims that must be there: name and the values of which one must match exactly. For lists, one element.
    /// Booleans are `true` and `false`, integers decimal. `sub`, `iss`, `mccmnc`, `acr`, `amr`, `assurance` and `auth_time` are the
    /// verified parts of the identity. An entry without values is never met.
    pub claims: Vec<(String, Vec<String>)>,
    /// Attributes that must be there, whatever they say: who keeps them back is told what they are for.
    pub attributes: Vec<String>,
    /// Domains of which the verified e-mail address must be one (ASCII lower case). Empty: any.
    pub email_domains: Vec<String>,
    /// What is demanded of the SIM that their number is on; `None`: nothing.
    pub sim_tenure: Option<SimRule>,
}

/// The first demand that an identity does not meet: which, for whoever reads the log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unmet {
    /// The authentication context is another; a stronger sign-in may help.
    #[error("the authentication context (acr) is not one that the route accepts")]
    Acr,
    /// None of the methods of a group was used; a sign-in by one of them may help.
    #[error("none of the authentication methods (amr) that the route accepts was used")]
    Amr,
    /// The way in which they signed in assures less than is demanded, or nobody says what it assures.
    #[error("the sign-in assures less than the route demands (assurance), or nobody says what it assures")]
    Assurance,
    /// They authenticated too long ago, or the issuer does not say when.
    #[error("the authentication is older than the route allows (max_auth_age), or the issuer sends no auth_time")]
    AuthenticationTooOld,
    /// A claim, by its name in the configuration, is missing or has another value.
    #[error("claim {0:?} is missing or has none of the values that the route accepts")]
    Claim(String),
    /// An attribute, by its name in the configuration, is not there: the issuer does not have it, or the person keeps it back.
    #[error("attribute {0:?} is missing: the person keeps it back, or the issuer does not have it")]
    Attribute(String),
    /// The verified e-mail address is of another domain, or does not read in one way.
    #[error("the e-mail address is no plain address in one of the email_domains that the route accepts")]
    EmailDomain,
    /// There is no e-mail address.
    #[error("the issuer sends no e-mail address")]
    EmailMissing,
    /// The issuer says that nobody verified the e-mail address.
    #[error("e-mail not verified: the issuer says so in email_verified")]
    EmailNotVerified,
    /// The issuer does not say whether the e-mail address was verified.
    #[error("e-mail not verified: the issuer sends no email_verified (see the key email_verified_absent)")]
    EmailVerifiedAbsent,
    /// The SIM is new, and the person has not confirmed who they are since.
    #[error("the carrier says that the SIM is new (sim_tenure_24): whoever has it must confirm who they are")]
    SimConfirmation,
    /// The SIM is new, and that is enough.
    #[error("the carrier says that the SIM is new (sim_tenure_24)")]
    SimRecent,
    /// Nobody says whether the SIM is new.
    #[error("nobody says whether the SIM is new (see the keys sim_tenure_24_unknown and sim_tenure_timeout)")]
    SimUnknown,
}

impl Unmet {
    /// Whether the same person may meet the demand after signing in in another way, or once more.
    pub fn is_about_the_sign_in(&self) -> bool {
        matches!(self, Self::Acr | Self::Amr | Self::Assurance | Self::AuthenticationTooOld | Self::SimConfirmation)
    }
}

impl Requirement {
    /// Whether `identity` may use the route at `now`. Asked on every request, so that a changed requirement counts at once.
    ///
    /// What no sign-in can change comes first: nobody is sent to their phone for a page that stays closed.
    pub fn check(&self, identity: &Identity, now: SystemTime) -> Result<(), Unmet> {
        let meets = |values: &[String], name: &str| values.iter().any(|value| says(identity, name, value));
        if let Some((name, _)) = self.claims.iter().find(|(name, values)| !meets(values, name)) {
            return Err(Unmet::Claim(name.clone()));
        }
        if let Some(name) = self.attributes.iter().find(|name| identity.claim(name).is_none()) {
            return Err(Unmet::Attribute(name.clone()));
        }
        if !self.email_domains.is_empty() {
            let domain = verified_email_domain(identity)?;
            if !self.email_domains.iter().any(|accepted| accepted.eq_ignore_ascii_case(domain)) {
                return Err(Unmet::EmailDomain);
            }
        }
        self.check_sign_in(identity, now)
    }

    /// Whether anything is demanded of the way in which people sign in, of everybody or of those whose SIM is new.
    pub fn demands_of_sign_in(&self) -> bool {
        self.confirms_sims()
            || !self.acr.is_empty()
            || self.assurance.is_some()
            || self.max_auth_age.is_some()
            || !self.amr.is_empty()
    }

    /// Whether the way in which `identity` signed in is enough at `now`.
    pub fn check_sign_in(&self, identity: &Identity, now: SystemTime) -> Result<(), Unmet> {
        let acr = |reached: &str| self.acr.iter().any(|asked| self.acr_vocabulary.is_met(reached, asked));
        if !self.acr.is_empty() && !identity.acr().is_some_and(acr) {
            return Err(Unmet::Acr);
        }
        if self.assurance.is_some_and(|wanted| identity.assurance().is_none_or(|found| found < wanted)) {
            return Err(Unmet::Assurance);
        }
        if self.amr.iter().any(|group| !group.iter().any(|method| identity.amr().has(method))) {
            return Err(Unmet::Amr);
        }
        let Some(most) = self.max_auth_age else { return Ok(()) };
        let age = |at: i64| Timestamp::of(now).as_numeric_date().saturating_sub(at);
        let most = i64::try_from(most.as_secs()).unwrap_or(i64::MAX);
        match identity.auth_time() {
            // An issuer's clock may be ahead of ours, but not by much.
            Some(at) if (-FUTURE..=most).contains(&age(at)) => Ok(()),
            _ => Err(Unmet::AuthenticationTooOld),
        }
    }

    /// The claims that it looks at, by name.
    pub fn claim_names(&self) -> impl Iterator<Item = &str> {
        let email = (!self.email_domains.is_empty()).then_some("email");
        let claims = self.claims.iter().map(|(name, _)| name.as_str());
        claims.chain(self.attributes.iter().map(String::as_str)).chain(email)
    }
}

/// Whether the identity says `name` = `value`. The verified parts are never looked up among the claims, where a
/// userinfo answer could have put an `acr` or a `sub` of its own.
fn says(identity: &Identity, name: &str, value: &str) -> bool {
    match name {
        "acr" => identity.acr() == Some(value),
        "assurance" => identity.assurance().is_some_and(|assurance| assurance.as_str() == value),
        "amr" => identity.amr().any(|method| method == value),
        "auth_time" => identity.auth_time().is_some_and(|seconds| seconds.to_string() == value),
        "iss" => identity.issuer() == value,
        "mccmnc" => identity.mccmnc() == Some(value),
        "sub" => identity.subject() == value,
        _ => match identity.claim(name) {
            Some(ClaimRef::Bool(found)) => value == if found { "true" } else { "false" },
            Some(ClaimRef::Integer(found)) => found.to_string() == value,
            Some(ClaimRef::List(list)) => list.has(value),
            Some(ClaimRef::Text(found)) => found == value,
            None => false,
        },
    }
}

/// The domain of the e-mail address, if the issuer vouches for it (`email_verified`; a ZenKey carrier says `"verified": 1`
/// beside the address), or the operator for an issuer that says nothing.
///
/// An address is read strictly, because lenient readings differ: in `victim@corp.test@evil.test` some see one domain,
/// some the other (CVE-2026-40574). Exactly one `@`, printable ASCII, no quoting, no comments, no white space.
fn verified_email_domain(identity: &Identity) -> Result<&str, Unmet> {
    match identity.email_is_verified() {
        EmailWord::Verified => {}
        EmailWord::Unverified => return Err(Unmet::EmailNotVerified),
        EmailWord::Absent if identity.claim("email").is_none() => return Err(Unmet::EmailMissing),
        EmailWord::Absent => return Err(Unmet::EmailVerifiedAbsent),
    }
    let email = match identity.claim("email") {
        Some(ClaimRef::Text(email)) => email,
        Some(_) => return Err(Unmet::EmailDomain),
        None => return Err(Unmet::EmailMissing),
    };
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&byte);
    let (local, domain) = email.split_once('@').ok_or(Unmet::EmailDomain)?;
    let sound = email.bytes().all(plain) && !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    if sound { Ok(domain) } else { Err(Unmet::EmailDomain) }
}
