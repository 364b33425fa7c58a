//! What one member of a federation does otherwise than its profile says, as data (dossier 2.2, 9.3, 20). Each of it is a word of the
//! configuration; no code asks which carrier it has before it.
//!
//! Only names and additions are here. Nothing in it makes the check of a token, a state or an address softer.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// In what one member differs. Empty: in nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Differences {
    /// Whether `correlation_id` goes with the calls to it; `None`: as the profile says.
    pub correlates: Option<bool>,
    /// Scopes: ours, and what it calls them.
    pub scopes: BTreeMap<String, String>,
    /// Errors of its authorization endpoint: what it calls them, and which of the profile's codes that is.
    pub errors: BTreeMap<String, String>,
    /// How the digest is written of the proof that goes with requests for attributes (`x-authorization`, dossier 12.2); `None`: there
    /// is no proof.
    pub key_proof: Option<DigestForm>,
}

/// How a digest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestForm {
    /// In hexadecimal, as ZenKey's sample has it.
    Hex,
    /// In base64url without padding, as at its ancestor.
    Base64Url,
}

impl Differences {
    /// What it calls the scopes `ours`.
    pub fn scopes<'a>(&self, ours: &'a [String]) -> Cow<'a, [String]> {
        if self.scopes.is_empty() {
            return Cow::Borrowed(ours);
        }
        ours.iter().map(|scope| self.scopes.get(scope).unwrap_or(scope).clone()).collect()
    }

    /// Which code its error `theirs` is.
    pub fn error<'a>(&'a self, theirs: &'a str) -> &'a str {
        self.errors.get(theirs).map_or(theirs, String::as_str)
    }
}

/// Hosts beside the issuer's own on which the endpoints of a carrier were while ZenKey's carriers could be asked (dossier 2.2): for
/// whoever lists that issuer and says nothing about its hosts.
static KNOWN_HOSTS: [(&str, &[&str]); 3] = [
    ("https://oidc.idp.xlogin.att.com", &["xhcas.att.com", "xhms.att.com"]),
    ("https://brass.account.t-mobile.com", &["xcid.t-mobile.com", "iam.msg.t-mobile.com"]),
    ("https://www.sprint.com/", &["account.sprint.com", "brass.account.sprint.com"]),
];

/// What is known of the hosts of `issuer`.
pub fn known_hosts(issuer: &str) -> &'static [&'static str] {
    KNOWN_HOSTS.iter().find(|(known, _)| *known == issuer).map_or(&[], |(_, hosts)| hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_wrote_down_is_as_the_profile_says() {
        let pair = |a: &str, b: &str| [(a.to_owned(), b.to_owned())].into_iter().collect::<BTreeMap<_, _>>();
        let ours = ["openid".to_owned(), "postal_code".to_owned()];
        let none = Differences::default();
        assert_eq!((none.scopes(&ours).as_ref(), none.error("no_such_line")), (&ours[..], "no_such_line"));
        let differs = Differences {
            scopes: pair("postal_code", "zip"),
            errors: pair("no_such_line", "user_not_found"),
            ..Differences::default()
        };
        assert_eq!(differs.scopes(&ours).as_ref(), ["openid", "zip"]);
        assert_eq!(
            (differs.error("no_such_line"), differs.error("access_denied")),
            ("user_not_found", "access_denied")
        );
        assert_eq!(known_hosts("https://www.sprint.com/").len(), 2);
        assert!(known_hosts("https://www.sprint.com").is_empty(), "an issuer is its exact name");
    }
}
