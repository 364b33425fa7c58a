//! What a route demands of an identity, beyond that there is one.
//!
//! Everything here fails closed: a claim that is missing, of another type or written in a doubtful way meets nothing.

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::identity::{ClaimRef, EmailWord, Identity};
use crate::oidc::acr::Vocabulary;

/// Demands of one route; the default demands nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    /// Authentication context: one of these; at carriers also a higher one of ZenKey's levels (`a1`, `a3`). Empty: any.
    pub acr: Vec<String>,
    /// What the words in `acr` mean.
    pub acr_vocabulary: Vocabulary,
    /// Claims that must be there: name and the values of which one must match exactly. For lists, one element.
    /// Booleans are `true` and `false`, integers decimal. `sub`, `iss`, `mccmnc`, `acr`, `amr` and `auth_time` are the
    /// verified parts of the identity. An entry without values is never met.
    pub claims: Vec<(String, Vec<String>)>,
    /// Domains of which the verified e-mail address must be one (ASCII lower case). Empty: any.
    pub email_domains: Vec<String>,
}

/// The first demand that an identity does not meet: which, for whoever reads the log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unmet {
    /// The authentication context is another; a stronger sign-in may help.
    #[error("the authentication context (acr) is not one that the route accepts")]
    Acr,
    /// A claim, by its name in the configuration, is missing or has another value.
    #[error("claim {0:?} is missing or has none of the values that the route accepts")]
    Claim(String),
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
}

impl Requirement {
    /// Whether `identity` may use the route. Asked on every request, so that a changed requirement counts at once.
    pub fn check(&self, identity: &Identity) -> Result<(), Unmet> {
        let acr = |reached: &str| self.acr.iter().any(|asked| self.acr_vocabulary.is_met(reached, asked));
        if !self.acr.is_empty() && !identity.acr().is_some_and(acr) {
            return Err(Unmet::Acr);
        }
        let meets = |values: &[String], name: &str| values.iter().any(|value| says(identity, name, value));
        if let Some((name, _)) = self.claims.iter().find(|(name, values)| !meets(values, name)) {
            return Err(Unmet::Claim(name.clone()));
        }
        if !self.email_domains.is_empty() {
            let domain = verified_email_domain(identity)?;
            if !self.email_domains.iter().any(|accepted| accepted.eq_ignore_ascii_case(domain)) {
                return Err(Unmet::EmailDomain);
            }
        }
        Ok(())
    }

    /// The claims that it looks at, by name.
    pub fn claim_names(&self) -> impl Iterator<Item = &str> {
        let email = (!self.email_domains.is_empty()).then_some("email");
        self.claims.iter().map(|(name, _)| name.as_str()).chain(email)
    }
}

/// Whether the identity says `name` = `value`. The verified parts are never looked up among the claims, where a
/// userinfo answer could have put an `acr` or a `sub` of its own.
fn says(identity: &Identity, name: &str, value: &str) -> bool {
    match name {
        "acr" => identity.acr() == Some(value),
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
