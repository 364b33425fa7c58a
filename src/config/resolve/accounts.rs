//! Accounts: links that are sealed by a key which lives as long as they do.

use super::provider::Provider;
use super::{Resolver, bytes, time};
use crate::account::links::{FOR_EVER, LinkSettings};
use crate::assertion::keys::AssertionKey;
use crate::config::file::{AccountsFile, AssertionsFile, File, List};
use crate::config::settings::{AccountSettings, AssertionSettings, StoreChoice};
use crate::snapshot::RegistrationSettings;

impl Resolver<'_> {
    /// `None` if the file says nothing about accounts.
    pub(super) fn accounts(
        &mut self,
        file: &File,
        providers: &[Provider],
        store: Option<&StoreChoice>,
    ) -> Option<AccountSettings> {
        const KEY: &str = "accounts";
        if !self.is_given(KEY) {
            return None;
        }
        if !self.is_given("sessions.keys") && !matches!(store, None | Some(StoreChoice::Memory)) {
            let text = "links outlive sessions, and a key that is derived from the client secret does not live as long as \
                        they must; set sessions.keys (`openssl rand -base64 32`) and keep it";
            self.fault(KEY, text);
        }
        let AccountsFile {
            registration_url,
            registration_ttl,
            ticket_ttl,
            link_ttl,
            subjects_per_account,
            max_links,
            changes_per_minute,
            import_bytes,
        } = file.accounts.as_ref()?;
        Some(AccountSettings {
            links: LinkSettings {
                keep: link_ttl.as_ref().map_or(FOR_EVER, |_| time(link_ttl.as_ref())),
                subjects_per_account: usize::try_from((*subjects_per_account)?).unwrap_or(usize::MAX),
                keeps_everybody: providers.iter().any(Provider::lets_people_migrate),
            },
            registration: registration_url
                .as_ref()
                .map(|url| RegistrationSettings { url: url.0.0.clone(), ttl: time(registration_ttl.as_ref()) }),
            ticket_ttl: time(ticket_ttl.as_ref()),
            max_links: (*max_links)?,
            changes_per_minute: (*changes_per_minute)?,
            import_bytes: bytes(import_bytes.as_ref()),
        })
    }

    /// Keys that sign for the app, none of which shows a provider who we are: what is signed for one could be brought to the
    /// other.
    pub(super) fn assertions(
        &mut self,
        file: Option<&AssertionsFile>,
        providers: &[Provider],
        signs: bool,
    ) -> AssertionSettings {
        let mut keys: Vec<AssertionKey> = Vec::new();
        for (index, path) in file.and_then(|file| file.keys.as_ref()).into_iter().flat_map(List::items) {
            let key = format!("assertions.keys[{index}]");
            let Some((name, found)) = self.key_file(&key, path) else { continue };
            let Some(read) = AssertionKey::from_pem(&found.bytes) else {
                let text = "holds no private key in PEM (PKCS #8) for P-256; `zengate keys` makes one";
                self.fault(&key, format!("{name} {text}"));
                continue;
            };
            let members = providers.iter().flat_map(|provider| &provider.settings.federation.members);
            let of_members = members.filter_map(|member| member.authentication.as_ref());
            let of_all = providers.iter().map(|provider| &provider.settings.authentication).chain(of_members);
            if of_all.flat_map(|of_one| &of_one.keys).any(|client| client.kid() == read.kid()) {
                let text = "holds a key of `client_keys`: what is signed for the app could then be brought to the provider, as \
                            ours; make another one";
                self.fault(&key, format!("{name} {text}"));
            } else if keys.contains(&read) {
                self.fault(&key, format!("{name} holds a key that stands twice"));
            } else {
                keys.push(read);
            }
        }
        if self.is_given("assertions") && !signs {
            self.warn(
                "assertions",
                "is not used: nothing is signed for the app without accounts.registration_url or approvals",
            );
        }
        AssertionSettings { keys, rotate: time(file.and_then(|file| file.rotate.as_ref())) }
    }
}
