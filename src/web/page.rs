//! The few pages of our own, in plain words, and their JSON twin for programs.
//!
//! A page says what happened, whose fault it is, what to do next, and two things to quote: a code and the request's
//! id. Nothing that a client or a carrier sent stands on it but for a person's own name, escaped; there is no script but one
//! line that posts an answer again (`page/repost.rs`); and without the address that a link of it
//! leads to it is at most 1 KiB.

mod account;
pub mod approval;
mod attributes;
pub mod link;
pub mod registration;
mod repost;
pub mod sign_out;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};

pub use self::account::not_allowed_page;
pub use self::attributes::share_more_page;
pub use self::repost::repost_page;
use super::Reply;
use crate::secret::sha256;

/// Longest page or JSON refusal, in bytes, without the address that it leads to.
pub const PAGE_LIMIT: usize = 1024;

/// Longest address that a page or a JSON refusal leads to, in bytes as it is written there: one that carries the longest
/// page that can be asked for (`limits.uri_bytes`), each `&` of it written as `&amp;`.
pub const LINK_LIMIT: usize = 64 * 1024;

/// Longest title in bytes; see [`ErrorPage::title`].
pub const TITLE_LIMIT: usize = 48;

/// Longest text in bytes; see [`ErrorPage::text`].
pub const TEXT_LIMIT: usize = 280;

/// Ids are ours and shorter; one that is not is cut.
const ID_LIMIT: usize = 64;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1em/1.5 system-ui,sans-serif;max-width:32em;margin:15vh auto;padding:0 1em}\
a,button{display:inline-block;font:inherit;padding:.5em 1em;border:1px solid;border-radius:6px;color:inherit;background:0 0}\
a{text-decoration:none}\
small{opacity:.75}";

/// `default-src 'none'` and a hash for our one style: even if a word were ever reflected, it could load nothing, run
/// nothing, be framed by nobody and post to nobody (A17).
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy("frame-ancestors 'none'; "));

/// The same for the one page that is made for frames. Whoever frames it can have its link clicked: it begins a sign-in in a
/// window of its own, as any link to the page does.
static FRAMED_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy(""));

fn policy(ancestors: &str) -> HeaderValue {
    let hash = STANDARD.encode(sha256(STYLE.as_bytes()));
    let policy =
        format!("default-src 'none'; {ancestors}base-uri 'none'; form-action 'self'; style-src 'sha256-{hash}'");
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

/// The one thing to do next: a link that looks like a button.
#[derive(Debug, Clone, Copy)]
pub struct Action<'a> {
    /// What it does: "Sign in again". At most [`TITLE_LIMIT`] bytes.
    pub label: &'static str,
    /// A local address such as `/oauth2/start?rd=/app`. If it is longer than [`LINK_LIMIT`], its query is left out;
    /// anything but a local path is left out altogether.
    pub href: &'a str,
}

/// What an error page says. All words are ours.
#[derive(Debug, Clone, Copy)]
pub struct ErrorPage<'a> {
    /// Status code.
    pub status: StatusCode,
    /// What happened, in a few words; at most [`TITLE_LIMIT`] bytes.
    pub title: &'static str,
    /// Whose fault it is and what to do; at most [`TEXT_LIMIT`] bytes.
    pub text: &'a str,
    /// Stable word for the kind of failure, as in logs: `login_expired`. At most [`TITLE_LIMIT`] bytes.
    pub code: &'static str,
    /// To quote when asking for help.
    pub request_id: &'a str,
    /// What to do next, if a click can do it.
    pub action: Option<Action<'a>>,
}

/// A page for when something went wrong.
pub fn error_page(page: ErrorPage<'_>) -> Reply {
    let next = match page.action {
        Some(Action { label, href }) => Next::Link { label, href },
        None => Next::Nothing,
    };
    render(page.status, page.title, page.text, next, Some(page.code), page.request_id)
}

/// As [`error_page`], for what may be over when the page is asked for once more: a link does that. What was sent by a form is
/// not sent again.
pub fn error_page_to_reload(page: ErrorPage<'_>) -> Reply {
    render(page.status, page.title, page.text, Next::Reload, Some(page.code), page.request_id)
}

/// Stands in a frame whose page needs a sign-in: providers do not let themselves be framed, so it leads out of the frame, to
/// `start_href`, the local address that begins a sign-in.
pub fn framed_sign_in_page(start_href: &str, code: &'static str, request_id: &str) -> Reply {
    let text = "This part of the page is for people who are signed in. Signing in opens in the whole window.";
    let next = Next::Leave { label: "Sign in", href: start_href };
    let mut reply = render(StatusCode::UNAUTHORIZED, "Please sign in", text, next, Some(code), request_id);
    reply.set(header::CONTENT_SECURITY_POLICY, FRAMED_POLICY.clone());
    reply
}

/// Asks a person to begin a sign-in; `start_href` is the local address that begins one, `shared_href` the one for a device of
/// somebody else's, on which the session ends with the browser's window. `comes_back`: it returns to the page that they
/// came from.
pub fn sign_in_page(start_href: &str, shared_href: &str, comes_back: bool, request_id: &str) -> Reply {
    let text = match comes_back {
        true => "This app is for people who are signed in. You will come back to your page afterwards.",
        false => "This app is for people who are signed in.",
    };
    let other = "This is not my device: sign in until I close the browser";
    let next = Next::Twofold { label: "Sign in", href: start_href, other, other_href: shared_href };
    render(StatusCode::OK, "Please sign in", text, next, None, request_id)
}

/// Lets a person choose with whom to sign in, as `text` asks them to; each choice is a name and the local address that begins it.
pub fn chooser_page(text: &'static str, choices: &[(String, String)], request_id: &str) -> Reply {
    render(StatusCode::OK, "Sign in", text, Next::Choice(choices), None, request_id)
}

/// Tells a person who asks for a sign-in that they are signed in, and as whom if that is to be told; `page_href` is where they
/// wanted to go, `other_href` the local address that begins a sign-in with another account.
pub fn already_signed_in_page(page_href: &str, other_href: &str, who: Option<&str>, request_id: &str) -> Reply {
    let text = match who {
        Some(who) => format!("You are signed in as {}. There is nothing you need to do here.", cut(who, TITLE_LIMIT)),
        None => "There is nothing you need to do here.".to_owned(),
    };
    let other = "Use another account";
    let next = Next::Twofold { label: "Continue", href: page_href, other, other_href };
    render(StatusCode::OK, "You are signed in", &text, next, None, request_id)
}

/// The twin of [`error_page`] for programs: `{"error":…,"request_id":…,"login_url":…}`. A `login_url` that is longer
/// than [`LINK_LIMIT`] loses its query.
pub fn error_json(status: StatusCode, code: &'static str, request_id: &str, login_url: Option<&str>) -> Reply {
    let mut body = serde_json::Map::new();
    body.insert("error".to_owned(), code.into());
    body.insert("request_id".to_owned(), cut(request_id, ID_LIMIT).into());
    if let Some(login_url) = login_url {
        let login_url = if login_url.len() <= LINK_LIMIT { login_url } else { without_query(login_url) };
        body.insert("login_url".to_owned(), login_url.into());
    }
    Reply::json(status, serde_json::Value::Object(body).to_string())
}

/// Escapes text for HTML, attribute values in double quotes included.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ if character.is_control() => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    out
}

/// What a person can do on a page.
#[derive(Clone, Copy)]
enum Next<'a> {
    Choice(&'a [(String, String)]),
    /// A link that takes the place of the whole window, not of the frame that it stands in.
    Leave {
        label: &'static str,
        href: &'a str,
    },
    Link {
        label: &'static str,
        href: &'a str,
    },
    Nothing,
    /// A link to the address of the page itself.
    Reload,
    /// A link, and under it another one.
    Twofold {
        label: &'static str,
        href: &'a str,
        other: &'static str,
        other_href: &'a str,
    },
}

impl Next<'_> {
    fn html(self) -> String {
        match self {
            Self::Leave { label, href } => link(href, label, " target=_top"),
            Self::Link { label, href } => link(href, label, ""),
            Self::Choice(choices) => choices.iter().map(|(name, href)| link(href, name, "")).collect(),
            Self::Nothing => String::new(),
            Self::Reload => "<p><a href=\"\">Try again</a>".to_owned(),
            Self::Twofold { label, href, other, other_href } => link(href, label, "") + &link(other_href, other, ""),
        }
    }
}

fn link(href: &str, label: &str, attributes: &str) -> String {
    let href = address(href);
    href.map_or_else(String::new, |href| format!("<p><a href=\"{href}\"{attributes}>{}</a>", escape(label)))
}

/// A local address as it may stand in an attribute.
fn address(href: &str) -> Option<String> {
    let whole = is_local(href).then(|| escape(href))?;
    Some(if whole.len() <= LINK_LIMIT { whole } else { escape(without_query(href)) })
}

fn render(status: StatusCode, title: &str, text: &str, next: Next<'_>, code: Option<&str>, request_id: &str) -> Reply {
    reply(status, document(title, text, &next.html(), code, request_id))
}

/// The page as text. `next` is HTML of ours: what a person can do.
fn document(title: &str, text: &str, next: &str, code: Option<&str>, request_id: &str) -> String {
    debug_assert!(title.len() <= TITLE_LIMIT && text.len() <= TEXT_LIMIT, "words that leave room for the rest");
    let (title, text) = (escape(cut(title, TITLE_LIMIT)), escape(cut(text, TEXT_LIMIT)));
    let mut html = String::with_capacity(PAGE_LIMIT + next.len());
    // Writing into a String cannot fail.
    let _ = write!(
        html,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><main><h1>{title}</h1><p>{text}{next}<p><small>"
    );
    if let Some(code) = code {
        let _ = write!(html, "Code: {}<br>", escape(cut(code, TITLE_LIMIT)));
    }
    let _ = write!(html, "Request: {}</small></main>", escape(cut(request_id, ID_LIMIT)));
    html
}

/// Every page of ours goes out with these.
fn reply(status: StatusCode, body: String) -> Reply {
    let mut reply = Reply::empty(status);
    reply.set(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    reply.set(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    reply.set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply.set(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply.set(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply.body = body.into();
    reply
}

/// A path of this host and nothing else; a link of ours never leads away.
fn is_local(href: &str) -> bool {
    href.starts_with('/') && !href.starts_with("//") && href.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

fn without_query(href: &str) -> &str {
    href.split('?').next().unwrap_or_default()
}

/// The beginning of `text`, at most `limit` bytes of whole characters.
fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}
