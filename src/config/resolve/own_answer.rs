//! Routes without an app: exactly one of `upstream`, `answer` and `redirect`.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use url::Url;

use super::Resolver;
use crate::config::fault::shown;
use crate::config::file::{AnswerFile, MaintenanceEntry, RedirectFile, RouteFile};
use crate::route::{Maintenance, OwnAnswer};

/// Stands for what follows the route's path, and the query.
const BEHIND: &str = "%path%";

impl Resolver<'_> {
    /// What stands in the place of an app; `None` if there is one.
    pub(super) fn own_answer(&mut self, key: &str, file: &RouteFile, path: &str) -> Option<OwnAnswer> {
        let given = [
            ("upstream", file.upstream.is_some()),
            ("answer", file.answer.is_some()),
            ("redirect", file.redirect.is_some()),
        ];
        let mut given = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
        match (given.next(), given.next()) {
            (None, _) if !self.is_given(&format!("{key}.upstream")) => {
                let text = "is missing: say where requests go, or write `answer` or `redirect`";
                self.fault(&format!("{key}.upstream"), text);
            }
            (Some(first), Some(second)) => {
                let text = format!("stands beside `{first}`; a route has one of `upstream`, `answer` and `redirect`");
                self.fault(&format!("{key}.{second}"), text);
            }
            _ => {}
        }
        if file.answer.is_none() && file.redirect.is_none() {
            return None;
        }
        for name in ["strip_prefix", "replace_prefix", "request_headers"] {
            let key = format!("{key}.{name}");
            if self.is_given(&key) {
                self.fault(&key, "says what an app gets, and there is none");
            }
        }
        match (&file.answer, &file.redirect) {
            (Some(answer), _) => self.fixed(&format!("{key}.answer"), answer),
            (None, Some(redirect)) => self.redirect(&format!("{key}.redirect"), redirect, path),
            (None, None) => None,
        }
    }

    fn fixed(&mut self, key: &str, file: &AnswerFile) -> Option<OwnAnswer> {
        let status = StatusCode::from_u16(file.status.unwrap_or(200)).ok()?;
        if status.is_redirection() {
            self.fault(&format!("{key}.status"), "leads elsewhere; write `redirect`");
        }
        let body = match (&file.body, &file.file) {
            (Some(_), Some(_)) => {
                self.fault(&format!("{key}.file"), "stands beside `body`; remove one of them");
                Bytes::new()
            }
            (Some(body), None) => Bytes::copy_from_slice(body.as_bytes()),
            (None, Some(path)) => match self.surroundings.read(&self.base.join(&path.0.0)) {
                Ok(found) => Bytes::from(found.bytes),
                Err(error) => {
                    let text = format!(
                        "{} cannot be read ({}); it is a file of at most 64KiB",
                        shown(&path.0.0),
                        error.kind()
                    );
                    self.fault(&format!("{key}.file"), text);
                    Bytes::new()
                }
            },
            (None, None) => Bytes::new(),
        };
        if !body.is_empty() && matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
            self.fault(&format!("{key}.status"), "is of answers without a body, and there is one");
        }
        let content_type = file.content_type.as_deref().unwrap_or("text/plain; charset=utf-8");
        let plain = content_type.contains('/') && content_type.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let Some(content_type) = HeaderValue::from_str(content_type).ok().filter(|_| plain) else {
            self.fault(&format!("{key}.content_type"), "is no media type such as `text/html; charset=utf-8`");
            return None;
        };
        Some(OwnAnswer::Fixed { status, content_type, body })
    }

    fn redirect(&mut self, key: &str, file: &RedirectFile, path: &str) -> Option<OwnAnswer> {
        let status = file.status?;
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            self.fault(&format!("{key}.status"), "is no redirect; write 301, 302, 303, 307 or 308");
        }
        let status = StatusCode::from_u16(status).ok()?;
        let written = file.to.as_deref()?;
        let key = format!("{key}.to");
        let (begin, appends) = match written.strip_suffix(BEHIND) {
            Some(begin) => (begin, true),
            None => (written, false),
        };
        let to = if begin.starts_with('/') || (begin.is_empty() && appends) { local(begin) } else { absolute(begin) };
        let Some(to) = to.filter(|to| !(appends && to.contains(['?', '#']))) else {
            let text = "is no `http://` or `https://` address without credentials, and no path; `%path%` may stand at its end, \
                        behind a path";
            self.fault(&key, format!("{} {text}", shown(written)));
            return None;
        };
        let own = path.trim_end_matches('/');
        let below = |rest: &str| rest.is_empty() || (!own.is_empty() && rest.starts_with(['/', '?']));
        if to.trim_end_matches('/').strip_prefix(own).is_some_and(below) {
            self.warn(&key, "lies under this very route, and leads there again unless another route is there");
        }
        Some(OwnAnswer::Redirect { status, to, appends })
    }
}

/// Whether a route is closed for a while.
pub(super) fn maintenance(entry: Option<&MaintenanceEntry>) -> Option<Maintenance> {
    match entry? {
        MaintenanceEntry::Switch(closed) => closed.then(Maintenance::default),
        MaintenanceEntry::Of(file) => Some(Maintenance {
            message: file.message.as_ref().map(|message| message.0.0.clone()),
            retry_after: file.retry_after.as_ref().map(|after| after.0.value),
        }),
    }
}

/// A path of the same host: nothing that is read as another one.
fn local(text: &str) -> Option<String> {
    let plain = text.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'\\');
    (plain && !text.starts_with("//")).then(|| text.to_owned())
}

fn absolute(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    let visible = text.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'\\');
    (plain && visible && url.host().is_some()).then(|| url.to_string())
}
