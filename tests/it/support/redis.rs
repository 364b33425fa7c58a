//! A Redis of one test's own: a real `redis-server` on a port of the loopback address, killed when dropped.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

/// A running server; its data is nowhere on disk, unless it was asked to keep it.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    pub port: u16,
    /// Where its data is, if it is kept.
    kept: Option<Arc<TempDir>>,
}

impl Redis {
    /// Starts one; `None`, and loud words, if this machine has no `redis-server`.
    pub fn start(untested: &str) -> Option<Self> {
        let found = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join("redis-server").is_file()));
        if !found {
            super::skipped(untested, "there is no redis-server on PATH (apt-get install redis-server)");
            return None;
        }
        // Between finding a free port and using it somebody else may take it: then the server ends, and we try again.
        (0..5).find_map(|_| Self::start_with(free_port(), None, &[]))
    }

    /// The same, with further `arguments`; what it writes to disk is in a directory of its own.
    pub fn start_as(untested: &str, arguments: &[&str]) -> Option<Self> {
        drop(Self::start(untested)?);
        let directory = Arc::new(tempfile::tempdir().unwrap());
        (0..5).find_map(|_| Self::start_with(free_port(), Some(Arc::clone(&directory)), arguments))
    }

    /// The same, of one that has all its data again after [`Redis::restart`].
    pub fn persistent(untested: &str) -> Option<Self> {
        // Says so if there is none.
        drop(Self::start(untested)?);
        let directory = Arc::new(tempfile::tempdir().unwrap());
        (0..5).find_map(|_| Self::start_with(free_port(), Some(Arc::clone(&directory)), &[]))
    }

    /// Starts one on `port`, and returns when it answers; `None` if the port is taken.
    pub fn start_on(port: u16) -> Option<Self> {
        Self::start_with(port, None, &[])
    }

    fn start_with(port: u16, kept: Option<Arc<TempDir>>, arguments: &[&str]) -> Option<Self> {
        let mut command = Command::new("redis-server");
        match &kept {
            None => command.args(["--appendonly", "no"]),
            Some(directory) => {
                command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(directory.path())
            }
        };
        let mut child = command
            .args(["--save", "", "--daemonize", "no", "--bind", "127.0.0.1"])
            .args(["--port", &port.to_string(), "--loglevel", "notice"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.to_lowercase().contains("ready to accept connections") {
            line.clear();
            if log.read_line(&mut line).unwrap() == 0 {
                child.wait().unwrap();
                return None;
            }
        }
        // Whatever it logs later is read, so that it never waits for us.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Some(Self { child, port, kept })
    }

    /// What goes below `sessions:` to use it.
    pub fn sessions(&self) -> String {
        format!("  store: redis://127.0.0.1:{}/0\n", self.port)
    }

    /// Ends it as an accident would; its port stays known.
    pub fn kill(mut self) -> u16 {
        self.end();
        self.port
    }

    /// Ends it as an accident would, and starts it again with what it had kept.
    pub fn restart(mut self) -> Self {
        self.end();
        Self::start_with(self.port, self.kept.clone(), &[]).expect("its old port")
    }

    /// Sends a signal (`STOP`, `CONT`) to this server and to no other process.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn end(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }

    /// Asks it directly.
    pub fn ask<T: redis::FromRedisValue>(&self, words: &[&[u8]]) -> T {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command.query(&mut client.get_connection().unwrap()).unwrap()
    }

    /// The names of all keys that begin with `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<Vec<u8>> {
        self.ask(&[b"KEYS", format!("{prefix}*").as_bytes()])
    }

    /// Every key and every value, one after the other.
    pub fn dump(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for key in self.keys("") {
            let kind: String = self.ask(&[b"TYPE", &key]);
            let values: Vec<Vec<u8>> = match kind.as_str() {
                "zset" => self.ask(&[b"ZRANGE", &key, b"0", b"-1", b"WITHSCORES"]),
                _ => vec![self.ask(&[b"GET", &key])],
            };
            all.extend_from_slice(&key);
            all.extend(values.into_iter().flatten());
        }
        all
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A real Sentinel on a port of the loopback address, killed when dropped.
#[derive(Debug)]
pub struct Sentinel {
    child: Child,
    pub port: u16,
    _directory: TempDir,
}

impl Sentinel {
    /// Starts one, and returns when it takes connections; `None`, and loud words, if this machine has no `redis-server`.
    pub fn start(untested: &str) -> Option<Self> {
        drop(Redis::start(untested)?);
        let (directory, port, watched) = (tempfile::tempdir().unwrap(), free_port(), free_port());
        let file = directory.path().join("sentinel.conf");
        std::fs::write(&file, format!("port {port}\nsentinel monitor main 127.0.0.1 {watched} 1\n")).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel").current_dir(directory.path()).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let sentinel = Self { child, port, _directory: directory };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(std::time::Instant::now() < deadline, "the Sentinel does not listen");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Some(sentinel)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}
