//! The addresses of one upstream: those its name has now, the one to use first, and what is left when it fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

/// How many addresses of one name a request tries at most.
pub(super) const MOST_TRIES: usize = 4;

/// A host and port, with the addresses that the host has.
#[derive(Debug)]
pub struct Endpoints {
    host: String,
    port: u16,
    known: Known,
}

#[derive(Debug)]
enum Known {
    /// The host was written as an address: it never changes, and costs nothing to look up.
    Literal(SocketAddr),
    /// The host is a name.
    Named {
        addresses: ArcSwap<Addresses>,
        /// Told when an address failed: the name may have others by now.
        asked_anew: Arc<Notify>,
    },
}

/// What a name stood for when it was last resolved.
#[derive(Debug, Default)]
struct Addresses {
    all: Vec<SocketAddr>,
    /// The one to use: moves on when a connection to it fails.
    first: AtomicUsize,
}

impl Endpoints {
    pub(super) fn literal(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port(), known: Known::Literal(address) }
    }

    pub(super) fn named(host: &str, port: u16, asked_anew: Arc<Notify>) -> Self {
        Self { host: host.to_owned(), port, known: Known::Named { addresses: ArcSwap::default(), asked_anew } }
    }

    /// Host, as configured.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where to connect now. `None` while the name has no address. Takes no lock.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.known {
            Known::Literal(address) => Some(*address),
            Known::Named { addresses, .. } => {
                let addresses = addresses.load();
                addresses.all.get(addresses.first.load(Ordering::Relaxed)).copied()
            }
        }
    }

    /// A connection to `address` failed: the next one goes to another, and the name is resolved anew. Says whether a
    /// request that has made `tries` so far may try once more.
    pub fn failed(&self, address: SocketAddr, tries: usize) -> bool {
        let Known::Named { addresses, asked_anew } = &self.known else { return false };
        asked_anew.notify_one();
        let addresses = addresses.load();
        let count = addresses.all.len();
        if let Some(place) = addresses.all.iter().position(|one| *one == address) {
            // Only if nobody else moved on since: whoever failed at the same moment must not skip the next address.
            let next = (place + 1) % count;
            let _moved_by_another = addresses.first.compare_exchange(place, next, Ordering::Relaxed, Ordering::Relaxed);
        }
        tries < count.min(MOST_TRIES)
    }

    /// Takes what the name stands for now. The same addresses in another order change nothing: one that failed does not
    /// come first again. Says whether they changed.
    pub(super) fn learn(&self, all: Vec<SocketAddr>) -> bool {
        let Known::Named { addresses, .. } = &self.known else { return false };
        let sorted = |list: &[SocketAddr]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list.dedup();
            list
        };
        let changed = sorted(&addresses.load().all) != sorted(&all);
        if changed {
            addresses.store(Arc::new(Addresses { all, first: AtomicUsize::new(0) }));
        }
        changed
    }
}
