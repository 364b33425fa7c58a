//! What a carrier, or another issuer, may tell us about a person without being asked (dossier 16; CAEP 1.0 and RISC 1.0).
//!
//! The names of ZenKey's events are those of its portal and of the recorded metadata (`events_supported`). How they travel is not
//! public: that they are members of a security event token under [`PREFIX`] is our own convention.

/// Stands before the name of an event of ZenKey's. Our own convention.
pub const PREFIX: &str = "urn:zenkey:event:";

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The person does not want to be known to us any more.
    ConsentRevoked,
    /// They sign in with another phone, or their credentials changed.
    DeviceChange,
    /// The line goes to another carrier.
    LinePort,
    /// What the issuer knows of them changed.
    ProfileChange,
    /// Something happened that the issuer calls a matter of security.
    SecurityEvent,
    /// The issuer ended their sessions, or their account.
    SessionRevoked,
    /// Their number is on another SIM.
    SimSwap,
    /// The person goes to another carrier.
    UserPort,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ConsentRevoked,
        Self::DeviceChange,
        Self::LinePort,
        Self::ProfileChange,
        Self::SecurityEvent,
        Self::SessionRevoked,
        Self::SimSwap,
        Self::UserPort,
    ];

    /// Its name in the configuration, in logs and, behind [`PREFIX`], on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConsentRevoked => "consent_revoked",
            Self::DeviceChange => "device_change",
            Self::LinePort => "line_port",
            Self::ProfileChange => "profile_change",
            Self::SecurityEvent => "security_event",
            Self::SessionRevoked => "session_revoked",
            Self::SimSwap => "sim_swap",
            Self::UserPort => "user_port",
        }
    }

    /// What a name on the wire stands for.
    pub fn read(name: &str) -> Said {
        let (space, name) = if let Some(name) = name.strip_prefix(PREFIX) {
            (PREFIX, name)
        } else if let Some(name) = name.strip_prefix(CAEP) {
            (CAEP, name)
        } else if let Some(name) = name.strip_prefix(RISC) {
            (RISC, name)
        } else if let Some(name) = name.strip_prefix(SSF) {
            (SSF, name)
        } else {
            return Said::Unknown;
        };
        let own = Self::ALL.into_iter().find(|event| space == PREFIX && event.as_str() == name);
        match (own, space, name) {
            (Some(event), ..) => Said::Happened(event),
            (_, CAEP, "session-revoked")
            | (_, RISC, "sessions-revoked" | "account-disabled" | "account-purged" | "identifier-recycled") => {
                Said::Happened(Self::SessionRevoked)
            }
            (_, CAEP, "credential-change")
            | (_, RISC, "credential-compromise" | "account-credential-change-required") => {
                Said::Happened(Self::DeviceChange)
            }
            (_, CAEP, "token-claims-change") | (_, RISC, "identifier-changed") => Said::Happened(Self::ProfileChange),
            (_, CAEP, "risk-level-change" | "device-compliance-change" | "assurance-level-change") => {
                Said::Happened(Self::SecurityEvent)
            }
            (_, SSF, "verification" | "stream-updated") => Said::Nothing,
            _ => Said::Unknown,
        }
    }
}

/// What the name of an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// That something happened to a person.
    Happened(Event),
    /// Something about the way of the events itself: heard, and nothing follows.
    Nothing,
    /// A name that we do not know.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_known_by_their_whole_names() {
        for event in Event::ALL {
            assert_eq!(Event::read(&format!("{PREFIX}{}", event.as_str())), Said::Happened(event));
            assert_eq!(Event::read(event.as_str()), Said::Unknown);
            assert_eq!(Event::read(&format!("{CAEP}{}", event.as_str())), Said::Unknown);
        }
        for (name, event) in [
            (format!("{CAEP}session-revoked"), Said::Happened(Event::SessionRevoked)),
            (format!("{CAEP}credential-change"), Said::Happened(Event::DeviceChange)),
            (format!("{RISC}account-disabled"), Said::Happened(Event::SessionRevoked)),
            (format!("{SSF}verification"), Said::Nothing),
            (format!("{RISC}session-revoked"), Said::Unknown),
            (format!("{PREFIX}session-revoked"), Said::Unknown),
            (PREFIX.to_owned(), Said::Unknown),
        ] {
            assert_eq!(Event::read(&name), event, "{name}");
        }
    }
}
