//! What answers like a Redis and takes no session: it is named when somebody asks whether the store takes writes, which a
//! PING would never find out.

use std::process::{Child, Command, Stdio};

use super::*;

/// Asks until the answer is `wanted`; servers find out about each other in their own time.
async fn comes_to(store: &RedisStore, wanted: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = match store.ping().await {
            Ok(()) => "takes writes".to_owned(),
            Err(error) => error.to_string(),
        };
        if found.contains(wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "{found}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

// XS16, FT23
#[tokio::test]
async fn a_replica_is_named_and_its_primary_is_taken() {
    if !available("XS16 (replica)") {
        return;
    }
    let port = free_port();
    let _primary = RedisServer::start_on(port, &[]);
    let (own, primary) = (free_port(), port.to_string());
    let _replica = RedisServer::start_on(own, &["--replicaof", "127.0.0.1", &primary]);
    comes_to(&store(&format!("redis://127.0.0.1:{own}")), "read-only replica; name its primary").await;
    comes_to(&store(&format!("redis://127.0.0.1:{port}")), "takes writes").await;
}

// XS16
#[tokio::test]
async fn a_node_that_has_only_some_of_the_keys_is_named_and_one_that_has_all_is_taken() {
    if !available("XS16 (cluster)") {
        return;
    }
    let options = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"];
    for (last, wanted) in [("8191", "a node of a cluster and has only some of the keys"), ("16383", "takes writes")] {
        let server = RedisServer::start_on(free_port(), &options);
        let _: String = server.raw(&["CLUSTER", "ADDSLOTSRANGE", "0", last]);
        comes_to(&store(server.url().expose()), wanted).await;
    }
}

/// A real Sentinel.
struct Sentinel {
    child: Child,
    _directory: tempfile::TempDir,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// XS16
#[tokio::test]
async fn a_sentinel_is_named() {
    if !available("XS16 (sentinel)") {
        return;
    }
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let file = directory.path().join("sentinel.conf");
    let watched = free_port();
    std::fs::write(&file, format!("port {port}\nsentinel monitor main 127.0.0.1 {watched} 1\n")).unwrap();
    let mut command = Command::new("redis-server");
    command.arg(&file).arg("--sentinel").current_dir(directory.path()).stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _sentinel = Sentinel { child, _directory: directory };
    comes_to(&store(&format!("redis://127.0.0.1:{port}")), "a Redis Sentinel, which keeps no records").await;
}

// FT23: the right word for each.
#[tokio::test]
async fn a_redis_that_takes_no_writes_says_why() {
    if !available("FT23") {
        return;
    }
    for (options, wanted) in [
        (&["--maxmemory", "64kb", "--maxmemory-policy", "noeviction"][..], "the session store is full"),
        (&["--min-replicas-to-write", "1"][..], "has stopped taking writes"),
    ] {
        let server = RedisServer::start_on(free_port(), options);
        comes_to(&store(server.url().expose()), wanted).await;
        assert_eq!(get(&store(server.url().expose())).await, Ok(None), "the twin: what there is can be read");
    }
}
