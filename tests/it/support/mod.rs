//! What the tests stand on. Every part listens on a port the kernel chose, belongs to the test that made it and ends
//! with it; any number may run at once.

pub mod app;
pub mod browser;
pub mod certificates;
pub mod chromium;
pub mod flood;
pub mod foreign;
pub mod process;
pub mod puppet;
pub mod raw;
pub mod redis;
pub mod rig;
pub mod tls;
pub mod upstream;

use std::io::Write as _;
use std::sync::Once;
use std::time::Duration;

/// Chooses the cryptography provider of this process, as the product's `main` does.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _installed_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

/// Says which promise stays untested on this machine, and why. `eprintln!` would not do: what a passing test prints that
/// way is swallowed.
pub fn skipped(promise: &str, why: &str) {
    let line = format!("\n*** SKIPPED, NOT TESTED: {promise}: {why} ***\n");
    let _nowhere_to_say_it = writeln!(std::io::stderr(), "{line}");
}

/// Waits, at most five seconds, for something to be so.
pub async fn wait_until(so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("it becomes so within five seconds");
}
