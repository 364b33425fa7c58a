//! As much of the WebSocket protocol as it takes to end a stream in its own words (RFC 6455, 5).

/// Longest head of a frame of a server: two octets, eight of length, four of a mask that no server should use.
const LONGEST_HEAD: usize = 14;

/// Where in the app's frames the client is. What is said in the middle of a frame would be read as a part of it.
#[derive(Debug)]
pub(super) struct Frames {
    /// The answer that switches protocols is under way; how much of its end was seen.
    switching: Option<usize>,
    head: [u8; LONGEST_HEAD],
    known: usize,
    /// Octets of payload that are still to come.
    rest: u64,
    /// The app has said that it closes.
    closed: bool,
}

impl Frames {
    /// Before the first octet of the answer that switches protocols.
    pub(super) fn behind_the_switch() -> Self {
        Self { switching: Some(0), head: [0; LONGEST_HEAD], known: 0, rest: 0, closed: false }
    }

    /// Whether a frame of ours can be said now: between two of the app's, of which none was the last.
    pub(super) fn may_interject(&self) -> bool {
        self.switching.is_none() && self.known == 0 && self.rest == 0 && !self.closed
    }

    /// The client was sent `bytes` more.
    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
        while let Some(seen) = self.switching {
            let Some((byte, others)) = bytes.split_first() else { return };
            bytes = others;
            self.switching = match (seen, byte) {
                (3, b'\n') => None,
                (1, b'\n') => Some(2),
                (2, b'\r') => Some(3),
                (_, b'\r') => Some(1),
                _ => Some(0),
            };
        }
        while !bytes.is_empty() {
            if self.rest > 0 {
                let taken = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
                self.rest -= u64::try_from(taken).unwrap_or(0);
                bytes = bytes.get(taken..).unwrap_or_default();
                continue;
            }
            let Some((byte, others)) = bytes.split_first() else { return };
            bytes = others;
            if let Some(place) = self.head.get_mut(self.known) {
                *place = *byte;
            }
            self.known += 1;
            if let Some(length) = self.length() {
                self.closed |= self.head[0] & 0x0f == 8;
                (self.known, self.rest) = (0, length);
            }
        }
    }

    /// Length of the payload, as soon as the frame's head is whole.
    fn length(&self) -> Option<u64> {
        let [_, second, ..] = self.head;
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let masked = if second & 0x80 == 0 { 0 } else { 4 };
        if self.known < 2 || self.known < 2 + extended + masked {
            return None;
        }
        let big_endian = |octets: &[u8]| octets.iter().fold(0, |length, octet| (length << 8) | u64::from(*octet));
        Some(if extended == 0 { u64::from(second & 0x7f) } else { big_endian(self.head.get(2..2 + extended)?) })
    }
}

/// A frame that closes (RFC 6455, 5.5.1 and 7.4.1), of a server.
pub(super) fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    // Control frames hold 125 octets at most.
    let reason = reason.get(..reason.len().min(123)).unwrap_or_default();
    let mut frame = vec![0x88, u8::try_from(2 + reason.len()).unwrap_or(2)];
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(reason.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n";

    /// Whether something may be said after each octet of `bytes`, which begin behind the switch.
    fn gaps(bytes: &[u8]) -> Vec<usize> {
        let mut frames = Frames::behind_the_switch();
        frames.sent(SWITCH);
        let mut gaps = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            if frames.may_interject() {
                gaps.push(at);
            }
            frames.sent(&[*byte]);
        }
        if frames.may_interject() {
            gaps.push(bytes.len());
        }
        // In one piece it ends as it does in many.
        let mut whole = Frames::behind_the_switch();
        whole.sent(&[SWITCH, bytes].concat());
        assert_eq!(whole.may_interject(), frames.may_interject());
        gaps
    }

    #[test]
    fn something_is_said_between_frames_only() {
        // W42, RFC 6455 5.2: lengths of 7, 16 and 64 bits
        let small = [&[0x81, 3][..], b"abc"].concat();
        let medium = [&[0x82, 126, 0, 200][..], &[0x88; 200]].concat();
        let large = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0; 65536]].concat();
        let masked = [&[0x81, 0x82, 1, 2, 3, 4][..], b"ab"].concat();
        for frame in [&small, &medium, &large, &masked] {
            assert_eq!(gaps(frame), [0, frame.len()]);
        }
        let empty = [0x89, 0];
        assert_eq!(gaps(&[&small[..], &empty, &medium].concat()), [0, 5, 7, 7 + medium.len()]);
        assert_eq!(gaps(&small[..4]), [0]);
        // After its last word nobody adds one.
        assert_eq!(gaps(&[0x88, 2, 3, 232]), [0]);
    }

    #[test]
    fn nothing_is_said_before_the_switch_is_whole() {
        for end in 0..SWITCH.len() {
            let mut frames = Frames::behind_the_switch();
            frames.sent(&SWITCH[..end]);
            assert!(!frames.may_interject(), "{end}");
        }
    }

    #[test]
    fn a_close_frame_says_why() {
        assert_eq!(close_frame(1001, "x"), [0x88, 3, 0x03, 0xe9, b'x']);
        assert_eq!(close_frame(1008, &"y".repeat(500)).len(), 127);
    }
}
