//! The refresh request and its answer (RFC 6749, 6; OpenID Connect Core 12): how a provider is asked again about a person
//! who signed in before.

use url::form_urlencoded;

use super::token::{TokenFault, members_of, refresh_token, token};
use crate::secret::SecretString;

/// The body of a refresh request, `application/x-www-form-urlencoded`. No scope: what was granted is meant.
/// `further` is what shows the provider who we are, where that goes into the body.
pub fn refresh_form(refresh_token: &SecretString, further: &[(&str, SecretString)]) -> SecretString {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", refresh_token.expose());
    form.extend_pairs(further.iter().map(|(name, value)| (name, value.expose())));
    SecretString::new(form.finish())
}

/// Tokens of a refresh answer as they came, unverified. Each may be missing: then what was there before holds.
#[derive(Debug, Default)]
pub struct RefreshResponse {
    /// The person as they are now.
    pub id_token: Option<SecretString>,
    /// For userinfo.
    pub access_token: Option<SecretString>,
    /// In the place of the one that was sent (RFC 6749, 6).
    pub refresh_token: Option<SecretString>,
}

impl RefreshResponse {
    /// Reads the body of a successful answer. The caller has capped its size.
    pub fn parse(body: &[u8]) -> Result<Self, TokenFault> {
        let members = members_of(body)?;
        let (id_token, access_token) = (token(&members, "id_token"), token(&members, "access_token"));
        // An answer that gives nothing proves nothing.
        if id_token.is_none() && access_token.is_none() {
            return Err(TokenFault::AccessToken);
        }
        Ok(Self { id_token, access_token, refresh_token: refresh_token(&members) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::token::TokenErrorCode;

    #[test]
    fn an_answer_is_read_as_far_as_it_goes() {
        let read = |text: &str| RefreshResponse::parse(text.as_bytes());
        let whole =
            read(r#"{"access_token":"a","id_token":"b.c.d","refresh_token":"r 2","token_type":"Bearer"}"#).unwrap();
        assert_eq!(whole.refresh_token.unwrap().expose(), "r 2");
        assert!(whole.id_token.is_some() && whole.access_token.is_some());
        let least = read(r#"{"access_token":"a"}"#).unwrap();
        assert!(least.id_token.is_none() && least.refresh_token.is_none());
        assert!(read(r#"{"access_token":"a","refresh_token":7}"#).unwrap().refresh_token.is_none());
    }

    #[test]
    fn an_answer_that_gives_nothing_or_refuses_confirms_nobody() {
        for bad in
            ["", "[]", "{}", r#"{"refresh_token":"r"}"#, r#"{"access_token":""}"#, r#"{"access_token":"a\u0000"}"#]
        {
            assert!(RefreshResponse::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let refused = RefreshResponse::parse(br#"{"error":"invalid_grant","access_token":"a"}"#);
        assert_eq!(refused.unwrap_err(), TokenFault::Refused(TokenErrorCode::InvalidGrant));
    }

    #[test]
    fn the_form_holds_the_token_and_nothing_else_of_ours() {
        assert_eq!(
            refresh_form(&SecretString::new("a&b c"), &[]).expose(),
            "grant_type=refresh_token&refresh_token=a%26b+c"
        );
    }
}
