//! `Authorization`, read in exactly one way (RFC 6750, 2.1; RFC 9110, 11.4).
//!
//! Header only: a token in a query ends up in logs and histories, one in a form body is for browsers that cannot help
//! it (RFC 9700, 4.3.2). Neither is looked for, so neither is ever believed (K08).

use http::{HeaderMap, header};

/// What a request says about its bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presented<'a> {
    /// Credentials of the Bearer scheme, and no token could look like them.
    Malformed,
    /// No bearer token; perhaps credentials of another scheme, which mean nothing to us.
    Nothing,
    /// More than one: which of them counts would depend on who reads them.
    Several,
    /// One token, well-formed and nothing more.
    Token(&'a str),
}

/// Reads every `Authorization` of a request.
pub(super) fn presented(headers: &HeaderMap) -> Presented<'_> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Presented::Nothing };
    if values.next().is_some() {
        return Presented::Several;
    }
    let value = value.as_bytes();
    // A list of credentials is no credential. Commas are good inside other schemes, before another Bearer never.
    let begins_bearer = |part: &[u8]| scheme_of(part.trim_ascii_start()).eq_ignore_ascii_case(b"bearer");
    let mut parts = value.split(|byte| *byte == b',');
    let first = parts.next().is_some_and(begins_bearer);
    let rest = parts.fold((false, false), |(_, bearer), part| (true, bearer || begins_bearer(part)));
    match (first, rest) {
        (true, (true, _)) | (false, (true, true)) => return Presented::Several,
        (false, _) => return Presented::Nothing,
        (true, (false, _)) => {}
    }
    let after = value.get(scheme_of(value).len()..).unwrap_or_default();
    match after.strip_prefix(b" ").and_then(|token| std::str::from_utf8(token).ok()) {
        Some(token) if is_token68(token) => Presented::Token(token),
        _ => Presented::Malformed,
    }
}

/// The word before the first byte that no scheme can hold.
fn scheme_of(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|byte| !byte.is_ascii_alphanumeric() && !b"!#$%&'*+-.^_`|~".contains(byte));
    value.get(..end.unwrap_or(value.len())).unwrap_or_default()
}

/// `b64token` of RFC 6750, 2.1.
fn is_token68(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        format!("{:?}", presented(&headers))
    }

    // K11
    #[test]
    fn one_token_of_the_bearer_scheme_is_read_and_nothing_near_it() {
        for good in
            ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER a.b-c_d~e+f/g==", "bEaReR a.b-c_d~e+f/g=="]
        {
            assert_eq!(of(&[good.as_bytes()]), "Token(\"a.b-c_d~e+f/g==\")", "{good}");
        }
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer  a",
            "Bearer\ta",
            "Bearer \ta",
            "Bearer a b",
            "Bearer a=b",
            "Bearer =",
            "Bearer a;b",
            "Bearer \"a\"",
            "Bearer: a",
            "Bearer a\tb",
            "Bearer=a",
            "Bearer a?",
            "bearer  a",
        ] {
            assert_eq!(of(&[bad.as_bytes()]), "Malformed", "{bad}");
        }
        assert_eq!(of(&[b"Bearer \xe9"]), "Malformed");
        for other in ["Basic YTpi", "Digest a=b, c=d", "DPoP abc", "Bearerx a", "X-Bearer a", "a.b.c", "", "Negotiate"]
        {
            assert_eq!(of(&[other.as_bytes()]), "Nothing", "{other}");
        }
        assert_eq!(of(&[]), "Nothing");
    }

    // K11
    #[test]
    fn of_several_credentials_none_counts() {
        assert_eq!(of(&[b"Bearer a", b"Bearer b"]), "Several");
        assert_eq!(of(&[b"Bearer a", b"Bearer a"]), "Several");
        assert_eq!(of(&[b"Basic a", b"Bearer a"]), "Several");
        assert_eq!(of(&[b"Basic a", b"Basic a"]), "Several");
        for value in
            ["Bearer a, Bearer b", "Bearer a,Bearer b", "Bearer a,b", "Bearer a,", "Basic a, Bearer b", "x,bearer"]
        {
            assert_eq!(of(&[value.as_bytes()]), "Several", "{value}");
        }
    }
}
