//! The end of a sign-in: a new session under a new id, and the person on exactly the page they asked for.

use std::time::SystemTime;

use http::HeaderValue;

use super::astray::onward_status;
use super::attempt::HandOff;
use super::attempts::remembered_for;
use super::binding::{Binding, Bindings};
use super::start::LOOP_SECONDS;
use crate::auth::SignIn;
use crate::auth::refusal::Refusal;
use crate::auth::session_cookie::{cookie_of, id_of};
use crate::ground::time::Timestamp;
use crate::route::path::ReturnTo;
use crate::session::Session;
use crate::session::opening::OpenError;
use crate::session::provider_session::ProviderSession;
use crate::web::cookie::set_cookie;
use crate::web::{Reply, RequestView};

impl SignIn<'_> {
    #[expect(clippy::too_many_arguments, reason = "what a sign-in ends with, each of another kind")]
    /// Opens the session and sends the person on. Without a stored record there is no cookie (M04).
    pub(super) async fn arrive(
        &self,
        view: &RequestView<'_>,
        (session, provider): (Session, Option<ProviderSession>),
        bindings: &Bindings,
        binding: &Binding,
        return_to: &ReturnTo,
        hand_off: Option<&HandOff>,
        now: SystemTime,
    ) -> Result<Reply, Refusal> {
        let onward = match hand_off {
            None => return_to.location(),
            Some(_) => String::new(),
        };
        let old = id_of(view, &self.settings.cookies);
        let opened = self.sessions.open(session.clone(), provider, view.host, old, self.snapshot.plans(), now).await;
        let id = opened.map_err(|error| match error {
            OpenError::Store(_) => Refusal::StoreUnavailable,
            OpenError::ParentEnded => Refusal::AttemptUnknown,
        })?;
        let cookie = cookie_of(&id, &session, self.settings, now);
        let mut reply = match hand_off {
            None => {
                let location = HeaderValue::try_from(onward).map_err(|_| Refusal::CallbackMalformed)?;
                Reply::redirect(onward_status(view), location)
            }
            Some(hand_off) => match self.hand_off(view, hand_off, &session, &id, now).await {
                Ok(reply) => reply,
                Err(refusal) => {
                    // Nobody will ever bring this session's cookie.
                    self.sessions.withdraw(&id, now).await;
                    return Err(refusal);
                }
            },
        };
        reply.add_cookie(cookie);
        // It opens nothing any more, but tells late answers of this browser from those of others.
        reply.add_cookie(binding.settled().set_cookie(remembered_for(self.settings.lifetimes.attempt)));
        let old = self.settings.lifetimes.attempt;
        bindings.clear_settled(binding, old, now).for_each(|cookie| reply.add_cookie(cookie));
        let count = self.completed_lately(view, now).saturating_add(1);
        let name = self.settings.cookies.loop_guard();
        let keep = std::time::Duration::from_secs(LOOP_SECONDS);
        reply.add_cookie(set_cookie(&name, &format!("{count}-{}", Timestamp::of(now).as_secs()), Some(keep)));
        self.metrics.sign_ins.with_label_values(&["completed"]).inc();
        Ok(reply)
    }
}
