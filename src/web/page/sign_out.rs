//! The pages of signing out: one that asks, one that leads on, one that says what has ended and what has not.

use std::fmt::Write as _;

use http::StatusCode;
use url::Url;

use super::{Next, address, document, escape, render, reply};
use crate::web::Reply;

/// What is asked before a session ends, as far as the gateway knows what there is to end.
#[derive(Debug, Clone, Copy)]
pub struct SignOutQuestion<'a> {
    /// The local address that ends the session here alone; `None` if the provider's always ends with it.
    pub here: Option<&'a str>,
    /// The local address that ends the session at the provider too; `None` if the provider does not say how.
    pub both: Option<&'a str>,
    /// The link asked to be led on to a place that nobody is sent to from here.
    pub refused: bool,
    /// To quote when asking for help.
    pub request_id: &'a str,
}

impl SignOutQuestion<'_> {
    /// Asks, with a form for each answer: a link or an image on another site must not be able to end a session (B16).
    pub fn page(self) -> Reply {
        let text = match (self.here, self.both, self.refused) {
            (Some(_), Some(_), _) => {
                "End your session here only, or at your sign-in service too? On a shared device, end both."
            }
            (None, Some(_), _) => "This ends your session here and at your sign-in service.",
            (_, None, _) => {
                "This ends your session here. Your sign-in service may still know you, so that it asks for nothing \
                 when you come back."
            }
        };
        let refused = if self.refused {
            "<p>You will not be led on: the link names a place that is not allowed here."
        } else {
            ""
        };
        let label = if self.both.is_some() { "Sign out here" } else { "Sign out" };
        let mut next = String::from(refused);
        for (label, href) in [(label, self.here), ("Sign out of both", self.both)] {
            if let Some(href) = href.and_then(address) {
                // Writing into a String cannot fail.
                let _ = write!(next, "<form method=post action=\"{href}\"><button>{label}</button></form>");
            }
        }
        next.push_str("<p><a href=\"/\">Stay signed in</a>");
        reply(StatusCode::OK, document("Sign out?", text, &next, None, self.request_id))
    }
}

/// Whoever is not signed in has nothing to end; `start_href` is the local address that begins a sign-in.
pub fn not_signed_in_page(start_href: &str, request_id: &str) -> Reply {
    let text = "There is no session of yours here that could be ended.";
    let next = Next::Link { label: "Sign in", href: start_href };
    render(StatusCode::OK, "You are not signed in", text, next, None, request_id)
}

/// Says what has ended: the session here, and, `with_provider`, the one at the sign-in service. `start_href` is the local
/// address that begins another.
pub fn signed_out_page(with_provider: bool, start_href: &str, request_id: &str) -> Reply {
    let text = if with_provider {
        "Your session here and the one at your sign-in service have ended. You can close this page now."
    } else {
        "Your session here has ended. Your sign-in service may still know you: on a shared device, sign out there too."
    };
    let next = Next::Link { label: "Sign in again", href: start_href };
    render(StatusCode::OK, "You are signed out", text, next, None, request_id)
}

/// Where a page leads that goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onward {
    /// The provider, to end the session there.
    Provider,
    /// A place that the link asked for and the operator listed.
    Elsewhere,
}

/// Says that the session here has ended, and leads on to `to`. A redirect would not: the policy of the page with the form
/// binds all redirects that follow it, to hosts that nobody here can list (CSP Level 3, `form-action`). A page that leads
/// on has left the form behind.
pub fn onward_page(onward: Onward, to: &Url, request_id: &str) -> Reply {
    let text = match onward {
        Onward::Provider => "Your session here has ended. Now the one at your sign-in service is ended too.",
        Onward::Elsewhere => "Your session here has ended. You are being led on.",
    };
    let to = escape(to.as_str());
    let next = format!("<meta http-equiv=refresh content=\"0;url={to}\"><p><a href=\"{to}\">Continue</a>");
    reply(StatusCode::OK, document("You are signed out here", text, &next, None, request_id))
}
