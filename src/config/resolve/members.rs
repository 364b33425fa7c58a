//! The members of a federation: whose networks are whose, and how a person's is found.

use super::Resolver;
use crate::carrier::find::Way;
use crate::carrier::network::Network;
use crate::config::file::{List, WayWord, ZenkeyFile};
use crate::oidc::client_auth::{AuthMethod, ClientAuthentication};
use crate::provider::IssuerSettings;

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
