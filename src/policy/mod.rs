//! What a route demands of an identity, beyond that there is one.
//!
//! Everything here fails closed: a claim that is missing, of another type or written in a doubtful way meets nothing.

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::identity::{ClaimValue, Identity, IdentityParts};
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
        let parts = identity.parts();
        let acr = |reached: &String| self.acr.iter().any(|asked| acr::is_met(reached, asked));
        if !self.acr.is_empty() && !parts.acr.as_ref().is_some_and(acr) {
            return Err(Unmet::Acr);
        }
        if !self.claims.iter().all(|(name, values)| values.iter().any(|value| says(parts, name, value))) {
            return Err(Unmet::Claim);
        }
        if !self.email_domains.is_empty() {
            let domain = verified_email_domain(parts).ok_or(Unmet::EmailDomain)?;
            if !self.email_domains.iter().any(|accepted| accepted.eq_ignore_ascii_case(domain)) {
                return Err(Unmet::EmailDomain);
            }
        }
        Ok(())
    }
}

/// Whether the identity says `name` = `value`. The verified parts are never looked up among the claims, where a
/// userinfo answer could have put an `acr` or a `sub` of its own.
fn says(parts: &IdentityParts, name: &str, value: &str) -> bool {
    match name {
        "acr" => parts.acr.as_deref() == Some(value),
        "amr" => parts.amr.iter().any(|method| method == value),
        "auth_time" => parts.auth_time.is_some_and(|seconds| seconds.to_string() == value),
        "iss" => parts.issuer == value,
        "mccmnc" => parts.mccmnc.as_deref() == Some(value),
        "sub" => parts.subject == value,
        _ => match parts.claims.get(name) {
            Some(ClaimValue::Bool(found)) => value == if *found { "true" } else { "false" },
            Some(ClaimValue::Integer(found)) => found.to_string() == value,
            Some(ClaimValue::List(list)) => list.iter().any(|element| element == value),
            Some(ClaimValue::Text(found)) => found == value,
            None => false,
        },
    }
}

/// The domain of the e-mail address, if the issuer vouches for it: `email_verified` is the boolean `true`, which is
/// also what a ZenKey carrier's `"verified": 1` beside the address becomes.
///
/// An address is read strictly, because lenient readings differ: in `victim@corp.test@evil.test` some see one domain,
/// some the other (CVE-2026-40574). Exactly one `@`, printable ASCII, no quoting, no comments, no white space.
fn verified_email_domain(parts: &IdentityParts) -> Option<&str> {
    if parts.claims.get("email_verified") != Some(&ClaimValue::Bool(true)) {
        return None;
    }
    let Some(ClaimValue::Text(email)) = parts.claims.get("email") else { return None };
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&byte);
    let (local, domain) = email.split_once('@')?;
    let sound = email.bytes().all(plain) && !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    sound.then_some(domain)
}
