//! Signals: what follows each event.

use super::{Resolver, time};
use crate::carrier::event::Event;
use crate::config::file::{File, SignalActWord};
use crate::snapshot::{SignalAct, SignalSettings};

impl Resolver<'_> {
    /// `None` if no signals are taken.
    pub(super) fn signals(&self, file: &File) -> Option<SignalSettings> {
        let signals = file.signals.as_ref().filter(|_| self.is_given("signals"))?;
        let events = signals.events.as_ref()?;
        let word = |event| match event {
            Event::ConsentRevoked => events.consent_revoked,
            Event::DeviceChange => events.device_change,
            Event::LinePort => events.line_port,
            Event::ProfileChange => events.profile_change,
            Event::SecurityEvent => events.security_event,
            Event::SessionRevoked => events.session_revoked,
            Event::SimSwap => events.sim_swap,
            Event::UserPort => events.user_port,
        };
        let act = |word| match word {
            SignalActWord::End => SignalAct::End,
            SignalActWord::Reauthenticate => SignalAct::Reauthenticate,
            SignalActWord::Ignore => SignalAct::Ignore,
        };
        let acts = Event::ALL.into_iter().filter_map(|event| Some((event, act(word(event)?)))).collect();
        Some(SignalSettings { acts, max_age: time(signals.max_age.as_ref()) })
    }
}
