//! What is asked of a provider so that a sign-in meets what a route demands of the way in which people sign in.

use std::time::Duration;

use super::{BearerSettings, ClientRegistration, Registrations};
use crate::policy::Requirement;
use crate::route::RouteSettings;

/// What a sign-in for a demanding route asks for beside what every sign-in asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepUp {
    /// Authentication contexts, of which one must be reached; empty: those of every sign-in.
    pub acr_values: Vec<String>,
    /// Longest time since the person authenticated (Core 3.1.2.1, `max_age`).
    pub max_age: Option<Duration>,
}

impl ClientRegistration {
    /// What to ask this provider for, so that `demands` can be met; `None` if no sign-in with it can meet them.
    pub fn step_up(&self, demands: &Requirement) -> Option<StepUp> {
        // What has no ID token has neither a context nor a time.
        if !self.profile.issues_id_tokens {
            return None;
        }
        let acr_values: Vec<String> = match demands.assurance {
            None => demands.acr.clone(),
            Some(wanted) if demands.acr.is_empty() => self.words_assuring(wanted),
            Some(wanted) => {
                let enough = |word: &&String| self.assurance_of(Some(word)).is_some_and(|found| found >= wanted);
                demands.acr.iter().filter(enough).cloned().collect()
            }
        };
        // What the operator wants of every sign-in is never undercut by what a page is content with: the session opens every
        // page that demands nothing.
        let acr_values: Vec<String> = acr_values.into_iter().filter(|word| self.is_enough_for_all(word)).collect();
        if acr_values.is_empty() && (demands.assurance.is_some() || !demands.acr.is_empty()) {
            return None;
        }
        Some(StepUp { acr_values, max_age: demands.max_auth_age })
    }

    /// Whether `word` is as much as is demanded of every sign-in, if anything is.
    fn is_enough_for_all(&self, word: &str) -> bool {
        let words = self.acr_vocabulary();
        let rank = |word: &str| self.assurance_of(Some(word));
        let reaches =
            |asked: &String| words.is_met(word, asked) || rank(asked).is_some_and(|asked| rank(word) >= Some(asked));
        !self.require_acr || self.acr_values.is_empty() || self.acr_values.iter().any(reaches)
    }
}

/// The authentication contexts that meet what `route` demands, at any issuer whose people or tokens it takes.
pub(super) fn words_for(route: &RouteSettings, registrations: &Registrations, bearer: &BearerSettings) -> String {
    let demands = &route.require;
    let mut words: Vec<String> = Vec::new();
    if route.access.takes_sessions() {
        let with = registrations.iter().filter(|one| route.providers.is_empty() || route.providers.contains(&one.id));
        words.extend(with.filter_map(|registration| registration.step_up(demands)).flat_map(|asked| asked.acr_values));
    }
    if route.access.takes_tokens() {
        words.extend(demands.acr.iter().cloned());
        let issuers = bearer.issuers.iter();
        words.extend(
            demands
                .assurance
                .into_iter()
                .flat_map(|wanted| issuers.clone().flat_map(move |one| one.words_assuring(wanted))),
        );
    }
    let mut seen = std::collections::BTreeSet::new();
    words.retain(|word| seen.insert(word.clone()));
    words.join(" ")
}
