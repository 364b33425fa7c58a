use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

mod wrong_kind;

use super::server::{RedisServer, available, free_port};
use super::*;
use crate::secret::sha256;
use crate::session::samples::noon;

const MINUTE: Duration = Duration::from_secs(60);

fn key(n: u32) -> StoreKey {
    StoreKey(sha256(&n.to_be_bytes()))
}

fn at(url: &str) -> RedisSettings {
    // A busy machine must not make a test fail; those about deadlines set their own.
    RedisSettings {
        response_timeout: Duration::from_secs(10),
        connection_timeout: Duration::from_secs(10),
        ..RedisSettings::new(SecretString::new(url))
    }
}

fn store(url: &str) -> RedisStore {
    RedisStore::connect(at(url)).unwrap()
}

async fn get(store: &RedisStore) -> Result<Option<Vec<u8>>, StoreError> {
    store.get(Kind::Session, key(1), noon()).await
}

async fn put(store: &RedisStore) -> Result<(), StoreError> {
    store.put(Kind::Session, key(1), b"record", MINUTE, noon()).await
}

fn words<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Unavailable(words) | StoreError::Unfit(words)) => words,
        other => panic!("not unavailable: {other:?}"),
    }
}

// F11: names in Redis are ours, hold a hash, and end.
#[tokio::test]
async fn a_record_lies_under_its_prefix_kind_and_hash_and_runs_out() {
    if !available("names and times of records in Redis") {
        return;
    }
    let server = RedisServer::start();
    let store = store(server.url().expose());
    put(&store).await.unwrap();
    store.put(Kind::Attempt, key(1), b"attempt", MINUTE, noon()).await.unwrap();
    let mut names: Vec<String> = server.raw(&["KEYS", "*"]);
    names.sort();
    let hex = key(1).to_hex();
    assert_eq!(names, [format!("zengate:attempt:{hex}"), format!("zengate:session:{hex}")]);
    for name in &names {
        let left: u64 = server.raw(&["PTTL", name]);
        assert!((1..=60_000).contains(&left), "{left}");
    }
    assert!(store.replace(Kind::Session, key(1), b"seen", 2 * MINUTE, noon()).await.unwrap());
    let left: u64 = server.raw(&["PTTL", &names[1]]);
    assert!(left > 60_000, "{left}");
}

// M09
#[tokio::test]
async fn an_emptied_redis_has_no_sessions_and_goes_on() {
    if !available("M09") {
        return;
    }
    let server = RedisServer::start();
    let store = store(server.url().expose());
    put(&store).await.unwrap();
    let _: String = server.raw(&["FLUSHALL"]);
    assert_eq!(get(&store).await, Ok(None));
    put(&store).await.unwrap();
    assert!(get(&store).await.unwrap().is_some());
}

// M13
#[tokio::test]
async fn a_value_of_another_type_under_our_key_is_no_record() {
    if !available("M13") {
        return;
    }
    let server = RedisServer::start();
    let store = store(server.url().expose());
    let name = format!("zengate:session:{}", key(1).to_hex());
    for plant in [&["LPUSH", &name, "x"][..], &["HSET", &name, "a", "b"], &["SADD", &name, "x"]] {
        let _: redis::Value = server.raw(plant);
        assert_eq!(get(&store).await, Ok(None), "{}", plant[0]);
        assert_eq!(store.take(Kind::Session, key(1), noon()).await, Ok(None));
        store.remove(Kind::Session, key(1)).await.unwrap();
        let left: u64 = server.raw(&["EXISTS", &name]);
        assert_eq!(left, 0);
    }
    assert_eq!(store.foreign_values(), 6);
    let _: redis::Value = server.raw(&["SET", &name, "a string is a record, which its seal then refuses"]);
    assert!(get(&store).await.unwrap().is_some());
    assert_eq!(store.foreign_values(), 6);
}

// M12, R04
#[tokio::test]
async fn a_wrong_password_is_said_plainly_and_never_shown() {
    if !available("M12") {
        return;
    }
    let port = free_port();
    let server = RedisServer::start_on(port, &["--requirepass", "right-hunter2"]);
    let wrong = store(&format!("redis://:wrong-hunter2@127.0.0.1:{port}"));
    let missing = store(&format!("redis://127.0.0.1:{port}"));
    let nobody = store(&format!("redis://nobody:wrong-hunter2@127.0.0.1:{port}"));
    for store in [&wrong, &missing, &nobody] {
        for words in [words(get(store).await), words(put(store).await), words(store.ping().await)] {
            assert_eq!(words, "Redis refused the user name or password");
        }
        assert!(!format!("{store:?}").contains("hunter2"));
    }
    let right = store(&format!("redis://:right-hunter2@127.0.0.1:{port}"));
    put(&right).await.expect("the twin");

    // Put right on the side of Redis: the gateway need not be restarted.
    let mut client = redis::Client::open(format!("redis://:right-hunter2@127.0.0.1:{port}")).unwrap();
    let _: () = redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("wrong-hunter2").query(&mut client).unwrap();
    assert!(get(&wrong).await.unwrap().is_some());
    drop(server);
}

// M12
#[tokio::test]
async fn a_user_without_the_rights_is_said_plainly() {
    if !available("M12 (ACL)") {
        return;
    }
    let port = free_port();
    let rights = ["--user", "reader", "on", ">hunter2", "~zengate:*", "-@all", "+get", "+ping"];
    let server = RedisServer::start_on(port, &rights);
    let store = store(&format!("redis://reader:hunter2@127.0.0.1:{port}"));
    assert_eq!(get(&store).await, Ok(None));
    let words = words(put(&store).await);
    assert!(words.contains("does not allow this user"), "{words}");
    drop(server);
}

// R04
#[test]
fn a_url_that_cannot_be_read_is_not_shown() {
    for url in [
        "hunter2",
        "",
        "http://user:hunter2@host",
        "redis://user:hunter2@host:port",
        "redis://user:hunter2@host:99999",
        "redis://user:hunter2@/0",
        "redis://user:hunter2@host/database",
        "redis://:hunter2@0.0.0.0",
        "rediss://user:hunter2@host/#insecure",
        "redis://user:hunter2#x@host",
        "redis://user:hunter2/x@host",
        "redis+sentinel://user:hunter2@host",
        "redis://user:hunter2%ff@host",
    ] {
        let fault = RedisStore::connect(at(url)).expect_err(url);
        assert!(!format!("{fault} {fault:?}").contains("hunter2"), "{fault}");
    }
    let settings = at("redis://user:hunter2@host:6379/3");
    assert!(!format!("{settings:?}").contains("hunter2"));
    for url in
        ["redis://user:hunter2@host:6379/3", "redis://host", "rediss://:hunter2%23@host", "unix:///run/redis.sock?db=1"]
    {
        let store = RedisStore::connect(at(url)).expect(url);
        assert!(!format!("{store:?}").contains("hunter2"));
    }
}

// P08
#[tokio::test]
async fn a_gateway_starts_while_redis_is_away_and_finds_it_when_it_comes() {
    if !available("P08") {
        return;
    }
    let port = free_port();
    let store = store(&format!("redis://127.0.0.1:{port}"));
    for _ in 0..20 {
        assert_eq!(words(store.ping().await), "Redis cannot be reached at the configured address");
    }
    let _server = RedisServer::start_on(port, &[]);
    // Attempts to reach it come with short pauses between them.
    let deadline = std::time::Instant::now() + Duration::from_secs(2);
    while let Err(error) = store.ping().await {
        assert!(std::time::Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    put(&store).await.unwrap();
}

// M11
#[tokio::test]
async fn the_first_call_after_a_restart_of_redis_succeeds() {
    if !available("M11") {
        return;
    }
    let port = free_port();
    let mut server = RedisServer::start_on(port, &[]);
    let store = store(&format!("redis://127.0.0.1:{port}"));
    for _ in 0..5 {
        put(&store).await.unwrap();
        server = server.restart(&[]);
        put(&store).await.expect("the first call on a connection that died unnoticed");
        assert!(get(&store).await.unwrap().is_some());
        server = server.restart(&[]);
        assert_eq!(store.take(Kind::Session, key(1), noon()).await, Ok(None));
    }
    drop(server);
    for _ in 0..20 {
        words(get(&store).await);
    }
    let _server = RedisServer::start_on(port, &[]);
    put(&store).await.expect("the first call after failed ones");
}

/// Accepts and closes at once; counts how often.
async fn slammed_door() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let knocks = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&knocks);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counting.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    (port, knocks)
}

// FT07: 16,541 attempts in eight seconds were seen before there was a pause between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_refuses_connections_is_not_flooded_with_attempts() {
    let (port, knocks) = slammed_door().await;
    let store = store(&format!("redis://127.0.0.1:{port}"));
    let (begin, mut asked) = (Instant::now(), 0);
    while begin.elapsed() < Duration::from_millis(1500) {
        let calls = (0..50).map(|_| async { words(get(&store).await) });
        asked += futures_util::future::join_all(calls).await.len();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let knocks = knocks.load(Ordering::SeqCst);
    assert!(asked > 1000, "{asked}");
    assert!((3..=40).contains(&knocks), "{knocks} attempts for {asked} questions");
}

/// Accepts, reads, never answers.
async fn mute() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move { while stream.read_u8().await.is_ok() {} });
        }
    });
    port
}

// M02
#[tokio::test]
async fn a_redis_that_accepts_and_hangs_is_away_within_the_deadline() {
    let port = mute().await;
    let settings = RedisSettings::new(SecretString::new(format!("redis://:hunter2@127.0.0.1:{port}")));
    assert_eq!(settings.response_timeout, Duration::from_millis(250));
    let store = Arc::new(RedisStore::connect(settings).unwrap());
    for _ in 0..5 {
        let begin = Instant::now();
        assert_eq!(words(get(&store).await), "Redis did not answer in time");
        assert!(begin.elapsed() < Duration::from_millis(750), "{:?}", begin.elapsed());
    }
    // From now on one waits and all others are told at once.
    let mut waited = 0;
    let calls = (0..500).map(|_| async {
        let begin = Instant::now();
        words(get(&store).await);
        begin.elapsed() >= Duration::from_millis(250)
    });
    let begin = Instant::now();
    for long in futures_util::future::join_all(calls).await {
        waited += usize::from(long);
    }
    assert!(waited <= 2, "{waited} callers waited, {:?}", begin.elapsed());
}

// M02: a server that hung and wakes up is found again without a restart of the gateway.
#[tokio::test]
async fn a_redis_that_hung_is_found_again() {
    if !available("M02 (recovery)") {
        return;
    }
    let server = RedisServer::start();
    let settings = RedisSettings { response_timeout: Duration::from_millis(50), ..at(server.url().expose()) };
    let store = RedisStore::connect(settings).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while put(&store).await.is_err() {
        assert!(Instant::now() < deadline);
    }
    server.signal("STOP");
    for _ in 0..10 {
        words(get(&store).await);
    }
    server.signal("CONT");
    while get(&store).await != Ok(Some(b"record".to_vec())) {
        assert!(Instant::now() < deadline, "never found again");
    }
}

// M02: connecting may take longer than a request can wait; it goes on meanwhile.
#[tokio::test]
async fn an_attempt_to_connect_outlives_the_caller_that_began_it() {
    if !available("a slow connection") {
        return;
    }
    let server = RedisServer::start();
    server.signal("STOP");
    let settings = RedisSettings { response_timeout: Duration::from_millis(20), ..at(server.url().expose()) };
    let store = RedisStore::connect(settings).unwrap();
    for _ in 0..20 {
        words(get(&store).await);
    }
    server.signal("CONT");
    let deadline = Instant::now() + Duration::from_secs(20);
    while get(&store).await.is_err() {
        assert!(Instant::now() < deadline);
    }
    let info: String = server.raw(&["INFO", "stats"]);
    let made = info.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
    assert_eq!(made.trim(), "2", "one of the store, one of this question");
}

// M15: whatever comes instead of an answer, the store says that it has none, and looks for a better connection.
#[tokio::test]
async fn nonsense_instead_of_an_answer_is_no_answer() {
    use tokio::io::AsyncWriteExt;
    for nonsense in
        [&b"\x00\xff\xfe garbage\r\n"[..], b"$536870912\r\nxx", b"$-7\r\n", b":12\r\n", b"*1\r\n", b"+hunter2\r\n"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(nonsense).await;
                tokio::spawn(async move { while stream.read_u8().await.is_ok() {} });
            }
        });
        let settings =
            RedisSettings { response_timeout: Duration::from_millis(60), ..at(&format!("redis://127.0.0.1:{port}")) };
        let store = RedisStore::connect(settings).unwrap();
        for _ in 0..3 {
            assert!(!words(get(&store).await).contains("hunter2"));
            assert!(!words(store.ping().await).contains("hunter2"));
        }
    }
}

// M12: TLS that is no TLS ends in our words, not in a panic of the TLS library.
#[tokio::test]
async fn a_server_that_speaks_no_tls_is_said_plainly() {
    use tokio::io::AsyncWriteExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"-ERR Protocol error\r\n").await;
            tokio::spawn(async move { while stream.read_u8().await.is_ok() {} });
        }
    });
    let words = words(get(&store(&format!("rediss://:hunter2@localhost:{port}"))).await);
    assert!(words.contains("no secure connection"), "{words}");
}

#[test]
fn times_to_live_are_at_least_a_millisecond_and_at_most_what_redis_can_say() {
    assert_eq!(time_to_live(Duration::ZERO), None);
    assert_eq!(time_to_live(Duration::from_nanos(1)), Some(1));
    assert_eq!(time_to_live(Duration::from_millis(1500)), Some(1500));
    assert_eq!(time_to_live(Duration::MAX), Some(LONGEST.as_millis() as u64));
}

const TLS_PORT: &str = "ZENGATE_TEST_REDIS_TLS_PORT";

/// Not a test of its own: a process that trusts the certificate of the next test.
#[tokio::test]
#[ignore = "runs in a process of its own, started by the next test"]
async fn child_that_trusts_the_certificate() {
    let Ok(port) = std::env::var(TLS_PORT) else { return };
    put(&store(&format!("rediss://localhost:{port}"))).await.unwrap();
    let words = words(put(&store(&format!("rediss://127.0.0.1:{port}"))).await);
    assert!(words.contains("no secure connection"), "a name that is not in the certificate: {words}");
}

// M12, TM6
#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_has_another_name_is_refused() {
    use std::process::{Command, Stdio};
    if !available("M12 (certificates)") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (key_file, certificate) = (file("key.pem"), file("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &key_file, "-out", &certificate])
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        // Not `eprintln!`: what a passing test prints that way is swallowed.
        let words = "\n*** SKIPPED, NOT TESTED: M12 (certificates): there is no openssl on PATH ***\n";
        let _nowhere_to_say_it = std::io::Write::write_all(&mut std::io::stderr(), words.as_bytes());
        return;
    }
    let port = free_port().to_string();
    let tls = ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key_file];
    let arguments = [&tls[..], &["--tls-auth-clients", "no", "--tls-ca-cert-file", &certificate]].concat();
    let server = RedisServer::start_on(0, &arguments);
    let words = words(put(&store(&format!("rediss://localhost:{port}"))).await);
    assert!(words.contains("no secure connection"), "{words}");

    let trusting = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "session::redis::tests::child_that_trusts_the_certificate"])
        .env(TLS_PORT, &port)
        .env("SSL_CERT_FILE", &certificate)
        .output()
        .unwrap();
    assert!(trusting.status.success(), "the twin: {}", String::from_utf8_lossy(&trusting.stdout));
    let stored: u64 = server.raw(&["DBSIZE"]);
    assert_eq!(stored, 1);
}
