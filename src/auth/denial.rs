//! What a request that may not pass is answered: a person is sent to sign in, a program is told what to bring, everybody
//! else reads why.

use std::time::Duration;

use http::header::{REFERER, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};

use super::challenge::{bearer, challenge, stronger};
use super::cors;
use super::judge::{Cause, Denial};
use super::own_address::{CONSENT, with_page};
use super::refusal::{Denied, Recipient, Refusal, RefusalExit, Refused};
use crate::route::path::ReturnTo;
use crate::snapshot::{CompiledRoute, Snapshot};
use crate::web::cookie::{CookieNames, clear_cookie, find_cookie};
use crate::web::page::{
    Action, ErrorPage, error_json, error_page, framed_sign_in_page, not_allowed_page, share_more_page,
};
use crate::web::{AsksFor, Reply, RequestView, single_value};

/// Why somebody is refused who is linked to no account, for the log.
pub(super) const UNLINKED: &str = "the person is linked to no account of the app";

/// Answers a request that the judge did not let pass.
pub(super) fn deny(exit: &RefusalExit, denial: &Denial, view: &RequestView<'_>, snapshot: &Snapshot) -> Reply {
    let route = denial.route.as_deref();
    let start = snapshot.start();
    let reply = match &denial.cause {
        Cause::Closed(after) => closed(exit, *after, route, view, start),
        Cause::Person(denied) => exit.refuse(refused(denied, route, view), Recipient::Anyone { view, start }),
        Cause::Unmet { denied, who } => {
            more_demanded(exit, refused(denied, route, view), who.as_deref(), view, snapshot)
        }
        Cause::Lacking { denied, attribute } => {
            let why = route.and_then(|route| route.attributes_for.as_deref());
            share_more(exit, refused(denied, route, view), (attribute, why), view, snapshot)
        }
        Cause::StepUp(denied) => {
            let mut reply = more_of_the_sign_in(exit, refused(denied, route, view), view, snapshot);
            if let Some(challenge) =
                route.filter(|_| reply.status == StatusCode::UNAUTHORIZED).and_then(|route| stronger(snapshot, route))
            {
                reply.set(WWW_AUTHENTICATE, challenge);
            }
            reply
        }
        Cause::Unlinked(live) => {
            let denied = Denied::because(Refusal::UnlinkedUser, UNLINKED);
            let who = snapshot.settings().display_name(live.value().session().identity());
            more_demanded(exit, refused(&denied, route, view), who.as_deref(), view, snapshot)
        }
        Cause::Program(denied) => {
            let mut reply = exit.refuse(refused(denied, route, view), Recipient::Program);
            let scopes = route.map_or(&[][..], |route| &route.token.scopes);
            let challenge = match denied.refusal {
                Refusal::StepUpNeeded => route.and_then(|route| stronger(snapshot, route)),
                refusal => challenge(snapshot, refusal, scopes),
            };
            if let Some(challenge) = challenge {
                reply.set(WWW_AUTHENTICATE, challenge);
            }
            reply
        }
        Cause::SignInFirst { dead_cookie, or_token } => {
            let denied = Refusal::Unauthenticated.into();
            let mut reply = sign_in_first(exit, refused(&denied, route, view), view, snapshot, *or_token);
            if *dead_cookie {
                clear_dead_cookies(&mut reply, view, &snapshot.settings().cookies);
            }
            reply
        }
    };
    match route {
        Some(route) => cors::expose(reply, view, route),
        None => reply,
    }
}

pub(super) fn refused<'a>(denied: &'a Denied, route: Option<&'a CompiledRoute>, view: &RequestView<'a>) -> Refused<'a> {
    let route = route.map(|route| route.name.as_str());
    Refused { route, reason: denied.reason.as_deref(), ..Refused::of(denied.refusal, view) }
}

/// Sends a navigation to the sign-in, and answers everything else with 401. `or_token`: an access token would do as well.
fn sign_in_first(
    exit: &RefusalExit,
    refused: Refused<'_>,
    view: &RequestView<'_>,
    snapshot: &Snapshot,
    or_token: bool,
) -> Reply {
    let start = snapshot.start();
    let start_here = || with_page(start, view.target.as_str(), snapshot.settings());
    let message = Refusal::Unauthenticated.message();
    match view.asks_for() {
        AsksFor::Page => {
            return match HeaderValue::try_from(start_here()) {
                Ok(location) => Reply::redirect(StatusCode::FOUND, location),
                Err(_) => Reply::empty(StatusCode::UNAUTHORIZED),
            };
        }
        AsksFor::Frame => {
            exit.note(refused);
            return framed_sign_in_page(&start_here(), message.code, view.request_id);
        }
        AsksFor::Data => exit.note(refused),
    }
    let mut reply = if view.method == Method::POST && view.wants_html() {
        // What was typed into a form is neither kept nor sent again: it may be anybody's by the time they are back. They
        // come back to the page that it stood on.
        let start = with_page(start, &page_of_form(view, snapshot), snapshot.settings());
        error_page(ErrorPage {
            status: message.status,
            title: message.title,
            text: message.text,
            code: message.code,
            request_id: view.request_id,
            action: Some(Action { label: "Sign in", href: &start }),
        })
    } else {
        let start = format!("{}{start}", snapshot.origin_of(view.host));
        error_json(message.status, message.code, view.request_id, Some(&start))
    };
    if let Some(challenge) = or_token.then(|| bearer(snapshot, "")).flatten() {
        reply.set(WWW_AUTHENTICATE, challenge);
    }
    reply
}

/// Sends a navigation of somebody who is signed in to confirm who they are, and answers everything else with 401.
fn more_of_the_sign_in(exit: &RefusalExit, refused: Refused<'_>, view: &RequestView<'_>, snapshot: &Snapshot) -> Reply {
    let start = snapshot.start();
    let message = refused.refusal.message();
    let page = |page: &str| with_page(start, page, snapshot.settings());
    match view.asks_for() {
        AsksFor::Page => match HeaderValue::try_from(page(view.target.as_str())) {
            Ok(location) => return Reply::redirect(StatusCode::FOUND, location),
            Err(_) => return Reply::empty(StatusCode::UNAUTHORIZED),
        },
        AsksFor::Frame => {
            exit.note(refused);
            return framed_sign_in_page(&page(view.target.as_str()), message.code, view.request_id);
        }
        AsksFor::Data => exit.note(refused),
    }
    if view.method == Method::POST && view.wants_html() {
        // As with whoever is not signed in: what was typed into a form is neither kept nor sent again.
        let start = page(&page_of_form(view, snapshot));
        return error_page(ErrorPage {
            status: message.status,
            title: message.title,
            text: message.text,
            code: message.code,
            request_id: view.request_id,
            action: Some(Action { label: "Confirm", href: &start }),
        });
    }
    let here = match *view.method {
        Method::GET | Method::HEAD => view.target.as_str().to_owned(),
        _ => page_of_form(view, snapshot),
    };
    let start = format!("{}{}", snapshot.origin_of(view.host), page(&here));
    error_json(message.status, message.code, view.request_id, Some(&start))
}

/// Tells a person what a page needs to know of them and for what (dossier 15), and lets the provider ask again.
fn share_more(
    exit: &RefusalExit,
    refused: Refused<'_>,
    (attribute, why): (&str, Option<&str>),
    view: &RequestView<'_>,
    snapshot: &Snapshot,
) -> Reply {
    let start = format!("{}?{CONSENT}=1", snapshot.start());
    let page = match *view.method {
        Method::GET | Method::HEAD => view.target.as_str().to_owned(),
        _ => page_of_form(view, snapshot),
    };
    let again = with_page(&start, &page, snapshot.settings());
    exit.note(refused);
    let message = refused.refusal.message();
    if !view.wants_html() {
        let again = format!("{}{again}", snapshot.origin_of(view.host));
        return error_json(message.status, message.code, view.request_id, Some(&again));
    }
    let page = ErrorPage {
        status: message.status,
        title: message.title,
        text: message.text,
        code: message.code,
        request_id: view.request_id,
        action: Some(Action { label: "Share it", href: &again }),
    };
    share_more_page(page, attribute, why)
}

/// A route that is closed for a while, in the operator's words if there are any.
fn closed(
    exit: &RefusalExit,
    after: Option<Duration>,
    route: Option<&CompiledRoute>,
    view: &RequestView<'_>,
    start: &str,
) -> Reply {
    let denied = Denied::from(Refusal::Maintenance(after));
    let refused = refused(&denied, route, view);
    let words = route.and_then(|route| route.maintenance.as_ref()?.message.as_deref());
    match words.filter(|_| view.wants_html()) {
        None => exit.refuse(refused, Recipient::Anyone { view, start }),
        Some(text) => {
            exit.note(refused);
            let message = denied.refusal.message();
            let mut reply = error_page(ErrorPage {
                status: message.status,
                title: message.title,
                text,
                code: message.code,
                request_id: view.request_id,
                action: None,
            });
            if let Some(after) = after {
                reply.set(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
            }
            reply
        }
    }
}

/// Tells a person who is signed in what they can do who may not open a page: be looked at again, for what the provider says
/// of them may have changed; come with another account; ask somebody.
fn more_demanded(
    exit: &RefusalExit,
    refused: Refused<'_>,
    who: Option<&str>,
    view: &RequestView<'_>,
    snapshot: &Snapshot,
) -> Reply {
    let (start, settings) = (snapshot.start(), snapshot.settings());
    if !view.wants_html() {
        return exit.refuse(refused, Recipient::Anyone { view, start });
    }
    exit.note(refused);
    let page = match *view.method {
        Method::GET | Method::HEAD => view.target.as_str().to_owned(),
        _ => page_of_form(view, snapshot),
    };
    let message = refused.refusal.message();
    let again = with_page(start, &page, settings);
    let other = with_page(&format!("{start}?account=other"), &page, settings);
    not_allowed_page(
        ErrorPage {
            status: message.status,
            title: message.title,
            text: message.text,
            code: message.code,
            request_id: view.request_id,
            action: Some(Action { label: "Check again", href: &again }),
        },
        who,
        Action { label: "Use another account", href: &other },
        settings.contact.as_deref(),
        view.asks_for() == AsksFor::Frame,
    )
}

/// The page of ours that a form was sent from, by the browser's word; else the start page.
pub(super) fn page_of_form(view: &RequestView<'_>, snapshot: &Snapshot) -> String {
    let from = single_value(view.headers, REFERER).ok().flatten();
    let page = from.and_then(|from| ReturnTo::parse(from, snapshot.return_policy()).ok());
    let page = page.map(|page| page.seen_from(&snapshot.origin_of(view.host)));
    page.filter(|page| page.origin().is_none()).unwrap_or_else(ReturnTo::home).location()
}

/// Takes a session cookie that leads nowhere away: a browser that kept it would bring it to every page. Dead or not, it
/// was brought: this browser keeps cookies, and is not going round in circles.
fn clear_dead_cookies(reply: &mut Reply, view: &RequestView<'_>, names: &CookieNames) {
    reply.add_cookie(clear_cookie(&names.session));
    let name = names.loop_guard();
    if find_cookie(view.headers, &name).is_some() {
        reply.add_cookie(clear_cookie(&name));
    }
}
