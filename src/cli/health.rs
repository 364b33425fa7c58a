//! `zengate health`: one request to the private listener, one exit code.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use super::fail;

const PATIENCE: Duration = Duration::from_secs(3);

/// Longest answer read; a health answer is two lines.
const LONGEST: u64 = 4096;

pub(super) fn run(address: &str, live: bool) -> ExitCode {
    match ask(address, if live { "/livez" } else { "/readyz" }) {
        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => {
            println!("{}", if live { "alive" } else { "ready" });
            ExitCode::SUCCESS
        }
        Ok(answer) => fail(answer.rsplit("\r\n\r\n").next().unwrap_or("not ready").trim()),
        Err(error) => fail(format!("{address} does not answer: {error}")),
    }
}

fn ask(address: &str, path: &str) -> std::io::Result<String> {
    let unknown = || std::io::Error::new(std::io::ErrorKind::InvalidInput, "no such address");
    let resolved = address.to_socket_addrs()?.next().ok_or_else(unknown)?;
    let mut stream = TcpStream::connect_timeout(&resolved, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
