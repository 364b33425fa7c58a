//! For somebody who is signed in and may not open a page: who they are, and what they can do.

use std::fmt::Write as _;

use http::header;

use super::{Action, ErrorPage, FRAMED_POLICY, cut, document, escape, link, reply};
use crate::web::Reply;

/// Longest name of a person, and longest word about whom to ask, in bytes; longer ones are cut.
const NAME_LIMIT: usize = 100;

/// Says that a page asks for more than the person has; `who` they are signed in as and whom to ask (`contact`), where that is
/// to be told; the action of `page` and the `other` one.
/// `framed`: the page stands in a frame, where no provider lets itself be shown, so both lead out of it.
pub fn not_allowed_page(
    page: ErrorPage<'_>,
    who: Option<&str>,
    other: Action<'_>,
    contact: Option<&str>,
    framed: bool,
) -> Reply {
    let mut more = String::new();
    // Writing into a String cannot fail.
    if let Some(who) = who {
        let _ = write!(more, "<p>You are signed in as <b>{}</b>.", escape(cut(who, NAME_LIMIT)));
    }
    if let Some(contact) = contact {
        let _ = write!(more, "<p>Whom to ask: {}", escape(cut(contact, NAME_LIMIT)));
    }
    for action in page.action.iter().chain([&other]) {
        more.push_str(&link(action.href, action.label, if framed { " target=_top" } else { "" }));
    }
    let mut reply = reply(page.status, document(page.title, page.text, &more, Some(page.code), page.request_id));
    if framed {
        reply.set(header::CONTENT_SECURITY_POLICY, FRAMED_POLICY.clone());
    }
    reply
}
