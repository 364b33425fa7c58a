//! The session cookie is sent again while it is in use: a browser keeps it for the idle time and no longer.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue};

use super::judge::{Holder, Permit};
use super::session_cookie::cookie_of;
use crate::session::SessionId;
use crate::snapshot::{CookieLife, Snapshot};
use crate::web::cookie::find_cookie;

/// The cookie is sent again when this part of the idle time is gone since it was last sent: an answer that never arrives
/// has successors before the browser drops it.
const RENEWALS: u32 = 4;

/// Whether the cookie behind `permit` is to be sent again. For nearly every request this is one comparison and a no.
pub(super) fn is_cookie_due(snapshot: &Snapshot, permit: &Permit, now: SystemTime) -> bool {
    let Holder::Session(live, ..) = permit.holder() else { return false };
    let settings = snapshot.settings();
    settings.cookie_life == CookieLife::Persistent
        && live.is_cookie_due(now, settings.lifetimes.idle / RENEWALS)
        && !live.value().session().ends_with_browser()
}

/// The cookie that the request brought, to be sent again; for one of several requests that ask at the same time.
pub(super) fn renewed_cookie(
    snapshot: &Snapshot,
    permit: &Permit,
    headers: &HeaderMap,
    now: SystemTime,
) -> Option<HeaderValue> {
    let Holder::Session(live, ..) = permit.holder() else { return None };
    let settings = snapshot.settings();
    let id = find_cookie(headers, &settings.cookies.session).and_then(SessionId::parse)?;
    let claimed = live.claim_cookie(now, settings.lifetimes.idle / RENEWALS);
    claimed.then(|| cookie_of(&id, live.value().session(), settings, now))
}
