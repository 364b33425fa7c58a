//! Telling the app how an approval ended, at the one address of the configuration. Whoever must know for certain asks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tracing::{info, warn};
use url::Url;

use crate::provider::HttpClient;
use crate::secret::SecretString;
use crate::telemetry::Metrics;

/// How long to wait before each try.
const TRIES: [Duration; 4] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];

/// Sends a signed event in the background, a few times until the app takes it.
pub(super) fn send(client: Arc<HttpClient>, to: Url, event: SecretString, metrics: Metrics) {
    tokio::spawn(async move {
        let document = SecretString::new(json!({ "event": event.expose() }).to_string());
        for pause in TRIES {
            tokio::time::sleep(pause).await;
            match client.post_json("webhook", &to, &document).await {
                Ok(answer) if (200..300).contains(&answer.status) => {
                    metrics.approval_events.with_label_values(&["taken"]).inc();
                    info!("The app was told how an approval ended");
                    return;
                }
                Ok(answer) => warn!(status = answer.status, "The app did not take how an approval ended"),
                Err(error) => warn!(%error, "The app could not be told how an approval ended"),
            }
        }
        metrics.approval_events.with_label_values(&["lost"]).inc();
    });
}
