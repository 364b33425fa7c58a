//! Who is measured, and what is asked of them.

use crate::common::role::Role;

/// Keep-alive connections that send requests.
pub const CONNECTIONS: usize = 32;

/// One of the two.
pub struct Contender {
    pub name: &'static str,
    pub process: Role,
    pub request: Vec<u8>,
    pub micros: Vec<f64>,
}

/// The request, to whoever listens at `address`.
pub fn request(address: &str, cookie: &str) -> Vec<u8> {
    let host = address.replace("127.0.0.1", "localhost");
    format!(
        "GET /app/page?id=1 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\
         Accept-Language: en\r\nCookie: theme=dark; {cookie}; lang=en\r\n\r\n"
    )
    .into_bytes()
}
