use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

mod groups;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// A name service that says what a test wants.
#[derive(Default)]
struct Names(Mutex<HashMap<&'static str, Vec<&'static str>>>);

impl Names {
    fn set(&self, host: &'static str, addresses: &[&'static str]) {
        self.0.lock().insert(host, addresses.to_vec());
    }
}

#[async_trait]
impl NameService for Names {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let known = self.0.lock().get(host).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(known.iter().map(|address| SocketAddr::new(address.parse().unwrap(), port)).collect())
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

// FD16
#[tokio::test]
async fn a_name_is_learnt_when_it_is_known_and_kept_when_it_is_not() {
    let (names, mut upstreams) = (Names::default(), Upstreams::default());
    let app = upstreams.endpoints("app.internal", 3000);
    assert!(Arc::ptr_eq(&app, &upstreams.endpoints("app.internal", 3000)), "one name, one memory");
    let unknown = upstreams.resolve(&names, &[], PATIENCE).await;
    let why = unknown.get(&("app.internal".to_owned(), 3000)).map(ToString::to_string);
    assert_eq!(why.as_deref(), Some("the name \"app.internal\" has no address"));
    assert_eq!(app.address(), None);

    names.set("app.internal", &["192.0.2.1"]);
    assert!(upstreams.resolve(&names, &[], PATIENCE).await.is_empty());
    assert_eq!(app.address(), Some(address("192.0.2.1:3000")));
    // The container was made anew.
    names.set("app.internal", &["192.0.2.2"]);
    upstreams.resolve(&names, &[], PATIENCE).await;
    assert_eq!(app.address(), Some(address("192.0.2.2:3000")));
    // The name service is away: the app is not.
    names.0.lock().clear();
    assert!(upstreams.resolve(&names, &[], PATIENCE).await.is_empty());
    assert_eq!(app.address(), Some(address("192.0.2.2:3000")));
}

/// A name service that never answers.
struct Silent;

#[async_trait]
impl NameService for Silent {
    async fn addresses(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        std::future::pending().await
    }
}

// FD16: as long as the configuration says, and no longer, whatever the number of names.
#[tokio::test(start_paused = true)]
async fn a_name_service_that_does_not_answer_is_waited_for_as_long_as_it_may_be() {
    let mut upstreams = Upstreams::default();
    let (_one, _other) = (upstreams.endpoints("app.internal", 3000), upstreams.endpoints("other.internal", 3000));
    for patience in [Duration::from_millis(200), Duration::from_secs(30)] {
        let began = tokio::time::Instant::now();
        assert_eq!(upstreams.resolve(&Silent, &[], patience).await.len(), 2);
        let took = began.elapsed();
        assert!(took >= patience && took < patience + Duration::from_millis(50), "{took:?}");
    }
}

#[tokio::test]
async fn an_address_that_fails_makes_room_for_the_next_and_does_not_come_first_again() {
    let (names, mut upstreams) = (Names::default(), Upstreams::default());
    let app = upstreams.endpoints("app.internal", 80);
    names.set("app.internal", &["::1", "127.0.0.1"]);
    upstreams.resolve(&names, &[], PATIENCE).await;
    let (first, second) = (address("[::1]:80"), address("127.0.0.1:80"));
    assert_eq!(app.address(), Some(first));
    assert!(app.failed(first, 1), "there is another to try");
    assert_eq!(app.address(), Some(second));
    // Another request that failed at the same moment does not skip it.
    assert!(app.failed(first, 1));
    assert_eq!(app.address(), Some(second));
    // The same addresses in another order are no news.
    names.set("app.internal", &["127.0.0.1", "::1"]);
    upstreams.resolve(&names, &[], PATIENCE).await;
    assert_eq!(app.address(), Some(second));
    assert!(!app.failed(second, 2), "both were tried");
}

#[tokio::test]
async fn a_request_tries_no_more_addresses_than_it_may() {
    let (names, mut upstreams) = (Names::default(), Upstreams::default());
    let app = upstreams.endpoints("app.internal", 80);
    names.set("app.internal", &["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"]);
    upstreams.resolve(&names, &[], PATIENCE).await;
    let tries = (1..=6).take_while(|tries| app.failed(app.address().unwrap(), *tries)).count();
    assert_eq!(tries + 1, endpoints::MOST_TRIES);
    let literal = upstreams.endpoints("192.0.2.1", 80);
    assert_eq!(literal.address(), Some(address("192.0.2.1:80")));
    assert!(!literal.failed(address("192.0.2.1:80"), 1));
}

/// A name under somebody else's rule must not open the private listener to the public.
#[tokio::test]
async fn a_name_that_leads_to_our_own_listeners_is_not_followed() {
    let (names, mut upstreams) = (Names::default(), Upstreams::default());
    let app = upstreams.endpoints("app.internal", 44180);
    let own = [("listen", address("0.0.0.0:4180")), ("admin_listen", address("127.0.0.1:44180"))];
    names.set("app.internal", &["127.0.0.1"]);
    let unreachable = upstreams.resolve(&names, &own, PATIENCE).await;
    let why = unreachable.values().next().unwrap().to_string();
    assert_eq!(why, "the name \"app.internal\" leads to the gateway's own admin_listen; name the app's address");
    assert_eq!(app.address(), None);
    names.set("app.internal", &["127.0.0.1", "192.0.2.1", "::ffff:127.0.0.1", "0.0.0.0"]);
    assert!(upstreams.resolve(&names, &own, PATIENCE).await.is_empty());
    assert_eq!(app.address(), Some(address("192.0.2.1:44180")));
    assert!(!app.failed(address("192.0.2.1:44180"), 1), "none of the others");
    // The twin: another port of this machine is an app like any other.
    let other = upstreams.endpoints("app.internal", 3000);
    upstreams.resolve(&names, &own, PATIENCE).await;
    assert_eq!(other.address(), Some(address("127.0.0.1:3000")));
}

#[test]
fn this_machine_is_known_by_its_name() {
    for host in ["localhost", "LOCALHOST.", "app.localhost"] {
        assert!(is_this_machine(host), "{host}");
    }
    for host in ["localhost.example", "notlocalhost", "app.internal"] {
        assert!(!is_this_machine(host), "{host}");
    }
}
