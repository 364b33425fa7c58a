//! What signals ask for. None of them ends the process without letting requests finish, but for a second one of those
//! that stop it.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

/// All signals that are answered, heard from the moment this exists: one that comes while the gateway starts, or right
/// after it said that it is up, asks for an orderly stop like any other.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hang_up: Signal,
    user_1: Signal,
    user_2: Signal,
}

impl Signals {
    /// From now on signals are heard.
    ///
    /// # Errors
    /// If the system does not let us hear them.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hang_up: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Returns on the next one that asks to stop: SIGTERM, SIGINT or SIGQUIT. SIGHUP, SIGUSR1 and SIGUSR2, which by default
    /// would end the process at once, are only told of.
    pub(super) async fn stop(&mut self) {
        loop {
            let ignored = tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.quit.recv() => return,
                _ = self.hang_up.recv() => "SIGHUP",
                _ = self.user_1.recv() => "SIGUSR1",
                _ = self.user_2.recv() => "SIGUSR2",
            };
            info!(signal = ignored, "A signal was ignored; SIGTERM, SIGINT and SIGQUIT stop the gateway");
        }
    }
}
