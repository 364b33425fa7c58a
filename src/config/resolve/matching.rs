//! Which requests a route is for, beyond host and path.

use http::{HeaderName, HeaderValue};

use super::{Resolver, values};
use crate::config::file::RouteFile;
use crate::config::validate::join;
use crate::identity::headers::Forwarding;
use crate::route::Conditions;

/// Headers that the app does not see as the client sent them, or that another key is about.
const NOT_CONDITIONS: [&str; 10] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Resolver<'_> {
    /// The conditions of the route at `key`, with what is wrong with them said.
    pub(super) fn conditions(&mut self, key: &str, file: &RouteFile) -> Conditions {
        for name in file.headers.iter().flatten().map(|(name, _)| name) {
            let lower = name.to_ascii_lowercase();
            if NOT_CONDITIONS.contains(&lower.as_str()) || Forwarding::covers(&lower) {
                let text =
                    "is no condition: the app does not see it as the client sends it, so the two would not agree";
                self.fault(&join(&format!("{key}.headers"), name), text);
            }
        }
        conditions_of(file)
    }
}

/// The conditions that are written in `file`.
pub(super) fn conditions_of(file: &RouteFile) -> Conditions {
    let headers = file.headers.iter().flatten().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(&value.0.0).ok()?))
    });
    let methods = values(file.methods.as_ref(), |method| method.0.0.clone());
    Conditions {
        exact: file.exact.unwrap_or(false),
        methods: methods.iter().filter_map(|method| method.parse().ok()).collect(),
        headers: headers.collect(),
    }
}

/// The name of a route for `host` and `path`: its own, or what it is for.
pub(super) fn name_of(file: &RouteFile, host: &str, path: &str, conditions: &Conditions) -> String {
    if let Some(name) = &file.name {
        return name.0.0.clone();
    }
    let mut name = format!("{host}{path}");
    if conditions.exact {
        name.push_str(":exact");
    }
    for method in &conditions.methods {
        name.push(':');
        name.push_str(method.as_str());
    }
    for (field, value) in &conditions.headers {
        name.push_str(&format!(":{field}={}", value.to_str().unwrap_or_default()));
    }
    name
}
