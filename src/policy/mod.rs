//! What a route demands of an identity, beyond that there is one.
//!
//! Everything here fails closed: a claim that is missing, of another type or written in a doubtful way meets nothing.

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::identity::{ClaimRef, Identity};
use crate::oidc::acr;

/// Demands of one route; the default demands nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    /// Authentication context: one of these, or a higher one of ZenKey's levels (`a1`, `a3`). Empty: any.
    pub acr: Vec<String>,
    /// Claims that must be there: name and the values of which one must match exactly. For lists, one element.
    /// Booleans are `true` and `false`, integers decimal. `sub`, `iss`, `mccmnc`, `acr`, `amr` and `auth_time` are the
    /// verified parts of the identity. An entry without values is never met.
    pub claims: Vec<(String, Vec<String>)>,
    /// Domains of which the verified e-mail address must be one (ASCII lower case). Empty: any.
    pub email_domains: Vec<String>,
}

/// The first demand that an identity does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unmet {
    /// The authentication context is another; a stronger sign-in may help.
    #[error("the authentication context is not one that the route accepts")]
    Acr,
    /// A claim is missing or has another value.
    #[error("a claim that the route demands is missing or different")]
    Claim,
    /// No verified e-mail address, or one of another domain.
    #[error("there is no verified e-mail address in a domain that the route accepts")]
    EmailDomain,
}

impl Requirement {
    /// Whether `identity` may use the route. Asked on every request, so that a changed requirement counts at once.
    pub fn check(&self, identity: &Identity) -> Result<(), Unmet> {
        let acr = |reached: &str| self.acr.iter().any(|asked| acr::is_met(reached, asked));
        if !self.acr.is_empty() && !identity.acr().is_some_and(acr) {
            return Err(Unmet::Acr);
        }
        if !self.claims.iter().all(|(name, values)| values.iter().any(|value| says(identity, name, value))) {
            return Err(Unmet::Claim);
        }
        if !self.email_domains.is_empty() {
            let domain = verified_email_domain(identity).ok_or(Unmet::EmailDomain)?;
            if !self.email_domains.iter().any(|accepted| accepted.eq_ignore_ascii_case(domain)) {
                return Err(Unmet::EmailDomain);
            }
        }
        Ok(())
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
            Some(ClaimRef::List(mut list)) => list.any(|element| element == value),
            Some(ClaimRef::Text(found)) => found == value,
            None => false,
        },
    }
}

/// The domain of the e-mail address, if the issuer vouches for it: `email_verified` is the boolean `true`, which is
/// also what a ZenKey carrier's `"verified": 1` beside the address becomes.
///
/// An address is read strictly, because lenient readings differ: in `victim@corp.test@evil.test` some see one domain,
/// some the other (CVE-2026-40574). Exactly one `@`, printable ASCII, no quoting, no comments, no white space.
fn verified_email_domain(identity: &Identity) -> Option<&str> {
    if identity.claim("email_verified") != Some(ClaimRef::Bool(true)) {
        return None;
    }
    let Some(ClaimRef::Text(email)) = identity.claim("email") else { return None };
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&byte);
    let (local, domain) = email.split_once('@')?;
    let sound = email.bytes().all(plain) && !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    sound.then_some(domain)
}
