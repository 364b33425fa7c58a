//! A Redis of one test's own: a real `redis-server`, killed when dropped.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::secret::SecretString;

/// A running server; its data is nowhere on disk.
pub(in crate::session) struct RedisServer {
    child: Child,
    directory: tempfile::TempDir,
    port: u16,
}

/// Whether this machine has a `redis-server`. If not, says loudly which promise stays untested.
pub(in crate::session) fn available(what: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join("redis-server").is_file()));
    if !found {
        eprintln!(
            "\n*** SKIPPED, NOT TESTED: {what}: there is no redis-server on PATH (apt-get install redis-server) ***\n"
        );
    }
    found
}

/// A port that nobody listens on now.
pub(in crate::session) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl RedisServer {
    /// On a socket in a directory of its own.
    pub(in crate::session) fn start() -> Self {
        Self::start_on(0, &[])
    }

    /// On a port of the loopback address (0: none) and on a socket, with further `arguments`; returns when it answers.
    pub(in crate::session) fn start_on(port: u16, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new("redis-server")
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--bind", "127.0.0.1"])
            .args(["--enable-debug-command", "no", "--loglevel", "notice"])
            .args(["--port", &port.to_string(), "--unixsocket"])
            .arg(directory.path().join("redis.sock"))
            .arg("--dir")
            .arg(directory.path())
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
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "redis-server ended before it was ready");
        }
        // Whatever it logs later is read, so that it never waits for us.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, directory, port }
    }

    pub(in crate::session) fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// Its URL by way of the socket.
    pub(in crate::session) fn url(&self) -> SecretString {
        SecretString::new(format!("unix://{}", self.socket().display()))
    }

    /// Sends a signal (`STOP`, `CONT`) to this server and no other process.
    pub(in crate::session) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Kills it and starts another on the same port.
    pub(in crate::session) fn restart(self, arguments: &[&str]) -> Self {
        let port = self.port;
        drop(self);
        Self::start_on(port, arguments)
    }

    /// Asks the server directly, past the store.
    pub(in crate::session) fn raw<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = redis::Client::open(self.url().expose()).unwrap().get_connection().unwrap();
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query(&mut connection).unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
