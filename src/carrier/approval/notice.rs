//! What a carrier posts when a person has answered (dossier 13.4): tokens, or why there are none, and never both.

use serde_json::{Map, Value};

use super::request::is_request_id;
use crate::carrier::error::{CarrierError, Reaction};
use crate::oidc::json;
use crate::secret::SecretString;

/// Longest notification, in bytes (CR-S09).
pub const MAX_BODY: usize = 64 * 1024;

/// A notification, read and not believed: who may send it, and whether its tokens are good, is judged elsewhere.
#[derive(Debug)]
pub struct Notice {
    /// Which question it answers, as the carrier calls it.
    pub auth_req_id: String,
    /// Ours, come back.
    pub state: String,
    /// The answer.
    pub answer: Answer,
}

/// The answer.
#[derive(Debug)]
pub enum Answer {
    /// The carrier says that the person agreed.
    Tokens {
        /// Unverified.
        id_token: SecretString,
        /// For `at_hash` and nothing else.
        access_token: Option<SecretString>,
    },
    /// There are no tokens.
    None(Ending),
}

/// How a question ended without tokens, by a word of ours: the carrier's own words are kept nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The person said no.
    Declined(&'static str),
    /// Nobody answered in time.
    Expired(&'static str),
    /// Anything else.
    Failed(&'static str),
}

/// Why a body is no notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoticeFault {
    /// It has tokens and an error, or neither.
    #[error("not exactly one of tokens and an error")]
    Answer,
    /// `auth_req_id` is missing, too long, or not of printable characters.
    #[error("`auth_req_id` is missing or unusable")]
    Id,
    /// Not one JSON object with unique members.
    #[error("not a JSON object with unique members")]
    NotAnObject,
    /// `state` is missing.
    #[error("`state` is missing")]
    State,
    /// A member is not the text that it must be.
    #[error("a member has the wrong type")]
    Type,
}

impl Notice {
    /// Reads the body of a notification. The caller has capped its size.
    pub fn parse(body: &[u8]) -> Result<Self, NoticeFault> {
        let document = json::object(body).ok_or(NoticeFault::NotAnObject)?;
        let auth_req_id = text(&document, "auth_req_id")?.filter(|id| is_request_id(id)).ok_or(NoticeFault::Id)?;
        let state = text(&document, "state")?.ok_or(NoticeFault::State)?;
        let [id_token, access_token, error, description] =
            ["id_token", "access_token", "error", "error_description"].map(|name| text(&document, name));
        let has_tokens = ["id_token", "access_token", "refresh_token"].iter().any(|name| document.contains_key(*name));
        let answer = match (id_token?, error?) {
            (Some(id_token), None) => Answer::Tokens {
                id_token: SecretString::new(id_token),
                access_token: access_token?.map(SecretString::new),
            },
            (None, Some(error)) if !has_tokens => Answer::None(ending(error, description?.unwrap_or_default())),
            _ => return Err(NoticeFault::Answer),
        };
        Ok(Self { auth_req_id: auth_req_id.to_owned(), state: state.to_owned(), answer })
    }
}

/// A member that, if it is there and not null, is a text.
fn text<'a>(document: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, NoticeFault> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(NoticeFault::Type),
    }
}

/// What an error means. A description is looked at for one word only, where a carrier has one code for everything (CR-S13).
fn ending(error: &str, description: &str) -> Ending {
    let timed_out = CarrierError::AuthenticationTimedOut.as_str();
    match error {
        // CIBA Core 12.
        "expired_token" => return Ending::Expired(timed_out),
        "authorization_error" if description.to_ascii_lowercase().contains("time expired") => {
            return Ending::Expired(timed_out);
        }
        "authorization_error" => return Ending::Failed(CarrierError::UserUnsupported.as_str()),
        _ => {}
    }
    let error = CarrierError::parse(error);
    match (error, error.reaction()) {
        (CarrierError::AuthenticationTimedOut, _) => Ending::Expired(timed_out),
        (_, Reaction::Declined) => Ending::Declined(CarrierError::AccessDenied.as_str()),
        _ => Ending::Failed(error.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &str) -> Result<Notice, NoticeFault> {
        Notice::parse(format!(r#"{{"auth_req_id":"q","state":"s"{more}}}"#).as_bytes())
    }

    #[test]
    fn a_notification_has_tokens_or_an_error_and_never_both() {
        for good in [
            r#","id_token":"a.b.c","access_token":"t","token_type":"Bearer","expires_in":"3600""#,
            r#","id_token":"a.b.c","scope":"openid","error":null"#,
        ] {
            assert!(matches!(parse(good).unwrap().answer, Answer::Tokens { .. }), "{good}");
        }
        for (bad, fault) in [
            ("", NoticeFault::Answer),
            (r#","access_token":"t""#, NoticeFault::Answer),
            (r#","id_token":"a.b.c","error":"access_denied""#, NoticeFault::Answer),
            (r#","access_token":"t","error":"access_denied""#, NoticeFault::Answer),
            (r#","refresh_token":"t","error":"access_denied""#, NoticeFault::Answer),
            (r#","id_token":["a.b.c"]"#, NoticeFault::Type),
            (r#","error":7"#, NoticeFault::Type),
            (r#","error":"x","error":"y""#, NoticeFault::NotAnObject),
            (r#","state":"s","error":"x""#, NoticeFault::NotAnObject),
        ] {
            assert_eq!(parse(bad).unwrap_err(), fault, "{bad}");
        }
        let faults = [
            (r#"{"state":"s","error":"x"}"#, NoticeFault::Id),
            (r#"{"auth_req_id":"q","error":"x"}"#, NoticeFault::State),
            (r#"{"auth_req_id":"a b","state":"s","error":"x"}"#, NoticeFault::Id),
            ("auth_req_id=q&state=s&error=x", NoticeFault::NotAnObject),
        ];
        for (body, fault) in faults {
            assert_eq!(Notice::parse(body.as_bytes()).unwrap_err(), fault, "{body}");
        }
    }

    // CR-S13, N03
    #[test]
    fn an_error_becomes_one_of_three_endings_in_our_words() {
        let ending = |more: &str| match parse(more).unwrap().answer {
            Answer::None(ending) => ending,
            Answer::Tokens { .. } => panic!("{more}"),
        };
        let timed_out = Ending::Expired("authentication_timed_out");
        for (more, expected) in [
            (r#","error":"access_denied","error_description":"<b>no</b>""#, Ending::Declined("access_denied")),
            (r#","error":"request_denied""#, Ending::Declined("access_denied")),
            (r#","error":"authentication_timed_out""#, timed_out),
            (r#","error":"expired_token""#, timed_out),
            (r#","error":"authorization_error","error_description":"Waiting time expired""#, timed_out),
            (r#","error":"authorization_error","error_description":"other""#, Ending::Failed("user_unsupported")),
            (r#","error":"device_unavailable""#, Ending::Failed("device_unavailable")),
            (r#","error":"transaction_failed""#, Ending::Failed("unknown")),
            (r#","error":"<script>""#, Ending::Failed("unknown")),
        ] {
            assert_eq!(ending(more), expected, "{more}");
        }
    }

    // CR-E06
    #[test]
    fn no_bytes_make_the_reader_panic() {
        crate::oidc::fuzz::mutate(
            br#"{"auth_req_id":"q","state":"s","id_token":"a.b.c","access_token":"t"}"#,
            |bytes| drop(Notice::parse(bytes)),
        );
    }
}
