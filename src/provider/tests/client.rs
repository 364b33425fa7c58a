//! What the client refuses to do, and what it refuses to believe.

use super::super::client::Answer;
use super::peer::{Play, answer, json_answer};
use super::*;

const PATH: &str = "/x";

fn client(bend: impl FnOnce(&mut ProviderSettings)) -> HttpClient {
    let mut settings = plain("http://127.0.0.1:1");
    bend(&mut settings);
    HttpClient::new(&settings).unwrap()
}

async fn get(client: &HttpClient, url: &str) -> Result<Answer, ProviderError> {
    client.get("metadata", &Url::parse(url).unwrap(), usize::MAX).await
}

async fn outcome(client: &HttpClient, peer: &Peer) -> Result<(u16, Vec<u8>), ProviderError> {
    get(client, &format!("{}{PATH}", peer.base)).await.map(|answer| (answer.status, answer.body.to_vec()))
}

// N07, D14
#[tokio::test]
async fn an_answer_is_read_to_the_limit_and_not_a_byte_further() {
    let peer = Peer::start().await;
    let client = client(|settings| settings.max_answer = 10_000);
    let json = [("content-type", "application/json")];
    peer.play(PATH, Play::Say(answer(200, &json, &[b' '; 10_000])));
    assert_eq!(outcome(&client, &peer).await, Ok((200, vec![b' '; 10_000])));
    peer.play(PATH, Play::Say(answer(200, &json, &[b' '; 10_001])));
    assert_eq!(outcome(&client, &peer).await, Err(ProviderError::invalid("answer is too large")));
    // One that announces too much is not waited for.
    peer.play(PATH, Play::Stall(b"HTTP/1.1 200 x\r\ncontent-length: 10001\r\n\r\n".to_vec()));
    assert_eq!(outcome(&client, &peer).await, Err(ProviderError::invalid("answer is too large")));
    peer.play(PATH, Play::Endless);
    assert_eq!(outcome(&client, &peer).await, Err(ProviderError::invalid("answer is too large")));
    assert!(peer.written() < 50 << 20, "the connection is closed, not drained");
    // An error answer is no way round it.
    peer.play(PATH, Play::Say(answer(500, &json, &[b' '; 10_001])));
    assert_eq!(outcome(&client, &peer).await, Err(ProviderError::invalid("answer is too large")));
}

// N07, D14
#[tokio::test]
async fn a_compressed_answer_is_refused_and_none_is_asked_for() {
    let peer = Peer::start().await;
    let client = client(|_| {});
    for coding in ["gzip", "br", "identity, gzip", "x"] {
        let headers = [("content-type", "application/json"), ("content-encoding", coding)];
        peer.play(PATH, Play::Say(answer(200, &headers, b"{}")));
        assert_eq!(outcome(&client, &peer).await, Err(ProviderError::invalid("answer is compressed")), "{coding}");
    }
    let headers = [("content-type", "application/json"), ("content-encoding", "identity")];
    peer.play(PATH, Play::Say(answer(200, &headers, b"{}")));
    assert_eq!(outcome(&client, &peer).await, Ok((200, b"{}".to_vec())));
    assert!(peer.heard().iter().all(|heard| heard.header("accept-encoding").is_none()));
}

// XS17, PF06
#[tokio::test]
async fn what_an_answer_calls_its_body_is_beside_the_point() {
    let peer = Peer::start().await;
    let client = client(|_| {});
    for kind in ["text/html", "text/plain; charset=utf-8", "application/octet-stream", "application/jwk-set+json", ""] {
        for status in [200, 502] {
            peer.play(PATH, Play::Say(answer(status, &[("content-type", kind)], b"{}")));
            assert_eq!(outcome(&client, &peer).await, Ok((status, b"{}".to_vec())), "{kind}");
        }
    }
}

// D14, N07
#[tokio::test]
async fn a_slow_drip_is_cut_by_the_deadline_of_the_whole_exchange() {
    let peer = Peer::start().await;
    let client = client(|settings| settings.total_timeout = Duration::from_millis(300));
    let mut half = json_answer(200, &json!({ "a": "b" }));
    half.truncate(half.len() - 3);
    for play in [Play::Stall(half), Play::Stall(b"HTTP/1.1 200".to_vec()), Play::Hang] {
        peer.play(PATH, play);
        assert_eq!(outcome(&client, &peer).await, Err(ProviderError::timeout()));
    }
}

// Attacks, class I: nothing counts interim answers, but the deadline of the whole exchange ends them, and others are served
// meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interim_answers_without_end_are_ended_by_the_deadline_and_keep_nobody_else_waiting() {
    let (peer, other) = (Peer::start().await, Peer::start().await);
    let client = client(|settings| settings.total_timeout = Duration::from_millis(500));
    peer.play(PATH, Play::Interim);
    other.say(PATH, &json!({}));
    let began = std::time::Instant::now();
    let (endless, served) = tokio::join!(outcome(&client, &peer), outcome(&client, &other));
    assert_eq!(endless, Err(ProviderError::timeout()));
    assert_eq!(served.map(|(status, _)| status), Ok(200));
    assert!(peer.written() > 100_000, "they did come without end");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_outage() {
    let peer = Peer::start().await;
    let client = client(|_| {});
    let mut half = json_answer(200, &json!({ "a": "b" }));
    half.truncate(half.len() - 3);
    for play in [Play::HangUp, Play::Say(half)] {
        peer.play(PATH, play);
        assert_eq!(outcome(&client, &peer).await.map_err(|error| error.kind()), Err(ErrorKind::Unavailable));
    }
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = get(&client, &format!("http://{nobody}/")).await.err();
    assert_eq!(refused, Some(ProviderError::unavailable("no connection", None)));
}

// D10
#[tokio::test]
async fn no_redirect_is_followed_and_no_cookie_is_kept() {
    let (peer, elsewhere) = (Peer::start().await, Peer::start().await);
    let client = client(|_| {});
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let location = format!("{}{PATH}", elsewhere.base);
        peer.play(PATH, Play::Say(answer(status, &[("location", &location), ("set-cookie", "a=b")], b"")));
        assert_eq!(outcome(&client, &peer).await, Err(ProviderError::invalid("answered with a redirect")));
    }
    assert!(elsewhere.heard().is_empty());
    assert!(peer.heard().iter().all(|heard| heard.header("cookie").is_none() && heard.header("referer").is_none()));
}

// N08
#[tokio::test]
async fn no_private_address_is_spoken_to_unless_the_operator_allows_it() {
    let peer = Peer::start().await;
    peer.say(PATH, &json!({}));
    let guarded = client(|settings| settings.allow_private_addresses = false);
    for host in ["127.0.0.1", "localhost", "carrier.localhost", "127.1", "0x7f000001"] {
        let url = format!("http://{host}:{}{PATH}", peer.port);
        let refused = get(&guarded, &url).await.err();
        let words = refused.as_ref().map(ProviderError::to_string).unwrap_or_default();
        assert_eq!(refused, Some(ProviderError::untrusted("address is private or reserved")), "{host}");
        // KC17
        for part in ["exchange metadata at http://", "; found `", "`provider.allow_private_addresses: true`"] {
            assert!(words.contains(part), "{words}");
        }
    }
    for url in ["https://10.0.0.1/", "https://169.254.169.254/", "https://[::ffff:127.0.0.1]/", "https://[fd00::1]/"] {
        let refused = get(&guarded, url).await.err();
        assert_eq!(refused, Some(ProviderError::untrusted("address is private or reserved")), "{url}");
    }
    assert!(peer.heard().is_empty());
    let open = client(|_| {});
    // RFC 6761 6.3: names below `localhost` are ours to resolve.
    for host in ["127.0.0.1", "localhost", "carrier.localhost", "Carrier.LocalHost."] {
        let url = format!("http://{host}:{}{PATH}", peer.port);
        assert_eq!(get(&open, &url).await.map(|answer| answer.status), Ok(200), "{host}");
    }
    let unspecified = get(&open, &format!("http://0.0.0.0:{}/", peer.port)).await.err();
    assert_eq!(unspecified, Some(ProviderError::untrusted("endpoint is not https")));
}

#[tokio::test]
async fn plain_http_stays_on_this_machine() {
    let client = client(|_| {});
    for url in ["http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/", "ftp://localhost/"] {
        let refused = get(&client, url).await.err();
        assert_eq!(refused, Some(ProviderError::untrusted("endpoint is not https")), "{url}");
    }
}

// E12, N03
#[tokio::test]
async fn the_two_headers_we_use_are_read_with_care() {
    let peer = Peer::start().await;
    let client = client(|_| {});
    let cases = [
        ("max-age=600", "10", Some(600), Some(10)),
        ("public, Max-Age=\"5\"", "61", Some(5), Some(60)),
        ("max-age=99999999999999999999999", "99999999999999999999999", Some(u64::from(u32::MAX)), Some(60)),
        ("max-age=-1, s-maxage=7", "Wed, 21 Oct 2026 07:28:00 GMT", None, Some(60)),
        ("max-age=600, no-store", "-1", Some(0), Some(60)),
    ];
    for (cache, retry, max_age, retry_after) in cases {
        peer.play(PATH, Play::Say(answer(429, &[("cache-control", cache), ("retry-after", retry)], b"")));
        let answer = get(&client, &format!("{}{PATH}", peer.base)).await.ok().unwrap();
        assert_eq!(answer.max_age, max_age.map(Duration::from_secs), "{cache}");
        assert_eq!(answer.retry_after, retry_after.map(Duration::from_secs), "{retry}");
    }
}

#[test]
fn a_ca_bundle_must_hold_certificates() {
    let mut settings = plain("http://127.0.0.1:1");
    let file = tempfile::NamedTempFile::new().unwrap();
    settings.ca_file = Some(file.path().to_owned());
    assert!(matches!(HttpClient::new(&settings), Err(ClientError::CaInvalid)));
    settings.ca_file = Some(file.path().join("missing"));
    assert!(matches!(HttpClient::new(&settings), Err(ClientError::CaUnreadable(_))));
}
