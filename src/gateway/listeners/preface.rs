//! The first bytes of HTTP/2 (RFC 9113, 3.4), read under a deadline: the framework would wait for them for ever.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a client begins HTTP/2 with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads as much as it takes to tell whether `stream` begins with HTTP/2: whether it does, and what was read.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(bool, Vec<u8>)> {
    let mut read = Vec::with_capacity(PREFACE.len());
    while read.len() < PREFACE.len() {
        let mut piece = [0; PREFACE.len()];
        let room = PREFACE.len() - read.len();
        let count = stream.read(piece.get_mut(..room).unwrap_or_default()).await?;
        if count == 0 {
            break;
        }
        read.extend_from_slice(piece.get(..count).unwrap_or_default());
        if !PREFACE.starts_with(&read) {
            break;
        }
    }
    Ok((read == PREFACE, read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_preface_is_told_from_everything_else_and_nothing_is_lost() {
        for (bytes, is) in [
            (&PREFACE[..], true),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", true),
            (b"GET / HTTP/1.1\r\n", false),
            (b"PRI * HTTP/1.1\r\n\r\n", false),
            (b"P", false),
            (b"", false),
        ] {
            let mut rest = bytes;
            let (found, read) = super::read(&mut rest).await.unwrap();
            assert_eq!(found, is, "{bytes:?}");
            assert_eq!([&read, rest].concat(), bytes);
        }
    }
}
