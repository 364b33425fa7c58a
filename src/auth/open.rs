//! The end of a sign-in: a new session under a new id, and the person on exactly the page they asked for.

use std::time::SystemTime;

use futures_util::future::join_all;
use http::{HeaderValue, StatusCode};
use tracing::warn;

use super::refusal::Refusal;
use super::sign_in::attempt::HandOff;
use super::sign_in::binding::Binding;
use super::sign_in::start::LOOP_SECONDS;
use super::{RelyingParty, SignIn};
use crate::ground::time::Timestamp;
use crate::route::path::ReturnTo;
use crate::secret::sha256;
use crate::session::store::Kind;
use crate::session::{Session, SessionId, StoreKey};
use crate::web::cookie::{find_cookie, set_cookie};
use crate::web::{Reply, RequestView};

/// Where it is noted which session on `host` was handed over from `parent`. What lies there is the name of a record, a
/// hash, and no secret.
fn handed_to(parent: StoreKey, host: &str) -> StoreKey {
    StoreKey(sha256(&[b"zengate handed over v1 ", parent.0.as_slice(), host.as_bytes()].concat()))
}

impl SignIn<'_> {
    /// Opens the session and sends the person on. Without a stored record there is no cookie (M04).
    pub(super) async fn arrive(
        &self,
        view: &RequestView<'_>,
        session: Session,
        binding: &Binding,
        return_to: &ReturnTo,
        hand_off: Option<&HandOff>,
        now: SystemTime,
    ) -> Result<Reply, Refusal> {
        let onward = match hand_off {
            None => return_to.location(),
            Some(_) => String::new(),
        };
        let (id, cookie) = self.sessions.open_session(view, &session, now).await?;
        let mut reply = match hand_off {
            None => {
                let location = HeaderValue::try_from(onward).map_err(|_| Refusal::CallbackMalformed)?;
                Reply::redirect(StatusCode::FOUND, location)
            }
            Some(hand_off) => match self.hand_off(view, hand_off, &session, &id, now).await {
                Ok(reply) => reply,
                Err(refusal) => {
                    // Nobody will ever bring this session's cookie.
                    self.sessions.end(&id, now).await;
                    return Err(refusal);
                }
            },
        };
        reply.add_cookie(cookie);
        if let Some(cookie) = binding.clear_when_settled(now) {
            reply.add_cookie(cookie);
        }
        let count = self.completed_lately(view, now) + 1;
        let name = self.settings.cookies.loop_guard();
        let keep = std::time::Duration::from_secs(LOOP_SECONDS);
        reply.add_cookie(set_cookie(&name, &format!("{count}-{}", Timestamp::of(now).as_secs()), Some(keep)));
        self.metrics.sign_ins.with_label_values(&["completed"]).inc();
        Ok(reply)
    }
}

impl RelyingParty {
    /// Stores `session` under a new id and ends the one the browser had (ASVS 7.2.4): an id that was planted before a
    /// sign-in is worth nothing after it.
    async fn open_session(
        &self,
        view: &RequestView<'_>,
        session: &Session,
        now: SystemTime,
    ) -> Result<(SessionId, HeaderValue), Refusal> {
        let id = SessionId::generate(&*self.entropy);
        let record = self.sealer.seal_session(&id, session, &*self.entropy);
        let keep = session.keep_for(now, &self.settings.lifetimes);
        if let Err(error) = self.store.put(Kind::Session, id.store_key(), &record, keep, now).await {
            self.metrics.store_errors.inc();
            warn!(request_id = view.request_id, reason = %error, "A session could not be stored; no cookie was given");
            return Err(Refusal::StoreUnavailable);
        }
        if let Some(old) = find_cookie(view.headers, &self.settings.cookies.session).and_then(SessionId::parse) {
            self.end_family(old.store_key(), now).await;
        }
        if let Some(parent) = session.parent() {
            // Uses are written to the session's record, not here: this one lives as long as a session ever can.
            let (child, keep) = (id.store_key(), self.settings.lifetimes.absolute);
            let put = self.store.put(Kind::Session, handed_to(parent, view.host), &child.0, keep, now).await;
            if let Err(error) = put {
                self.metrics.store_errors.inc();
                warn!(request_id = view.request_id, reason = %error, "A handed-over session could not be noted; it was not opened");
                self.end(&id, now).await;
                return Err(Refusal::StoreUnavailable);
            }
        }
        self.cache.insert(id.store_key(), self.enliven(session.clone(), &record), now);
        let cookie = set_cookie(&self.settings.cookies.session, id.to_text().expose(), None);
        Ok((id, cookie))
    }

    /// Ends a session here at once and in the store; whether the store heard it.
    pub(super) async fn end(&self, id: &SessionId, now: SystemTime) -> bool {
        self.end_key(id.store_key(), now).await
    }

    /// Ends a session and all that were handed over from it to our other hosts: whoever leaves the house has left every
    /// room. Whether the store heard all of it.
    pub(super) async fn end_family(&self, key: StoreKey, now: SystemTime) -> bool {
        let snapshot = &self.snapshot;
        let others = snapshot.hosts().filter(|host| *host != snapshot.public_host());
        let children = others.map(|host| self.end_child(handed_to(key, host), now));
        let (children, own) = tokio::join!(join_all(children), self.end_key(key, now));
        own && children.into_iter().all(|heard| heard)
    }

    async fn end_child(&self, note: StoreKey, now: SystemTime) -> bool {
        match self.store.take(Kind::Session, note, now).await {
            Ok(None) => true,
            Ok(Some(child)) => match <[u8; 32]>::try_from(child.as_slice()) {
                Ok(child) => self.end_key(StoreKey(child), now).await,
                Err(_) => true,
            },
            Err(error) => {
                self.metrics.store_errors.inc();
                warn!(reason = %error, "The session store did not say to which hosts a session was handed over");
                false
            }
        }
    }

    pub(super) async fn end_key(&self, key: StoreKey, now: SystemTime) -> bool {
        self.cache.deny(key, now + self.settings.lifetimes.absolute, now);
        self.remove_from_store(key).await
    }

    /// Ends what may be a session: the store does not say. Whether it heard that.
    pub(super) async fn end_doubtful(&self, key: StoreKey, now: SystemTime) -> bool {
        self.cache.deny_doubtful(key, now + self.settings.lifetimes.absolute, now);
        self.remove_from_store(key).await
    }

    async fn remove_from_store(&self, key: StoreKey) -> bool {
        match self.store.remove(Kind::Session, key).await {
            Ok(()) => true,
            Err(error) => {
                self.metrics.store_errors.inc();
                warn!(reason = %error, "A session was ended here, but the store did not hear it");
                false
            }
        }
    }
}
