//! What the private listener has, and who may have it: one table, asked for every request.

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use tracing::{info, warn};

use super::AdminSettings;
use super::access::{Entry, Scope, judge};
use crate::gateway::adapt::host_name;
use crate::telemetry::Metrics;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// The process answers.
    Live,
    /// People can be served.
    Ready,
    /// All numbers.
    Metrics,
    /// What runs, with which configuration, and whether its store answers.
    Status,
    /// Links of people to accounts: one person's, or an account's.
    Links,
    /// All links, as a table.
    LinkTable,
    /// Approvals: asking for one, looking at it, taking it back.
    Approvals,
    /// Tickets with which the app sends people to the link page.
    LinkTickets,
}

impl Page {
    /// Ways in which it can be asked for, beside `GET` and `HEAD`.
    fn changes(self) -> &'static [Method] {
        match self {
            Self::Links => &[Method::PUT, Method::DELETE],
            Self::Approvals => &[Method::POST, Method::DELETE],
            Self::LinkTable | Self::LinkTickets => &[Method::POST],
            Self::Live | Self::Ready | Self::Metrics | Self::Status => &[],
        }
    }

    /// All ways, for `Allow`.
    pub(super) fn allowed(self) -> &'static str {
        match self {
            Self::Links => "GET, HEAD, PUT, DELETE",
            Self::Approvals => "GET, HEAD, POST, DELETE",
            Self::LinkTable => "GET, POST",
            Self::LinkTickets => "POST",
            Self::Live | Self::Ready | Self::Metrics | Self::Status => "GET, HEAD",
        }
    }
}

/// Who may have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Whoever reaches the listener.
    Open,
    /// Whoever has a token that allows it.
    Scoped(Scope),
}

/// Everything there is. Whatever is added is closed unless its line says that it is open.
const ROUTES: &[(&str, Access, Page)] = &[
    ("/livez", Access::Open, Page::Live),
    ("/ping", Access::Open, Page::Live),
    ("/healthz", Access::Open, Page::Live),
    ("/readyz", Access::Open, Page::Ready),
    ("/ready", Access::Open, Page::Ready),
    ("/metrics", Access::Open, Page::Metrics),
    ("/status", Access::Scoped(Scope::Read), Page::Status),
    ("/links", Access::Scoped(Scope::Accounts), Page::Links),
    ("/link-tickets", Access::Scoped(Scope::Accounts), Page::LinkTickets),
    ("/approvals", Access::Scoped(Scope::Approvals), Page::Approvals),
    ("/links.csv", Access::Scoped(Scope::Accounts), Page::LinkTable),
];

/// Why nothing is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The request names a host that we are not: a page in somebody's browser, led here by a name of its own.
    Misdirected,
    /// There is no such thing.
    NotFound,
    /// It is not asked for in that way.
    Method(Page),
    /// Who asks is not known.
    Unauthorised,
    /// Who asks may not have it.
    Forbidden,
}

impl Refused {
    /// The ways in which it can be asked for, for somebody who asked in another.
    pub(super) fn allowed(self) -> Option<&'static str> {
        match self {
            Self::Method(page) => Some(page.allowed()),
            _ => None,
        }
    }

    /// Status and sentence.
    pub(super) fn words(self) -> (StatusCode, &'static str) {
        match self {
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "this host is not served here (admin.hosts)\n"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not found\n"),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n"),
            Self::Unauthorised => (StatusCode::UNAUTHORIZED, "a token is needed (admin.tokens)\n"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "the token does not allow this\n"),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Misdirected => "misdirected",
            Self::NotFound => "not_found",
            Self::Method(_) => "method",
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
        }
    }
}

/// A request as the router sees it.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) version: Version,
    pub(super) path: &'a str,
    pub(super) headers: &'a HeaderMap,
}

/// What `asked` gets; counted and, where somebody was refused or let in by a token, told.
pub(super) fn route<'a>(
    settings: &'a AdminSettings,
    metrics: &Metrics,
    asked: &Asked<'_>,
) -> Result<(Page, Option<&'a str>), Refused> {
    let found = find(settings, asked);
    let outcome = match &found {
        Ok((_, None)) => "open",
        Ok((_, Some(_))) => "granted",
        Err(refused) => refused.word(),
    };
    metrics.admin_requests.with_label_values(&[outcome]).inc();
    match found {
        Ok((page, token)) => {
            if let Some(token) = token {
                info!(token = token, path = asked.path, "Administration: a token was used");
            }
            Ok((page, token))
        }
        Err(refused) => {
            if matches!(refused, Refused::Unauthorised | Refused::Forbidden | Refused::Misdirected) {
                warn!(reason = outcome, "Administration: a request was refused");
            }
            Err(refused)
        }
    }
}

/// The page, and the name of the token it was given for.
fn find<'a>(settings: &'a AdminSettings, asked: &Asked<'_>) -> Result<(Page, Option<&'a str>), Refused> {
    if !is_ours(settings, asked) {
        return Err(Refused::Misdirected);
    }
    let route = ROUTES.iter().find(|(path, _, _)| *path == asked.path);
    let (_, access, page) = route.ok_or(Refused::NotFound)?;
    let token = match access {
        Access::Open => None,
        Access::Scoped(scope) => match judge(&settings.tokens, asked.headers, *scope) {
            Entry::Granted(token) => Some(token.name.as_str()),
            Entry::Unknown => return Err(Refused::Unauthorised),
            Entry::Forbidden(_) => return Err(Refused::Forbidden),
        },
    };
    let reads = (asked.method == Method::GET || asked.method == Method::HEAD) && *page != Page::LinkTickets;
    if !reads && !page.changes().contains(asked.method) {
        return Err(Refused::Method(*page));
    }
    Ok((*page, token))
}

/// Whether the request names this listener: by an address, as `localhost`, or by a name that the operator gave it. A page
/// from elsewhere can let its own name point at our address, and would be answered as if it came from here; it cannot
/// make a browser send an address in the place of the name. Health checks of HTTP/1.0 name nobody.
fn is_ours(settings: &AdminSettings, asked: &Asked<'_>) -> bool {
    let mut hosts = asked.headers.get_all(header::HOST).iter().map(HeaderValue::to_str);
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => return asked.version == Version::HTTP_10,
        (Some(Ok(host)), None) => host_name(host),
        _ => None,
    };
    host.is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || address.parse::<std::net::IpAddr>().is_ok()
            || settings.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(&host))
    })
}

#[cfg(test)]
mod tests {
    use super::super::access::AdminToken;
    use super::*;
    use crate::secret::SecretString;

    fn settings() -> AdminSettings {
        let token = |name: &str, scope| AdminToken::new(name.to_owned(), scope, &SecretString::new(name.to_owned()));
        AdminSettings {
            hosts: vec!["zengate.monitoring.svc".to_owned()],
            tokens: vec![
                token("reader", Scope::Read),
                token("app", Scope::Accounts),
                token("operator", Scope::Operate),
            ],
            ..AdminSettings::default()
        }
    }

    fn ask(method: &str, path: &str, fields: &[(&str, &str)]) -> Result<Page, Refused> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let method = method.parse().unwrap();
        let asked = Asked { method: &method, version: Version::HTTP_11, path, headers: &headers };
        route(&settings(), &Metrics::new(), &asked).map(|(page, _)| page)
    }

    #[test]
    fn health_and_metrics_are_open_and_everything_else_is_closed() {
        let host = ("host", "localhost:44180");
        for path in ["/livez", "/ping", "/healthz", "/readyz", "/ready", "/metrics"] {
            assert!(ask("GET", path, &[host]).is_ok(), "{path}");
        }
        let open = ["/livez", "/ping", "/healthz", "/readyz", "/ready", "/metrics"];
        for (path, access, _) in ROUTES {
            assert_eq!(*access == Access::Open, open.contains(path), "{path}");
            if !open.contains(path) {
                assert_eq!(ask("GET", path, &[host]), Err(Refused::Unauthorised), "{path}");
                let wrong = ("authorization", "Bearer somebody");
                assert_eq!(ask("GET", path, &[host, wrong]), Err(Refused::Unauthorised), "{path}");
            }
        }
        let with = |token| ask("GET", "/status", &[host, ("authorization", token)]);
        assert_eq!((with("Bearer reader"), with("Bearer operator")), (Ok(Page::Status), Ok(Page::Status)));
        assert_eq!(
            ask("POST", "/status", &[host, ("authorization", "Bearer reader")]),
            Err(Refused::Method(Page::Status))
        );
        assert_eq!(ask("POST", "/status", &[host]), Err(Refused::Unauthorised));
        assert_eq!(ask("GET", "/other", &[host]), Err(Refused::NotFound));
        // The app's own token opens what is the app's, and nothing else.
        for (method, path, reader, app) in [
            ("GET", "/status", Ok(Page::Status), Err(Refused::Forbidden)),
            ("PUT", "/links", Err(Refused::Forbidden), Ok(Page::Links)),
            ("GET", "/links.csv", Err(Refused::Forbidden), Ok(Page::LinkTable)),
            ("POST", "/links", Err(Refused::Forbidden), Err(Refused::Method(Page::Links))),
        ] {
            let by = |token| ask(method, path, &[host, ("authorization", token)]);
            assert_eq!((by("Bearer reader"), by("Bearer app")), (reader, app), "{method} {path}");
        }
    }

    // FT13: DNS rebinding
    #[test]
    fn only_a_host_that_is_ours_is_answered() {
        for host in
            ["localhost", "LOCALHOST:1", "127.0.0.1:44180", "[::1]:44180", "10.1.2.3", "zengate.monitoring.svc:1"]
        {
            assert!(ask("GET", "/metrics", &[("host", host)]).is_ok(), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "x", "", "a b", "svc", "@localhost"]
        {
            assert_eq!(ask("GET", "/metrics", &[("host", host)]), Err(Refused::Misdirected), "{host}");
        }
        assert_eq!(ask("GET", "/livez", &[("host", "localhost"), ("host", "localhost")]), Err(Refused::Misdirected));
        assert_eq!(ask("GET", "/livez", &[]), Err(Refused::Misdirected));
    }
}
