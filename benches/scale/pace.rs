//! So many requests a second, whatever the answers do.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::client::connect;
use crate::load::{in_threads, receive_any};
use crate::rotation::Tokens;

/// Connections, each with at most one request under way.
pub const CONNECTIONS: usize = 128;

/// One request.
pub struct Sample {
    /// Which key had signed its token.
    pub key: usize,
    /// When it was sent, counted from the beginning; how much too late that was; how long the answer took.
    pub sent: Duration,
    pub late: Duration,
    pub took: Duration,
    /// Whether it was late because the one before it on its connection was slow.
    pub behind: bool,
    /// 0 if there was no answer.
    pub status: u16,
}

/// Sends `rate` requests a second for `span`, of one caller after another, each with the token it has by then.
pub fn pace(
    authority: &str,
    tokens: &Tokens,
    rate: u32,
    begin: Instant,
    span: Duration,
) -> Result<Vec<Sample>, String> {
    let between = Duration::from_secs(1) / rate;
    let count = usize::try_from(span.as_nanos() / between.as_nanos()).unwrap_or_default();
    let samples = in_threads((0..CONNECTIONS).collect(), |thread: usize| {
        // The kernel lets sleepers oversleep by 50 µs unless told otherwise.
        let _then_a_little_late = fs::write("/proc/thread-self/timerslack_ns", "1");
        let mut line = connect(authority).ok();
        let mut answer = vec![0; 16 << 10];
        let mut samples = Vec::with_capacity(count / CONNECTIONS + 1);
        for place in (thread..count).step_by(CONNECTIONS) {
            let due = begin + between * u32::try_from(place).unwrap_or(u32::MAX);
            let early = due.saturating_duration_since(Instant::now());
            std::thread::sleep(early);
            let Ok(token) = tokens[place % tokens.len()].read().map(|token| Arc::clone(&token)) else { continue };
            let sent = Instant::now();
            let status = line.as_mut().and_then(|line| {
                line.write_all(&token.request).ok()?;
                receive_any(line, &mut answer).ok()
            });
            let took = sent.elapsed();
            if status != Some(200) {
                // Who refuses may hang up as well: that is one failure, not two.
                line = connect(authority).ok();
            }
            samples.push(Sample {
                key: token.key,
                sent: sent - begin,
                late: sent.saturating_duration_since(due),
                took,
                behind: early.is_zero(),
                status: status.unwrap_or(0),
            });
        }
        Ok(samples)
    })?;
    Ok(samples.into_iter().flatten().collect())
}
