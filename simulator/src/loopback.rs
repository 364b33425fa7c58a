//! The few requests that the simulation sends by itself, as plain HTTP/1.1 to loopback addresses.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_LIMIT: u64 = 64 * 1024;

/// A request.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    /// Beside `Host`, `Content-Length` and `Connection`.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a str,
}

/// What was answered, without the way it came.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answered {
    /// The first header of that name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The body as JSON; `null` for anything else.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Sends it; the answer, if there was one.
pub(super) async fn send(asked: &Asked<'_>) -> Option<Answered> {
    let url = Url::parse(asked.url).ok().filter(|url| url.scheme() == "http")?;
    tokio::time::timeout(PATIENCE, exchange(&url, asked)).await.ok()?.ok().flatten()
}

/// Posts JSON with a bearer token; the status of the answer, if there was one.
pub(super) async fn notify(uri: &str, bearer: &str, body: &str) -> Option<u16> {
    let bearer = format!("Bearer {bearer}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    send(&Asked { method: "POST", url: uri, headers: &headers, body }).await.map(|answered| answered.status)
}

async fn exchange(url: &Url, asked: &Asked<'_>) -> std::io::Result<Option<Answered>> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    let mut request = format!("{} {target} HTTP/1.1\r\nHost: {host}:{port}\r\n", asked.method);
    for (name, value) in asked.headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n{}", asked.body.len(), asked.body));
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_LIMIT).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(status.map(|status| Answered { status, head: head.to_owned(), body: body.to_owned() }))
}
