//! The page on which somebody reads what they are asked to approve.

use std::fmt::Write as _;

use http::StatusCode;

use super::{address, cut, document, escape, reply};
use crate::web::Reply;

/// Longest question on it, in bytes: 280 characters of four bytes.
const CONTEXT_LIMIT: usize = 4 * 280;

/// Longest name of an app or a provider on it, in bytes; longer ones are cut.
const NAME_LIMIT: usize = 100;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalQuestion<'a> {
    /// The local address that the form is for.
    pub address: &'a str,
    /// What the app wants approved.
    pub context: &'a str,
    /// The app's origin.
    pub app: &'a str,
    /// Where they agree.
    pub at: &'a str,
    /// What the form brings back.
    pub agreement: &'a str,
    /// To quote when asking for help.
    pub request_id: &'a str,
}

impl ApprovalQuestion<'_> {
    /// The page. Saying no is one click, and as prominent as going on.
    pub fn page(self) -> Reply {
        let mut next = format!("<p><b>{}</b>", escape(cut(self.context, CONTEXT_LIMIT)));
        if let Some(form) = address(self.address) {
            // Writing into a String cannot fail.
            let _ = write!(
                next,
                "<p>{}<form method=post action=\"{form}\"><input type=hidden name=\"agreement\" value=\"{}\">\
                 <button name=decision value=go_on>Go on to {}</button> \
                 <button name=decision value=no>No, do not do it</button></form>",
                escape(cut(self.app, NAME_LIMIT)),
                escape(self.agreement),
                escape(cut(self.at, NAME_LIMIT)),
            );
        }
        let text = "You are asked to agree to one thing. Go on only if you wanted it yourself a moment ago; you are asked once \
                    more, and it is done only if you agree there.";
        reply(StatusCode::OK, document("Do you agree?", text, &next, None, self.request_id))
    }
}

/// Leads on to `to`: an issuer of the configuration, a place that the operator lists, or one of this site.
pub fn going_on_page(to: &str, request_id: &str) -> Reply {
    super::link::linked_page(to, request_id)
}
