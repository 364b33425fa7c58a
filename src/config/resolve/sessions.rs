//! Sessions: a store, lifetimes that fit each other, keys that are keys.

use std::path::{Path, PathBuf};

use url::{Host, Url};

use super::{Resolver, bytes, count, time};
use crate::config::file::{CookieWord, List, SessionsFile};
use crate::config::secret_ref::{SecretRef, SecretSource};
use crate::config::settings::{SessionSettings, StoreChoice};
use crate::secret::{SecretBytes, SecretString};
use crate::session::Lifetimes;
use crate::session::cache::CacheLimits;
use crate::session::key::parse_key_text;
use crate::session::provider_check::RecheckPolicy;
use crate::session::redis::{RedisSettings, RedisStore};
use crate::snapshot::CookieLife;

const STORES: &str = "expected `embedded`, `memory`, `file:///…` or an address such as `redis://host:6379/0`";

impl Resolver<'_> {
    pub(super) fn sessions(&mut self, file: &SessionsFile) -> Option<SessionSettings> {
        self.at_most(("sessions.idle", file.idle.as_ref()), ("sessions.absolute", file.absolute.as_ref()));
        let store = self.store(file);
        let state_directory = self.state_directory(file, store.as_ref());
        let seal_keys = self.seal_keys(file.keys.as_ref());
        Some(SessionSettings {
            store: store?,
            cookie: match file.cookie? {
                CookieWord::Persistent => CookieLife::Persistent,
                CookieWord::Browser => CookieLife::Browser,
            },
            recheck: file
                .recheck
                .as_ref()
                .map(|every| RecheckPolicy { every: time(Some(every)), grace: time(file.recheck_grace.as_ref()) }),
            recheck_unclear: count(file.recheck_unclear),
            cookie_name: file.cookie_name.as_ref()?.0.0.clone(),
            lifetimes: Lifetimes {
                idle: time(file.idle.as_ref()),
                absolute: time(file.absolute.as_ref()),
                attempt: time(file.attempt.as_ref()),
            },
            seal_keys,
            cache_entries: count(file.cache_entries),
            cache_bytes: match &file.cache_bytes {
                Some(_) => bytes(file.cache_bytes.as_ref()),
                None => count(file.cache_entries).saturating_mul(CacheLimits::SESSION_BYTES),
            },
            state_directory,
            pending_revocations: count(file.pending_revocations),
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
        let url = redis_address(text).filter(|_| RedisStore::connect(RedisSettings::new(found.secret.clone())).is_ok());
        let Some(url) = url else {
            self.fault(
                KEY,
                format!("is not a store; {STORES} (what stands there is not shown, it may hold a password)"),
            );
            return None;
        };
        self.unused_path(has_path);
        if url.password().is_some() || url.query().is_some() {
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
        self.given_state_directory().unwrap_or_default().join("zengate.redb")
    }

    /// The directory that whoever starts us gives us for what is to last. systemd lists several with colons; the first is
    /// ours.
    fn given_state_directory(&self) -> Option<PathBuf> {
        let all = self.surroundings.env("STATE_DIRECTORY")?;
        all.split(':').next().filter(|first| !first.is_empty()).map(PathBuf::from)
    }

    fn state_directory(&self, file: &SessionsFile, store: Option<&StoreChoice>) -> Option<PathBuf> {
        if let Some(directory) = &file.state_directory {
            return Some(self.base.join(&directory.0.0));
        }
        match store? {
            StoreChoice::Embedded { path } => {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                Some(parent.unwrap_or(Path::new(".")).to_owned())
            }
            StoreChoice::Redis { .. } => self.given_state_directory(),
            StoreChoice::Memory => None,
        }
    }

    /// Q03. A key that is short, not drawn at random or known to everybody lets whoever writes to the store make
    /// sessions. What a key is, the session room says; here it gets its place.
    fn seal_keys(&mut self, list: Option<&List<SecretRef>>) -> Vec<SecretString> {
        let mut keys: Vec<SecretString> = Vec::new();
        let mut seen: Vec<SecretBytes> = Vec::new();
        for (index, reference) in list.into_iter().flat_map(List::items) {
            let key = format!("sessions.keys[{index}]");
            let Some(found) = self.secret(&key, reference) else { continue };
            self.warn_of_literal(&key, &found);
            match parse_key_text(found.secret.expose()) {
                Err(fault) => self.fault(&key, fault.to_string()),
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

/// Reads the address of a Redis. A fragment (`#insecure` switches certificate checks off) or a query is refused.
fn redis_address(text: &str) -> Option<Url> {
    if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains('\\') {
        return None;
    }
    let url = Url::parse(text).ok()?;
    if url.scheme() == "unix" {
        return (text.starts_with("unix:///") && url.path().len() > 1 && url.fragment().is_none()).then_some(url);
    }
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
    fn the_address_of_a_redis_is_plain() {
        for text in [
            "redis://redis:6379",
            "redis://redis",
            "rediss://u:p@redis:6380/3",
            "redis://:p%40w@10.0.0.1/",
            "redis://[::1]:6379",
            "unix:///run/redis.sock",
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
            "unix://x",
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
