//! What the gateway vouches for to others: short signed statements (JWT, RFC 7519), ES256, by keys that are for nothing else.
//!
//! Their public halves stand in a set of their own. Keys by which we show a provider who we are are never among them: a
//! statement of one kind must never pass for one of another, so each kind also has a `typ` of its own (RFC 8725, 3.11).

pub mod keeper;
pub mod keys;

/// What a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To tell the app's registration page who somebody is that has no account yet.
    Registration,
    /// A receipt for the app: that somebody approved of something.
    Approval,
    /// An event for the app: how an approval ended.
    ApprovalEvent,
}

impl Purpose {
    /// `typ` of its header.
    pub fn typ(self) -> &'static str {
        match self {
            Self::Registration => "zengate-registration+jwt",
            Self::Approval => "zengate-approval+jwt",
            Self::ApprovalEvent => "zengate-approval-event+jwt",
        }
    }
}

#[cfg(test)]
mod tests;
