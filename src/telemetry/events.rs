//! Security events: what an auditor asks about, each as one log line with fixed fields.
//!
//! Every line has `event`, which says what kind it is. People appear by a pseudonym only ([`super::log::pseudonym`]).

use std::net::IpAddr;

use tracing::info;

/// Something that an auditor asks about.
#[derive(Debug, Clone, Copy)]
pub enum SecurityEvent<'a> {
    /// What runs was changed, or told to change, by whoever runs it.
    Administration {
        /// What was done: `configuration`.
        action: &'a str,
        /// Number of the configuration that is now in force.
        generation: u64,
    },
    /// A request or a sign-in was refused.
    Refusal {
        /// Id of the request.
        request_id: &'a str,
        /// Who sent it.
        client: IpAddr,
        /// Name of the route; `None` if no route was found yet.
        route: Option<&'a str>,
        /// The documented code.
        code: &'static str,
        /// Status of the answer.
        status: u16,
        /// Why, for whoever reads the log; never told to the client. A word or a sentence of ours, no secret.
        reason: Option<&'a str>,
    },
    /// A session ended before its time.
    SessionEnd {
        /// What ended it: `signed_out`.
        outcome: &'static str,
        /// Id of the request that asked for it.
        request_id: &'a str,
        /// The issuer of the person.
        issuer: &'a str,
        /// Pseudonym of the person.
        subject: &'a str,
    },
    /// A person signed in.
    SignIn {
        /// Id of the request that completed it.
        request_id: &'a str,
        /// The issuer that vouches for the person.
        issuer: &'a str,
        /// Pseudonym of the person.
        subject: &'a str,
        /// Authentication context that the issuer states.
        acr: &'a str,
    },
}

impl SecurityEvent<'_> {
    /// Writes the line.
    pub fn emit(self) {
        match self {
            Self::Administration { action, generation } => {
                info!(event = "administration", action, generation, "A configuration is in force");
            }
            Self::Refusal { request_id, client, route, code, status, reason } => {
                info!(event = "refusal", request_id, client = %client, route, code, status, reason, "Refused");
            }
            Self::SessionEnd { outcome, request_id, issuer, subject } => {
                info!(event = "session_end", request_id, outcome, issuer, subject, "A person signed out");
            }
            Self::SignIn { request_id, issuer, subject, acr } => {
                let outcome = "signed_in";
                info!(event = "sign_in", request_id, outcome, issuer, subject, acr, "A person signed in");
            }
        }
    }
}
