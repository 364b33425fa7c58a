//! Accounts: links that are sealed by a key which lives as long as they do.

use super::{Resolver, bytes, time};
use crate::account::links::{FOR_EVER, LinkSettings};
use crate::config::file::{AccountsFile, File};
use crate::config::settings::{AccountSettings, StoreChoice};

impl Resolver<'_> {
    /// `None` if the file says nothing about accounts.
    pub(super) fn accounts(&mut self, file: &File, store: Option<&StoreChoice>) -> Option<AccountSettings> {
        const KEY: &str = "accounts";
        if !self.is_given(KEY) {
            return None;
        }
        if !self.is_given("sessions.keys") && !matches!(store, None | Some(StoreChoice::Memory)) {
            let text = "links outlive sessions, and a key that is derived from the client secret does not live as long as \
                        they must; set sessions.keys (`openssl rand -base64 32`) and keep it";
            self.fault(KEY, text);
        }
        let AccountsFile { link_ttl, subjects_per_account, max_links, changes_per_minute, import_bytes } =
            file.accounts.as_ref()?;
        Some(AccountSettings {
            links: LinkSettings {
                keep: link_ttl.as_ref().map_or(FOR_EVER, |_| time(link_ttl.as_ref())),
                subjects_per_account: usize::try_from((*subjects_per_account)?).unwrap_or(usize::MAX),
            },
            max_links: (*max_links)?,
            changes_per_minute: (*changes_per_minute)?,
            import_bytes: bytes(import_bytes.as_ref()),
        })
    }
}
