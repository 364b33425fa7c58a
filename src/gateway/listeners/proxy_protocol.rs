//! The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): who the client is, as a balancer says it before
//! anything else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What version 2 begins with; no version 1 and no HTTP does.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Longest line of version 1, with its end (2.1).
const LONGEST_LINE: usize = 107;

/// Longest header of version 2 behind its first 16 bytes: addresses, and what balancers add to them.
const LONGEST_REST: usize = 4096;

/// Who the client is: `None` where the balancer speaks for itself (its own health checks). And what came behind that.
pub(super) type Said = (Option<SocketAddr>, Vec<u8>);

/// Reads the header. An error of the kind `InvalidData` is for one that is none.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Said> {
    let mut read = Vec::with_capacity(256);
    loop {
        if let Some((client, length)) = parse(&read)? {
            return Ok((client, read.split_off(length)));
        }
        let mut piece = [0; 512];
        match stream.read(&mut piece).await? {
            // Whoever says nothing at all only wants to know whether we listen.
            0 if read.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            0 => return Err(invalid()),
            count => read.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a header of the PROXY protocol")
}

/// The client and the length of the header; `None` if more of it must come.
fn parse(bytes: &[u8]) -> io::Result<Option<(Option<SocketAddr>, usize)>> {
    if bytes.starts_with(SIGNATURE) {
        return parse_binary(bytes);
    }
    if SIGNATURE.starts_with(bytes) || b"PROXY ".starts_with(bytes) {
        return Ok(None);
    }
    if !bytes.starts_with(b"PROXY ") {
        return Err(invalid());
    }
    let line = bytes.get(..LONGEST_LINE.min(bytes.len())).unwrap_or_default();
    match memchr::memmem::find(line, b"\r\n") {
        Some(end) => {
            let line = line.get(..end).and_then(|line| std::str::from_utf8(line).ok()).ok_or_else(invalid)?;
            Ok(Some((parse_line(line)?, end + 2)))
        }
        None if line.len() < LONGEST_LINE => Ok(None),
        None => Err(invalid()),
    }
}

fn parse_line(line: &str) -> io::Result<Option<SocketAddr>> {
    let words: Vec<&str> = line.split(' ').collect();
    let (family, rest) = words.get(1..).and_then(<[&str]>::split_first).ok_or_else(invalid)?;
    if *family == "UNKNOWN" {
        // Whatever stands behind that is to be ignored.
        return Ok(None);
    }
    let [source, destination, source_port, destination_port] = rest else { return Err(invalid()) };
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| port.to_string() == text).ok_or_else(invalid);
    let (source_port, _) = (port(source_port)?, port(destination_port)?);
    let address = |text: &str| match *family {
        "TCP4" => text.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| invalid()),
        "TCP6" => text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| invalid()),
        _ => Err(invalid()),
    };
    let (source, _) = (address(source)?, address(destination)?);
    Ok(Some(SocketAddr::new(source.to_canonical(), source_port)))
}

fn parse_binary(bytes: &[u8]) -> io::Result<Option<(Option<SocketAddr>, usize)>> {
    let Some([version_and_command, family, high, low]) = bytes.get(12..16) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if version_and_command >> 4 != 2 || length > LONGEST_REST {
        return Err(invalid());
    }
    let Some(rest) = bytes.get(16..16 + length) else { return Ok(None) };
    let client = match (version_and_command & 15, family) {
        // LOCAL: whatever stands there is not meant.
        (0, _) => None,
        (1, 0x11) => Some(addressed(rest, 4, 8)?),
        (1, 0x21) => Some(addressed(rest, 16, 32)?),
        // Unknown, or a socket in the balancer's file system: nobody who has an address.
        (1, 0x00 | 0x31) => None,
        _ => return Err(invalid()),
    };
    Ok(Some((client, 16 + length)))
}

fn addressed(rest: &[u8], length: usize, port: usize) -> io::Result<SocketAddr> {
    let address = rest.get(..length).ok_or_else(invalid)?;
    let address = match (<[u8; 4]>::try_from(address), <[u8; 16]>::try_from(address)) {
        (Ok(address), _) => IpAddr::from(address),
        (_, Ok(address)) => IpAddr::from(address).to_canonical(),
        _ => return Err(invalid()),
    };
    // The port of the destination stands behind that of the client.
    let Some([high, low, _, _]) = rest.get(port..port + 4) else { return Err(invalid()) };
    Ok(SocketAddr::new(address, u16::from_be_bytes([*high, *low])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
    }

    async fn said(bytes: &[u8]) -> io::Result<(Option<String>, Vec<u8>)> {
        let mut rest = bytes;
        let (client, mut read) = read(&mut rest).await?;
        read.extend_from_slice(rest);
        Ok((client.map(|client| client.to_string()), read))
    }

    #[tokio::test]
    async fn a_client_is_named_by_either_version_and_nothing_behind_it_is_lost() {
        let four = [&[203, 0, 113, 9, 10, 0, 0, 1][..], &[0x30, 0x39, 0x01, 0xbb]].concat();
        let six =
            [&Ipv6Addr::LOCALHOST.octets()[..], &Ipv6Addr::LOCALHOST.octets(), &[0x30, 0x39, 0x01, 0xbb]].concat();
        let with_extras = [&four[..], &[0x04, 0x00, 0x02, 1, 2]].concat();
        for (header, client) in [
            (b"PROXY TCP4 203.0.113.9 10.0.0.1 12345 443\r\n".to_vec(), Some("203.0.113.9:12345")),
            (b"PROXY TCP6 2001:db8::9 2001:db8::1 12345 443\r\n".to_vec(), Some("[2001:db8::9]:12345")),
            (b"PROXY TCP6 ::ffff:203.0.113.9 ::1 1 443\r\n".to_vec(), Some("203.0.113.9:1")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
            (b"PROXY UNKNOWN whatever it may be\r\n".to_vec(), None),
            (binary(1, 0x11, &four), Some("203.0.113.9:12345")),
            (binary(1, 0x11, &with_extras), Some("203.0.113.9:12345")),
            (binary(1, 0x21, &six), Some("[::1]:12345")),
            (binary(0, 0x00, b""), None),
            (binary(0, 0x11, &four), None),
            (binary(1, 0x00, b""), None),
            (binary(1, 0x31, &[0; 216]), None),
            (binary(1, 0x11, &[&four[..], &vec![0; LONGEST_REST - 12]].concat()), Some("203.0.113.9:12345")),
        ] {
            let whole = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            let (found, rest) = said(&whole).await.unwrap();
            assert_eq!((found.as_deref(), &rest[..]), (client, &b"GET / HTTP/1.1\r\n"[..]), "{header:?}");
            // In any pieces, and never before it is whole.
            for end in 0..header.len() {
                assert!(parse(&header[..end]).unwrap().is_none(), "{end} of {header:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = format!("PROXY TCP4 {}\r\n", "1".repeat(100));
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"PROXY\r\n",
            b"PROXY TCP4\r\n",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 12345\r\n",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 12345 443 x\r\n",
            b"PROXY TCP4 2001:db8::9 2001:db8::1 12345 443\r\n",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 012345 443\r\n",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 +1 443\r\n",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 99999 443\r\n",
            b"PROXY TCP4  203.0.113.9 10.0.0.1 1 443\r\n",
            b"PROXY UDP4 203.0.113.9 10.0.0.1 1 443\r\n",
            b"proxy TCP4 203.0.113.9 10.0.0.1 1 443\r\n",
            long.as_bytes(),
            &binary(1, 0x11, &[1, 2, 3]),
            &binary(2, 0x11, &[0; 12]),
            &binary(1, 0x44, &[0; 12]),
            // Over UDP, which this connection is not.
            &binary(1, 0x12, &[0; 12]),
            &binary(1, 0x11, &[0; LONGEST_REST + 1]),
            &[&binary(1, 0x21, &[0; 12])[..], &[0; 24]].concat(),
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\x00\x00",
            b"PROXY TCP4 203.0.113.9",
        ] {
            let kind = said(bytes).await.map_err(|error| error.kind());
            assert_eq!(kind, Err(io::ErrorKind::InvalidData), "{:?}", String::from_utf8_lossy(bytes));
        }
        // A look at whether somebody listens is no fault.
        assert_eq!(said(b"").await.map_err(|error| error.kind()), Err(io::ErrorKind::UnexpectedEof));
    }
}
