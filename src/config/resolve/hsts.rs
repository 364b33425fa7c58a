//! Browsers that came by https are to stay there.

use std::time::Duration;

use super::{Resolver, time};
use crate::config::file::File;
use crate::gateway::StrictTransport;

/// What the lists that browsers are built with demand.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Resolver<'_> {
    /// What is said; only where people come by https.
    pub(super) fn hsts(&mut self, file: &File) -> Option<StrictTransport> {
        let hsts = file.hsts.as_ref()?;
        let settings = StrictTransport {
            max_age: time(hsts.max_age.as_ref()),
            include_subdomains: hsts.include_subdomains?,
            preload: hsts.preload?,
        };
        if !is_https(file) {
            self.fault("hsts", "keeps people at https, and public_url is not; leave it out");
        }
        if settings.preload && (!settings.include_subdomains || settings.max_age < YEAR) {
            self.fault("hsts.preload", "is refused by the lists without `include_subdomains` and a `max_age` of 365d");
        }
        Some(settings)
    }
}

/// Whether people come by https.
pub(super) fn is_https(file: &File) -> bool {
    file.public_url.as_ref().is_some_and(|url| url.0.0.scheme() == "https")
}
