//! The token request and its answer (RFC 6749 4.1.3 and 5; OpenID Connect Core 3.1.3).

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::json;
use crate::secret::SecretString;

/// The body of a token request, `application/x-www-form-urlencoded`, with `further` parameters that show who we are. Beside
/// Basic there are none, and no `client_id`: one carrier refuses a request that has it in the body too (dossier 9.3).
pub fn token_form(
    code: &SecretString,
    redirect_uri: &str,
    code_verifier: &SecretString,
    correlation_id: Option<&str>,
    further: &[(&str, SecretString)],
) -> SecretString {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code.expose())
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("code_verifier", code_verifier.expose());
    if let Some(correlation_id) = correlation_id {
        form.append_pair("correlation_id", correlation_id);
    }
    form.extend_pairs(further.iter().map(|(name, value)| (name, value.expose())));
    SecretString::new(form.finish())
}

/// The error codes of a token endpoint that we tell apart (RFC 6749, 5.2; dossier 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenErrorCode {
    /// Our credentials are wrong: the operator must know.
    InvalidClient,
    /// The code is spent, expired or of somebody else, or the verifier is wrong; also ZenKey's `request_denied`.
    InvalidGrant,
    /// The request is malformed.
    InvalidRequest,
    /// A scope is not allowed.
    InvalidScope,
    /// Any other text, or none.
    Other,
    /// The server failed.
    ServerError,
    /// The server is overloaded.
    TemporarilyUnavailable,
    /// We may not use this grant.
    UnauthorizedClient,
    /// The server does not know this grant.
    UnsupportedGrantType,
}

impl TokenErrorCode {
    /// Reads a code exactly as written; what is not known is [`TokenErrorCode::Other`].
    pub fn read(code: &str) -> Self {
        match code {
            "invalid_client" => Self::InvalidClient,
            "invalid_grant" | "request_denied" => Self::InvalidGrant,
            "invalid_request" => Self::InvalidRequest,
            "invalid_scope" => Self::InvalidScope,
            "server_error" => Self::ServerError,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_grant_type" => Self::UnsupportedGrantType,
            _ => Self::Other,
        }
    }

    /// The code's name, ours for what is not known: `other`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::Other => "other",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
        }
    }
}

/// Why an answer of a token endpoint gives no tokens. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// No `access_token`, or not a text that could stand in a header.
    #[error("the answer has no usable access token")]
    AccessToken,
    /// No `id_token`, or not a text of the characters a token has: nobody was named.
    #[error("the answer has no usable ID token")]
    IdToken,
    /// Not one JSON object with unique members.
    #[error("the answer is not a JSON object with unique members")]
    NotAnObject,
    /// The answer is an error, whatever its status was.
    #[error("the token endpoint refused: {}", .0.as_str())]
    Refused(TokenErrorCode),
    /// `token_type` is there and not `Bearer`: a token we could not use as its issuer means it.
    #[error("the token type is not Bearer")]
    TokenType,
}

/// Tokens as they came, unverified. `expires_in` (a number at some carriers, a string at others), `scope` are
/// not read.
#[derive(Debug)]
pub struct TokenResponse {
    /// For [`super::id_token::UnverifiedIdToken::parse`].
    pub id_token: SecretString,
    /// For userinfo; opaque, visible ASCII. Or why it is of no use: a fault only for whoever wants to use it.
    pub access_token: Result<SecretString, TokenFault>,
    /// For asking again; kept only where the configuration wants that.
    pub refresh_token: Option<SecretString>,
}

/// Longest refresh token that is kept, in bytes.
const MAX_REFRESH_TOKEN: usize = 16 * 1024;

/// Reads the body of a successful answer of a provider that issues no ID tokens. The caller has capped its size.
pub fn parse_access_token(body: &[u8]) -> Result<SecretString, TokenFault> {
    access_token(&members_of(body)?)
}

/// The members of a successful answer; GitHub and its like write a refusal into one as well.
pub(super) fn members_of(body: &[u8]) -> Result<Map<String, Value>, TokenFault> {
    let members = json::object(body).ok_or(TokenFault::NotAnObject)?;
    match members.get("error").filter(|error| !error.is_null()) {
        Some(error) => Err(TokenFault::Refused(TokenErrorCode::read(error.as_str().unwrap_or_default()))),
        None => Ok(members),
    }
}

/// A token in the members of an answer: one word of visible ASCII.
pub(super) fn token(members: &Map<String, Value>, name: &str) -> Option<SecretString> {
    let text = members.get(name).and_then(Value::as_str);
    text.filter(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic())).map(SecretString::new)
}

fn access_token(members: &Map<String, Value>) -> Result<SecretString, TokenFault> {
    // RFC 6749, 5.1 demands a type. Where none is said Bearer is meant, the only kind that OpenID Connect knows (Core
    // 3.1.3.3); a kind that is said and is not ours is never used as if it were.
    let is_bearer = match members.get("token_type") {
        None | Some(Value::Null) => true,
        kind => kind.and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")),
    };
    if is_bearer { token(members, "access_token").ok_or(TokenFault::AccessToken) } else { Err(TokenFault::TokenType) }
}

/// A refresh token in the members of a token endpoint's answer, if there is one that can be sent back.
pub(super) fn refresh_token(members: &Map<String, Value>) -> Option<SecretString> {
    let text = members.get("refresh_token").and_then(Value::as_str);
    let usable = |text: &&str| {
        !text.is_empty() && text.len() <= MAX_REFRESH_TOKEN && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
    };
    text.filter(usable).map(SecretString::new)
}

impl TokenResponse {
    /// Reads the body of a successful answer. The caller has capped its size.
    pub fn parse(body: &[u8]) -> Result<Self, TokenFault> {
        let members = members_of(body)?;
        Ok(Self {
            id_token: token(&members, "id_token").ok_or(TokenFault::IdToken)?,
            access_token: access_token(&members),
            refresh_token: refresh_token(&members),
        })
    }
}

/// The body of a pushed authorization request (RFC 9126, 2.1): `request` as a form, and `further` parameters that show who
/// we are. The client id is in the request already.
pub fn pushed_form(request: &SecretString, further: &[(&str, SecretString)]) -> SecretString {
    let mut form = form_urlencoded::Serializer::new(request.expose().to_owned());
    let further = further.iter().filter(|(name, _)| *name != "client_id");
    form.extend_pairs(further.map(|(name, value)| (name, value.expose())));
    SecretString::new(form.finish())
}

/// `request_uri` of the answer to a pushed authorization request (RFC 9126, 2.2): 1 to 512 signs of visible ASCII. It goes
/// into the address that the browser is sent to.
pub fn parse_pushed(body: &[u8]) -> Option<String> {
    let members = json::object(body)?;
    let uri = members.get("request_uri")?.as_str()?;
    ((1..=512).contains(&uri.len()) && uri.bytes().all(|b| b.is_ascii_graphic())).then(|| uri.to_owned())
}

/// The error code in the body of an unsuccessful answer (N03); [`TokenErrorCode::Other`] if there is none to be read.
pub fn parse_error(body: &[u8]) -> TokenErrorCode {
    parse_refusal(body).error.map_or(TokenErrorCode::Other, |code| TokenErrorCode::read(&code))
}

/// What an unsuccessful answer says (RFC 6749, 5.2), in the provider's own words: for a log, once they are fit for it.
#[derive(Debug, Default)]
pub struct Refusal {
    /// `error`.
    pub error: Option<String>,
    /// `error_description`.
    pub description: Option<String>,
}

/// Reads what can be read of an unsuccessful answer.
pub fn parse_refusal(body: &[u8]) -> Refusal {
    let members = json::object(body).unwrap_or_default();
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    Refusal { error: text("error"), description: text("error_description") }
}

#[cfg(test)]
mod tests;
