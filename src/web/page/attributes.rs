//! For somebody who is signed in and keeps back what a page needs: what it is, and what for.

use std::fmt::Write as _;

use super::{ErrorPage, cut, document, escape, link, reply};
use crate::web::Reply;

/// Longest name of an attribute, and longest word about what it is for, in bytes; longer ones are cut.
const LIMIT: usize = 140;

/// What people call the attributes that carriers and issuers have (dossier 8 and 12.1); others go by their own name.
const WORDS: [(&str, &str); 9] = [
    ("address", "your address"),
    ("birthdate", "your date of birth"),
    ("email", "your e-mail address"),
    ("family_name", "your family name"),
    ("given_name", "your given name"),
    ("name", "your name"),
    ("phone_number", "your phone number"),
    ("picture", "your picture"),
    ("postal_code", "your postal code"),
];

/// Says that a page needs `attribute`, and `why`, in the operator's words; the action of `page` has it asked for again.
pub fn share_more_page(page: ErrorPage<'_>, attribute: &str, why: Option<&str>) -> Reply {
    let known = WORDS.iter().find(|(name, _)| *name == attribute).map_or(attribute, |(_, words)| words);
    let mut more = String::new();
    // Writing into a String cannot fail.
    let _ = write!(more, "<p>What is missing: <b>{}</b>.", escape(cut(known, LIMIT)));
    if let Some(why) = why {
        let _ = write!(more, " {}", escape(cut(why, LIMIT)));
    }
    if let Some(action) = page.action {
        more.push_str(&link(action.href, action.label, ""));
    }
    reply(page.status, document(page.title, page.text, &more, Some(page.code), page.request_id))
}
