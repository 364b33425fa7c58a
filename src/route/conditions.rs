//! What a request must have beyond host and path for a route to be meant: the whole path, a method, headers.
//!
//! Conditions choose between routes; they keep nobody out. A header is the client's to choose, so what must be guarded is
//! guarded by the route that remains when the condition is not met.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Conditions of a route, all of which must be met. None by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The path is the route's, and nothing lies below it.
    pub exact: bool,
    /// The method is one of these; `GET` stands for `HEAD` too (RFC 9110, 9.3.2). Empty: any.
    pub methods: Vec<Method>,
    /// Each of these headers is there, and each of its fields has this very value.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What of a request conditions look at.
#[derive(Debug, Clone, Copy)]
pub struct Traits<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

static NO_HEADERS: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);

impl Traits<'static> {
    /// A page that is opened: what somebody comes back to after signing in.
    pub fn page() -> Self {
        Self { method: &Method::GET, headers: &NO_HEADERS }
    }
}

impl Conditions {
    /// Whether there are none but for the path.
    fn has_none(&self) -> bool {
        self.methods.is_empty() && self.headers.is_empty()
    }

    /// Whether `traits` meets those on method and headers.
    pub fn met_by(&self, traits: Traits<'_>) -> bool {
        self.has_none() || (self.takes(traits.method) && self.headers_of(traits.headers))
    }

    fn takes(&self, method: &Method) -> bool {
        let head = *method == Method::HEAD;
        self.methods.is_empty() || self.methods.iter().any(|known| known == method || (head && *known == Method::GET))
    }

    fn headers_of(&self, headers: &HeaderMap) -> bool {
        self.headers.iter().all(|(name, wanted)| {
            let mut values = headers.get_all(name).iter().peekable();
            values.peek().is_some() && values.all(|value| value == wanted)
        })
    }

    /// The more, the more specific: of two routes with one path the higher one is traits first.
    pub fn rank(&self) -> (bool, usize, bool) {
        (self.exact, self.headers.len(), !self.methods.is_empty())
    }

    /// Whether one request could meet both, and neither is more specific: which of two such routes judged would be chance.
    pub fn clash(&self, other: &Self) -> bool {
        let methods = self.methods.is_empty() || self.methods.iter().any(|method| other.takes(method));
        let methods = methods || other.methods.iter().any(|method| self.takes(method));
        let differ = |(name, value): &(HeaderName, HeaderValue)| {
            other.headers.iter().any(|(known, other)| known == name && other != value)
        };
        self.rank() == other.rank() && methods && !self.headers.iter().any(differ)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(methods: &[&str], headers: &[(&'static str, &'static str)]) -> Conditions {
        Conditions {
            exact: false,
            methods: methods.iter().map(|method| method.parse().unwrap()).collect(),
            headers: headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect(),
        }
    }

    #[test]
    fn all_of_them_must_be_met() {
        let only = conditions(&["GET", "POST"], &[("x-env", "beta")]);
        let traits = |method: &str, values: &[&'static str]| {
            let values = values.iter().map(|value| (HeaderName::from_static("x-env"), HeaderValue::from_static(value)));
            only.met_by(Traits { method: &method.parse().unwrap(), headers: &values.collect() })
        };
        assert!(traits("GET", &["beta"]) && traits("HEAD", &["beta"]) && traits("POST", &["beta", "beta"]));
        for (method, values) in [
            ("PUT", &["beta"][..]),
            ("get", &["beta"]),
            ("GET", &[]),
            ("GET", &["Beta"]),
            ("GET", &["beta", "x"]),
            ("GET", &["beta, x"]),
        ] {
            assert!(!traits(method, values), "{method} {values:?}");
        }
        assert!(conditions(&["GET"], &[]).met_by(Traits::page()) && Conditions::default().met_by(Traits::page()));
        assert!(!conditions(&["POST"], &[]).takes(&Method::HEAD));
    }

    #[test]
    fn routes_clash_where_neither_is_more_specific_and_one_request_meets_both() {
        for (a, b, clash) in [
            (conditions(&[], &[]), conditions(&[], &[]), true),
            (conditions(&["GET"], &[]), conditions(&[], &[]), false),
            (conditions(&["GET"], &[]), conditions(&["POST"], &[]), false),
            (conditions(&["GET", "PUT"], &[]), conditions(&["POST", "PUT"], &[]), true),
            (conditions(&["GET"], &[]), conditions(&["HEAD"], &[]), true),
            (conditions(&[], &[("a", "1")]), conditions(&[], &[("a", "2")]), false),
            (conditions(&[], &[("a", "1")]), conditions(&[], &[("b", "1")]), true),
            (conditions(&[], &[("a", "1")]), conditions(&["GET"], &[]), false),
            (conditions(&[], &[]), Conditions { exact: true, ..Conditions::default() }, false),
        ] {
            assert_eq!((a.clash(&b), b.clash(&a)), (clash, clash), "{a:?} {b:?}");
        }
    }
}
