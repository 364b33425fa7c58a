//! What an operator needs to know when an ID token was refused: what was wanted, what was there, and which key to change.
//!
//! Nothing here decides anything. The values shown say who issued a token for whom, how and when; what names a person, the
//! nonce and the token itself are never shown.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::Expectation;
use crate::ground::time::Timestamp;
use crate::oidc::TokenError;
use crate::oidc::jwt::unproven;
use crate::oidc::read::{audiences, date};
use crate::secret::SecretString;
use crate::telemetry::foreign_text::shown;

/// Why `raw` was refused with `error`, in words for a log. `key` is where the configuration speaks of this issuer, such as
/// `provider.oidc`.
pub fn explain(error: TokenError, raw: &SecretString, expect: &Expectation<'_>, key: &str, now: SystemTime) -> String {
    let (header, claims) = unproven(raw).unwrap_or_default();
    let (issuer, client_id) = (shown(expect.issuer), shown(expect.client_id));
    let more = match error {
        TokenError::IssuerMismatch if !expect.tenants.is_none() => format!(
            "found `{}` and `tid` `{}`; `{key}.tenants` lists the tenants whose people may sign in",
            word(&claims, "iss"),
            word(&claims, "tid")
        ),
        TokenError::IssuerMismatch => {
            format!("expected `{issuer}`, found `{}`; `{key}.issuer` is compared exactly", word(&claims, "iss"))
        }
        TokenError::AudienceMismatch => {
            let found: Vec<_> = audiences(&claims).ok().flatten().unwrap_or_default();
            let found = found.iter().map(|audience| format!("`{}`", shown(audience))).collect::<Vec<_>>().join(", ");
            format!(
                "expected `{client_id}`, found {found}; if `{client_id}` is among them, list the others in \
                 `{key}.trusted_audiences`, else compare `{key}.client_id`"
            )
        }
        TokenError::AuthorizedPartyMismatch => {
            format!("expected `azp` `{client_id}`, found `{}`; compare `{key}.client_id`", word(&claims, "azp"))
        }
        TokenError::AlgorithmNotAllowed => algorithm(&word(&header, "alg"), expect, key),
        TokenError::UnknownKey | TokenError::SignatureInvalid => {
            let (kid, alg) = (word(&header, "kid"), word(&header, "alg"));
            format!("`kid` is `{kid}`, `alg` is `{alg}`; compare with the provider's key set")
        }
        TokenError::OtherKind => format!(
            "`typ` is `{}`; of other kinds only `at+jwt` can be accepted, with `{key}.accept_at_jwt_typ`",
            word(&header, "typ")
        ),
        TokenError::Encrypted => {
            "have the provider send ID tokens that are signed and not encrypted (no JWE)".to_owned()
        }
        TokenError::TooLarge => format!(
            "it has {} bytes; `{}.max_id_token` is the limit, or have the provider send fewer claims",
            raw.expose().len(),
            key.split('.').next().unwrap_or_default()
        ),
        TokenError::Expired => format!("`exp` was {} s ago; {SKEW}", -ahead(&claims, "exp", now)),
        TokenError::NotYetValid => {
            let ahead = ahead(&claims, "iat", now).max(ahead(&claims, "nbf", now));
            format!("its time is {ahead} s ahead of our clock; {SKEW}")
        }
        TokenError::Stale => {
            format!("it was issued {} s ago, at most 600 s are allowed; {SKEW}", -ahead(&claims, "iat", now))
        }
        TokenError::AuthenticationTooOld => format!(
            "`auth_time` is {} s ago, `{key}.max_age` allows {} s",
            -ahead(&claims, "auth_time", now),
            expect.max_age.unwrap_or_default().as_secs()
        ),
        TokenError::AcrNotMet => format!(
            "`acr` is `{}`, `{key}.acr_values` asks for {}; with `require_acr: false` it would not be demanded",
            word(&claims, "acr"),
            expect.acr_values.join(" ")
        ),
        TokenError::AccessTokenMismatch
        | TokenError::CriticalHeader
        | TokenError::KeyBound
        | TokenError::Malformed
        | TokenError::Missing(_)
        | TokenError::NonceMismatch
        | TokenError::SubjectInvalid
        | TokenError::WrongType(_) => return error.to_string(),
    };
    format!("{error}: {more}")
}

const SKEW: &str = "set the clocks right, or raise `sign_in.skew` (at most 5m)";

fn algorithm(found: &str, expect: &Expectation<'_>, key: &str) -> String {
    let allowed = expect.algorithms.join(", ");
    let advice = if found.starts_with("HS") {
        "a shared secret signs nothing here: give the client a signing key at the provider, such as RS256".to_owned()
    } else if found.eq_ignore_ascii_case("none") {
        "have the provider sign its ID tokens".to_owned()
    } else {
        format!("list it in `{key}.algorithms`, or have the provider sign with one of those")
    };
    format!("`alg` is `{found}`, allowed: {allowed}; {advice}")
}

fn word(members: &Map<String, Value>, name: &str) -> String {
    members.get(name).and_then(Value::as_str).map_or_else(|| "none".to_owned(), shown)
}

/// How many seconds the date lies ahead of `now`.
fn ahead(claims: &Map<String, Value>, name: &'static str, now: SystemTime) -> i64 {
    let now = Timestamp::of(now).as_numeric_date();
    date(claims, name).ok().flatten().map_or(0, |date| date.saturating_sub(now))
}
