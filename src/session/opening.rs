//! How a session is opened: record and relations first, then the cookie.

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::join_all;

use super::provider_session::ProviderSession;
use super::sessions::Sessions;
use super::store::{Kind, Relation, StoreError};
use super::{Session, SessionId, StoreKey};
use crate::identity::headers::HeaderPlan;

/// Why a session was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session that it was handed over from has ended.
    #[error("the session that this one was handed over from has ended")]
    ParentEnded,
}

impl Sessions {
    /// Stores `session` for `host` under a new id and ends the one the browser had (ASVS 7.2.4): an id that was planted
    /// before a sign-in is worth nothing after it. Without a stored record there is no id. Runs to its end even if whoever
    /// asked goes away. `provider` is what is kept of the session at the provider.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is left open.
    pub async fn open(
        self: &Arc<Self>,
        mut session: Session,
        provider: Option<ProviderSession>,
        host: &str,
        old: Option<SessionId>,
        plans: &Arc<[Arc<HeaderPlan>]>,
        now: SystemTime,
    ) -> Result<SessionId, OpenError> {
        session.opened_on(host);
        let (sessions, plans, held) = (Arc::clone(self), Arc::clone(plans), Arc::clone(&self.under_way));
        let opening = tokio::spawn(async move {
            let opened = sessions.open_to_the_end(session, provider.unwrap_or_default(), old, &plans, now).await;
            drop(held);
            opened
        });
        let lost = |_| OpenError::Store(StoreError::Unavailable("the opening of the session was cut off".to_owned()));
        opening.await.map_err(lost)?
    }

    async fn open_to_the_end(
        self: &Arc<Self>,
        session: Session,
        provider: ProviderSession,
        old: Option<SessionId>,
        plans: &[Arc<HeaderPlan>],
        now: SystemTime,
    ) -> Result<SessionId, OpenError> {
        let id = self.sealer.new_id(&*self.entropy);
        let key = id.store_key();
        let record = self.sealer.seal_session(&id, &session, &*self.entropy);
        let keep = session.keep_for(now, &self.lifetimes);
        let person = self.sealer.person_key(session.identity());
        // Relations live as long as a session ever can: uses are written to the session's record, not to them.
        // Children are reached by way of their parent: in the person's set they would only push that out.
        let mut relations = match session.parent() {
            Some(parent) => vec![(Relation::Children, parent, key), (Relation::Parents, key, parent)],
            None => vec![(Relation::Person, person, key)],
        };
        if let Some(sid) = &provider.sid {
            let at_provider = self.sealer.provider_session_key(session.identity().issuer(), sid);
            relations.push((Relation::ProviderSession, at_provider, key));
        }
        // The relations first: a session that no relation names would outlive the end of its parent.
        let stored = async {
            self.relate(&relations, now).await?;
            if provider.needs_a_box() {
                let kept = provider.seal(&id, &self.sealer, &*self.entropy);
                self.store.put(Kind::Provider, key, &kept, self.lifetimes.absolute, now).await?;
            }
            self.store.put(Kind::Session, key, &record, keep, now).await
        };
        let stored = stored.await;
        if let Err(error) = stored {
            self.store_failed(&error, "A session could not be stored; no cookie was given");
            self.end(key, now).await;
            return Err(error.into());
        }
        if let Some(parent) = session.parent() {
            // Only now: a sign-out of the parent either finds us among its children, or was before this question.
            let stands = match self.cache.is_denied(&parent, now) {
                true => Ok(None),
                false => self.stored(parent, now).await,
            };
            let ended = match stands {
                Ok(Some(_)) => None,
                Ok(None) => Some(OpenError::ParentEnded),
                Err(error) => Some(error.into()),
            };
            if let Some(fault) = ended {
                self.end(key, now).await;
                return Err(fault);
            }
        }
        if let Some(old) = old.filter(|old| self.sealer.has_made(old)) {
            self.end_family(old.store_key(), now).await;
        }
        // If the store does not say now to which account they belong, their first request asks again.
        let relinked = self.relinked_so_far();
        if let Ok(live) = self.live(session, &record, plans, now).await {
            self.cache.insert(key, live, now);
            self.forget_if_relinked(&key, relinked);
            self.count_cached_bytes();
        }
        Ok(id)
    }

    /// Writes relations down. What a full set has no room for any more ends: nothing may live that its person could not
    /// end.
    async fn relate(
        self: &Arc<Self>,
        relations: &[(Relation, StoreKey, StoreKey)],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let add = |(relation, of, member): &(Relation, StoreKey, StoreKey)| {
            self.store.add_member(*relation, *of, *member, self.lifetimes.absolute, now)
        };
        let mut outcome = Ok(());
        for added in join_all(relations.iter().map(add)).await {
            match added {
                Ok(pushed_out) => {
                    for other in pushed_out {
                        self.end_family(other, now).await;
                    }
                }
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }
}
