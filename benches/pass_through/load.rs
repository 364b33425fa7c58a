//! The load: keep-alive connections that send the same bytes and count whole answers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::common::client::Browser;
use crate::common::origin::BODY;

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
    while !read[..filled].ends_with(BODY) {
        let count = stream.read(&mut read[filled..]).expect("an answer");
        assert!(count > 0, "the connection was closed: {}", String::from_utf8_lossy(&read[..filled]));
        filled += count;
    }
    assert!(read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read[..filled]));
}

/// Signs a person in through the simulated carriers, which agree by themselves, and returns the session cookie.
pub fn sign_in(address: &str) -> String {
    let host = address.replace("127.0.0.1", "localhost");
    let mut browser = Browser::default();
    let page = browser.visit(&format!("http://{host}/app/page?id=1")).expect("a sign-in ends");
    assert_eq!(page.status, 200, "{} {}", page.head, page.body);
    let cookies = browser.cookies(&host);
    let session = cookies.split("; ").find(|cookie| cookie.starts_with("__Host-gw="));
    session.expect("a session was opened").to_owned()
}
