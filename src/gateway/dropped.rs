//! What of a request is not passed on says so: once for each route in the log, with the key that would change it, and each
//! time in a metric. An app that never gets what it waits for can otherwise not be told from one that is broken.

use tracing::info;

use crate::snapshot::CompiledRoute;
use crate::telemetry::Metrics;

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// A switch to the WebSocket protocol.
    Upgrade,
    /// The client's credentials for the app.
    Authorization,
    /// A header in which the client spoke as a gateway does.
    Identity,
}

impl Dropped {
    /// Counts it, and says it if nobody has said so of this route.
    pub(super) fn tell(self, route: &CompiledRoute, name: &str, metrics: &Metrics) {
        let (what, key) = match self {
            Self::Upgrade => ("upgrade", "websocket"),
            Self::Authorization => ("authorization", "pass_authorization"),
            // Nothing would change it: an app that believes such a header believes the client.
            Self::Identity => ("identity_header", "identity_headers"),
        };
        metrics.dropped.with_label_values(&[what]).inc();
        if route.is_first_word_about(self as u8) {
            let route = route.name.as_str();
            info!(
                route,
                what,
                header = name,
                key,
                "Something of a request is not passed on to the app; the route's `{key}` says what is. Said once for each route"
            );
        }
    }
}
