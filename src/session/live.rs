//! A session in memory, ready for requests.

use std::borrow::Borrow;

use super::cached::Cacheable;
use super::{Session, Standing};
use crate::identity::headers::{HeaderPlan, HeaderSet, RenderedHeaders, render_all};
use crate::secret::sha256;

/// A session as it lies in the cache: with the header values of every header plan already rendered, so that a
/// signed-in request formats nothing.
#[derive(Debug, Clone)]
pub struct LiveSession {
    session: Session,
    account: Option<Box<str>>,
    headers: RenderedHeaders,
    record: Fingerprint,
}

/// Half of the SHA-256 of a sealed record.
type Fingerprint = [u8; 16];

fn fingerprint(record: &[u8]) -> Fingerprint {
    sha256(record).first_chunk().copied().unwrap_or_default()
}

impl LiveSession {
    /// Renders the headers of every plan for `session`, once. `account` is the one that its person belongs to; `record` is
    /// what it was read from, or sealed into.
    pub fn new<P: Borrow<HeaderPlan>>(
        mut session: Session,
        account: Option<Box<str>>,
        record: &[u8],
        plans: &[P],
    ) -> Self {
        let beside = Standing::beside(session.standing(), account.as_deref());
        let (identity, headers) = render_all(plans, session.identity(), beside);
        session.share(identity);
        Self { session, account, headers, record: fingerprint(record) }
    }

    /// Whether `record` is, byte for byte, the one this session was read from: then there is nothing in it to be read
    /// that is not here. If another record could pass for it, whoever writes to the store could keep alive what a
    /// replica has changed; hence a hash that nobody can find a second text for.
    pub(super) fn is_from(&self, record: &[u8]) -> bool {
        self.record == fingerprint(record)
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The app's name of the account that the person belongs to, as it was when the store was last asked.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The headers that `plan` writes. They are rendered here only for a session that was loaded under an earlier
    /// configuration.
    pub fn headers(&self, plan: &HeaderPlan) -> HeaderSet {
        let anew =
            || plan.render_with(self.session.identity(), Standing::beside(self.session.standing(), self.account()));
        self.headers.of(plan).cloned().unwrap_or_else(anew)
    }
}

impl Cacheable for LiveSession {
    fn last_seen(&self) -> std::time::SystemTime {
        self.session.last_seen()
    }

    fn bytes(&self) -> usize {
        // The identity lies at the beginning of the headers' memory, if there are any.
        let shared = if self.headers.bytes() > 0 { self.session.identity().bytes() } else { 0 };
        let own = size_of::<Self>() - size_of::<Session>();
        let account = self.account.as_deref().map_or(0, str::len);
        own + account + self.session.bytes() + self.headers.bytes() - shared
    }
}
