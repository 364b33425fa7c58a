//! The page on which somebody agrees that their sign-in leads to an account of the app.

use std::fmt::Write as _;

use http::StatusCode;

use super::{address, cut, document, escape, link, reply};
use crate::web::Reply;

/// Longest name of a person or an account on it, in bytes; longer ones are cut.
const NAME_LIMIT: usize = 100;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct LinkQuestion<'a> {
    /// The local address that the form is for.
    pub address: &'a str,
    /// The app's name of the account.
    pub account: &'a str,
    /// As whom they are signed in, if that is to be told.
    pub who: Option<&'a str>,
    /// What the form brings back.
    pub agreement: &'a str,
    /// The local address that begins a sign-in as somebody else.
    pub other: &'a str,
    /// To quote when asking for help.
    pub request_id: &'a str,
}

impl LinkQuestion<'_> {
    /// The page.
    pub fn page(self) -> Reply {
        let who = self
            .who
            .map_or_else(|| "your sign-in".to_owned(), |who| format!("<b>{}</b>", escape(cut(who, NAME_LIMIT))));
        let account = escape(cut(self.account, NAME_LIMIT));
        let mut next = format!("<p>{who} → account <b>{account}</b>");
        if let Some(form) = address(self.address) {
            // Writing into a String cannot fail.
            let _ = write!(
                next,
                "<form method=post action=\"{form}\"><input type=hidden name=\"agreement\" value=\"{}\">\
                 <button name=decision value=link>Link them</button> <button name=decision value=no>Not now</button></form>",
                escape(self.agreement)
            );
        }
        next.push_str(&link(self.other, "Use another sign-in", ""));
        let text = "From then on this sign-in opens that account. Go on only if the account is yours and you asked for this \
                    yourself a moment ago.";
        reply(StatusCode::OK, document("Link your sign-in?", text, &next, None, self.request_id))
    }
}

/// Leads on to `to`, which the operator lists or which is of this site.
pub fn linked_page(to: &str, request_id: &str) -> Reply {
    let to = escape(to);
    let next = format!("<meta http-equiv=refresh content=\"0;url={to}\"><p><a href=\"{to}\">Continue</a>");
    reply(StatusCode::OK, document("Going on", "You are being led on.", &next, None, request_id))
}
