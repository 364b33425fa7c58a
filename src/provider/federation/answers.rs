//! What the answers of an issuer's endpoints mean.

use crate::oidc::refresh::RefreshResponse;
use crate::oidc::token::{self, Refusal, TokenErrorCode, TokenFault, TokenResponse};
use crate::provider::client::Answer;
use crate::provider::{ProviderError, Tokens, UserInfo};

/// A refusal with its advice (RFC 6749, 5.2).
pub(super) fn refused(answer: &Answer, code: TokenErrorCode) -> ProviderError {
    let Refusal { error, description } = token::parse_refusal(&answer.body);
    let advice = match code {
        TokenErrorCode::InvalidClient => {
            "compare client id, client secret and the way they are sent with the provider's registration (`client_id`, \
             `client_secret`, `token_endpoint_auth_method`)"
        }
        TokenErrorCode::InvalidGrant => {
            "the code was spent or too old, or the redirect URI is not the registered one (`public_url`)"
        }
        TokenErrorCode::InvalidScope => "compare `scopes` with the provider's registration",
        TokenErrorCode::UnauthorizedClient | TokenErrorCode::UnsupportedGrantType => {
            "let the client use authorization codes in the provider's registration"
        }
        _ => "the provider's own log says more",
    };
    let refusal = answer.blame(ProviderError::refused(code.as_str()));
    refusal.said(error.as_deref(), description.as_deref()).advise(advice)
}

/// Security N03 and C23: what an answer of a token endpoint means.
pub(super) fn read_tokens(answer: &Answer) -> Result<Tokens, ProviderError> {
    let invalid = |reason| answer.blame(ProviderError::invalid(reason));
    match answer.status {
        200 | 201 => match TokenResponse::parse(&answer.body) {
            Ok(TokenResponse { id_token, access_token, refresh_token }) => {
                Ok(Tokens { id_token, access_token: access_token.ok(), refresh_token })
            }
            Err(TokenFault::Refused(code)) => Err(refused(answer, code)),
            Err(TokenFault::IdToken) => Err(invalid("token answer without usable ID token")
                .advise("an ID token comes only if `scopes` holds `openid`")),
            Err(TokenFault::AccessToken | TokenFault::NotAnObject | TokenFault::TokenType) => {
                Err(invalid("token answer is not a JSON object"))
            }
        },
        _ => Err(failed_redemption(answer)),
    }
}

/// An answer of a token endpoint that holds no tokens.
pub(super) fn failed_redemption(answer: &Answer) -> ProviderError {
    match answer.status {
        429 | 503 => answer.overloaded(),
        // RFC 6749 5.2: 401 is for failed client authentication and for nothing else, whatever word stands beside it.
        401 => refused(answer, TokenErrorCode::InvalidClient),
        400..=499 => refused(answer, token::parse_error(&answer.body)),
        500..=599 => answer.blame(ProviderError::invalid("server error")),
        _ => answer.blame(ProviderError::invalid("unexpected status")),
    }
}

/// What an answer to a refresh means: as [`read_tokens`], but for what may be missing. An answer that no token endpoint wrote
/// (RFC 6749, 5.2: 400, or 403 in practice, with an error code) refuses nobody.
pub(super) fn read_refresh(answer: &Answer) -> Result<RefreshResponse, ProviderError> {
    let refused = |code: TokenErrorCode| {
        let Refusal { error, description } = token::parse_refusal(&answer.body);
        answer.blame(ProviderError::refused(code.as_str())).said(error.as_deref(), description.as_deref())
    };
    let invalid = |reason| answer.blame(ProviderError::invalid(reason));
    match answer.status {
        200 | 201 => match RefreshResponse::parse(&answer.body) {
            Ok(tokens) => Ok(tokens),
            Err(TokenFault::Refused(code)) => Err(refused(code)),
            Err(_) => Err(invalid("refresh answer without usable tokens")),
        },
        429 | 503 => Err(answer.overloaded()),
        401 => Err(refused(TokenErrorCode::InvalidClient)),
        400 | 403 if token::parse_refusal(&answer.body).error.is_some() => {
            Err(refused(token::parse_error(&answer.body)))
        }
        500..=599 => Err(invalid("server error")),
        _ => Err(invalid("unexpected status")),
    }
}

/// Security N04, and RFC 6750 3.1 for the refusals.
pub(super) fn read_userinfo(answer: &Answer) -> Result<UserInfo, ProviderError> {
    let blame = |error| answer.blame(error);
    match answer.status {
        200 => UserInfo::parse(&answer.body)
            .map_err(|fault| blame(ProviderError::invalid("not a userinfo answer")).found(&fault.to_string())),
        401 => Err(blame(ProviderError::refused("invalid_token"))),
        403 => Err(blame(ProviderError::refused("insufficient_scope"))),
        429 | 503 => Err(answer.overloaded()),
        400..=499 => Err(blame(ProviderError::refused("other"))),
        500..=599 => Err(blame(ProviderError::invalid("server error"))),
        _ => Err(blame(ProviderError::invalid("unexpected status"))),
    }
}
