//! What a carrier knows of a person's line beside who they are (dossier 16): whether their number has been on its SIM for more
//! than a day (`sim_tenure_24`).
//!
//! The names are those of the recorded metadata. How question and answer are written is not public; both are our own convention:
//! a signed request object by POST, and a JSON object that has the trait as a boolean.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::oidc::json;
use crate::oidc::request_object::RequestObject;
use crate::secret::Entropy;

/// The trait's name, in metadata, questions and answers.
const SIM_TENURE: &str = "sim_tenure_24";

/// How long a person's number has been on its SIM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SimTenure {
    /// For more than a day.
    Settled,
    /// For less than a day: somebody may have had it moved to a SIM of theirs.
    Recent,
    /// The carrier does not say, or could not be asked.
    Unknown,
}

impl SimTenure {
    /// The word for it in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Recent => "recent",
            Self::Unknown => "unknown",
        }
    }

    /// The value of the trait, as an app is told; who does not know says so.
    pub const fn value(self) -> &'static str {
        match self {
            Self::Settled => "true",
            Self::Recent => "false",
            Self::Unknown => "unknown",
        }
    }
}

/// What a carrier said of somebody's SIM, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimAnswer {
    /// What it said.
    pub tenure: SimTenure,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// A question about one person to their carrier.
#[derive(Debug)]
pub struct TenureQuestion<'a> {
    /// Our client id there.
    pub client_id: &'a str,
    /// The carrier.
    pub issuer: &'a str,
    /// Whom it is about: their subject at this carrier.
    pub subject: &'a str,
    /// The same on all calls of one sign-in, where the carrier wants it.
    pub correlation_id: Option<&'a str>,
}

impl TenureQuestion<'_> {
    /// The request object.
    pub fn object(&self, now: SystemTime, entropy: &dyn Entropy) -> RequestObject {
        let object = RequestObject::new(self.client_id, self.issuer, now, entropy)
            .with("login_hint", self.subject)
            .with("usertraits", SIM_TENURE);
        match self.correlation_id {
            Some(id) => object.with("correlation_id", id),
            None => object,
        }
    }
}

/// Why an answer says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsertraitFault {
    /// Not one JSON object with unique members.
    #[error("not a JSON object with unique members")]
    NotAnObject,
    /// `sub` is there, and is somebody else.
    #[error("`sub` is not the person who was asked about")]
    OtherPerson,
    /// `sim_tenure_24` is missing, or no boolean. A word would have two readings.
    #[error("`sim_tenure_24` is missing or no boolean")]
    Trait,
}

/// Reads the body of a 200 about `subject`.
///
/// # Errors
/// It does not say whether the person's SIM is new; nothing may be made of it.
pub fn read_tenure(body: &[u8], subject: &str) -> Result<SimTenure, UsertraitFault> {
    let document = json::object(body).ok_or(UsertraitFault::NotAnObject)?;
    if document.get("sub").is_some_and(|found| found.as_str() != Some(subject)) {
        return Err(UsertraitFault::OtherPerson);
    }
    match document.get(SIM_TENURE).and_then(Value::as_bool) {
        Some(true) => Ok(SimTenure::Settled),
        Some(false) => Ok(SimTenure::Recent),
        None => Err(UsertraitFault::Trait),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::secret::SystemEntropy;

    #[test]
    fn a_question_says_about_whom_and_to_whom() {
        let question = TenureQuestion {
            client_id: "ccid-a",
            issuer: "https://aurora.example",
            subject: "310007-maya",
            correlation_id: Some("corr-1"),
        };
        let object = question.object(SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000), &SystemEntropy);
        let claims = object.claims();
        for (name, value) in [
            ("iss", "ccid-a"),
            ("aud", "https://aurora.example"),
            ("login_hint", "310007-maya"),
            ("usertraits", "sim_tenure_24"),
            ("correlation_id", "corr-1"),
        ] {
            assert_eq!(claims[name], value, "{name}");
        }
    }

    // Each that says nothing has a twin in which the one thing is put right.
    #[test]
    fn an_answer_is_a_boolean_about_this_person_or_nothing() {
        let read = |body: &str| read_tenure(body.as_bytes(), "maya");
        assert_eq!(read(r#"{"sub":"maya","sim_tenure_24":true}"#), Ok(SimTenure::Settled));
        assert_eq!(read(r#"{"sim_tenure_24":false}"#), Ok(SimTenure::Recent));
        for (body, fault) in [
            (r#"{"sub":"noor","sim_tenure_24":true}"#, UsertraitFault::OtherPerson),
            (r#"{"sub":["maya"],"sim_tenure_24":true}"#, UsertraitFault::OtherPerson),
            (r#"{"sub":"maya","sim_tenure_24":"true"}"#, UsertraitFault::Trait),
            (r#"{"sub":"maya","sim_tenure_24":1}"#, UsertraitFault::Trait),
            (r#"{"sub":"maya"}"#, UsertraitFault::Trait),
            (r#"{"sim_tenure_24":false,"sim_tenure_24":true}"#, UsertraitFault::NotAnObject),
            (r#"[{"sim_tenure_24":true}]"#, UsertraitFault::NotAnObject),
            ("true", UsertraitFault::NotAnObject),
        ] {
            assert_eq!(read(body), Err(fault), "{body}");
        }
    }
}
