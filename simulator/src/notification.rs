//! The one request a carrier sends by itself: a notification, as a plain HTTP/1.1 POST to a loopback address.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_LIMIT: u64 = 64 * 1024;

/// Sends `body` with a bearer token; the status of the answer, if there was one.
pub(super) async fn post(uri: &str, bearer: &str, body: &str) -> Option<u16> {
    let url = Url::parse(uri).ok().filter(|url| url.scheme() == "http")?;
    tokio::time::timeout(PATIENCE, exchange(&url, bearer, body)).await.ok()?.ok().flatten()
}

async fn exchange(url: &Url, bearer: &str, body: &str) -> std::io::Result<Option<u16>> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_LIMIT).read_to_end(&mut answer).await?;
    let line = String::from_utf8_lossy(&answer);
    Ok(line.split(' ').nth(1).and_then(|status| status.parse().ok()))
}
