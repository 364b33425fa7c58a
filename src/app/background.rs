//! What goes on behind requests and belongs to no room: looking whether somebody could sign in, sweeping the store.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tracing::warn;

use crate::auth::Auth;
use crate::session::store::RecordStore;
use crate::session::sweep_time::SweepTime;

/// How often stores that do not expire by themselves are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked at whether somebody could sign in.
const READINESS_EVERY: Duration = Duration::from_secs(10);

/// Looks whether somebody could sign in, at the start and then again and again. By that a plain issuer is asked for its
/// configuration and keys before the first person needs them. An issuer or a store that is away does not keep the gateway
/// from starting.
pub(super) async fn watch_readiness(auth: Arc<Auth>) {
    loop {
        auth.sign_in_readiness(SystemTime::now()).await;
        tokio::time::sleep(READINESS_EVERY).await;
    }
}

pub(super) async fn sweep(store: Arc<dyn RecordStore>) {
    let began = Instant::now();
    let mut time = SweepTime::begin(SystemTime::now(), began.elapsed());
    loop {
        // Not at once: a machine that has just started may not know the time yet.
        tokio::time::sleep(SWEEP_EVERY).await;
        if let Err(error) = store.sweep(time.at(SystemTime::now(), began.elapsed())).await {
            warn!(reason = %error, "The session store could not be swept");
        }
    }
}
