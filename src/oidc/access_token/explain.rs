//! What an operator needs to know when an access token was refused for what it says: what was wanted, what was there, and
//! which key to change.
//!
//! Nothing here decides anything. What names a person and the token itself are never shown.

use super::AccessTokenRule;
use crate::oidc::TokenError;
use crate::oidc::jwt::unproven;
use crate::oidc::read::audiences;
use crate::secret::SecretString;
use crate::telemetry::foreign_text::shown;

/// Most audiences of a token that are shown.
const MOST_SHOWN: usize = 8;

/// Why `raw` was refused with `error`, in words for a log.
pub fn explain(error: TokenError, raw: &SecretString, rule: &AccessTokenRule<'_>) -> String {
    let words = |list: &mut dyn Iterator<Item = &str>| {
        let shown: Vec<_> = list.take(MOST_SHOWN).map(|word| format!("`{}`", shown(word))).collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    };
    let mut ours = rule.audiences.iter().map(String::as_str);
    match error {
        TokenError::AudienceMismatch => {
            let (_, claims) = unproven(raw).unwrap_or_default();
            let found = audiences(&claims).ok().flatten().unwrap_or_default();
            format!(
                "{error}: `aud` must name {} and nobody that is not in `trusted_audiences` of `bearer.issuers`; found {}",
                words(&mut ours),
                words(&mut found.into_iter()),
            )
        }
        TokenError::Missing("aud") => {
            format!(
                "{error}: `aud` must name {}; have `{}` put it in (at Keycloak a mapper, at others a `resource` or \
                 `audience` of the request)",
                words(&mut ours),
                shown(rule.issuer)
            )
        }
        TokenError::OtherKind => {
            let (header, _) = unproven(raw).unwrap_or_default();
            let found = header.get("typ").and_then(serde_json::Value::as_str).map_or("none".to_owned(), shown);
            format!(
                "{error}: `typ` is `{found}`, expected `at+jwt`; `accept_untyped` of `bearer.issuers` takes none and `JWT`"
            )
        }
        TokenError::Expired => format!("{error}: its `exp` has passed; compare the clocks if it is new"),
        error => error.to_string(),
    }
}
