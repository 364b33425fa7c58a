//! For somebody who is signed in and has no account of the app yet: on to the app's registration page.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use url::Url;

use super::{STYLE, cut, document, escape, reply};
use crate::secret::sha256;
use crate::web::Reply;

/// Longest name of a person, and longest list of what is told, in bytes; longer ones are cut.
const NAME_LIMIT: usize = 100;
const LIST_LIMIT: usize = 300;

/// What the page says and sends.
#[derive(Debug, Clone, Copy)]
pub struct RegistrationPage<'a> {
    /// Status code.
    pub status: StatusCode,
    /// Where the form goes: the operator's word.
    pub address: &'a Url,
    /// The signed statement in it.
    pub assertion: &'a str,
    /// As whom they are signed in, if that is to be told.
    pub who: Option<&'a str>,
    /// Names of what is told of them.
    pub told: &'a [&'a str],
    /// Stable word for what happened.
    pub code: &'static str,
    /// To quote when asking for help.
    pub request_id: &'a str,
}

/// The page. Its form is sent by the person: they see where it goes and what it says of them.
pub fn registration_page(page: RegistrationPage<'_>) -> Reply {
    let host = page.address.host_str().unwrap_or_default();
    let mut next = String::new();
    // Writing into a String cannot fail.
    if let Some(who) = page.who {
        let _ = write!(next, "<p>You are signed in as <b>{}</b>.", escape(cut(who, NAME_LIMIT)));
    }
    let told = page.told.join(", ").replace('_', " ");
    let told = if told.is_empty() { "only an id of yours".to_owned() } else { told };
    let _ = write!(
        next,
        "<p>{} will be told: {}.<form method=post action=\"{}\"><input type=hidden name=assertion value=\"{}\">\
         <button>Go on to {0}</button></form>",
        escape(cut(host, NAME_LIMIT)),
        escape(cut(&told, LIST_LIMIT)),
        escape(page.address.as_str()),
        escape(page.assertion)
    );
    let text = "You are signed in. To use this site you also need an account with it; you can make one now, or link the one \
                that you have.";
    let mut reply =
        reply(page.status, document("You have no account here yet", text, &next, Some(page.code), page.request_id));
    reply.set(header::CONTENT_SECURITY_POLICY, policy());
    reply
}

/// As that of every page, but where its form may lead is not limited: a browser would apply that to every redirect that
/// follows, and the app's page may lead anywhere. The form itself goes where the operator says.
fn policy() -> HeaderValue {
    let style = STANDARD.encode(sha256(STYLE.as_bytes()));
    let policy = format!("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-{style}'");
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}
