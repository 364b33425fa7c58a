//! A process that is measured, with all it started: what the kernel counted for it, and its end.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a process may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(3);

/// A process and its descendants. Ends with this value.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Takes charge of a child.
    pub(crate) fn new(child: Child) -> Self {
        Self { child }
    }

    /// Writes a line to its input.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().expect("a pipe"), "{line}").expect("the process listens");
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process and everything it started.
    fn tree(&self) -> Vec<u32> {
        let mut tree = vec![self.child.id()];
        let mut next = 0;
        while let Some(pid) = tree.get(next).copied() {
            tree.extend(tasks(pid).into_iter().flat_map(|task| {
                let children = fs::read_to_string(format!("/proc/{pid}/task/{task}/children")).unwrap_or_default();
                children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()).collect::<Vec<_>>()
            }));
            next += 1;
        }
        tree
    }

    /// CPU time of all its threads and descendants, user and kernel, in nanoseconds.
    ///
    /// `schedstat` counts time on a processor: finer than the ticks of `/proc/<pid>/stat`. Threads that have ended are
    /// not in it; the proxies measured here keep theirs.
    pub(crate) fn cpu_nanos(&self) -> u64 {
        let threads = self.tree().into_iter().flat_map(|pid| tasks(pid).into_iter().map(move |task| (pid, task)));
        threads
            .filter_map(|(pid, task)| fs::read_to_string(format!("/proc/{pid}/task/{task}/schedstat")).ok())
            .filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Memory that is the tree's own, pages that are shared counted by their share (PSS), in KiB.
    pub(crate) fn pss_kib(&self) -> u64 {
        self.rollup_kib("Pss:")
    }

    /// Memory that the tree has in hand, pages that are shared counted whole (RSS), in KiB.
    pub(crate) fn rss_kib(&self) -> u64 {
        self.rollup_kib("Rss:")
    }

    /// Of that memory what belongs to no file, in KiB.
    pub(crate) fn anonymous_kib(&self) -> u64 {
        self.rollup_kib("Anonymous:")
    }

    fn rollup_kib(&self, field: &str) -> u64 {
        let of = |pid: u32| {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            rollup.lines().find(|line| line.starts_with(field))?.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        self.tree().into_iter().filter_map(of).sum()
    }
}

/// The threads of a process.
fn tasks(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"));
    entries.into_iter().flatten().filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect()
}

impl Drop for Process {
    /// Asks first: by the end of its input, if that is ours, or else by a signal, and a master process takes its workers
    /// along. Then ends each process of the tree, by its id.
    fn drop(&mut self) {
        if !self.lives() {
            return;
        }
        let tree = self.tree();
        match self.child.stdin.take() {
            Some(input) => drop(input),
            None => signal("TERM", &tree[..1]),
        }
        let deadline = Instant::now() + PATIENCE;
        while self.lives() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let left: Vec<u32> = tree.into_iter().filter(|pid| fs::metadata(format!("/proc/{pid}")).is_ok()).collect();
        signal("KILL", &left);
        let _already_gone = self.child.wait();
    }
}

fn signal(name: &str, pids: &[u32]) {
    let list: String = pids.iter().map(|pid| format!(" {pid}")).collect();
    if !list.is_empty() {
        let _already_gone = Command::new("sh").args(["-c", &format!("kill -{name}{list} 2>/dev/null")]).status();
    }
}
