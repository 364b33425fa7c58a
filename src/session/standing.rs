//! What we know of a person beside what their issuer says: the name that stays theirs, and who they were before; what their carrier says of their SIM.

use serde::{Deserialize, Serialize};

use crate::carrier::usertrait::SimAnswer;
use crate::identity::headers::Beside;

/// Found out when somebody signs in, and kept with their session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The name that stays theirs at every carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<Box<str>>,
    /// Issuer and subject by which they were known until this very sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<(Box<str>, Box<str>)>,
    /// What became of the words of earlier carriers, if there were any: `moved`, `ambiguous`, `conflict`, `unproven`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Box<str>>,
    /// What the carrier said of their SIM, if it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sim: Option<SimAnswer>,
}

impl Standing {
    /// Bytes that it takes in memory, itself and all that it owns.
    pub(super) fn bytes(&self) -> usize {
        let (issuer, subject) =
            self.previous.as_ref().map_or((0, 0), |(issuer, subject)| (issuer.len(), subject.len()));
        let texts = [&self.stable, &self.migration].map(|text| text.as_deref().map_or(0, str::len));
        size_of::<Self>() + issuer + subject + texts.iter().sum::<usize>()
    }

    /// What of it headers may say, beside the account.
    pub(super) fn beside<'a>(standing: Option<&'a Self>, account: Option<&'a str>) -> Beside<'a> {
        Beside {
            account,
            stable: standing.and_then(|standing| standing.stable.as_deref()),
            previous: standing
                .and_then(|standing| standing.previous.as_ref())
                .map(|(issuer, subject)| (&**issuer, &**subject)),
            migration: standing.and_then(|standing| standing.migration.as_deref()),
            sim_tenure: standing.and_then(|standing| standing.sim).map(|sim| sim.tenure.value()),
        }
    }
}
