//! How slowly a client may read its answer: what it has asked for and does not take lies in our memory, and one byte now
//! and then would keep it there for as long as the client likes.

mod rate;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::connections::ConnectionSlot;
use super::large_answers::Seat;
pub use rate::AnswerRate;
pub(super) use rate::TooSlow;

/// A piece of an answer from which on more of the kind are expected to be read ahead.
const LARGE_PIECE: usize = 16 * 1024;

/// What a client took while we waited for it to take more.
///
/// Only the time in which the socket is full counts: an app that is slow to answer never makes the client late. What
/// the socket took before it was full for the first time does not count, for that only fills buffers.
#[derive(Debug)]
pub(super) struct AnswerPace {
    rate: AnswerRate,
    /// Since when the socket is full; `None` while it is not.
    full_since: Option<Instant>,
    /// For how long it was full before, in the window at hand.
    waited: Duration,
    /// What the client took in the window at hand.
    taken: u64,
    /// Fires at the window's end or earlier: it is set anew only when it goes off or is late.
    timer: Option<Pin<Box<Sleep>>>,
    /// The place among the answers that may fill memory, once this is one.
    seat: Option<Seat>,
}

impl AnswerPace {
    pub(super) fn new(rate: AnswerRate) -> Self {
        Self { rate, full_since: None, waited: Duration::ZERO, taken: 0, timer: None, seat: None }
    }

    /// A piece of `bytes` is to be written. Whether the connection may go on.
    pub(super) fn may_write(&mut self, bytes: usize, client: &ConnectionSlot) -> Result<(), TooSlow> {
        if self.seat.is_none() && bytes >= LARGE_PIECE {
            self.seat = Some(client.enter());
        }
        match &self.seat {
            Some(seat) if seat.is_lost() => Err(TooSlow::Crowded),
            _ => Ok(()),
        }
    }

    /// The socket took `bytes`.
    pub(super) fn took(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if let Some(since) = self.full_since.take() {
            self.waited += since.elapsed();
            if let Some(seat) = &self.seat {
                seat.read();
            }
        }
    }

    /// The answer is over.
    pub(super) fn end(&mut self) {
        self.seat = None;
        self.waited = Duration::ZERO;
    }

    /// The socket is full. Ready once the client was too slow; until then whoever polls is woken in time.
    pub(super) fn poll_full(&mut self, cx: &mut Context<'_>, client: &ConnectionSlot) -> Poll<TooSlow> {
        let now = Instant::now();
        if self.full_since.is_none() {
            if self.waited.is_zero() {
                self.taken = 0;
            }
            self.full_since = Some(now);
        }
        let seat = self.seat.get_or_insert_with(|| client.enter());
        seat.full();
        if seat.poll_lost(cx) {
            return Poll::Ready(TooSlow::Crowded);
        }
        if self.rate.bytes_per_second == 0 {
            return Poll::Pending;
        }
        loop {
            let since = self.full_since.unwrap_or(now);
            let due = since + self.rate.window.saturating_sub(self.waited);
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if timer.deadline() > due {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if timer.deadline() < due {
                timer.as_mut().reset(due);
                continue;
            }
            let owed = u128::from(self.rate.bytes_per_second) * self.rate.window.as_millis() / 1000;
            if u128::from(self.taken) < owed {
                return Poll::Ready(TooSlow::Rate);
            }
            self.taken = 0;
            self.waited = Duration::ZERO;
            self.full_since = Some(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::gateway::connections::tests::slot;

    const RATE: AnswerRate = AnswerRate { bytes_per_second: 1000, window: Duration::from_secs(30) };

    /// After how many seconds a client that takes `bytes` every `pause` is cut; `None`: not within ten minutes.
    async fn cut_after(rate: AnswerRate, bytes: usize, pause: Duration) -> Option<u64> {
        let (mut pace, client) = (AnswerPace::new(rate), slot());
        let began = Instant::now();
        // What fills the socket's buffer at first.
        pace.took(10_000_000);
        while began.elapsed() < Duration::from_secs(600) {
            let full = poll_fn(|cx| pace.poll_full(cx, &client));
            match tokio::time::timeout(pause, full).await {
                Ok(why) => {
                    assert_eq!(why, TooSlow::Rate);
                    return Some(began.elapsed().as_secs());
                }
                Err(_) => pace.took(bytes),
            }
        }
        None
    }

    // FT21
    #[tokio::test(start_paused = true)]
    async fn a_reader_below_the_rate_is_cut_after_one_window() {
        let second = Duration::from_secs(1);
        assert_eq!(cut_after(RATE, 0, 700 * second).await, Some(30));
        assert_eq!(cut_after(RATE, 1, second).await, Some(30));
        assert_eq!(cut_after(RATE, 900, second).await, Some(30));
        // The twins: quick enough, in small pieces or large ones; and no limit at all.
        assert_eq!(cut_after(RATE, 1050, second).await, None);
        assert_eq!(cut_after(RATE, 32 * 1024, 29 * second).await, None);
        assert_eq!(cut_after(AnswerRate { bytes_per_second: 0, ..RATE }, 0, second).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_there_is_nothing_to_read_does_not_count() {
        let (mut pace, client) = (AnswerPace::new(RATE), slot());
        for _ in 0..100 {
            // An app that says a little each minute, each time to a socket that is full for a second.
            let full = poll_fn(|cx| pace.poll_full(cx, &client));
            assert!(tokio::time::timeout(Duration::from_secs(1), full).await.is_err());
            pace.took(1100);
            tokio::time::sleep(Duration::from_secs(59)).await;
        }
    }
}
