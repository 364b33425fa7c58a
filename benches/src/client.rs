//! A small browser: one request a connection, cookies by host, redirects followed. `localhost` is 127.0.0.1.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use memchr::memmem;

/// Longest silence of anybody who is asked.
const PATIENCE: Duration = Duration::from_secs(10);
/// Redirects until a sign-in counts as a loop.
const REDIRECTS: usize = 14;

/// An answer, as text.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The status; 0 if it could not be read.
    pub(crate) status: u16,
    /// Status line and fields.
    pub(crate) head: String,
    /// The rest.
    pub(crate) body: String,
}

impl Answer {
    /// The values of a field.
    pub(crate) fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.head.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn read(stream: &mut TcpStream) -> std::io::Result<Self> {
        let (mut all, mut chunk, mut ended) = (Vec::new(), [0; 16 << 10], false);
        loop {
            let end = memmem::find(&all, b"\r\n\r\n").map(|end| end + 4);
            if ended || end.is_some() {
                let (head, body) = all.split_at(end.unwrap_or(all.len()));
                let [head, body] = [head, body].map(|part| String::from_utf8_lossy(part).into_owned());
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
                let answer = Self { status, head, body };
                let length = answer.fields("content-length").next().and_then(|length| length.parse::<usize>().ok());
                let whole = length.is_some_and(|length| all.len() >= end.unwrap_or_default() + length);
                if ended || whole || all.ends_with(b"\r\n0\r\n\r\n") {
                    return Ok(answer);
                }
            }
            match stream.read(&mut chunk)? {
                0 => ended = true,
                count => all.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

/// Connects to `host:port`.
pub(crate) fn connect(authority: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(authority.replace("localhost", "127.0.0.1"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends one request; `fields` are whole lines, each with its end.
pub(crate) fn ask(method: &str, authority: &str, path: &str, fields: &str, body: &str) -> Result<Answer, String> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: bench\r\n{fields}{length}Connection: close\r\n\r\n{body}"
    );
    let answer = connect(authority).and_then(|mut stream| {
        stream.write_all(request.as_bytes())?;
        Answer::read(&mut stream)
    });
    answer.map_err(|error| format!("{authority}: {error}"))
}

/// A browser with its cookies, by host and port.
#[derive(Debug, Default)]
pub(crate) struct Browser {
    jars: HashMap<String, Vec<(String, String)>>,
}

impl Browser {
    /// Opens an address and goes where it leads; returns the last answer.
    pub(crate) fn visit(&mut self, url: &str) -> Result<Answer, String> {
        let mut url = url.to_owned();
        for _ in 0..REDIRECTS {
            let rest = url.strip_prefix("http://").ok_or_else(|| format!("led to {url}, which is not plain HTTP"))?;
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            let path = path.split('#').next().unwrap_or_default();
            let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
            let cookies = self.cookies(authority);
            let cookies = if cookies.is_empty() { cookies } else { format!("Cookie: {cookies}\r\n") };
            let answer = ask("GET", authority, &path, &format!("Accept: text/html\r\n{cookies}"), "")?;
            self.keep(authority, &answer);
            let Some(next) = answer.fields("location").next().map(str::to_owned) else { return Ok(answer) };
            url = if next.starts_with('/') { format!("http://{authority}{next}") } else { next };
        }
        Err("was redirected without end".to_owned())
    }

    fn keep(&mut self, authority: &str, answer: &Answer) {
        let jar = self.jars.entry(authority.to_owned()).or_default();
        for cookie in answer.fields("set-cookie") {
            let mut parts = cookie.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let over = parts.any(|part| part.eq_ignore_ascii_case("max-age=0") || part.contains(" 1970 "));
            jar.retain(|(other, _)| other != name);
            if !over && !value.is_empty() {
                jar.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// The cookies for a host, as they are sent.
    pub(crate) fn cookies(&self, authority: &str) -> String {
        let jar = self.jars.get(authority).map(Vec::as_slice).unwrap_or_default();
        jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}
