//! From a request's cookie to its session, and how long a browser keeps it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, header};

use super::authorization::{Presented, presented};
use crate::session::sessions::{Lookup, Purpose, Sessions};
use crate::session::{Session, SessionId};
use crate::snapshot::{AuthSettings, CookieLife, Snapshot};
use crate::web::RequestView;
use crate::web::cookie::{CookieNames, find_cookie_bytes, set_cookie};

/// Stands in front of a session's id where it is a bearer token, so that nobody takes it for a token of anybody else's.
pub(super) const TOKEN_PREFIX: &str = "zgs_";

/// Whether `headers` bring a session token of ours as credentials: no app ever gets to see it.
pub fn brings_own_token(headers: &HeaderMap) -> bool {
    let ours =
        |value: &HeaderValue| value.as_bytes().windows(TOKEN_PREFIX.len()).any(|part| part == TOKEN_PREFIX.as_bytes());
    headers.get_all(header::AUTHORIZATION).iter().any(ours)
}

/// The id that an app on a phone brings as a bearer token, on hosts where apps sign in.
pub(super) fn token_id<'a>(view: &RequestView<'a>, settings: &AuthSettings) -> Option<&'a [u8]> {
    settings.native.as_ref().filter(|native| native.hosts.iter().any(|host| host == view.host))?;
    match presented(view.headers) {
        Presented::Token(token) => token.strip_prefix(TOKEN_PREFIX).map(str::as_bytes),
        Presented::Malformed | Presented::Nothing | Presented::Several => None,
    }
}

/// The session that the request's cookie names on the host that was asked for.
pub(super) async fn session_of(
    snapshot: &Snapshot,
    sessions: &Arc<Sessions>,
    view: &RequestView<'_>,
    purpose: Purpose,
    now: SystemTime,
) -> Lookup {
    let settings = snapshot.settings();
    let found = find_cookie_bytes(view.headers, &settings.cookies.session).or_else(|| token_id(view, settings));
    let Some(value) = found else { return Lookup::Absent };
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
    let settings = snapshot.settings();
    match id_of(view, &settings.cookies).or_else(|| token_id(view, settings).and_then(SessionId::parse)) {
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
