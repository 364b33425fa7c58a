//! What goes to the carrier: a question for a person's phone, or that it is taken back; and how the carrier acknowledges it.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::carrier::error::CarrierError;
use crate::oidc::request_object::RequestObject;
use crate::secret::{Entropy, SecretString};

/// Most characters of what a person is shown (dossier 8).
pub const MAX_CONTEXT: usize = 280;

/// The longest that a carrier keeps a question (dossier 13.2).
pub const MAX_LIFE: Duration = Duration::from_secs(48 * 3600);

/// Longest name that a carrier may give a question, in bytes (CIBA Core 7.3).
const MAX_ID: usize = 1024;

/// A question for somebody's phone.
#[derive(Debug)]
pub struct Question<'a> {
    /// Our client id.
    pub client_id: &'a str,
    /// The carrier.
    pub issuer: &'a str,
    /// Our redirect URI: carriers check that it is registered, and send nobody there.
    pub redirect_uri: &'a str,
    /// Where the answer is sent.
    pub notification_uri: &'a str,
    /// With what the carrier shows that it may answer; of this question alone.
    pub bearer: &'a SecretString,
    /// Whom to ask: their subject at this carrier.
    pub subject: &'a str,
    /// Comes back in the notification.
    pub state: &'a str,
    /// Comes back in the ID token.
    pub nonce: &'a str,
    /// Authentication contexts of which one must be reached; empty for the carrier's own choice.
    pub acr_values: &'a [String],
    /// What the person is shown.
    pub context: &'a str,
    /// How long they have to answer.
    pub expires_in: Duration,
    /// The same in all that is said about this question.
    pub correlation_id: &'a str,
}

impl Question<'_> {
    /// The request object. The person has to act now, whatever the carrier remembers of them: `prompt=login`.
    pub fn object(&self, now: SystemTime, entropy: &dyn Entropy) -> RequestObject {
        let object = RequestObject::new(self.client_id, self.issuer, now, entropy)
            .with("response_type", "async_token")
            .with("scope", "openid")
            .with("redirect_uri", self.redirect_uri)
            .with("notification_uri", self.notification_uri)
            .with("client_notification_token", self.bearer.expose())
            .with("login_hint", self.subject)
            .with("state", self.state)
            .with("nonce", self.nonce)
            .with("prompt", "login")
            .with("context", self.context)
            .with("expires_in", self.expires_in.as_secs())
            .with("correlation_id", self.correlation_id);
        match self.acr_values {
            [] => object,
            words => object.with("acr_values", words.join(" ")),
        }
    }
}

/// Takes a question back (dossier 13.5; the form is our convention).
pub fn withdrawal(
    client_id: &str,
    issuer: &str,
    auth_req_id: &str,
    now: SystemTime,
    entropy: &dyn Entropy,
) -> RequestObject {
    RequestObject::new(client_id, issuer, now, entropy).with("auth_req_id", auth_req_id)
}

/// The carrier took the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// What the carrier calls it.
    pub auth_req_id: String,
    /// How long the person has, as the carrier says.
    pub expires_in: Duration,
}

/// Why an acknowledgement is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcknowledgementFault {
    /// `auth_req_id` is missing, too long, or not of printable characters.
    #[error("`auth_req_id` is missing or unusable")]
    Id,
    /// `expires_in` is neither a number nor digits.
    #[error("`expires_in` is missing or no number")]
    ExpiresIn,
    /// `correlation_id` is another one than was sent.
    #[error("`correlation_id` is not the one of the request")]
    Correlation,
    /// Not one JSON object with unique members.
    #[error("not a JSON object with unique members")]
    NotAnObject,
}

impl Acknowledgement {
    /// Reads the body of a 200.
    pub fn parse(body: &[u8], correlation_id: &str) -> Result<Self, AcknowledgementFault> {
        let document = crate::oidc::json::object(body).ok_or(AcknowledgementFault::NotAnObject)?;
        let auth_req_id = document.get("auth_req_id").and_then(Value::as_str).filter(|id| is_request_id(id));
        let auth_req_id = auth_req_id.ok_or(AcknowledgementFault::Id)?.to_owned();
        // Recorded as text, described as a number (dossier 20, row 24).
        let expires_in = match document.get("expires_in") {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(digits)) if digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()
            }
            _ => None,
        };
        let expires_in = Duration::from_secs(expires_in.ok_or(AcknowledgementFault::ExpiresIn)?);
        match document.get("correlation_id") {
            None | Some(Value::Null) => {}
            Some(Value::String(said)) if said == correlation_id => {}
            Some(_) => return Err(AcknowledgementFault::Correlation),
        }
        Ok(Self { auth_req_id, expires_in })
    }
}

/// Whether a carrier may call a question so: 1 to 1024 printable characters (CIBA Core 7.3).
pub fn is_request_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Why the carrier does not ask, by the body of its refusal. `authorization_error` is what a carrier says of somebody whom it
/// cannot ask in this way.
pub fn refused(body: &[u8]) -> CarrierError {
    let document = crate::oidc::json::object(body).unwrap_or_default();
    match document.get("error").and_then(Value::as_str).unwrap_or_default() {
        "authorization_error" => CarrierError::UserUnsupported,
        code => CarrierError::parse(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemEntropy;

    #[test]
    fn a_question_says_who_is_asked_for_what_and_where_to_answer() {
        let bearer = SecretString::new("b");
        let acr_values = ["a3".to_owned()];
        let question = Question {
            client_id: "ccid-a",
            issuer: "https://aurora.example",
            redirect_uri: "https://app.example/oauth2/callback",
            notification_uri: "https://app.example/oauth2/approvals/notify",
            bearer: &bearer,
            subject: "310410-1",
            state: "s",
            nonce: "n",
            acr_values: &acr_values,
            context: "Pay 7 EUR",
            expires_in: Duration::from_secs(120),
            correlation_id: "0123456789abcdef",
        };
        let object = question.object(SystemTime::UNIX_EPOCH, &SystemEntropy);
        let claims = object.claims();
        for (name, value) in [
            ("response_type", "async_token"),
            ("login_hint", "310410-1"),
            ("client_notification_token", "b"),
            ("acr_values", "a3"),
            ("context", "Pay 7 EUR"),
            ("prompt", "login"),
            ("aud", "https://aurora.example"),
            ("sub", "ccid-a"),
        ] {
            assert_eq!(claims[name], value, "{name}");
        }
        assert_eq!(claims["expires_in"], 120, "a number");
        let plain = Question { acr_values: &[], ..question }.object(SystemTime::UNIX_EPOCH, &SystemEntropy);
        assert!(!plain.claims().contains_key("acr_values"), "nothing empty is sent");
    }

    // T03
    #[test]
    fn an_acknowledgement_names_the_question_and_says_how_long_it_lives() {
        let parse = |body: &str| Acknowledgement::parse(body.as_bytes(), "c");
        let good = Acknowledgement { auth_req_id: "q-1".to_owned(), expires_in: Duration::from_secs(3600) };
        for body in [
            r#"{"auth_req_id":"q-1","expires_in":3600}"#,
            r#"{"auth_req_id":"q-1","expires_in":"3600","correlation_id":"c"}"#,
            r#"{"auth_req_id":"q-1","expires_in":3600,"correlation_id":null,"interval":5}"#,
        ] {
            assert_eq!(parse(body), Ok(good.clone()), "{body}");
        }
        let long = "q".repeat(MAX_ID);
        assert_eq!(parse(&format!(r#"{{"auth_req_id":"{long}","expires_in":1}}"#)).unwrap().auth_req_id, long);
        for (body, fault) in [
            (format!(r#"{{"auth_req_id":"{long}q","expires_in":1}}"#), AcknowledgementFault::Id),
            (r#"{"expires_in":1}"#.to_owned(), AcknowledgementFault::Id),
            (r#"{"auth_req_id":"","expires_in":1}"#.to_owned(), AcknowledgementFault::Id),
            (r#"{"auth_req_id":"a b","expires_in":1}"#.to_owned(), AcknowledgementFault::Id),
            (r#"{"auth_req_id":"é","expires_in":1}"#.to_owned(), AcknowledgementFault::Id),
            (r#"{"auth_req_id":7,"expires_in":1}"#.to_owned(), AcknowledgementFault::Id),
            (r#"{"auth_req_id":"q"}"#.to_owned(), AcknowledgementFault::ExpiresIn),
            (r#"{"auth_req_id":"q","expires_in":"soon"}"#.to_owned(), AcknowledgementFault::ExpiresIn),
            (r#"{"auth_req_id":"q","expires_in":-1}"#.to_owned(), AcknowledgementFault::ExpiresIn),
            (r#"{"auth_req_id":"q","expires_in":""}"#.to_owned(), AcknowledgementFault::ExpiresIn),
            (
                r#"{"auth_req_id":"q","expires_in":1,"correlation_id":"d"}"#.to_owned(),
                AcknowledgementFault::Correlation,
            ),
            (r#"{"auth_req_id":"q","auth_req_id":"q","expires_in":1}"#.to_owned(), AcknowledgementFault::NotAnObject),
            ("[]".to_owned(), AcknowledgementFault::NotAnObject),
        ] {
            assert_eq!(parse(&body), Err(fault), "{body}");
        }
    }

    // CR-S14
    #[test]
    fn a_refusal_is_read_by_its_code() {
        assert_eq!(refused(br#"{"error":"authorization_error"}"#), CarrierError::UserUnsupported);
        assert_eq!(refused(br#"{"error":"invalid_login_hint"}"#), CarrierError::InvalidLoginHint);
        for noise in [&b""[..], b"<html>", br#"{"error":7}"#, br#"{"error":"x","error":"y"}"#] {
            assert_eq!(refused(noise), CarrierError::Unknown);
        }
    }
}
