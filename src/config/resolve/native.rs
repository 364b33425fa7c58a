//! Apps on phones: their redirect URIs, and the hosts that they use.

use url::Url;

use super::{Resolver, time, values};
use crate::config::fault::shown;
use crate::config::file::File;
use crate::snapshot::NativeSettings;

impl Resolver<'_> {
    /// `None` if no app hands in anything.
    pub(super) fn native(&mut self, file: &File) -> Option<NativeSettings> {
        let native = file.native.as_ref().filter(|_| self.is_given("native"))?;
        let public = file.public_url.as_ref().and_then(|url| url.0.0.host_str()).unwrap_or_default();
        let hosts = match &native.hosts {
            Some(hosts) => values(Some(hosts), |host| host.0.0.clone()),
            None => vec![public.to_owned()],
        };
        let redirect_uris = values(native.redirect_uris.as_ref(), |uri| uri.0.0.clone());
        for (index, uri) in redirect_uris.iter().enumerate() {
            let url = Url::parse(uri).ok();
            // Whoever is on the way reads the code.
            if url.is_some_and(|url| url.scheme() == "http") {
                let text = format!(
                    "{} is plain http; use a claimed `https` address, or a scheme of the app's own",
                    shown(uri)
                );
                self.fault(&format!("native.redirect_uris[{index}]"), text);
            }
        }
        let linked_account = native.linked_account.unwrap_or(false);
        if linked_account && !self.is_given("accounts") {
            let text = "demands an account that nobody is linked to; write `accounts: {}` to have links";
            self.fault("native.linked_account", text);
        }
        let nonce_ttl = time(native.nonce_ttl.as_ref());
        Some(NativeSettings { redirect_uris, hosts, nonce_ttl, per_minute: native.per_minute?, linked_account })
    }
}
