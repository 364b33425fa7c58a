//! From a request's cookie to its session.

use std::sync::Arc;
use std::time::SystemTime;

use crate::session::SessionId;
use crate::session::sessions::{Lookup, Purpose, Sessions};
use crate::snapshot::Snapshot;
use crate::web::RequestView;
use crate::web::cookie::{CookieNames, find_cookie};

/// The session that the request's cookie names on the host that was asked for.
pub(super) async fn session_of(
    snapshot: &Snapshot,
    sessions: &Arc<Sessions>,
    view: &RequestView<'_>,
    purpose: Purpose,
    now: SystemTime,
) -> Lookup {
    let Some(value) = find_cookie(view.headers, &snapshot.settings().cookies.session) else { return Lookup::Absent };
    let Some(id) = SessionId::parse(value) else { return Lookup::Dead };
    sessions.look_up(id, view.host, purpose, snapshot.plans(), now).await
}

/// The id in the request's cookie, if it could be one of ours.
pub(super) fn id_of(view: &RequestView<'_>, names: &CookieNames) -> Option<SessionId> {
    find_cookie(view.headers, &names.session).and_then(SessionId::parse)
}
