//! Forms of checked texts: paths, names, scopes, algorithms.

use http::{HeaderName, HeaderValue};

use super::Form;
use crate::carrier::network::Network;

/// Declares a form that is a checked text.
macro_rules! text_form {
    ($(#[$doc:meta])* $name:ident, $format:literal, $what:literal, $(choices $choices:ident,)? check $parse:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) String);

        impl Form for $name {
            const NAME: &'static str = $format;
            const WHAT: &'static str = $what;
            $(const CHOICES: &'static [&'static str] = $choices;)?

            fn parse(text: &str) -> Result<Self, String> {
                let check: fn(&str) -> Result<String, String> = $parse;
                check(text).map(Self)
            }
        }
    };
}
pub(super) use text_form;

/// Signature algorithms that a key set can vouch for.
const ALGORITHMS: &[&str] =
    &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];

text_form!(
    /// Authentication context class, as it stands in `acr`.
    Acr, "acr", "an authentication context such as `a1` or `a3`",
    check |text| {
        if !visible(text) {
            return Err("is not one word of visible ASCII; write one context class, such as `a1`".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// Authentication method, as it stands in `amr` (RFC 8176).
    AuthMethodName, "authentication-method", "an authentication method such as `pin` or `hwk`",
    check |text| {
        if !visible(text) {
            return Err("is not one word of visible ASCII; write one authentication method, such as `pin`".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// What a person reads who confirms something (dossier 8).
    StepUpContext, "step-up-context", "a text of at most 280 characters",
    check |text| {
        if !(1..=MOST_CONTEXT).contains(&text.chars().count()) || text.chars().any(char::is_control) {
            return Err("is longer than 280 characters, or holds line breaks; say in one sentence what is confirmed".to_owned());
        }
        Ok(text.to_owned())
    }
);

/// Longest context, in characters; a longer one is refused by carriers (dossier 8).
const MOST_CONTEXT: usize = 280;

text_form!(
    /// JWS algorithm (RFC 7518, 3.1).
    Algorithm, "algorithm", "a signature algorithm such as `RS256`",
    choices ALGORITHMS,
    check |text| {
        // ASVS 9.1.2. Accepting `none` or a MAC lets anyone who knows our public data forge tokens.
        if text.eq_ignore_ascii_case("none") {
            return Err("would accept tokens without a signature; name one such as `RS256`".to_owned());
        }
        if text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("HS")) {
            return Err("is signed with a shared secret, which key sets do not hold; use one such as `RS256`".to_owned());
        }
        if ALGORITHMS.contains(&text) {
            return Ok(text.to_owned());
        }
        Err(format!("is not one of {}", ALGORITHMS.join(", ")))
    }
);

text_form!(
    /// A tenant of an issuer of many, as it stands in `tid`.
    TenantId, "tenant", "a tenant id such as `11111111-2222-3333-4444-555555555555`",
    check |text| {
        // It becomes part of an issuer: nothing that could be read as another one.
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if text.is_empty() || text.len() > 64 || !plain {
            return Err("is no tenant id: lower-case letters, digits and `-`, as `tid` has it; each one is written out".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// An audience, as it stands in `aud`.
    Audience, "audience", "an audience such as `https://api.example.com`",
    check |text| {
        if !visible(text) {
            return Err("is not one word of visible ASCII; write one audience, as it stands in `aud`".to_owned());
        }
        if text.contains('*') {
            return Err("looks like a pattern; audiences are compared literally, write each one out".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// Name of a claim.
    ClaimName, "claim", "the name of a claim such as `email`",
    check |text| if visible(text) { Ok(text.to_owned()) } else { Err("is not one word of visible ASCII; write a claim's name".to_owned()) }
);

text_form!(
    /// What attributes are needed for, for the person to read.
    Purpose, "purpose", "plain text such as `We send your order to this address.`",
    check |text| {
        if !(1..=140).contains(&text.len()) || text.trim() != text || text.chars().any(char::is_control) {
            return Err("is no plain text of at most 140 bytes without line breaks".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// Client id (RFC 6749, A.1): visible ASCII and spaces.
    ClientId, "client-id", "a client id",
    check |text| {
        if text.trim() == text && visible(&text.replace(' ', "")) && text.len() <= 255 {
            return Ok(text.to_owned());
        }
        Err("is not a client id: up to 255 visible ASCII signs, with spaces only between them".to_owned())
    }
);

text_form!(
    /// Id of one of several providers, as it stands in redirect URIs.
    ProviderId, "provider-id", "an id of lower-case letters, digits and `-`, such as `staff`",
    check |text| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let ends = text.starts_with('-') || text.ends_with('-');
        if !(1..=32).contains(&text.len()) || !text.bytes().all(plain) || ends {
            return Err("is not an id of at most 32 lower-case letters, digits and `-`, such as `staff`".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// What people know a provider by.
    ProviderName, "provider-name", "a name for people to read, such as `Staff`",
    check |text| {
        if !(1..=48).contains(&text.len()) || text.trim() != text || text.chars().any(char::is_control) {
            return Err("is not a name of at most 48 bytes without line breaks".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// `claims` of an authorization request (Core 5.5).
    ClaimsRequest, "claims-request", "JSON such as `{\"id_token\":{\"groups\":null}}`",
    check |text| {
        let fine = |value: &serde_json::Value| {
            value.as_object().is_some_and(|all| !all.is_empty() && all.keys().all(|key| key == "id_token" || key == "userinfo"))
        };
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value) if fine(&value) && text.len() <= 2048 => Ok(value.to_string()),
            Ok(_) => Err("is no object with `id_token` or `userinfo` in it, of at most 2 KiB".to_owned()),
            Err(_) => Err("is not JSON".to_owned()),
        }
    }
);

text_form!(
    /// Domain of an e-mail address, lower case, without `@`.
    EmailDomain, "email-domain", "a domain such as `example.com`",
    check |text| {
        let lower = text.to_ascii_lowercase();
        let bare = lower.strip_prefix('@').unwrap_or(&lower);
        if bare != lower || !super::address::is_dns_name(bare) {
            return Err("is not a plain domain such as `example.com` (no `@`, no wildcard)".to_owned());
        }
        Ok(lower)
    }
);

text_form!(
    /// Path of a file on this machine.
    FilePath, "path", "the path of a file",
    check |text| {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err("is not the path of a file".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// Name of a header that we write.
    HeaderWord, "header", "a header name such as `X-User`",
    check |text| {
        // Whether the name is ours to write, the room of headers says when the route is compiled.
        if HeaderName::from_bytes(text.as_bytes()).is_err() {
            return Err("is not a header name (RFC 9110, 5.1)".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// A method (RFC 9110, 9.1).
    MethodName, "method", "a method such as `GET`",
    check |text| {
        let fine = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        if text.is_empty() || text.len() > 32 || !text.bytes().all(fine) || matches!(text, "CONNECT" | "TRACE") {
            return Err("is not a method in capital letters that is passed on (CONNECT and TRACE are not)".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// Value of a header (RFC 9110, 5.5).
    FieldText, "field-value", "the value of a header",
    check |text| {
        let fine = text.len() <= 4096 && text.trim() == text && HeaderValue::from_str(text).is_ok() && text.is_ascii();
        if fine { Ok(text.to_owned()) } else { Err("is not the value of a header, of at most 4096 printable bytes".to_owned()) }
    }
);

text_form!(
    /// Name of a route in logs and metrics.
    Label, "name", "a short name of letters, digits, `-`, `_`, `.`, `/`",
    check |text| {
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b':' | b'[' | b']');
        if text.is_empty() || text.len() > 100 || !text.bytes().all(fine) {
            return Err("is not a name of 1 to 100 letters, digits, `-`, `_`, `.` or `/`".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// A mobile network (ITU-T E.212).
    NetworkWord, "mobile-network", "a network such as `310-410` or `901-07`",
    check |text| match Network::parse(text) {
        Some(network) => Ok(network.to_string()),
        None => Err("is not a mobile network: three digits, `-`, and two or three digits, such as `310-410`".to_owned()),
    }
);

impl NetworkWord {
    /// The network.
    pub(crate) fn network(&self) -> Option<Network> {
        Network::parse(&self.0)
    }
}

text_form!(
    /// The prefix of our own addresses.
    OwnPrefix, "prefix", "a path such as `/oauth2`",
    check |text| {
        normal_path(text)?;
        if text == "/" {
            return Err("would take every path for the gateway itself; write one such as `/oauth2`".to_owned());
        }
        if text.len() > 64 {
            return Err("is longer than 64 characters".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// `prompt` (Core 3.1.2.1). `none` is not among them: it refuses everybody who is not signed in already.
    Prompt, "prompt", "`login`, `consent`, `select_account` or `create`, or several with a space between them",
    check |text| {
        if text.split(' ').all(|word| ["login", "consent", "select_account", "create"].contains(&word)) {
            return Ok(text.to_owned());
        }
        Err("is not `login`, `consent`, `select_account` or `create`, nor several of them with one space between".to_owned())
    }
);

text_form!(
    /// `resource` (RFC 8707, 2): an absolute URI without a fragment.
    Resource, "resource", "an absolute address such as `https://api.example.com/`",
    check |text| match url::Url::parse(text) {
        Ok(url) if url.fragment().is_none() && visible(text) => Ok(text.to_owned()),
        _ => Err("is not an absolute address without a fragment".to_owned()),
    }
);

text_form!(
    /// Hosts that are reached without a proxy.
    ProxyExemption, "proxy-exemption", "a host, a domain such as `.corp.example`, or a network such as `10.0.0.0/8`",
    check |text| {
        if visible(text) && !text.contains(',') {
            return Ok(text.to_owned());
        }
        Err("is not one host, domain or network; write each as an item of its own".to_owned())
    }
);

text_form!(
    /// Path prefix of a route, in normal form.
    RoutePath, "route-path", "a path such as `/` or `/app`",
    check |text| normal_path(text).map(|()| text.to_owned())
);

text_form!(
    /// One scope (RFC 6749, 3.3).
    Scope, "scope", "one scope such as `openid`",
    check |text| {
        if visible(text) && !text.contains(['"', '\\']) {
            return Ok(text.to_owned());
        }
        Err("is not one scope; write each scope as an item of its own".to_owned())
    }
);

text_form!(
    /// What every key of ours in Redis begins with.
    StorePrefix, "store-prefix", "a prefix such as `zengate:`",
    check |text| {
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/');
        if text.is_empty() || text.len() > 64 || !text.bytes().all(fine) {
            return Err("is not a prefix of 1 to 64 letters, digits, `-`, `_`, `.`, `:` or `/`".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// What the names of our cookies have in common, after `__Host-`.
    CookieName, "cookie-name", "a name such as `gw`",
    check |text| {
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if text.is_empty() || text.len() > 32 || !text.bytes().all(fine) {
            return Err("is not a name of 1 to 32 small letters, digits or `_`".to_owned());
        }
        Ok(text.to_owned())
    }
);

text_form!(
    /// Language of a provider's pages: a tag (RFC 5646), or that of the browser.
    UiLocale, "ui-locale", "a language tag such as `de` or `en-GB`, or `from_browser`",
    check |text| {
        if text == "from_browser" || crate::oidc::authorization::is_language_tag(text) {
            return Ok(text.to_owned());
        }
        Err("is not a language tag such as `de` or `en-GB`, nor `from_browser`".to_owned())
    }
);

/// Whether a text is one word that a header or a query can carry as it is.
fn visible(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|b| b.is_ascii_graphic())
}

/// A path in normal form: what the path judged and the path forwarded both look like. Whatever two parsers could read
/// differently (`%`, `;`, `\`, `//`, dot segments) cannot be part of a rule.
fn normal_path(text: &str) -> Result<(), String> {
    let Some(inside) = text.strip_prefix('/') else {
        return Err("does not begin with `/`".to_owned());
    };
    if inside.is_empty() {
        return Ok(());
    }
    if text.ends_with('/') {
        return Err("ends with `/`; leave it out, a path covers everything below it".to_owned());
    }
    if inside.contains(['*', '^', '$', '(', '|', '?', '#']) {
        return Err("holds a sign of a pattern, query or fragment; a path is taken literally".to_owned());
    }
    for segment in inside.split('/') {
        if matches!(segment, "" | "." | "..") {
            return Err("is not in normal form; leave out empty and dot segments".to_owned());
        }
        let fine = |b: u8| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'-' | b'_' | b'.' | b'~' | b'+' | b'@' | b'=' | b',' | b':' | b'!')
        };
        if !segment.bytes().all(fine) {
            return Err("holds signs that a rule cannot use; write letters, digits and - _ . ~ + @ = , : !".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_that_anyone_can_forge_are_refused_in_every_spelling() {
        // Q04
        for text in
            ["none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "hs256", "HS1", "", " RS256", "rs256", "RS1"]
        {
            assert!(Algorithm::parse(text).is_err(), "{text:?}");
        }
        for text in ALGORITHMS {
            assert!(Algorithm::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_rule_s_path_is_in_normal_form() {
        for text in ["/", "/app", "/app/v1.2", "/~me"] {
            assert!(RoutePath::parse(text).is_ok(), "{text:?}");
        }
        for text in [
            "", "app", "/app/", "//", "//app", "/a//b", "/.", "/..", "/a/../b", "/a/.", "/%61", "/a;b", "/a\\b",
            "/a b", "/a?b", "/a#b", "/a*", "/^a", "/ä", "/a\n",
        ] {
            assert!(RoutePath::parse(text).is_err(), "{text:?}");
        }
        assert!(OwnPrefix::parse("/oauth2").is_ok());
        assert!(OwnPrefix::parse("/").is_err());
    }

    #[test]
    fn words_are_single_and_plain() {
        assert!(Acr::parse("a3").is_ok());
        assert!(Acr::parse("aal3").is_ok(), "what it means depends on whose word it is");
        assert!(Acr::parse("a1 a3").is_err());
        assert!(Scope::parse("openid email").is_err());
        assert!(EmailDomain::parse("@example.com").is_err());
        assert!(EmailDomain::parse("*.example.com").is_err());
        assert_eq!(EmailDomain::parse("Example.COM"), Ok(EmailDomain("example.com".to_owned())));
    }
}
