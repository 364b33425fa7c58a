//! The load: keep-alive connections that send the same bytes and count whole answers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Sends `requests` copies of `request` over `connections` connections, four threads, and checks every answer.
pub fn run(address: &str, request: &[u8], connections: usize, requests: usize) {
    const THREADS: usize = 4;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(move || {
                let mut streams: Vec<_> = (0..connections / THREADS).map(|_| connect(address)).collect();
                let each = requests / THREADS / streams.len();
                for _ in 0..each {
                    streams.iter_mut().for_each(|stream| stream.write_all(request).expect("the proxy reads"));
                    streams.iter_mut().for_each(read_answer);
                }
            });
        }
    });
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the proxy listens");
    stream.set_nodelay(true).expect("a TCP socket");
    stream
}

/// Reads one answer; the upstream's are small and end in the word they all have.
fn read_answer(stream: &mut TcpStream) {
    let mut read = [0; 4096];
    let mut filled = 0;
    while !read[..filled].ends_with(super::roles::BODY) {
        let count = stream.read(&mut read[filled..]).expect("an answer");
        assert!(count > 0, "the connection was closed: {}", String::from_utf8_lossy(&read[..filled]));
        filled += count;
    }
    assert!(read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read[..filled]));
}

/// Signs a person in through the simulated carriers, which agree by themselves, and returns the session cookie.
pub fn sign_in(address: &str) -> String {
    let mut url = format!("http://{}/app/page?id=1", address.replace("127.0.0.1", "localhost"));
    let mut jar: Vec<(String, String)> = Vec::new();
    for _ in 0..10 {
        let (host, path) = url.trim_start_matches("http://").split_once('/').expect("a path");
        let ours = host.starts_with("localhost");
        let cookies: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies =
            if ours && !cookies.is_empty() { format!("Cookie: {}\r\n", cookies.join("; ")) } else { String::new() };
        let mut stream = connect(&host.replace("localhost", "127.0.0.1"));
        write!(
            stream,
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n{cookies}Connection: close\r\n\r\n"
        )
        .expect("a request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer in text");
        for cookie in header(&answer, "set-cookie") {
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            jar.retain(|(other, _)| other != name);
            jar.push((name.to_owned(), value.to_owned()));
        }
        match header(&answer, "location").next() {
            Some(next) if next.starts_with('/') => url = format!("http://{host}{next}"),
            Some(next) => url = next.to_owned(),
            None => break,
        }
    }
    let (name, value) = jar.into_iter().find(|(name, _)| name == "__Host-gw").expect("a session was opened");
    format!("{name}={value}")
}

fn header<'a>(answer: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    head.split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}
