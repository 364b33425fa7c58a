//! Over HTTP/2 too, a stream ends with what it was opened under, and nothing else of its connection does.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request, StatusCode};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zengate::app::App;

use super::streams::{SOON, app};
use crate::support::browser::Browser;
use crate::support::puppet::Puppet;
use crate::support::rig::Rig;
use crate::support::tls::speak_http2;
use crate::support::wait_until;

/// A gateway that speaks HTTP/2 without TLS, and one who is signed in at it for each of `people`.
async fn gateway(puppet: &Puppet, people: &[&str]) -> (Rig, App, Vec<Browser>) {
    let mut rig = Rig::embedded().await;
    let mut browsers = Vec::new();
    for person in people {
        let browser = Browser::new();
        assert_eq!(rig.sign_in(&browser, "/app", person).await.status, 200);
        browsers.push(browser);
    }
    rig.stop_gateway().await;
    rig.choices.routes.push_str(&format!(
        "  - {{ host: localhost, path: /s, access: session, upstream: 'http://{0}' }}
  - {{ host: localhost, path: /brief, access: anonymous, upstream: 'http://{0}', timeouts: {{ first_byte: 300ms, total: 900ms }} }}
  - {{ host: localhost, path: /open, access: anonymous, upstream: 'http://{0}' }}\n",
        puppet.address
    ));
    rig.choices.top.push_str("limits: { read_timeout: 1s }\n");
    let node = rig.node_listening("listeners:\n  - { address: '127.0.0.1:0', h2c: true }\n").await;
    (rig, node, browsers)
}

async fn dial(address: SocketAddr) -> SendRequest<Bytes> {
    speak_http2(TcpStream::connect(address).await.unwrap()).await
}

/// One stream as its client holds it.
struct Open {
    what: &'static str,
    asked: SendStream<Bytes>,
    answer: ResponseFuture,
}

/// Asks for `path` on a connection that may have others; a body that does not end where it is an upload.
async fn open(client: &SendRequest<Bytes>, path: &'static str, cookie: &str) -> Open {
    let uploads = path.ends_with("upload");
    let method = if uploads { Method::POST } else { Method::GET };
    let asked = Request::builder().method(method).uri(format!("http://localhost{path}")).header("cookie", cookie);
    let mut client = client.clone().ready().await.unwrap();
    let (answer, mut asked) = client.send_request(asked.body(()).unwrap(), !uploads).unwrap();
    if uploads {
        asked.send_data(Bytes::from_static(b"hello"), false).unwrap();
    }
    Open { what: path, asked, answer }
}

/// Reads `body` to its end: whether it ended as it should, and with what trailers.
async fn read(body: &mut RecvStream) -> Result<Option<HeaderMap>, h2::Error> {
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    body.trailers().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_within_a_second_of_a_sign_out_and_those_beside_it_go_on() {
    // W02, F06
    let (puppet, alive) = app().await;
    let (rig, node, people) = gateway(&puppet, &["maya", "ines"]).await;
    let [leaver, stayer] = [&people[0], &people[1]].map(|person| person.cookie_header("localhost"));
    let client = dial(node.address()).await;
    let mut theirs = Vec::new();
    for path in ["/s/events", "/s/silent-events", "/s/download", "/s/call", "/s/long-poll", "/s/upload"] {
        theirs.push(open(&client, path, &leaver).await);
    }
    // On the same connection, and unmoved: somebody else's, and nobody's.
    let others = [open(&client, "/s/events", &stayer).await, open(&client, "/open/events", "").await];
    let mut bodies = Vec::new();
    for other in others {
        let answer = other.answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        bodies.push(answer.into_body());
    }
    wait_until(|| alive.load(Ordering::SeqCst) == 8).await;
    let since = Instant::now();
    assert_eq!(people[0].post(rig.url_at(&node, "/oauth2/sign_out"), &[]).await.status, 200);
    let ends = theirs.into_iter().map(|stream| async move {
        let Open { what, asked, answer } = stream;
        let outcome = match answer.await {
            Ok(answer) => read(&mut answer.into_body()).await,
            Err(error) => Err(error),
        };
        drop(asked);
        (what, outcome, since.elapsed())
    });
    for (what, outcome, took) in timeout(SOON * 3, futures_util::future::join_all(ends)).await.unwrap() {
        assert!(took < SOON, "{what}: {took:?}");
        match outcome {
            // In the words of gRPC: its program is told that it is not signed in.
            Ok(Some(trailers)) if what == "/s/call" => assert_eq!(trailers["grpc-status"], "16"),
            // Reset, so that nobody takes it for the whole.
            Err(error) => assert!(error.is_reset() && error.is_remote(), "{what}: {error}"),
            whole => panic!("{what}: {whole:?}"),
        }
    }
    assert_eq!(node.metrics().streams_ended.with_label_values(&["session"]).get(), 6);
    // The app hears of it too; the others' go on.
    wait_until(|| alive.load(Ordering::SeqCst) == 2).await;
    for body in &mut bodies {
        for _ in 0..20 {
            let data = timeout(SOON, body.data()).await.unwrap().unwrap().unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_an_answer_and_of_a_body_count() {
    // FT18, L02: `timeouts.first_byte`, `timeouts.total`, `limits.read_timeout`
    let (puppet, _alive) = app().await;
    let (_rig, node, _) = gateway(&puppet, &[]).await;
    let client = dial(node.address()).await;
    // A head that drips, and one that never comes.
    for path in ["/brief/slow-head", "/brief/nothing"] {
        let answer = open(&client, path, "").await.answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT, "{path}");
    }
    // An answer that began in time and does not end.
    let started = Instant::now();
    let answer = open(&client, "/brief/events", "").await.answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let cut = timeout(SOON * 3, read(&mut answer.into_body())).await.unwrap();
    assert!(cut.is_err_and(|error| error.is_reset()) && started.elapsed() > Duration::from_millis(800));
    // Its twin without a limit goes on.
    let mut body = open(&client, "/open/events", "").await.answer.await.unwrap().into_body();
    assert!(timeout(Duration::from_millis(1200), read(&mut body)).await.is_err());
    // A body that stops is the client's fault.
    let upload = open(&client, "/open/upload", "").await;
    let answer = timeout(SOON * 2, upload.answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    let limits = ["first_byte", "total"].map(|why| node.metrics().streams_ended.with_label_values(&[why]).get());
    assert_eq!(limits, [2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_stop_sends_streams_away() {
    // FT10, P09
    let (puppet, alive) = app().await;
    let (_rig, node, _) = gateway(&puppet, &[]).await;
    let client = dial(node.address()).await;
    let events = open(&client, "/open/silent-events", "").await.answer.await.unwrap();
    let call = open(&client, "/open/call", "").await.answer.await.unwrap();
    let ends = tokio::spawn(async move {
        let (mut events, mut call) = (events.into_body(), call.into_body());
        tokio::join!(read(&mut events), read(&mut call))
    });
    let began = Instant::now();
    assert_eq!(node.stop(Duration::from_secs(4)).await, 0);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let (events, call) = ends.await.unwrap();
    assert!(events.is_err_and(|error| error.is_reset()));
    assert_eq!(call.unwrap().unwrap()["grpc-status"], "14");
    wait_until(|| alive.load(Ordering::SeqCst) == 0).await;
}
