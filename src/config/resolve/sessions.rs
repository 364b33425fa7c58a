//! Sessions: a store, lifetimes that fit each other, keys that are keys.

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::{Resolver, count, time};
use crate::config::file::{List, SessionsFile};
use crate::config::secret_ref::SecretSource;
use crate::config::settings::{SessionSettings, StoreChoice};
use crate::secret::SecretString;
use crate::session::Lifetimes;

/// The key that the manual shows; a key that everybody knows seals nothing.
pub(crate) const SAMPLE_KEY: &str = "emVuZ2F0ZSBzYW1wbGUga2V5OiBtYWtlIHlvdXIgb3duISE";

const STORES: &str = "expected `embedded`, `memory`, `file:///…` or an address such as `redis://host:6379/0`";

impl Resolver<'_> {
    pub(super) fn sessions(&mut self, file: &SessionsFile) -> Option<SessionSettings> {
        self.at_most(("sessions.idle", file.idle.as_ref()), ("sessions.absolute", file.absolute.as_ref()));
        let store = self.store(file);
        let seal_keys = self.seal_keys(file.keys.as_ref());
        Some(SessionSettings {
            store: store?,
            lifetimes: Lifetimes {
                idle: time(file.idle.as_ref()),
                absolute: time(file.absolute.as_ref()),
                attempt: time(file.attempt.as_ref()),
            },
            seal_keys,
            cache_entries: count(file.cache_entries),
            revalidate: time(file.revalidate.as_ref()),
            grace: time(file.grace.as_ref()),
        })
    }

    fn store(&mut self, file: &SessionsFile) -> Option<StoreChoice> {
        const KEY: &str = "sessions.store";
        let found = self.secret(KEY, file.store.as_ref()?)?;
        let text = found.secret.expose();
        let has_path = self.is_given("sessions.path");
        if found.source == SecretSource::Literal {
            let path = match text {
                "memory" => {
                    // It holds no secret.
                    self.secrets.retain(|(key, _)| key != KEY);
                    self.warn(KEY, "keeps sessions in memory: a restart signs everybody out");
                    self.unused_path(has_path);
                    return Some(StoreChoice::Memory);
                }
                "embedded" => Some(self.embedded_path(file)),
                _ => text.strip_prefix("file://").map(PathBuf::from),
            };
            if let Some(path) = path {
                self.secrets.retain(|(key, _)| key != KEY);
                if text != "embedded" && has_path {
                    self.fault("sessions.path", "names a second file beside sessions.store; keep one of the two");
                }
                if text != "embedded"
                    && (!path.is_absolute() || path.file_name().is_none() || text.contains(['%', '?', '#']))
                {
                    self.fault(KEY, "is not the address of a file, such as `file:///var/lib/zengate/zengate.redb`");
                }
                return Some(StoreChoice::Embedded { path });
            }
        }
        // R04. Whatever is wrong with it, the address is not printed: it may hold a password.
        let Some(url) = redis_address(text) else {
            self.fault(
                KEY,
                format!("is not a store; {STORES} (what stands there is not shown, it may hold a password)"),
            );
            return None;
        };
        self.unused_path(has_path);
        if url.password().is_some() {
            self.warn_of_literal(KEY, &found);
        } else if found.source == SecretSource::Literal {
            self.secrets.retain(|(key, _)| key != KEY);
        }
        if url.scheme() == "redis" && !is_loopback(&url) {
            self.warn(KEY, "speaks to Redis without TLS; outside a network of your own use `rediss://`");
        }
        Some(StoreChoice::Redis { prefix: file.redis_prefix.as_ref()?.0.0.clone(), url: found.secret })
    }

    fn unused_path(&mut self, has_path: bool) {
        if has_path {
            self.warn("sessions.path", "is not used: sessions.store is no embedded store");
        }
    }

    fn embedded_path(&self, file: &SessionsFile) -> PathBuf {
        if let Some(path) = &file.path {
            return self.base.join(&path.0.0);
        }
        let state = self.surroundings.env("STATE_DIRECTORY").filter(|all| !all.is_empty());
        // systemd lists several with colons; the first is ours.
        let first = state.as_deref().and_then(|all| all.split(':').next()).unwrap_or_default();
        PathBuf::from(first).join("zengate.redb")
    }

    /// Q03. A key that is short, empty of chance or known to everybody lets whoever reads the store open sessions.
    fn seal_keys(&mut self, list: Option<&List<crate::config::secret_ref::SecretRef>>) -> Vec<SecretString> {
        let mut keys: Vec<SecretString> = Vec::new();
        let mut seen: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for (index, reference) in list.into_iter().flat_map(List::items) {
            let key = format!("sessions.keys[{index}]");
            let Some(found) = self.secret(&key, reference) else { continue };
            self.warn_of_literal(&key, &found);
            match judge_key(found.secret.expose()) {
                Err(why) => self.fault(&key, format!("{why}; make one with `openssl rand -base64 32`")),
                Ok(bytes) if seen.contains(&bytes) => self.fault(&key, "is the same key as an earlier one"),
                Ok(bytes) => {
                    seen.push(bytes);
                    keys.push(found.secret);
                }
            }
        }
        keys
    }
}

/// The bytes of a sealing key, or why it is none. Never says anything about its text.
fn judge_key(text: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let bytes = Zeroizing::new(decode(text).ok_or("is neither base64 nor hexadecimal")?);
    if bytes.len() < 32 {
        return Err("is shorter than 32 bytes");
    }
    let sample = decode(SAMPLE_KEY).unwrap_or_default();
    if bytes.starts_with(&sample) {
        return Err("is the sample of the manual");
    }
    // 32 random bytes have some 30 different ones; fewer than 12 does not happen by chance.
    if bytes.iter().collect::<BTreeSet<_>>().len() < 12 {
        return Err("repeats itself, which random keys do not");
    }
    let steady = bytes.windows(2).filter(|pair| matches!(pair, [a, b] if b.wrapping_sub(*a) == 1)).count();
    if steady * 2 > bytes.len() {
        return Err("counts upwards, which random keys do not");
    }
    Ok(bytes)
}

/// Hexadecimal if it could be, else base64 in either alphabet, with or without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    if text.bytes().all(|b| b.is_ascii_hexdigit()) {
        let digits = text.as_bytes().chunks(2);
        return digits
            .map(|pair| match pair {
                [_, _] => std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()),
                _ => None,
            })
            .collect();
    }
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let standard = GeneralPurpose::new(&alphabet::STANDARD, config).decode(text);
    standard.or_else(|_| GeneralPurpose::new(&alphabet::URL_SAFE, config).decode(text)).ok()
}

/// Reads the address of a Redis. A fragment (`#insecure` switches certificate checks off) or a query is refused.
fn redis_address(text: &str) -> Option<Url> {
    if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains('\\') {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let database = url.path().strip_prefix('/').unwrap_or(url.path());
    let fine = matches!(url.scheme(), "redis" | "rediss")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.query().is_none()
        && url.fragment().is_none()
        && url.port() != Some(0)
        && (database.is_empty() || (database.len() <= 5 && database.bytes().all(|b| b.is_ascii_digit())));
    fine.then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        // `redis` is no special scheme, so dotted addresses come as names.
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_random_keys_of_32_bytes_are_keys() {
        // Q03
        let good = [
            "3q2+78r+ur4BI0VniavN7xAyVHaYutz+AQIDBAUGBwg=",
            "3q2-78r-ur4BI0VniavN7xAyVHaYutz-AQIDBAUGBwg",
            "deadbeefcafebabe0123456789abcdef1032547698badcfe0102030405060708",
            "DEADBEEFCAFEBABE0123456789ABCDEF1032547698BADCFE0102030405060708",
        ];
        for text in good {
            assert!(judge_key(text).is_ok(), "{text}");
            assert_eq!(judge_key(text).unwrap(), judge_key(good[0]).unwrap());
        }
        let long_sample = format!("{SAMPLE_KEY}AAAA");
        let bad = [
            "",
            "x",
            "secret",
            "0123456789abcdef0123456789abcdef",
            "correct horse battery staple and more of it",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            &"0".repeat(64),
            &"00".repeat(40),
            &"ff".repeat(32),
            &"0".repeat(32),
            &"a1b2".repeat(20),
            &"0".repeat(65),
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            SAMPLE_KEY,
            &long_sample,
            "3q2+78r+ur4BI0VniavN7xAyVHaYutz+AQIDBAUGBw==",
        ];
        for text in bad {
            assert!(judge_key(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_address_of_a_redis_is_plain() {
        for text in [
            "redis://redis:6379",
            "redis://redis",
            "rediss://u:p@redis:6380/3",
            "redis://:p%40w@10.0.0.1/",
            "redis://[::1]:6379",
        ] {
            assert!(redis_address(text).is_some(), "{text}");
        }
        for text in [
            "redis:",
            "redis://",
            "redis:///0",
            "redis://h/x",
            "redis://h?protocol=resp3",
            "rediss://h#insecure",
            "http://h",
            "redis://h:99999",
            "redis://h:0",
            "redis://h /",
            "redis://:pa ss@h",
            "redis://h/0/1",
            "unix:///x",
            "redis+unix:///x",
            "",
        ] {
            assert!(redis_address(text).is_none(), "{text}");
        }
        assert!(is_loopback(&redis_address("redis://127.0.0.1").unwrap()));
        assert!(is_loopback(&redis_address("redis://localhost").unwrap()));
        assert!(!is_loopback(&redis_address("redis://127.0.0.1.evil.test").unwrap()));
    }
}
