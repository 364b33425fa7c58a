//! The authorization request (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1, RFC 7636): where the browser is sent.
//!
//! What comes back is read by [`CallbackParams`].

mod response;
mod settings;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::{Url, form_urlencoded};

pub use response::{AuthorizationResponse, CallbackFault, CallbackParams, ErrorCode, ResponseFault};
pub(crate) use response::{KNOWN_NAMES, is_mccmnc};
pub use settings::{RequestSettings, UiLocales, is_language_tag};

use crate::secret::{Entropy, SecretString, random_text, sha256};

/// Parameters that decide what the request means. Only we write them: a copy in the endpoint's own query or in `extra`
/// would leave it to the carrier which of two counts.
const OURS: [&str; 23] = [
    "acr_values",
    "claims",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "correlation_id",
    "id_token_hint",
    "login_hint",
    "login_hint_token",
    "max_age",
    "nonce",
    "prompt",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "ui_locales",
];

/// Whether a parameter of this name is ours to write.
pub fn is_ours(name: &str) -> bool {
    OURS.contains(&name) || name == "resource"
}

/// PKCE code verifier (RFC 7636, 4.1): 64 unreserved characters from 384 random bits.
#[derive(Debug, Clone)]
pub struct CodeVerifier(SecretString);

impl CodeVerifier {
    /// Draws a verifier.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(SecretString::new(random_text::<48>(entropy)))
    }

    /// The S256 challenge (RFC 7636, 4.2). There is no `plain` (B07).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(sha256(self.0.expose().as_bytes()))
    }

    /// The verifier, for the sign-in attempt and the token request, never for a URL.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

/// Ties the calls of one sign-in together at the carrier: `^[a-zA-Z0-9-]{8,16}$` (dossier 8 and 24). Not a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationId(String);

impl CorrelationId {
    /// Draws an id: 16 hexadecimal digits.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        Self(format!("{:016x}", u64::from_be_bytes(bytes)))
    }

    /// Reads one that somebody else drew: 8 to 16 letters, digits and hyphens (dossier 24).
    pub fn parse(text: &str) -> Option<Self> {
        let sound = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        ((8..=16).contains(&text.len()) && sound).then(|| Self(text.to_owned()))
    }

    /// The id as it goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An authorization request with code, S256 and nonce: there is no way to leave those out (B01, B07).
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationRequest<'a> {
    /// The carrier's authorization endpoint; its own query is kept.
    pub endpoint: &'a Url,
    /// Our client id.
    pub client_id: &'a str,
    /// The registered redirect URI, byte for byte.
    pub redirect_uri: &'a str,
    /// Scopes.
    pub scopes: &'a [String],
    /// Whether an ID token is wanted: `openid` is then put in front if it is not among the scopes.
    pub wants_id_token: bool,
    /// State of this leg.
    pub state: &'a str,
    /// Nonce that the ID token must carry.
    pub nonce: &'a str,
    /// [`CodeVerifier::challenge`].
    pub code_challenge: &'a str,
    /// Authentication contexts in order of preference; none: the parameter is left out.
    pub acr_values: &'a [String],
    /// Longest time since the person authenticated, where this very sign-in needs it; of two, the shorter counts. The ID token
    /// is then held to it.
    pub max_age: Option<Duration>,
    /// What the person reads beside the question, where the provider shows it (dossier 8): at most 280 characters.
    pub context: Option<&'a str>,
    /// [`CorrelationId`].
    pub correlation_id: Option<&'a str>,
    /// What the discovery UI handed over, opaque. Sent if and only if there is one: an empty or invented token makes
    /// the carrier look for the wrong phone (dossier 6).
    pub login_hint_token: Option<&'a str>,
    /// Whom the person may be, in words of theirs or of the link that began the sign-in (Core 3.1.2.1).
    pub login_hint: Option<&'a str>,
    /// `login`, `select_account` and the like, where this very sign-in needs it; goes before the operator's.
    pub prompt: Option<&'a str>,
    /// `form_post`; nothing for the usual way, in the address.
    pub response_mode: Option<&'a str>,
    /// What the operator wants in every request.
    pub settings: &'a RequestSettings,
    /// Languages, as [`UiLocales::value`] has them.
    pub ui_locales: &'a str,
}

impl AuthorizationRequest<'_> {
    /// The URL to send the browser to.
    pub fn to_url(&self) -> Url {
        let parameters = self.parameters();
        with_query(self.endpoint, &OURS, parameters.iter().map(|(name, value)| (name.as_ref(), value.as_ref())))
    }

    /// The same as a form, for the endpoint at which requests are pushed (RFC 9126, 2.1).
    pub fn to_form(&self) -> SecretString {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(self.parameters());
        SecretString::new(form.finish())
    }

    /// The URL to send the browser to once the request was pushed and is known as `request_uri` (RFC 9126, 4).
    pub fn to_pushed_url(&self, request_uri: &str) -> Url {
        with_query(self.endpoint, &OURS, [("client_id", self.client_id), ("request_uri", request_uri)].into_iter())
    }

    fn parameters(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        let settings = self.settings;
        let max_age = self.max_age.into_iter().chain(settings.max_age).min();
        let max_age = max_age.map(|age| age.as_secs().to_string()).unwrap_or_default();
        let ours: [(&str, Cow<'_, str>); 18] = [
            ("response_type", "code".into()),
            ("client_id", self.client_id.into()),
            ("redirect_uri", self.redirect_uri.into()),
            ("scope", self.scope().into()),
            ("state", self.state.into()),
            ("nonce", self.nonce.into()),
            ("code_challenge", self.code_challenge.into()),
            ("code_challenge_method", "S256".into()),
            ("acr_values", self.acr_values.join(" ").into()),
            ("correlation_id", self.correlation_id.unwrap_or_default().into()),
            ("login_hint_token", self.login_hint_token.unwrap_or_default().into()),
            ("prompt", self.prompt.or(settings.prompt.as_deref()).unwrap_or_default().into()),
            ("login_hint", self.login_hint.unwrap_or_default().into()),
            ("response_mode", self.response_mode.unwrap_or_default().into()),
            ("max_age", max_age.into()),
            ("ui_locales", self.ui_locales.into()),
            ("claims", settings.claims.as_deref().unwrap_or_default().into()),
            ("context", self.context.unwrap_or_default().into()),
        ];
        let resources = settings.resource.iter().map(|resource| ("resource".into(), resource.as_str().into()));
        // The operator's own context is for sign-ins that need no other.
        let is_said = |name: &str| is_ours(name) || name == "context" && self.context.is_some();
        let extra = settings.extra.iter().filter(|(name, _)| !is_said(name));
        let extra = extra.map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        let ours = ours.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.into(), value));
        ours.chain(resources).chain(extra).collect()
    }

    fn scope(&self) -> String {
        let lacks = self.wants_id_token && !self.scopes.iter().any(|scope| scope == "openid");
        let openid = lacks.then_some("openid");
        openid.into_iter().chain(self.scopes.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }
}

/// `base` with its own query (RFC 6749, 3.1: it must be kept), less any parameter named in `ours`, then `parameters`.
pub(crate) fn with_query<'p>(base: &Url, ours: &[&str], parameters: impl Iterator<Item = (&'p str, &'p str)>) -> Url {
    let is_ours = |piece: &&str| {
        let name = form_urlencoded::parse(piece.as_bytes()).next().map(|(name, _)| name);
        name.is_some_and(|name| ours.contains(&name.as_ref()))
    };
    let kept: Vec<&str> =
        base.query().unwrap_or_default().split('&').filter(|piece| !piece.is_empty() && !is_ours(piece)).collect();
    let mut query = kept.join("&");
    let start = query.len();
    if start > 0 {
        query.push('&');
    }
    let added = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    query.push_str(&added);
    let mut url = base.clone();
    url.set_fragment(None);
    url.set_query(Some(query.trim_end_matches('&')));
    url
}

#[cfg(test)]
mod tests;
