//! The entrances of all public listeners, made before anything else is started.

use std::sync::Arc;
use std::time::Duration;

use super::balancers::Balancers;
use super::certificates::{self, CertificateFault, Certificates};
use super::entrance::Entrance;
use super::sockets::ListenerSettings;
use super::tls::Tls;
use crate::telemetry::Metrics;

/// How often it is looked whether certificates changed. A look at the files costs next to nothing.
const LOOK: Duration = Duration::from_secs(2);

/// A listener whose certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {fault}")]
pub struct EntranceFault {
    key: String,
    fault: CertificateFault,
}

/// The entrances of all public listeners, in their order.
#[derive(Debug, Default)]
pub struct Entrances(Vec<Entrance>);

impl Entrances {
    /// Reads what they need. Blocks.
    ///
    /// # Errors
    /// If a certificate cannot be used.
    pub fn load(listeners: &[ListenerSettings], metrics: &Metrics) -> Result<Self, EntranceFault> {
        let entrances = listeners.iter().map(|listener| {
            let fault = |fault| EntranceFault { key: listener.key.clone(), fault };
            let tls = listener.tls.as_ref().map(|tls| Tls::load(tls, metrics).map_err(fault)).transpose()?;
            let balancers = listener.balancers.clone().map(|from| Balancers::new(&listener.key, from));
            Ok(Entrance { tls, h2c: listener.h2c, redirects: listener.redirects, balancers })
        });
        Ok(Self(entrances.collect::<Result<_, _>>()?))
    }

    /// Reads certificates anew when they change, for as long as it is polled; `None` where there are none.
    pub fn keep(&self, metrics: &Arc<Metrics>) -> Option<impl Fn() -> Task + Send + 'static> {
        let all: Vec<Arc<Certificates>> =
            self.0.iter().filter_map(|entrance| Some(Arc::clone(&entrance.tls.as_ref()?.certificates))).collect();
        let metrics = Arc::clone(metrics);
        let any = !all.is_empty();
        any.then_some(move || -> Task { Box::pin(certificates::keep(all.clone(), LOOK, Arc::clone(&metrics))) })
    }

    /// That of the listener at `index`.
    pub(in crate::gateway) fn take(&mut self, index: usize) -> Entrance {
        self.0.get_mut(index).map(std::mem::take).unwrap_or_default()
    }
}

/// What goes on in the background.
type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
