//! From a request's cookie to its session, and how long a browser keeps it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;

use crate::session::sessions::{Lookup, Purpose, Sessions};
use crate::session::{Session, SessionId};
use crate::snapshot::{AuthSettings, CookieLife, Snapshot};
use crate::web::RequestView;
use crate::web::cookie::{CookieNames, find_cookie_bytes, set_cookie};

/// The session that the request's cookie names on the host that was asked for.
pub(super) async fn session_of(
    snapshot: &Snapshot,
    sessions: &Arc<Sessions>,
    view: &RequestView<'_>,
    purpose: Purpose,
    now: SystemTime,
) -> Lookup {
    let name = &snapshot.settings().cookies.session;
    let Some(value) = find_cookie_bytes(view.headers, name) else { return Lookup::Absent };
    let Some(id) = SessionId::parse(value) else { return Lookup::Dead };
    sessions.look_up(id, view.host, purpose, snapshot.plans(), now).await
}

/// The same, from the store, whatever is at hand.
pub(super) async fn session_anew(
    snapshot: &Snapshot,
    sessions: &Arc<Sessions>,
    view: &RequestView<'_>,
    now: SystemTime,
) -> Lookup {
    match id_of(view, &snapshot.settings().cookies) {
        Some(id) => sessions.look_up_anew(id, view.host, snapshot.plans(), now).await,
        None => Lookup::Absent,
    }
}

/// The id in the request's cookie, if it could be one of ours.
pub(super) fn id_of(view: &RequestView<'_>, names: &CookieNames) -> Option<SessionId> {
    find_cookie_bytes(view.headers, &names.session).and_then(SessionId::parse)
}

/// The cookie of a session, for its browser, sent at `now`.
pub(super) fn cookie_of(id: &SessionId, session: &Session, settings: &AuthSettings, now: SystemTime) -> HeaderValue {
    set_cookie(&settings.cookies.session, id.to_text().expose(), life(session, settings, now))
}

/// How long the browser is to keep it; `None` for as long as its window.
fn life(session: &Session, settings: &AuthSettings, now: SystemTime) -> Option<Duration> {
    let persistent = settings.cookie_life == CookieLife::Persistent && !session.ends_with_browser();
    persistent.then(|| session.cookie_for(now, &settings.lifetimes))
}
