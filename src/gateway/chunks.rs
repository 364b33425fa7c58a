//! Where the pieces of a chunked body begin and end, by the letter (RFC 9112, 7.1).
//!
//! The framework's parser takes a line without any digit for the last chunk and forgives blanks after a size. Whoever
//! stands before or behind us may not, and would then see another request in the same bytes. So the body is looked at
//! as it arrives, and ended where it stops being one.

use memchr::memchr;

/// Most hexadecimal digits of a size: all that fits into 64 bits.
const MOST_DIGITS: u8 = 16;

/// A size with one more digit stays below 2^63, beyond which some see a negative number.
const MOST_SIZE: u64 = 1 << 59;

/// Reads a chunked body as it arrives. Keeps nothing of it.
#[derive(Debug, Default)]
pub(super) struct ChunkScanner {
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing to look at: not a chunked body, or its end has come.
    #[default]
    Idle,
    /// In the digits of a size.
    Size { digits: u8, size: u64 },
    /// After the `;` of an extension, up to its line's end.
    Extension { size: u64 },
    /// The line feed of a size's line must be next.
    SizeEnd { size: u64 },
    /// In the data.
    Data { left: u64 },
    /// The carriage return, then the line feed, after the data.
    DataEnd { line_feed: bool },
    /// In the trailer section; whether the line at hand is still empty, and whether a carriage return was last.
    Trailer { empty: bool, carriage_return: bool },
    /// Not a chunked body by the letter.
    Broken,
}

impl ChunkScanner {
    /// At the beginning of a chunked body.
    pub(super) fn begin(&mut self) {
        self.state = State::Size { digits: 0, size: 0 };
    }

    /// Nothing to look at.
    pub(super) fn stop(&mut self) {
        self.state = State::Idle;
    }

    /// Whether the body stopped being one.
    pub(super) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// Looks at the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((byte, rest)) = bytes.split_first() {
            match self.state {
                State::Idle | State::Broken => return,
                State::Data { left } => {
                    let here = u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(left);
                    bytes = bytes.get(usize::try_from(here).unwrap_or(usize::MAX)..).unwrap_or_default();
                    let left = left - here;
                    self.state = if left == 0 { State::DataEnd { line_feed: false } } else { State::Data { left } };
                }
                State::Extension { size } => {
                    let Some(end) = memchr(b'\r', bytes) else {
                        return self.refuse_line_ends(bytes);
                    };
                    self.state = State::SizeEnd { size };
                    self.refuse_line_ends(bytes.get(..end).unwrap_or_default());
                    bytes = bytes.get(end + 1..).unwrap_or_default();
                }
                state => {
                    self.state = step(state, *byte);
                    bytes = rest;
                }
            }
        }
    }

    fn refuse_line_ends(&mut self, extension: &[u8]) {
        if memchr(b'\n', extension).is_some() || memchr(0, extension).is_some() {
            self.state = State::Broken;
        }
    }
}

fn step(state: State, byte: u8) -> State {
    match (state, byte) {
        (State::Size { digits, size }, _) if byte.is_ascii_hexdigit() && digits < MOST_DIGITS && size < MOST_SIZE => {
            let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
            State::Size { digits: digits + 1, size: size << 4 | digit }
        }
        (State::Size { digits: 1.., size }, b'\r') => State::SizeEnd { size },
        (State::Size { digits: 1.., size }, b';') => State::Extension { size },
        (State::SizeEnd { size: 0 }, b'\n') => State::Trailer { empty: true, carriage_return: false },
        (State::SizeEnd { size }, b'\n') => State::Data { left: size },
        (State::DataEnd { line_feed: false }, b'\r') => State::DataEnd { line_feed: true },
        (State::DataEnd { line_feed: true }, b'\n') => State::Size { digits: 0, size: 0 },
        (State::Trailer { empty, carriage_return: true }, b'\n') => {
            if empty {
                State::Idle
            } else {
                State::Trailer { empty: true, carriage_return: false }
            }
        }
        (State::Trailer { empty, carriage_return: false }, b'\r') => State::Trailer { empty, carriage_return: true },
        (State::Trailer { carriage_return: false, .. }, 1..=9 | 11..) => {
            State::Trailer { empty: false, carriage_return: false }
        }
        _ => State::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `body` is broken; the same in pieces of any size.
    fn is_broken(body: &str) -> bool {
        let whole = scan(body, usize::MAX);
        for piece in [1, 2, 3, 7] {
            assert_eq!(scan(body, piece), whole, "in pieces of {piece}: {body:?}");
        }
        whole == State::Broken
    }

    fn scan(body: &str, piece: usize) -> State {
        let mut scanner = ChunkScanner::default();
        scanner.begin();
        body.as_bytes().chunks(piece).for_each(|bytes| scanner.feed(bytes));
        scanner.state
    }

    #[test]
    fn a_body_by_the_letter_passes_and_what_follows_it_is_not_looked_at() {
        for body in [
            "5\r\nhello\r\n0\r\n\r\n",
            "5;a=b;c=\"d\"\r\nhello\r\n00\r\n\r\n",
            "A\r\n0123456789\r\n1\r\n\r\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n",
            "0\r\n\r\n",
        ] {
            assert_eq!(scan(body, usize::MAX), State::Idle, "{body:?}");
            assert!(!is_broken(&format!("{body}\0anything\n\n")), "{body:?}");
            for end in 0..body.len() {
                assert!(!is_broken(&body[..end]), "{body:?} up to {end}");
            }
        }
    }

    #[test]
    fn a_body_of_two_readings_is_broken() {
        // I08
        for body in [
            "\r\n5\r\nhello\r\n0\r\n\r\n",
            ";x\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            "5 ;x\r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello",
            "0x5\r\nhello",
            "+5\r\nhello",
            "-5\r\nhello",
            "10000000000000005\r\n",
            "8000000000000000\r\n",
            "ffffffffffffffff\r\n",
            "00000000000000000\r\n",
            "1e1x\r\n",
            "5_0\r\n",
            "5\nhello\n0\n\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello\r\r\n",
            "5;x\ny\r\nhello",
            "5;x\0\r\nhello",
            "5\rx",
            "0\r\n\n",
            "0\r\nX-A: b\n\r\n",
            "0\r\nX-A: b\rc\r\n\r\n",
        ] {
            assert!(is_broken(body), "{body:?}");
        }
    }
}
