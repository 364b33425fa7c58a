//! What it takes to load a gateway: an app with large answers, clients that do not read, a limit of memory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// How large the answers of [`LargeApp`] are.
pub const LARGE: usize = 10_000_000;

/// An app that answers every request with [`LARGE`] bytes. Ends when dropped.
pub struct LargeApp {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl LargeApp {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        Self { address, task }
    }
}

impl Drop for LargeApp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream) {
    static PIECE: [u8; 50_000] = [b'x'; 50_000];
    let mut head = [0; 4096];
    while let Ok(1..) = stream.read(&mut head).await {
        let _gone = stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n").as_bytes()).await;
        for _ in 0..LARGE / PIECE.len() {
            if stream.write_all(&PIECE).await.is_err() {
                return;
            }
        }
    }
}

/// A connection from `client`, one of this machine's own addresses.
pub async fn connect_from(client: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(client.parse().unwrap(), 0))?;
    socket.connect(to).await
}

/// A control group with a limit of memory. Removed when dropped.
pub struct MemoryLimit(PathBuf);

impl MemoryLimit {
    /// `None` where this machine or this user has none to give.
    pub fn new(bytes: u64) -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("zengate-test-{}-{number}", std::process::id());
        let hierarchies = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        hierarchies.iter().find_map(|(root, file)| {
            let group = Path::new(root).join(&name);
            // Beside a root that is none, only a plain directory would be made.
            Path::new(root).join("cgroup.procs").exists().then(|| std::fs::create_dir(&group).ok()).flatten()?;
            let limit = Self(group);
            std::fs::write(limit.0.join(file), bytes.to_string()).ok().map(|()| limit)
        })
    }

    /// The file that takes the ids of its processes.
    pub fn processes(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // A process that was just reaped may still be listed.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// Memory that a process has at hand, in bytes; 0 once it is gone.
pub fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}
