//! The app behind the proxies: answers with as little work as can be.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::role::{listener, say};

/// What it answers unless the path asks for something else.
pub const BODY: &[u8] = b"hello from behind";

/// Answers requests for ever: `…/1k` with 1 KiB, `…/1m` with 1 MiB, `…/echo` with the request's own head, all else with
/// [`BODY`].
pub fn answer() {
    let [plain, kilo, mega] = [BODY.to_vec(), vec![b'k'; 1 << 10], vec![b'm'; 1 << 20]].map(|body| whole(&body));
    serve(move |head, stream| {
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        match path {
            path if path.ends_with(b"/1k") => stream.write_all(&kilo),
            path if path.ends_with(b"/1m") => stream.write_all(&mega),
            path if path.ends_with(b"/echo") => stream.write_all(&whole(head)),
            _ => stream.write_all(&plain),
        }
    });
}

fn whole(body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    [head, body.to_vec()].concat()
}

/// Serves requests without a body on a port that the kernel chose, a thread a connection.
pub fn serve(answer: impl Fn(&[u8], &mut TcpStream) -> std::io::Result<()> + Clone + Send + 'static) {
    let (listener, address) = listener();
    say(address);
    for stream in listener.incoming().map_while(Result::ok) {
        let answer = answer.clone();
        std::thread::spawn(move || {
            let mut stream = stream;
            let _without_it_answers_only_come_later = stream.set_nodelay(true);
            let mut read = vec![0; 64 << 10];
            let mut filled = 0;
            while let Ok(count @ 1..) = stream.read(&mut read[filled..]) {
                filled += count;
                if read[..filled].ends_with(b"\r\n\r\n") {
                    if answer(&read[..filled], &mut stream).is_err() {
                        return;
                    }
                    filled = 0;
                }
            }
        });
    }
}
