//! The keys of a member whose word about its former people another member brings (dossier 14, step 5).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::Federation;
use crate::oidc::jwks::KeySet;
use crate::provider::fetch_budget::Asker;
use crate::provider::metadata::Source;
use crate::provider::{Discovery, ProviderError};

impl Federation {
    /// By its own metadata, as if somebody signed in there; what is at hand costs nothing.
    pub(super) async fn keys_of_former(
        &self,
        issuer: &str,
        kid: Option<&str>,
        client: IpAddr,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        let unlisted = ProviderError::untrusted("issuer is not on the list");
        let guard = self.former_guards.get(issuer).ok_or(unlisted)?;
        guard
            .run(async {
                match self.configurations.find(Source::Issuer(issuer.to_owned()), now).await? {
                    Discovery::Carrier(carrier) => {
                        self.keys.keys(&carrier.issuer, &carrier.jwks_uri, kid, Asker::client(client), now).await
                    }
                    Discovery::AskUser(_) => Err(ProviderError::invalid("no configuration of its own")),
                }
            })
            .await
    }
}
