//! The one way to standard error: every log line, and the line of every request.
//!
//! Whoever has a line hands it over and goes on; a thread of its own writes, many lines at a time. If lines come faster
//! than they can be written, or whoever reads standard error stops reading, lines are lost and counted, and no request
//! ever waits: otherwise one stalled reader of the log would stop the whole gateway, its health checks and its orderly
//! end included.

#![allow(clippy::disallowed_methods, reason = "a thread of its own, with deadlines")]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::warn;

/// Lines that may wait.
const QUEUE: usize = 8192;

/// Bytes that may wait.
const QUEUED_BYTES: usize = 4 * 1024 * 1024;

/// How often waiting lines are written. The thread sleeps in between instead of being woken by each line: waking a
/// thread would cost a request more than all else that its line takes.
const EVERY: Duration = Duration::from_millis(25);

/// Largest piece that is written at once.
const PIECE: usize = 60 * 1024;

/// Lines that somebody keeps in a form of their own until they are written.
pub trait Source: Send {
    /// Appends waiting lines to `out`, until there are none or `out` is longer than `most` bytes.
    fn drain(&mut self, out: &mut Vec<u8>, most: usize) -> Drained;
}

/// What a [`Source`] has after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// More lines.
    More,
    /// None for now.
    Empty,
    /// None, ever again.
    Ended,
}

/// The way to the thread that writes.
pub struct LogWriter {
    queue: SyncSender<Vec<u8>>,
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    /// Sources that were added and not taken over by the thread yet.
    added: Mutex<Vec<Box<dyn Source>>>,
    /// Bytes in the queue.
    waiting: AtomicUsize,
    /// Lines lost since the process began.
    lost: AtomicU64,
    /// How often all that waited was written.
    rounds: AtomicU64,
}

/// The writer of this process; its thread starts with the first call.
///
/// # Errors
/// If the system has no thread or no descriptor to give.
pub fn stderr() -> io::Result<&'static LogWriter> {
    if let Some(writer) = WRITER.get() {
        return Ok(writer);
    }
    // A descriptor of its own: whoever writes to standard error in another way must not wait for our lock.
    let sink = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let (writer, _runs_on) = LogWriter::start(sink)?;
    Ok(WRITER.get_or_init(|| writer))
}

static WRITER: OnceLock<LogWriter> = OnceLock::new();

/// Lines of this process that were lost.
pub fn lost() -> u64 {
    WRITER.get().map_or(0, |writer| writer.shared.lost.load(Ordering::Relaxed))
}

/// Waits until everything that was handed over before is written, for at most `patience`: before the process ends.
pub fn flush(patience: Duration) {
    if let Some(writer) = WRITER.get() {
        writer.flush(patience);
    }
}

impl LogWriter {
    /// Starts a thread that writes to `sink`; it ends with the writer.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn start(sink: impl Write + Send + 'static) -> io::Result<(Self, JoinHandle<()>)> {
        let (queue, lines) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let work = Work {
            sink,
            lines,
            shared: Arc::clone(&shared),
            sources: Vec::new(),
            buffer: Vec::with_capacity(PIECE + 4096),
            told: 0,
        };
        let thread = std::thread::Builder::new().name("zengate-log".to_owned()).spawn(move || work.run())?;
        Ok((Self { queue, shared, thread: thread.thread().clone() }, thread))
    }

    /// Hands one or more whole lines over, or counts them as lost. Never waits.
    pub fn offer(&self, lines: Vec<u8>) {
        let bytes = lines.len();
        let waiting = self.shared.waiting.fetch_add(bytes, Ordering::Relaxed);
        if waiting.saturating_add(bytes) > QUEUED_BYTES || self.queue.try_send(lines).is_err() {
            self.shared.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.lose(1);
        }
    }

    /// From now on `source` is asked for lines too, until it has ended.
    pub fn attach(&self, source: Box<dyn Source>) {
        self.shared.added.lock().push(source);
    }

    /// Counts lines that a source could not keep.
    pub fn lose(&self, lines: u64) {
        self.shared.lost.fetch_add(lines, Ordering::Relaxed);
    }

    /// Lines lost so far.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything that was handed over before is written, for at most `patience`.
    pub fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        // The round at hand may have begun before the last line came; and what was lost is told in one of its own.
        let wanted = self.shared.rounds.load(Ordering::Acquire) + 3;
        while self.shared.rounds.load(Ordering::Acquire) < wanted && Instant::now() < deadline {
            self.thread.unpark();
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What the thread works with.
struct Work<W> {
    sink: W,
    lines: Receiver<Vec<u8>>,
    shared: Arc<Shared>,
    sources: Vec<Box<dyn Source>>,
    buffer: Vec<u8>,
    /// How many lost lines the log has been told about.
    told: u64,
}

impl<W: Write> Work<W> {
    fn run(mut self) {
        let mut lost_before = 0;
        loop {
            self.sources.append(&mut self.shared.added.lock());
            let open = self.write_lines();
            self.write_sources();
            let lost = self.shared.lost.load(Ordering::Relaxed);
            // Whoever could not keep up does so again: everything is written, and nothing more was lost.
            if lost > self.told && lost == lost_before {
                let lines = lost - self.told;
                self.told = lost;
                warn!(lines, "Log lines were lost: whoever reads the log did not keep up");
            }
            lost_before = lost;
            self.shared.rounds.fetch_add(1, Ordering::Release);
            if !open {
                return;
            }
            std::thread::park_timeout(EVERY);
        }
    }

    /// Whether anybody may still hand over lines.
    fn write_lines(&mut self) -> bool {
        use std::sync::mpsc::TryRecvError;
        loop {
            match self.lines.try_recv() {
                Ok(lines) => {
                    self.shared.waiting.fetch_sub(lines.len(), Ordering::Relaxed);
                    self.buffer.extend_from_slice(&lines);
                }
                Err(end) => {
                    self.write_out();
                    return end == TryRecvError::Empty;
                }
            }
            if self.buffer.len() > PIECE {
                self.write_out();
            }
        }
    }

    fn write_sources(&mut self) {
        let mut sources = std::mem::take(&mut self.sources);
        sources.retain_mut(|source| {
            loop {
                let drained = source.drain(&mut self.buffer, PIECE);
                self.write_out();
                if drained != Drained::More {
                    return drained == Drained::Empty;
                }
            }
        });
        self.sources = sources;
    }

    /// Whole lines at a time, so that no line of anybody else is ever cut in two.
    fn write_out(&mut self) {
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            match self.sink.write(rest) {
                Ok(0) => break,
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Somebody made standard error non-blocking; then this thread waits in its own way.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(EVERY),
                Err(_) => break,
            }
        }
        // Nobody is left to be told that standard error is gone; the metric says how much would have been there.
        let unwritten = memchr::memchr_iter(b'\n', rest).count();
        self.shared.lost.fetch_add(u64::try_from(unwritten).unwrap_or(0), Ordering::Relaxed);
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// A reader that reads when it is let.
    struct Slow {
        gate: Arc<Mutex<()>>,
        read: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _let_through = self.gate.lock();
            let _ended = self.read.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn text(read: &Receiver<Vec<u8>>) -> String {
        String::from_utf8(read.try_iter().flatten().collect()).unwrap()
    }

    // RB06, FT03
    #[test]
    fn nobody_waits_for_a_reader_that_does_not_read_and_every_lost_line_is_counted() {
        let (gate, (read, got)) = (Arc::new(Mutex::new(())), channel());
        let (writer, thread) = LogWriter::start(Slow { gate: Arc::clone(&gate), read }).unwrap();
        let stopped = gate.lock();
        let (began, handed) = (Instant::now(), 100_000);
        (0..handed).for_each(|n| writer.offer(format!("line {n}\n").into_bytes()));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let lost = writer.lost();
        assert!(lost > 0, "nothing was lost");
        writer.flush(Duration::from_millis(50));
        drop(stopped);
        writer.flush(Duration::from_secs(5));
        let written = text(&got);
        assert_eq!(u64::try_from(written.lines().count()).unwrap() + lost, handed);
        // The twin: with a reader that reads nothing is lost.
        writer.offer(b"last\n".to_vec());
        drop(writer);
        thread.join().unwrap();
        assert_eq!(text(&got), "last\n");
    }

    #[test]
    fn bytes_that_wait_are_bounded_too() {
        let (gate, (read, _got)) = (Arc::new(Mutex::new(())), channel());
        let (writer, _thread) = LogWriter::start(Slow { gate: Arc::clone(&gate), read }).unwrap();
        let _stopped = gate.lock();
        (0..100).for_each(|_| writer.offer(vec![b'x'; 1024 * 1024]));
        // Those in the queue, and those that the thread has taken out of it and cannot write.
        assert!(writer.lost() > 85, "{}", writer.lost());
        assert!(writer.shared.waiting.load(Ordering::Relaxed) <= QUEUED_BYTES);
    }

    #[test]
    fn lines_of_a_source_are_written_until_it_ends() {
        struct Numbers(u32);
        impl Source for Numbers {
            fn drain(&mut self, out: &mut Vec<u8>, most: usize) -> Drained {
                while self.0 > 0 {
                    out.extend_from_slice(format!("{}\n", self.0).as_bytes());
                    self.0 -= 1;
                    if out.len() > most {
                        return Drained::More;
                    }
                }
                Drained::Ended
            }
        }
        let (gate, (read, got)) = (Arc::new(Mutex::new(())), channel());
        let (writer, thread) = LogWriter::start(Slow { gate, read }).unwrap();
        writer.attach(Box::new(Numbers(50_000)));
        writer.flush(Duration::from_secs(5));
        drop(writer);
        thread.join().unwrap();
        assert_eq!(text(&got).lines().count(), 50_000);
    }
}
