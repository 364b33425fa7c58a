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
    /// Somebody was asked for an approval on their phone, and it has ended.
    Approval {
        /// How: `approved`, `declined`, `expired`, `failed`.
        outcome: &'static str,
        /// Why, by a word of ours; empty for an approval.
        code: &'a str,
        /// The issuer of the person.
        issuer: &'a str,
        /// Pseudonym of the person.
        subject: &'a str,
        /// Name of the token that it was asked for with.
        by: &'a str,
    },
    /// To which account of the app a person belongs has changed.
    Link {
        /// How.
        change: LinkChange,
        /// The issuer of the person.
        issuer: &'a str,
        /// Pseudonym of the person.
        subject: &'a str,
        /// The app's name of the account.
        account: &'a str,
        /// Name of the token that it was done with.
        by: &'a str,
        /// From where.
        client: IpAddr,
    },
    /// Somebody came with the word of earlier carriers for who they were.
    Migration {
        /// Id of the request that completed the sign-in.
        request_id: &'a str,
        /// What came of it: `moved`, `ambiguous`, `conflict`, `unproven`.
        outcome: &'static str,
        /// The issuer of the person.
        issuer: &'a str,
        /// Pseudonym of the person.
        subject: &'a str,
        /// The issuer by which they were known before; only of somebody who moved.
        previous_issuer: Option<&'a str>,
        /// Pseudonym of who they were before; only of somebody who moved.
        previous_subject: Option<&'a str>,
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

/// How a link changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkChange {
    /// The person had none.
    Linked,
    /// They belonged to another account before.
    Moved,
    /// They have none any more.
    Unlinked,
}

impl LinkChange {
    /// The word in the log and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Moved => "moved",
            Self::Unlinked => "unlinked",
        }
    }
}

impl SecurityEvent<'_> {
    /// Writes the line.
    pub fn emit(self) {
        match self {
            Self::Administration { action, generation } => {
                info!(event = "administration", action, generation, "A configuration is in force");
            }
            Self::Approval { outcome, code, issuer, subject, by } => {
                info!(event = "approval", outcome, code, issuer, subject, by, "An approval has ended");
            }
            Self::Link { change, issuer, subject, account, by, client } => {
                let outcome = change.as_str();
                info!(event = "link", outcome, issuer, subject, account, by, client = %client, "The link of a person changed");
            }
            Self::Migration { request_id, outcome, issuer, subject, previous_issuer, previous_subject } => {
                info!(
                    event = "migration",
                    request_id,
                    outcome,
                    issuer,
                    subject,
                    previous_issuer,
                    previous_subject,
                    "A person came from another carrier"
                );
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
