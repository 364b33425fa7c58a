//! What a route demands of the SIM that a person's number is on (dossier 16).
//!
//! Whoever had somebody's number moved to a SIM of their own can pass for them wherever the number is enough. For a day the
//! carrier says so.

use std::time::{Duration, SystemTime};

use super::{FUTURE, Requirement, Unmet};
use crate::carrier::usertrait::{SimAnswer, SimTenure};
use crate::ground::time::Timestamp;
use crate::identity::Identity;
use crate::oidc::acr::Assurance;

/// What follows if a SIM is new, and if nobody says whether it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimRule {
    /// If it is new.
    pub recent: RecentSim,
    /// Whether people pass of whose SIM nobody says anything.
    pub allow_unknown: bool,
}

/// What follows if a SIM is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecentSim {
    /// They pass who confirmed by a PIN, a finger or a face that it is them.
    StepUp,
    /// Nobody passes.
    Refuse,
}

impl SimRule {
    /// Whether whoever passes `self` passes `other` as well.
    pub fn guards_as_much(self, other: Self) -> bool {
        self.recent >= other.recent && (other.allow_unknown || !self.allow_unknown)
    }
}

impl Requirement {
    /// Whether the SIM is one that the route takes, by what the carrier said when `identity` signed in; `None` if nothing was
    /// said. Without a rule nothing is looked at.
    pub fn check_sim(&self, answer: Option<SimAnswer>, identity: &Identity) -> Result<(), Unmet> {
        let Some(rule) = self.sim_tenure else { return Ok(()) };
        match answer {
            Some(SimAnswer { tenure: SimTenure::Settled, .. }) => Ok(()),
            Some(SimAnswer { tenure: SimTenure::Recent, at }) => match rule.recent {
                RecentSim::Refuse => Err(Unmet::SimRecent),
                RecentSim::StepUp if has_confirmed(identity, at) => Ok(()),
                RecentSim::StepUp => Err(Unmet::SimConfirmation),
            },
            Some(SimAnswer { tenure: SimTenure::Unknown, .. }) | None if rule.allow_unknown => Ok(()),
            Some(SimAnswer { tenure: SimTenure::Unknown, .. }) | None => Err(Unmet::SimUnknown),
        }
    }

    /// Whether people whose SIM is new are asked to confirm.
    pub fn confirms_sims(&self) -> bool {
        self.sim_tenure.is_some_and(|rule| rule.recent == RecentSim::StepUp)
    }

    /// What a step-up for the route must bring: all that it demands, and, where people whose SIM is new are asked to confirm, that
    /// they do so now, by a PIN, a finger or a face.
    pub fn of_step_up(&self) -> Self {
        match self.confirms_sims() {
            false => self.clone(),
            true => Self {
                assurance: self.assurance.max(Some(Assurance::Person)),
                max_auth_age: Some(Duration::ZERO),
                ..self.clone()
            },
        }
    }

    /// Whether `identity`, which a step-up for the route has just brought, is enough at `now`, so far as the sign-in goes.
    pub fn check_step_up(&self, identity: &Identity, now: SystemTime) -> Result<(), Unmet> {
        self.check_sign_in(identity, now)?;
        let at = Timestamp::of(now).as_numeric_date();
        match !self.confirms_sims() || has_confirmed(identity, at) {
            true => Ok(()),
            false => Err(Unmet::SimConfirmation),
        }
    }
}

/// Whether the person showed who they are in the sign-in that ended at `at`. One that the carrier remembered from before may be
/// of whoever had the number then.
fn has_confirmed(identity: &Identity, at: i64) -> bool {
    let now = |time: i64| (-FUTURE..=FUTURE).contains(&at.saturating_sub(time));
    identity.assurance().is_some_and(|found| found >= Assurance::Person) && identity.auth_time().is_some_and(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentityParts;

    const AT: i64 = 1_790_000_000;

    fn identity(assurance: Option<Assurance>, auth_time: Option<i64>) -> Identity {
        Identity::restore(IdentityParts {
            issuer: "https://carrier.example".into(),
            subject: "s".into(),
            mccmnc: None,
            acr: None,
            assurance,
            amr: Vec::new(),
            auth_time,
            claims: Default::default(),
            accept_unverified: false,
            absent_is_verified: false,
        })
    }

    fn check(recent: RecentSim, allow_unknown: bool, tenure: Option<SimTenure>, who: &Identity) -> Result<(), Unmet> {
        let rule = Requirement { sim_tenure: Some(SimRule { recent, allow_unknown }), ..Requirement::default() };
        rule.check_sim(tenure.map(|tenure| SimAnswer { tenure, at: AT }), who)
    }

    #[test]
    fn a_new_sim_is_refused_or_confirmed_and_silence_is_not_consent() {
        use RecentSim::{Refuse, StepUp};
        let tapped = identity(Some(Assurance::Device), Some(AT));
        let confirmed = identity(Some(Assurance::Person), Some(AT - 20));
        for who in [&tapped, &confirmed] {
            for recent in [Refuse, StepUp] {
                assert_eq!(check(recent, false, Some(SimTenure::Settled), who), Ok(()));
                assert_eq!(check(recent, false, Some(SimTenure::Unknown), who), Err(Unmet::SimUnknown));
                assert_eq!(check(recent, false, None, who), Err(Unmet::SimUnknown));
                assert_eq!(check(recent, true, None, who), Ok(()));
                assert_eq!(check(recent, true, Some(SimTenure::Unknown), who), Ok(()));
            }
            assert_eq!(check(Refuse, true, Some(SimTenure::Recent), who), Err(Unmet::SimRecent));
            assert_eq!(Requirement::default().check_sim(None, who), Ok(()), "without a rule nothing is looked at");
        }
        assert_eq!(check(StepUp, true, Some(SimTenure::Recent), &tapped), Err(Unmet::SimConfirmation));
        assert_eq!(check(StepUp, true, Some(SimTenure::Recent), &confirmed), Ok(()));
        // Whom the carrier remembers from before the SIM was changed has confirmed nothing.
        for who in [identity(Some(Assurance::Person), Some(AT - 3_600)), identity(Some(Assurance::Person), None)] {
            assert_eq!(check(StepUp, true, Some(SimTenure::Recent), &who), Err(Unmet::SimConfirmation));
        }
    }

    #[test]
    fn a_stricter_rule_guards_as_much_as_a_weaker_one() {
        let rule = |recent, allow_unknown| SimRule { recent, allow_unknown };
        let (strict, mild) = (rule(RecentSim::Refuse, false), rule(RecentSim::StepUp, true));
        assert!(strict.guards_as_much(mild) && strict.guards_as_much(strict) && !mild.guards_as_much(strict));
        let (one, other) = (rule(RecentSim::Refuse, true), rule(RecentSim::StepUp, false));
        assert!(!one.guards_as_much(other) && !other.guards_as_much(one));
    }
}
