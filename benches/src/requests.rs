//! What is sent, and what it shows to be let in.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::seed::Crowd;

/// What a request shows to be let in.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// Nothing.
    None,
    /// Cookies, as they are sent.
    Cookies(String),
    /// An access token.
    Bearer(String),
}

impl Credential {
    /// The gateway's own cookie.
    pub(crate) fn session(cookie: &str) -> Self {
        Self::Cookies(format!("__Host-gw={cookie}"))
    }

    /// The header field, with its end. Other cookies come along, as they do.
    pub(crate) fn field(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Cookies(cookies) => format!("Cookie: theme=dark; {cookies}; lang=en\r\n"),
            Self::Bearer(token) => format!("Authorization: Bearer {token}\r\n"),
        }
    }

    /// The same in form, with nothing true in it.
    pub(crate) fn garbled(&self) -> Self {
        let garble = |text: &str| -> String {
            text.chars().map(|sign| if sign.is_ascii_alphanumeric() { 'x' } else { sign }).collect()
        };
        match self {
            Self::None => Self::None,
            Self::Cookies(cookies) => {
                let pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
                let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", garble(value))).collect();
                Self::Cookies(pairs.join("; "))
            }
            Self::Bearer(token) => Self::Bearer(garble(token)),
        }
    }
}

/// A request as browsers and programs send them.
pub(crate) fn request(path: &str, host: &str, credential: &Credential) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Language: en\r\n{}\r\n",
        credential.field()
    )
    .into_bytes()
}

/// Request after request, from the first to the last and over again.
pub(crate) struct Requests {
    /// Host and port they go to.
    pub(crate) authority: String,
    /// The status that each must be answered with.
    pub(crate) expect: u16,
    kind: Kind,
    next: AtomicUsize,
}

enum Kind {
    /// These, in turn.
    Turns(Vec<Vec<u8>>),
    /// The same request of one person after another: what stands before and behind each one's cookie.
    People { around: (String, String), crowd: Crowd, stride: usize },
}

impl Requests {
    /// `all`, in turn, to `authority`.
    pub(crate) fn turns(authority: &str, all: Vec<Vec<u8>>) -> Self {
        Self { authority: authority.to_owned(), expect: 200, kind: Kind::Turns(all), next: AtomicUsize::new(0) }
    }

    /// One request of each person, one after the other; `scattered`: in an order that no cache guesses.
    pub(crate) fn of_people(authority: &str, path: &str, crowd: Crowd, scattered: bool) -> Self {
        let text = request(path, authority, &Credential::session("\0"));
        let text = String::from_utf8_lossy(&text).into_owned();
        let (before, after) = text.split_once('\0').unwrap_or_default();
        let stride = if scattered { stride(crowd.len()) } else { 1 };
        let kind = Kind::People { around: (before.to_owned(), after.to_owned()), crowd, stride };
        Self { authority: authority.to_owned(), expect: 200, kind, next: AtomicUsize::new(0) }
    }

    /// How many different ones there are.
    pub(crate) fn count(&self) -> usize {
        match &self.kind {
            Kind::Turns(all) => all.len(),
            Kind::People { crowd, .. } => crowd.len(),
        }
    }

    /// Writes the next one.
    pub(crate) fn next(&self, into: &mut Vec<u8>) {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % self.count();
        into.clear();
        match &self.kind {
            Kind::Turns(all) => into.extend_from_slice(&all[place]),
            Kind::People { around: (before, after), crowd, stride } => {
                into.extend_from_slice(before.as_bytes());
                into.extend_from_slice(crowd.cookie(place * stride % crowd.len()).as_bytes());
                into.extend_from_slice(after.as_bytes());
            }
        }
    }
}

/// Steps that lead through all of `count`, far from one to the next.
fn stride(count: usize) -> usize {
    let common = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    // The golden part leaves no two neighbours near each other in time.
    let near = count * 618 / 1000;
    (near.max(1)..).find(|step| common(*step, count) == 1).unwrap_or(1)
}
