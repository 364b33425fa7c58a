//! How many connections this process can carry: what memory and descriptors allow, told at the start.
//!
//! Whoever opens connections decides how many there are. If they could be more than there is memory for, a stranger
//! could get the process killed; if they could take every descriptor, nobody else, and no health check, would get in.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::connections::ListenerLimits;

/// What an open connection holds while nothing large is answered, with a margin: measured, see docs/PERFORMANCE.md.
const PER_CONNECTION: u64 = 48 * 1024;

/// What a large answer holds besides: what the framework reads ahead of its client.
const PER_LARGE_ANSWER: u64 = 768 * 1024;

/// Memory for everything but connections: at least this much, and a quarter of all.
const LEAST_RESERVE: u64 = 64 * 1024 * 1024;

/// Descriptors for everything but clients and their upstreams: files, the store, providers, the private listener.
const RESERVED_FILES: u64 = 128;

/// What this process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Bytes of memory; `None`: nobody says.
    pub memory: Option<u64>,
    /// Open files; `None`: no limit.
    pub files: Option<u64>,
}

/// Raises the limit of open files to the most that this process may have. An environment often sets the lower, soft
/// limit for programs of another age.
///
/// # Errors
/// If the system refuses it; the limit stays as it was.
pub fn raise_file_limit() -> std::io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return Ok(());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

impl Capacity {
    /// That of this process: its container's memory limit and its own limit of open files.
    pub fn of_process() -> Self {
        let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self { memory: memory_limit(Path::new("/sys/fs/cgroup"), &cgroup), files: getrlimit(Resource::Nofile).current }
    }

    /// `wanted`, lowered to what there is room for.
    pub fn fit(&self, mut wanted: ListenerLimits) -> ListenerLimits {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        let before = wanted.connections;
        if let Some(memory) = self.memory {
            let free = memory.saturating_sub(LEAST_RESERVE.max(memory / 4));
            wanted.connections = wanted.connections.min(count(free / 4 / PER_CONNECTION));
            wanted.large_answers = wanted.large_answers.min(count(free / 4 * 3 / PER_LARGE_ANSWER));
        }
        if let Some(files) = self.files {
            let free = files.saturating_sub(RESERVED_FILES.min(files / 2) + Self::pooled(files));
            // Each client needs a second one for the upstream.
            wanted.connections = wanted.connections.min(count(free / 2));
        }
        wanted.large_answers = wanted.large_answers.min(wanted.connections);
        // Where there are fewer than the operator counted on, one client must not be able to take them all.
        let share = if wanted.connections < before { (wanted.connections / 2).max(1) } else { wanted.connections };
        wanted.connections_per_client = wanted.connections_per_client.min(share);
        wanted
    }

    /// Idle connections to upstreams that may be kept, of each worker's pool together.
    pub fn upstream_pool(&self) -> usize {
        usize::try_from(Self::pooled(self.files.unwrap_or(u64::MAX))).unwrap_or(usize::MAX)
    }

    fn pooled(files: u64) -> u64 {
        256.min(files / 8)
    }
}

/// The least limit of the control group that `cgroup` (as /proc/self/cgroup says it) names, or of one around it. `None`
/// where nobody set one.
fn memory_limit(root: &Path, cgroup: &str) -> Option<u64> {
    let hierarchies = cgroup.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let (base, file) = if controllers.is_empty() {
            (root.to_owned(), "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            return None;
        };
        Some((base, path.trim_start_matches('/').to_owned(), file))
    });
    hierarchies.filter_map(|(base, path, file)| least_limit(&base, &path, file)).min()
}

fn least_limit(base: &Path, path: &str, file: &str) -> Option<u64> {
    let own = base.join(path);
    // Inside a container the path may be the host's, and what is mounted is the container's own group.
    let own = if own.is_dir() { own } else { base.to_owned() };
    let around = own.ancestors().take_while(|group| group.starts_with(base)).map(PathBuf::from);
    around.filter_map(|group| limit_in(&group.join(file))).min()
}

fn limit_in(file: &Path) -> Option<u64> {
    /// The kernel's way to say "none" is a number near the largest one.
    const NONE: u64 = 1 << 60;
    fs::read_to_string(file).ok()?.trim().parse().ok().filter(|limit| *limit < NONE)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gateway::AnswerRate;
    use crate::gateway::head::HeadLimits;

    const MIB: u64 = 1024 * 1024;

    fn wanted() -> ListenerLimits {
        ListenerLimits {
            head: HeadLimits::default(),
            head_deadline: Duration::from_secs(10),
            keepalive: Duration::from_secs(75),
            connections: 20_000,
            connections_per_client: 1_000,
            streams: 100,
            large_answers: 20_000,
            answer_rate: AnswerRate { bytes_per_second: 1024, window: Duration::from_secs(30) },
        }
    }

    // FT21
    #[test]
    fn connections_fit_into_the_memory_there_is() {
        for mib in [32, 64, 128, 256, 512, 1024, 4096, 1 << 20] {
            let fitted = Capacity { memory: Some(mib * MIB), files: None }.fit(wanted());
            let worst = u64::try_from(fitted.connections).unwrap() * PER_CONNECTION
                + u64::try_from(fitted.large_answers).unwrap() * PER_LARGE_ANSWER;
            assert!(mib < 128 || worst + LEAST_RESERVE <= mib * MIB, "{mib} MiB: {fitted:?}");
            assert!(fitted.connections >= 1 && fitted.large_answers >= 1 && fitted.connections_per_client >= 1);
            assert!(fitted.large_answers <= fitted.connections, "{mib} MiB: {fitted:?}");
        }
        let sidecar = Capacity { memory: Some(512 * MIB), files: None }.fit(wanted());
        assert_eq!((sidecar.connections, sidecar.large_answers, sidecar.connections_per_client), (2048, 384, 1000));
        // The twin: with nobody to say how much there is, what was asked for stands.
        assert_eq!(Capacity { memory: None, files: None }.fit(wanted()), wanted());
    }

    // FT29
    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        for files in [16, 64, 256, 1024, 4096, 20_000, 1 << 20] {
            let capacity = Capacity { memory: None, files: Some(files) };
            let fitted = capacity.fit(wanted());
            let used = 2 * fitted.connections + capacity.upstream_pool();
            assert!(u64::try_from(used).unwrap() + RESERVED_FILES.min(files / 4) <= files, "{files}: {fitted:?}");
            assert!(fitted.connections_per_client <= fitted.connections, "{files}: {fitted:?}");
        }
        assert_eq!(Capacity { memory: None, files: Some(1 << 20) }.fit(wanted()), wanted());
    }

    #[test]
    fn a_limit_is_found_in_either_hierarchy_and_around_the_group() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let limit = |cgroup: &str| memory_limit(root.path(), cgroup);
        assert_eq!(limit("0::/\n"), None);
        write("memory.max", "max\n");
        write("pod/memory.max", "536870912\n");
        write("pod/app/memory.max", "max\n");
        assert_eq!(limit("0::/pod/app\n"), Some(512 * MIB));
        assert_eq!(limit("0::/elsewhere/of/the/host\n"), None);
        write("memory.max", "268435456\n");
        assert_eq!(limit("0::/elsewhere/of/the/host\n"), Some(256 * MIB));
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/a/memory.limit_in_bytes", "134217728\n");
        assert_eq!(limit("5:devices:/\n4:cpu,memory:/a\n"), Some(128 * MIB));
        assert_eq!(limit("4:memory:/\n"), None);
        assert_eq!(limit("4:memory\ngarbage\n::\n"), Some(256 * MIB));
    }
}
