//! What people's accounts need: their links, and the keys that sign what the app is told of them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::account::links::Links;
use crate::assertion::keeper::AssertionKeys;
use crate::auth::LinkingParts;
use crate::config::Config;
use crate::provider::{ClientError, HttpClient, ProviderSettings};
use crate::secret::Entropy;
use crate::session::seal::{SealKeys, Sealer};
use crate::session::store::RecordStore;

/// Links of people to accounts, if there are any.
pub(super) fn links(
    config: &Config,
    store: &Arc<dyn RecordStore>,
    entropy: &Arc<dyn Entropy>,
    seal_keys: SealKeys,
) -> Option<LinkingParts> {
    let accounts = config.accounts.as_ref()?;
    let links = Links::new(Arc::clone(store), Sealer::new(seal_keys), accounts.links.clone(), Arc::clone(entropy));
    let (changes_per_minute, ticket_ttl) = (accounts.changes_per_minute, accounts.ticket_ttl);
    Some(LinkingParts { links: Arc::new(links), changes_per_minute, ticket_ttl })
}

/// Keys that sign what the app is told, if anything is.
pub(super) fn assertion_keys(
    config: &Config,
    store: &Arc<dyn RecordStore>,
    entropy: &Arc<dyn Entropy>,
    seal_keys: SealKeys,
) -> Option<Arc<AssertionKeys>> {
    let tells = config.accounts.as_ref().is_some_and(|accounts| accounts.registration.is_some());
    if !tells && config.approvals.is_none() {
        return None;
    }
    let keys = &config.assertions.keys;
    Some(Arc::new(if keys.is_empty() {
        let sealer = Sealer::new(seal_keys);
        AssertionKeys::of_store(Arc::clone(store), sealer, config.assertions.rotate, Arc::clone(entropy))
    } else {
        AssertionKeys::of_files(keys.clone())
    }))
}

/// The way to the app's webhook. Its address is the operator's own, so it may be a private one.
pub(super) fn webhook(config: &Config) -> Result<Option<Arc<HttpClient>>, ClientError> {
    let Some(_) = config.approvals.as_ref().and_then(|approvals| approvals.webhook.as_ref()) else { return Ok(None) };
    let settings = ProviderSettings { allow_private_addresses: true, ..config.provider.settings.clone() };
    Ok(Some(Arc::new(HttpClient::new(&settings)?)))
}

/// How long a start waits for the keys that sign for the app. Without them it goes on, and they are taken up once the store
/// answers.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// Takes up the keys before anybody is served: the first pages and the published set have them already. What goes wrong is
/// said by whoever looks again in the background.
pub(super) async fn first_look(keys: &AssertionKeys) {
    let _looked_at_again_soon = tokio::time::timeout(FIRST_LOOK, keys.look(SystemTime::now())).await;
}
