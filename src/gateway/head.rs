//! What a request's head really said, byte by byte, before any parser mended it.
//!
//! The framework repairs a space in the target, forgets `Content-Length` beside `Transfer-Encoding`, cuts fragments and
//! accepts bare line feeds. Each of these is a place where two programs read two different requests out of the same
//! bytes, which is how a request is smuggled past the one that judges. So we look first, and refuse.

use memchr::{memchr, memchr2, memchr3};

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadFault {
    /// A line ends in a bare line feed, or holds a bare carriage return or NUL (RFC 9112, 2.2).
    BadLineEnd,
    /// The request line is not exactly method, target and version (RFC 9112, 3).
    BadRequestLine,
    /// A chunked body is not one by the letter (RFC 9112, 7.1).
    BadChunk,
    /// `Content-Length` is doubled, a list, signed, with leading zeros, or not a number below 2^63 (RFC 9110, 8.6).
    BadContentLength,
    /// `Transfer-Encoding` is anything but one plain `chunked`, or comes with `Content-Length` or HTTP/1.0.
    BadTransferEncoding,
    /// More header fields than the limit.
    TooManyFields,
    /// The head is larger than the limit.
    TooLarge,
    /// The target is larger than the limit.
    TargetTooLong,
    /// It had not ended at its deadline.
    TooSlow,
}

/// What was seen of one head.
#[derive(Debug, Clone, Copy)]
pub struct HeadReportView<'a> {
    /// What is wrong with it.
    pub fault: Option<HeadFault>,
    /// The target, as it came.
    pub target: &'a [u8],
}

/// Limits of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Whole head, in bytes. Default 32 KiB.
    pub bytes: usize,
    /// Header fields. Default 100.
    pub fields: usize,
    /// Request target, in bytes. Default 8 KiB.
    pub target: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes: 32 * 1024, fields: 100, target: 8 * 1024 }
    }
}

impl HeadLimits {
    /// Judges a head that was read by somebody else: of HTTP/2, where no line is.
    pub(super) fn judge(&self, fields: usize, bytes: usize) -> Result<(), HeadFault> {
        if bytes > self.bytes {
            return Err(HeadFault::TooLarge);
        }
        if fields > self.fields { Err(HeadFault::TooManyFields) } else { Ok(()) }
    }
}

/// Reads a head as it arrives. One scanner serves one connection, request after request.
#[derive(Debug)]
pub struct HeadScanner {
    limits: HeadLimits,
    /// The request line, without its line end.
    line: Vec<u8>,
    /// A header line that has not ended yet.
    partial: Vec<u8>,
    in_first_line: bool,
    /// An empty line came before the request line.
    after_empty: bool,
    /// The last byte of a header line so far is a carriage return: only a line feed may follow.
    after_return: bool,
    /// The header line at hand is longer than what is kept of it.
    cut: bool,
    seen: usize,
    fields: usize,
    content_lengths: usize,
    transfer_encodings: usize,
    fault: Option<HeadFault>,
    done: bool,
}

/// Longest header line whose content matters to us; of longer ones only the beginning is kept.
const KEPT_LINE: usize = 64;

/// A length as everybody reads it: decimal digits, no sign, no leading zero (some read those as octal), and below 2^63
/// (beyond it some see a negative number). `None` for anything else.
pub(super) fn content_length(text: &[u8]) -> Option<u64> {
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit) && (text.len() == 1 || !text.starts_with(b"0"));
    let number = std::str::from_utf8(text).ok().filter(|_| plain)?.parse::<u64>().ok()?;
    i64::try_from(number).is_ok().then_some(number)
}

impl HeadScanner {
    /// A scanner at the beginning of a request.
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            line: Vec::with_capacity(256),
            partial: Vec::with_capacity(KEPT_LINE),
            in_first_line: true,
            after_empty: false,
            after_return: false,
            cut: false,
            seen: 0,
            fields: 0,
            content_lengths: 0,
            transfer_encodings: 0,
            fault: None,
            done: false,
        }
    }

    /// Whether the head is whole and sound, and no body follows: what comes next is another request (RFC 9112, 6.3).
    pub fn is_whole_request(&self) -> bool {
        self.done && self.fault.is_none() && self.content_lengths == 0 && self.transfer_encodings == 0
    }

    /// Back to the beginning, for the next request on the connection.
    pub fn reset(&mut self) {
        self.line.clear();
        self.partial.clear();
        self.in_first_line = true;
        self.after_empty = false;
        self.after_return = false;
        self.cut = false;
        self.seen = 0;
        self.fields = 0;
        self.content_lengths = 0;
        self.transfer_encodings = 0;
        self.fault = None;
        self.done = false;
    }

    /// Whether any byte of the head has arrived.
    pub fn has_begun(&self) -> bool {
        self.seen > 0
    }

    /// Whether the head has ended, or is beyond mending.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Whether the request line has not ended yet.
    pub fn in_request_line(&self) -> bool {
        self.in_first_line
    }

    /// The request line as it came.
    pub fn request_line(&self) -> &[u8] {
        &self.line
    }

    /// What is wrong with the head, if anything.
    pub fn fault(&self) -> Option<HeadFault> {
        self.fault
    }

    /// Whether the head, which has ended, announces a chunked body.
    pub fn is_chunked(&self) -> bool {
        self.transfer_encodings > 0
    }

    /// Looks at the next bytes. Whatever follows the head's end belongs to the body; it is not looked at, and returned.
    pub fn feed<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while !self.done && !bytes.is_empty() {
            // Heads mostly arrive in one piece, and then nothing of them needs to be kept for later.
            let stop = memchr3(b'\n', b'\r', 0, bytes);
            if let Some(end) = stop.filter(|_| self.is_between_lines())
                && bytes.get(end..end + 2) == Some(b"\r\n")
            {
                let (line, rest) = bytes.split_at(end + 2);
                bytes = rest;
                self.whole_line(line);
                continue;
            }
            let Some(end) = memchr(b'\n', bytes) else {
                self.keep(bytes);
                self.count(bytes.len());
                return &[];
            };
            let (line, rest) = bytes.split_at(end);
            self.keep(line);
            self.count(end + 1);
            bytes = rest.get(1..).unwrap_or_default();
            if !self.done {
                self.end_line();
            }
        }
        bytes
    }

    /// Whether a header line begins here.
    fn is_between_lines(&self) -> bool {
        !self.in_first_line && self.partial.is_empty() && !self.after_return
    }

    /// A header line with its end, and nothing but its end in it that could be taken for one.
    fn whole_line(&mut self, line: &[u8]) {
        self.count(line.len());
        if self.done {
            return;
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line == b"\r" {
            return self.end_head();
        }
        let kept = line.get(..KEPT_LINE).unwrap_or(line);
        self.end_field(kept, kept.len() < line.len());
    }

    fn count(&mut self, bytes: usize) {
        self.seen += bytes;
        if self.in_first_line && self.line.len() > self.limits.target + 32 {
            self.fail(HeadFault::TargetTooLong);
        } else if self.seen > self.limits.bytes {
            self.fail(HeadFault::TooLarge);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.in_first_line {
            let room = (self.limits.target + 64).saturating_sub(self.line.len());
            self.line.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
            return;
        }
        let Some((last, inner)) = bytes.split_last() else { return };
        if self.after_return || memchr(0, bytes).is_some() || memchr(b'\r', inner).is_some() {
            self.fail_at_end(HeadFault::BadLineEnd);
        }
        self.after_return = *last == b'\r';
        let room = KEPT_LINE - self.partial.len().min(KEPT_LINE);
        self.cut |= bytes.len() > room;
        self.partial.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    fn end_line(&mut self) {
        if self.in_first_line {
            // RFC 9112, 2.2: old clients send one empty line behind a body. One, and whole, is no other reading.
            if self.line == b"\r" && !std::mem::replace(&mut self.after_empty, true) {
                self.line.clear();
                return;
            }
            self.in_first_line = false;
            if self.line.pop() != Some(b'\r') {
                return self.fail(HeadFault::BadLineEnd);
            }
            return self.judge_request_line();
        }
        if !std::mem::take(&mut self.after_return) {
            return self.fail(HeadFault::BadLineEnd);
        }
        if self.partial == b"\r" {
            return self.end_head();
        }
        let partial = std::mem::take(&mut self.partial);
        let cut = std::mem::take(&mut self.cut);
        self.end_field(&partial, cut);
        self.partial = partial;
        self.partial.clear();
    }

    fn end_head(&mut self) {
        self.done = true;
        let both = self.transfer_encodings > 0 && self.content_lengths > 0;
        if both || self.transfer_encodings > 1 || (self.transfer_encodings > 0 && !self.line.ends_with(b"1.1")) {
            self.fail(HeadFault::BadTransferEncoding);
        } else if self.content_lengths > 1 {
            self.fail(HeadFault::BadContentLength);
        }
    }

    /// Judges a field by its beginning; `cut` if there is more of it than is shown.
    fn end_field(&mut self, line: &[u8], cut: bool) {
        self.fields += 1;
        if self.fields > self.limits.fields {
            return self.fail(HeadFault::TooManyFields);
        }
        // Most names are passed over at one look.
        if !matches!(line.first(), Some(b'c' | b'C' | b't' | b'T')) {
            return;
        }
        let Some(colon) = memchr(b':', line) else { return };
        let (name, value) = line.split_at(colon);
        let value = || value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            self.content_lengths += 1;
            if cut || content_length(value()).is_none() {
                self.fail_at_end(HeadFault::BadContentLength);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.transfer_encodings += 1;
            if cut || !value().eq_ignore_ascii_case(b"chunked") {
                self.fail_at_end(HeadFault::BadTransferEncoding);
            }
        }
    }

    /// Method, target and version, one space between them (RFC 9112, 3).
    fn judge_request_line(&mut self) {
        let line = self.line.as_slice();
        let words = line.strip_suffix(b" HTTP/1.1").or_else(|| line.strip_suffix(b" HTTP/1.0"));
        let space = words.and_then(|words| memchr(b' ', words)).filter(|space| *space > 0);
        let (Some(words), Some(space)) = (words, space) else { return self.fail_at_end(HeadFault::BadRequestLine) };
        let target = words.get(space + 1..).unwrap_or_default();
        if memchr(b' ', target).is_some() || memchr2(b'\r', 0, words).is_some() {
            return self.fail_at_end(HeadFault::BadRequestLine);
        }
        if target.len() > self.limits.target {
            self.fail_at_end(HeadFault::TargetTooLong);
        }
    }

    /// The request target, between the two spaces of the request line.
    pub fn target(&self) -> &[u8] {
        let mut parts = self.line.splitn(3, |byte| *byte == b' ');
        parts.nth(1).unwrap_or_default()
    }

    /// The deadline has come.
    pub(super) fn give_up(&mut self) {
        self.fail(HeadFault::TooSlow);
    }

    /// A fault that is answered once the head has been read.
    fn fail_at_end(&mut self, fault: HeadFault) {
        self.fault.get_or_insert(fault);
    }

    /// A fault after which nothing more is read.
    fn fail(&mut self, fault: HeadFault) {
        self.fault.get_or_insert(fault);
        self.done = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_in(chunk: usize, head: &[u8]) -> HeadScanner {
        let mut scanner = HeadScanner::new(HeadLimits::default());
        for bytes in head.chunks(chunk) {
            scanner.feed(bytes);
        }
        scanner
    }

    fn fault_of(head: &str) -> Option<HeadFault> {
        let whole = scan_in(usize::MAX, head.as_bytes()).fault();
        for chunk in [1, 2, 3, 7, 64] {
            assert_eq!(scan_in(chunk, head.as_bytes()).fault(), whole, "in chunks of {chunk}: {head:?}");
        }
        whole
    }

    #[test]
    fn an_honest_head_passes_in_any_pieces() {
        let head = "POST /a?b=c HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nX-Long: ".to_owned()
            + &"v".repeat(300)
            + "\r\n\r\nabc\nnot looked at";
        assert_eq!(fault_of(&head), None);
        let scanner = scan_in(5, head.as_bytes());
        assert!(scanner.is_done());
        assert_eq!(scanner.target(), b"/a?b=c");
        assert!(!scanner.is_chunked());
        let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let mut scanner = HeadScanner::new(HeadLimits::default());
        assert_eq!(scanner.feed(head), b"0\r\n\r\n");
        assert!(scanner.is_chunked());
    }

    #[test]
    fn two_ways_to_read_the_length_are_refused() {
        // I01–I05, I07
        use HeadFault::{BadContentLength, BadTransferEncoding};
        let with = |fields: &str| fault_of(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
        assert_eq!(with("Transfer-Encoding: chunked"), None);
        assert_eq!(with("transfer-encoding:  CHUNKED "), None);
        assert_eq!(with("Content-Length: 5"), None);
        assert_eq!(with("Content-Length: 5\r\nTransfer-Encoding: chunked"), Some(BadTransferEncoding));
        assert_eq!(with("Transfer-Encoding: chunked\r\nContent-Length: 5"), Some(BadTransferEncoding));
        for value in
            ["xchunked", "identity", "chunked,", "\"chunked\"", "\x0bchunked", "gzip, chunked", "chunked, chunked", ""]
        {
            assert_eq!(with(&format!("Transfer-Encoding: {value}")), Some(BadTransferEncoding), "{value:?}");
        }
        assert_eq!(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), Some(BadTransferEncoding));
        assert_eq!((with("Content-Length: 0"), with("Content-Length: 9223372036854775807")), (None, None));
        for value in [
            "-1",
            "0x5",
            "5 5",
            "",
            "18446744073709551621",
            "+5",
            "5,5",
            "5, 5",
            "05",
            "00",
            "0000000000000000005",
            "-0",
            "+0",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "5.0",
            "5e0",
            "5E1",
            "1_0",
            "\u{661}",
            "٥",
            "0b1",
            "0o5",
            "5L",
            "\"5\"",
            "5;",
            "5\t5",
        ] {
            assert_eq!(with(&format!("Content-Length: {value}")), Some(BadContentLength), "{value:?}");
        }
        assert_eq!(with("Content-Length: 5\r\nContent-Length: 5"), Some(BadContentLength));
        // What stands beyond the part of a line that is kept is not overlooked.
        let far = " ".repeat(80);
        assert_eq!(with(&format!("Transfer-Encoding: chunked{far}, gzip")), Some(BadTransferEncoding));
        assert_eq!(with(&format!("Content-Length: 5{far}5")), Some(BadContentLength));
        assert_eq!(fault_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Some(BadTransferEncoding));
    }

    #[test]
    fn a_request_line_is_three_words_and_lines_end_in_crlf() {
        // H10, I06, I09, I14
        use HeadFault::{BadLineEnd, BadRequestLine};
        assert_eq!(fault_of("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), Some(BadRequestLine));
        assert_eq!(fault_of("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(BadRequestLine));
        assert_eq!(fault_of("GET /\r\n\r\n"), Some(BadRequestLine));
        assert_eq!(fault_of("GET / HTTP/2.0\r\n\r\n"), Some(BadRequestLine));
        assert_eq!(fault_of("GET / HTTP/1.2\r\n\r\n"), Some(BadRequestLine));
        assert_eq!(fault_of("GET / HTTP/1.1\nHost: a\n\n"), Some(BadLineEnd));
        assert_eq!(fault_of("GET / HTTP/1.1\r\nHost: a\n\r\n"), Some(BadLineEnd));
        assert_eq!(fault_of("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"), Some(BadLineEnd));
        assert_eq!(fault_of("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"), Some(BadLineEnd));
    }

    #[test]
    fn a_head_has_a_limit_in_every_direction() {
        // L03, L04
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000));
        assert_eq!(fault_of(&long), Some(HeadFault::TargetTooLong));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
        assert_eq!(fault_of(&many), Some(HeadFault::TooManyFields));
        let large = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(33_000));
        assert_eq!(fault_of(&large), Some(HeadFault::TooLarge));
        let fits = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(31_000));
        assert_eq!(fault_of(&fits), None);
    }
}
