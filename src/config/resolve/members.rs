//! The members of a federation: whose networks are whose, and how a person's is found.

use super::Resolver;
use crate::carrier::differs::{Differences, DigestForm, known_hosts};
use crate::carrier::error::CarrierError;
use crate::carrier::find::Way;
use crate::carrier::network::Network;
use crate::config::fault::shown;
use crate::config::file::{DiffersFile, KeyProofWord, List, WayWord, ZenkeyFile};
use crate::oidc::client_auth::{AuthMethod, ClientAuthentication};
use crate::oidc::request_object::can_sign;
use crate::provider::IssuerSettings;

/// Longest name that a carrier has for something, in bytes.
const LONGEST_WORD: usize = 64;

/// Hosts on which the endpoints of `issuer` are known to have been.
pub(super) fn known(issuer: &str) -> Vec<String> {
    known_hosts(issuer).iter().map(|host| (*host).to_owned()).collect()
}

impl Resolver<'_> {
    /// Ways to find out which member a person has, in order.
    pub(super) fn ways(
        &mut self,
        section: &str,
        file: &ZenkeyFile,
        members: &[IssuerSettings],
        shared: &ClientAuthentication,
    ) -> Vec<Way> {
        let key = format!("{section}.find");
        let mut ways = Vec::new();
        for (index, word) in file.find.iter().flat_map(List::items) {
            let way = match word {
                WayWord::Picker => Way::Picker,
                WayWord::UiWithState => Way::UiWithState,
                WayWord::Optimized => Way::Optimized,
            };
            if ways.contains(&way) {
                self.fault(&format!("{key}[{index}]"), "stands twice");
            } else if way == Way::Picker && index > 0 {
                let text = "stands behind another way; people pick first or never, so put it in front";
                self.fault(&format!("{key}[{index}]"), text);
            }
            ways.push(way);
        }
        if ways.contains(&Way::UiWithState) && ways.contains(&Way::Optimized) {
            self.fault(&key, "has both `ui_with_state` and `optimized`; write one of them");
        }
        if ways.contains(&Way::Optimized) {
            self.optimized(members, shared);
        }
        let picks = ways.contains(&Way::Picker);
        for member in members.iter().filter(|member| picks && member.id.is_empty()) {
            self.fault(&member.key, format!("lacks an `id`, by which people pick it (`{key}`); write a short one"));
        }
        if !picks && file.redirect_uri_per_carrier == Some(true) {
            let text = format!("is for carriers that people pick; add `picker` to `{key}`, or remove it");
            self.fault(&format!("{section}.redirect_uri_per_carrier"), text);
        }
        ways
    }

    /// Optimized discovery says whose a code is only together with the code (dossier 7). A secret that was shown to the wrong carrier
    /// would be lost, an assertion for another one is worth nothing there; and a network that nobody listed proves nothing.
    fn optimized(&mut self, members: &[IssuerSettings], shared: &ClientAuthentication) {
        for member in members {
            let shown = member.authentication.as_ref().unwrap_or(shared);
            if shown.method_for(&[]) != AuthMethod::PrivateKeyJwt {
                let text = "is found by `optimized` and is not shown `private_key_jwt`: whoever bends an answer could have our \
                            secret sent to another carrier; write `client_keys`, or choose `ui_with_state`";
                self.fault(&member.key, text);
            }
            if member.networks.is_empty() {
                let text = "is found by `optimized` and lacks `networks`, without which an answer that names another carrier \
                            could not be told; list them, or choose `ui_with_state`";
                self.fault(&member.key, text);
            }
        }
    }

    /// In what one carrier differs. A word that is put for none of ours would be a rule that never holds.
    pub(super) fn differs(&mut self, key: &str, file: &DiffersFile) -> Differences {
        let differs = Differences {
            correlates: file.correlation_id,
            scopes: file.scopes.clone().unwrap_or_default(),
            errors: file.errors.clone().unwrap_or_default(),
            key_proof: file.key_proof.map(|word| match word {
                KeyProofWord::Hex => DigestForm::Hex,
                KeyProofWord::Base64url => DigestForm::Base64Url,
            }),
        };
        let is_word = |text: &str| {
            (1..=LONGEST_WORD).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        };
        for (name, words) in [("scopes", &differs.scopes), ("errors", &differs.errors)] {
            for word in words.iter().flat_map(|(one, other)| [one, other]).filter(|word| !is_word(word)) {
                let text = format!("{} is no single word of visible ASCII of at most 64 bytes", shown(word));
                self.fault(&format!("{key}.differs.{name}"), text);
            }
        }
        if differs.scopes.contains_key("openid") {
            let text = "renames `openid`, without which there is no ID token; remove it";
            self.fault(&format!("{key}.differs.scopes"), text);
        }
        for code in differs.errors.values().filter(|code| CarrierError::parse(code) == CarrierError::Unknown) {
            let text = format!("{} is none of ZenKey's codes; docs/ZENKEY.md lists them", shown(code));
            self.fault(&format!("{key}.differs.errors"), text);
        }
        differs
    }

    /// A proof is signed with a key of ours, or it would be missing whenever somebody signs in.
    pub(super) fn proofs_can_be_signed(&mut self, members: &[IssuerSettings], shared: &ClientAuthentication) {
        for member in members.iter().filter(|member| member.differs.key_proof.is_some()) {
            if !can_sign(member.authentication.as_ref().unwrap_or(shared)) {
                let text = "is signed with a key for RS256, and there is none; write `client_keys` for this carrier or for all";
                self.fault(&format!("{}.differs.key_proof", member.key), text);
            }
        }
    }

    /// One network is one carrier's: of two that both listed it, either could be given the other's people.
    pub(super) fn distinct_networks(&mut self, members: &[IssuerSettings]) {
        let mut known: Vec<(Network, String)> = Vec::new();
        for member in members {
            for (index, network) in member.networks.iter().enumerate() {
                let place = format!("{}.networks[{index}]", member.key);
                match known.iter().find(|(earlier, _)| earlier == network) {
                    Some((_, earlier)) => {
                        self.fault(
                            &place,
                            format!("{network} already stands at {earlier}; a network is one carrier's"),
                        );
                    }
                    None => known.push((*network, place)),
                }
            }
        }
    }
}
