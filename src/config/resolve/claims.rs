//! Claims: how those of an issuer are read, and which names rules and headers can use.

use std::collections::BTreeMap;

use super::Resolver;
use crate::config::fault::shown;
use crate::config::file::{AbsentWord, AssuranceWord, List};
use crate::config::form::text::Acr;
use crate::config::form::{Form, Written};
use crate::config::validate::join;
use crate::oidc::acr::{Assurance, Vocabulary};
use crate::oidc::claims::{CLIENT, ClaimRules, NamedFault, is_single};
use crate::route::Access;

/// Longest text that may stand between two values of a claim, in bytes.
const LONGEST_SEPARATOR: usize = 8;

/// Hosts of issuers that send no `email_verified`, whatever is asked of them (Microsoft Entra ID).
const SILENT_HOSTS: [&str; 4] =
    ["login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "sts.windows.net"];

impl Resolver<'_> {
    /// How the claims of the issuer at `key` are read.
    pub(super) fn claim_rules(
        &mut self,
        key: &str,
        accept_unverified: Option<bool>,
        absent: Option<AbsentWord>,
        split: Option<&BTreeMap<String, String>>,
    ) -> ClaimRules {
        // An address that nobody verified may be somebody else's: whoever lets it count is told so at every check.
        if accept_unverified == Some(true) {
            let text = "lets whoever types an address at this issuer be taken for its owner, by apps and by rules";
            self.warn(&format!("{key}.accept_unverified_contacts"), text);
        }
        let absent_is_verified = matches!(absent, Some(AbsentWord::Verified));
        if absent_is_verified {
            let text = "takes every e-mail address of this issuer for verified unless it says otherwise; make sure that \
                        people cannot choose theirs there";
            self.warn(&format!("{key}.email_verified_absent"), text);
        }
        for (name, separator) in split.into_iter().flatten() {
            let at = join(&format!("{key}.split_claims"), name);
            if let Some(fault) = NamedFault::of(name, false) {
                self.fault(&at, fault.to_string());
            } else if is_single(name) {
                self.fault(&at, "is one text by definition; there is nothing to take apart");
            }
            if separator.is_empty() || separator.len() > LONGEST_SEPARATOR {
                let text = format!("is not a separator of 1 to {LONGEST_SEPARATOR} bytes, such as \",\" or \" \"");
                self.fault(&at, text);
            }
        }
        ClaimRules {
            split: split.cloned().unwrap_or_default(),
            accept_unverified: accept_unverified.unwrap_or(false),
            absent_is_verified,
        }
    }

    /// What is wrong with a claim that a rule or a header of a route names. A rule that can never be met, and a header that
    /// never comes, look like a person without rights.
    pub(super) fn claim_name(&mut self, key: &str, name: &str, access: Option<Access>) {
        let Some(access) = access else { return };
        if let Some(fault) = NamedFault::of(name, access.takes_tokens()) {
            self.fault(key, fault.to_string());
        } else if CLIENT.contains(&name) && access.takes_sessions() {
            let text = "names the client of an access token: a person who is signed in has none, so this is never there \
                        for sessions; write `access: bearer` if only programs may come";
            self.warn(key, text);
        }
    }

    /// Says that a rule about e-mail addresses cannot be met at an issuer that is known never to say the word.
    pub(super) fn email_can_be_verified(&mut self, key: &str, issuer: &str, rules: &ClaimRules) {
        let host = url::Url::parse(issuer).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        if SILENT_HOSTS.contains(&host.as_str()) && !rules.absent_is_verified {
            let text = format!(
                "can never be met: {host} sends no `email_verified`; write `email_verified_absent: verified` at the issuer \
                 if people cannot choose their address there, or a rule about another claim"
            );
            self.warn(key, text);
        }
    }

    /// What an operator says that words for authentication contexts assure, the lowest first.
    pub(super) fn ladder(
        &mut self,
        key: &str,
        said: Option<&BTreeMap<String, AssuranceWord>>,
    ) -> Vec<(String, Assurance)> {
        let mut ladder = Vec::new();
        for (word, assurance) in said.into_iter().flatten() {
            if let Err(text) = Acr::parse(word) {
                self.fault(&join(key, word), text);
            }
            ladder.push((word.clone(), rank(*assurance)));
        }
        ladder.sort_by_key(|(_, assurance)| *assurance);
        ladder
    }

    /// Authentication contexts at `key`. Among carriers' words there are old spellings, which tokens are read by and which a
    /// configuration should not begin to use; elsewhere the same words are the issuer's own (PF08).
    pub(super) fn acr_words(&mut self, key: &str, list: Option<&List<Written<Acr>>>, words: Vocabulary) -> Vec<String> {
        let mut found = Vec::new();
        for (index, acr) in list.into_iter().flat_map(List::items) {
            let text = &acr.0.0;
            if let Some(instead) = words.replaced(text) {
                let text = match instead {
                    Some(instead) => format!(
                        "{} is the old spelling; write `{instead}` ({} in tokens is understood as that)",
                        shown(text),
                        shown(text)
                    ),
                    None => format!(
                        "{} was withdrawn and means nothing any more; write one of `{}`",
                        shown(text),
                        words.in_use().join("`, `")
                    ),
                };
                self.fault(&format!("{key}[{index}]"), text);
            }
            found.push(text.clone());
        }
        found
    }
}

/// The rank that a word of the configuration names.
pub(super) fn rank(word: AssuranceWord) -> Assurance {
    match word {
        AssuranceWord::Network => Assurance::Network,
        AssuranceWord::Device => Assurance::Device,
        AssuranceWord::Person => Assurance::Person,
        AssuranceWord::Strong => Assurance::Strong,
    }
}
