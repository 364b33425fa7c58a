//! What is sound by itself, judged as a whole: keys against each other, secrets fetched.

mod account_api;
mod accounts;
mod admin;
mod approvals;
mod bearer;
mod claims;
mod client;
mod edits;
mod health;
mod hsts;
mod issuers;
mod listener_tls;
mod listeners;
mod matching;
mod members;
mod native;
mod own_answer;
mod provider;
mod routes;
mod scopes;
mod sessions;
mod signals;
mod sim_tenure;
mod upstream;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Surroundings;
use super::fault::{Faults, Place, Remark, Warning};
use super::file::{File, FormatWord, LevelWord, LimitsFile, List, OtherAccountWord, SignOutWord};
use super::form::Written;
use super::form::address::Origin as WebOrigin;
use super::human::{HumanDuration, HumanSize};
use super::secret_ref::{Found, SecretRef, SecretSource, fetch};
use super::settings::{
    Config, LimitSettings, Origin, Setting, ShutdownSettings, SignInProvider, SignInSettings, StoreChoice,
};
use super::validate::Validation;
use crate::snapshot::ProviderSignOut;
use crate::telemetry::log::{LogFormat, LogLevel, LogSettings};
use crate::upstream::Pace;

/// What is needed at every step.
struct Resolver<'a> {
    surroundings: &'a dyn Surroundings,
    /// Where relative paths begin: the file's own directory.
    base: PathBuf,
    validation: Validation,
    strict_secrets: bool,
    faults: Vec<Remark>,
    warnings: Vec<Warning>,
    secrets: Vec<(String, SecretSource)>,
}

/// Makes a [`Config`] of what the walker kept. `faults` are those found so far; if there are any at the end, there is
/// no `Config`, so a value that the walker took out may be anything here.
pub(super) fn resolve(
    file: &File,
    validation: Validation,
    faults: Vec<Remark>,
    file_name: &str,
    surroundings: &dyn Surroundings,
) -> Result<(Config, Vec<Warning>), Faults> {
    let base = Path::new(file_name).parent().unwrap_or(Path::new("")).to_owned();
    let strict_secrets = file.strict_secrets.unwrap_or(true);
    let mut resolver =
        Resolver { surroundings, base, validation, strict_secrets, faults, warnings: Vec::new(), secrets: Vec::new() };
    let config = resolver.config(file);
    let Resolver { validation, faults, mut warnings, secrets, .. } = resolver;
    match config {
        Some(mut config) if faults.is_empty() => {
            warnings.sort();
            config.origin = origin(file_name, validation, secrets);
            Ok((config, warnings))
        }
        _ if faults.is_empty() => {
            // A value without a default was taken out without a word: a slip of ours, and no reason to start.
            let text = "cannot be read any further".to_owned();
            Err(Faults::new(file_name, vec![Remark { place: Place::default(), key: String::new(), text }]))
        }
        _ => Err(Faults::new(file_name, faults)),
    }
}

fn origin(file_name: &str, validation: Validation, secrets: Vec<(String, SecretSource)>) -> Origin {
    let mut settings = Vec::with_capacity(validation.given.len() + validation.defaulted.len());
    for (key, value) in validation.given {
        let place = validation.places.get(&key).copied();
        settings.push(Setting { key, value, place });
    }
    for (key, value) in validation.defaulted {
        settings.push(Setting { key, value, place: None });
    }
    Origin { file: file_name.to_owned(), settings, secrets }
}

impl Resolver<'_> {
    fn config(&mut self, file: &File) -> Option<Config> {
        let admin_listen = file.admin_listen.as_ref().map(|listen| listen.0.0);
        let listeners = self.listeners(file);
        let providers = self.providers(file);
        let sign_in = file.sign_in.as_ref();
        let sessions = file.sessions.as_ref().and_then(|sessions| self.sessions(sessions));
        let limits = file.limits.as_ref().map(|limits| self.limits(limits));
        let reserved_headers = self.reserved_headers(file);
        let admin = file.admin.as_ref().map(|admin| self.admin(admin));
        // Keys of access tokens are fetched by the first of them.
        let allow_private = providers.first().is_some_and(|first| first.settings.allow_private_addresses);
        self.token_issuer_addresses(file.bearer.as_ref(), allow_private);
        let bearer = self.bearer(file.bearer.as_ref(), &providers);
        let accounts = self.accounts(file, &providers, sessions.as_ref().map(|sessions| &sessions.store));
        let approvals =
            self.approvals(file.approvals.as_ref(), &providers, file.public_url.as_ref().map(|url| &url.0.0));
        let signs = approvals.is_some() || accounts.as_ref().is_some_and(|accounts| accounts.registration.is_some());
        let assertions = self.assertions(file.assertions.as_ref(), &providers, signs);
        let native = self.native(file);
        let signals = self.signals(file);
        let routes = self.routes(file, &providers, &bearer.settings, &listeners);

        self.unasked_claims(&routes, &providers);
        if sessions.as_ref().is_some_and(|sessions| sessions.recheck.is_none()) {
            self.unused_refresh_tokens(&providers);
        }
        let mut providers = providers.into_iter().map(SignInProvider::from);
        // Keys of access tokens are the business of one of them; which, does not matter.
        let mut provider = providers.next()?;
        provider.settings.token_issuers = bearer.key_issuers;
        let store = sessions.as_ref().map(|sessions| &sessions.store);
        if let Some(StoreChoice::Embedded { path }) = store {
            // Where sessions outlive a restart, keys do.
            provider.settings.key_memory = Some(path.with_extension("keys"));
        }
        let log = file.log.as_ref()?;
        Some(Config {
            public_url: file.public_url.as_ref()?.0.0.clone(),
            prefix: file.prefix.as_ref()?.0.0.clone(),
            listeners,
            hsts: self.hsts(file),
            health_path: self.health_path(file),
            admin_listen: admin_listen?,
            admin: admin?,
            threads: file.threads.map(|threads| threads as usize),
            sign_in: SignInSettings {
                return_origins: origins(sign_in?.return_origins.as_ref()),
                skew: time(sign_in?.skew.as_ref()),
                max_attempts: count(sign_in?.max_attempts),
                display_claims: values(sign_in?.display_claims.as_ref(), |claim| claim.0.0.clone()),
                contact: sign_in?.contact.clone(),
                other_account_prompt: match sign_in?.other_account? {
                    OtherAccountWord::Login => "login",
                    OtherAccountWord::SelectAccount => "select_account",
                },
                form_bytes: bytes(sign_in?.form_bytes.as_ref()),
                max_kept_pages: sign_in?.max_kept_pages?,
                starts_per_minute: sign_in?.starts_per_minute?,
            },
            front_channel_logout: file.sign_out.as_ref()?.front_channel?,
            sign_out: match file.sign_out.as_ref()?.provider? {
                SignOutWord::Never => ProviderSignOut::Never,
                SignOutWord::Ask => ProviderSignOut::Ask,
                SignOutWord::Always => ProviderSignOut::Always,
            },
            provider,
            further_providers: providers.collect(),
            bearer: bearer.settings,
            sessions: sessions?,
            accounts,
            approvals,
            native,
            signals,
            assertions,
            limits: limits?,
            trusted_proxies: values(file.trusted_proxies.as_ref(), |network| network.0.0),
            reserved_headers,
            log: LogSettings {
                format: match log.format? {
                    FormatWord::Human => LogFormat::Human,
                    FormatWord::Json => LogFormat::Json,
                },
                level: match log.level? {
                    LevelWord::Error => LogLevel::Error,
                    LevelWord::Warn => LogLevel::Warn,
                    LevelWord::Info => LogLevel::Info,
                    LevelWord::Debug => LogLevel::Debug,
                    LevelWord::Trace => LogLevel::Trace,
                },
                access: log.access?,
            },
            shutdown: ShutdownSettings {
                delay: time(file.shutdown.as_ref()?.delay.as_ref()),
                grace: time(file.shutdown.as_ref()?.grace.as_ref()),
            },
            resolve_upstreams: Pace {
                every: time(file.resolve_upstreams.as_ref()),
                patience: time(file.resolve_timeout.as_ref()),
            },
            routes,
            origin: Origin::default(),
        })
    }

    fn limits(&mut self, limits: &LimitsFile) -> LimitSettings {
        // A default is no statement of the operator: where it is too large for what the file says, it gives way.
        if let (Some(Written(cookie)), Some(Written(all))) = (&limits.cookie_bytes, &limits.header_bytes)
            && cookie.bytes > all.bytes
            && self.is_given("limits.cookie_bytes")
        {
            let text = format!(
                "\"{}\" is larger than limits.header_bytes (\"{}\"); choose a smaller one",
                cookie.text, all.text
            );
            self.fault("limits.cookie_bytes", text);
        }
        if let (Some(Written(target)), Some(Written(all))) = (&limits.uri_bytes, &limits.header_bytes)
            && target.bytes > all.bytes
            && self.is_given("limits.uri_bytes")
        {
            let text = format!(
                "\"{}\" is larger than limits.header_bytes (\"{}\"); choose a smaller one",
                target.text, all.text
            );
            self.fault("limits.uri_bytes", text);
        }
        if let (Some(one), Some(all)) = (limits.connections_per_client, limits.connections)
            && one > all
            && self.is_given("limits.connections_per_client")
        {
            let text = format!("{one} is more than limits.connections ({all}); choose fewer");
            self.fault("limits.connections_per_client", text);
        }
        LimitSettings {
            header_bytes: bytes(limits.header_bytes.as_ref()),
            header_count: limits.header_count.unwrap_or(0) as usize,
            uri_bytes: bytes(limits.uri_bytes.as_ref()),
            cookie_bytes: bytes(limits.cookie_bytes.as_ref()).min(bytes(limits.header_bytes.as_ref())),
            claims: bytes(limits.claims.as_ref()),
            header_deadline: time(limits.header_deadline.as_ref()),
            keepalive: time(limits.keepalive.as_ref()),
            body: limits.body.as_ref().map_or(0, |size| size.0.0.bytes),
            body_min_rate: limits.body_min_rate.as_ref().map_or(0, |size| size.0.bytes),
            body_rate_window: time(limits.body_rate_window.as_ref()),
            answer_min_rate: limits.answer_min_rate.as_ref().map_or(0, |size| size.0.bytes),
            answer_rate_window: time(limits.answer_rate_window.as_ref()),
            connections: limits.connections.unwrap_or(0) as usize,
            connections_per_client: limits.connections_per_client.min(limits.connections).unwrap_or(0) as usize,
            streams: limits.streams.unwrap_or(1),
            large_answers: limits.large_answers.map(|count| count as usize),
            memory: limits.memory.as_ref().map(|size| size.0.bytes),
            read_timeout: time(limits.read_timeout.as_ref()),
            write_timeout: time(limits.write_timeout.as_ref()),
        }
    }

    fn place(&self, key: &str) -> Place {
        let mut key = key;
        loop {
            if let Some(place) = self.validation.places.get(key) {
                return *place;
            }
            // A key that is not in the file is reported where its container is.
            match key.rfind(['.', '[']) {
                Some(end) => key = key.get(..end).unwrap_or_default(),
                None => return self.validation.places.get("").copied().unwrap_or_default(),
            }
        }
    }

    fn is_given(&self, key: &str) -> bool {
        self.validation.places.contains_key(key)
    }

    fn fault(&mut self, key: &str, text: impl Into<String>) {
        let place = self.place(key);
        self.faults.push(Remark { place, key: key.to_owned(), text: text.into() });
    }

    fn warn(&mut self, key: &str, text: impl Into<String>) {
        let place = self.place(key);
        self.warnings.push(Remark { place, key: key.to_owned(), text: text.into() });
    }

    /// `lesser` must not be longer than `greater`. If the file names only one of them, the fault stands at that one.
    fn at_most(
        &mut self,
        lesser: (&str, Option<&Written<HumanDuration>>),
        greater: (&str, Option<&Written<HumanDuration>>),
    ) {
        let ((lesser, Some(Written(a))), (greater, Some(Written(b)))) = (lesser, greater) else { return };
        if a.value <= b.value {
            return;
        }
        let (a, b) = (&a.text, &b.text);
        if self.is_given(lesser) || !self.is_given(greater) {
            let default = if self.is_given(greater) { "" } else { ", the default" };
            let text = format!("\"{a}\" is longer than {greater} (\"{b}\"{default}); choose a shorter one");
            self.fault(lesser, text);
        } else {
            let text =
                format!("\"{b}\" is shorter than {lesser} (\"{a}\", the default); choose a longer one, or write both");
            self.fault(greater, text);
        }
    }

    /// Fetches a secret. Says what is wrong with it, and remembers where it came from.
    fn secret(&mut self, key: &str, reference: &SecretRef) -> Option<Found> {
        let found =
            fetch(reference, &self.base, &|name| self.surroundings.env(name), &|path| self.surroundings.read(path));
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.fault(key, error.to_string());
                return None;
            }
        };
        if found.world_readable {
            self.open_to_all(key, &found.source.to_string());
        }
        self.secrets.push((key.to_owned(), found.source.clone()));
        Some(found)
    }

    /// A secret's file, `shown`, can be read by everybody.
    fn open_to_all(&mut self, key: &str, shown: &str) {
        let text = format!("{shown} can be read by every user of this machine; chmod o-r it");
        if self.strict_secrets {
            self.fault(key, format!("{text} (strict_secrets)"));
        } else {
            self.warn(key, text);
        }
    }

    fn warn_of_literal(&mut self, key: &str, found: &Found) {
        if found.source == SecretSource::Literal {
            self.warn(
                key,
                "is a secret written into the file; `{ file: … }` or `{ env: … }` keeps it out of backups and logs",
            );
        }
    }
}

impl From<provider::Provider> for SignInProvider {
    fn from(provider: provider::Provider) -> Self {
        let provider::Provider {
            id,
            name,
            settings,
            scopes,
            acr_values,
            require_acr,
            assurance,
            request,
            form_post,
            port_tokens,
            member_redirect_uris,
            remember_carrier,
        } = provider;
        let require_acr = require_acr && !acr_values.is_empty();
        Self {
            id,
            name,
            settings,
            scopes,
            acr_values,
            require_acr,
            assurance,
            request,
            form_post,
            port_tokens,
            member_redirect_uris,
            remember_carrier,
        }
    }
}

fn time(value: Option<&Written<HumanDuration>>) -> Duration {
    value.map_or(Duration::ZERO, |value| value.0.value)
}

fn bytes(value: Option<&Written<HumanSize>>) -> usize {
    value.map_or(0, |value| usize::try_from(value.0.bytes).unwrap_or(usize::MAX))
}

fn count(value: Option<u64>) -> usize {
    value.map_or(0, |value| usize::try_from(value).unwrap_or(usize::MAX))
}

/// Origins as browsers write them.
fn origins(list: Option<&List<Written<WebOrigin>>>) -> Vec<String> {
    values(list, |origin| origin.0.0.origin().ascii_serialization())
}

fn values<T, U>(list: Option<&List<T>>, map: impl Fn(&T) -> U) -> Vec<U> {
    list.into_iter().flat_map(List::items).map(|(_, item)| map(item)).collect()
}
