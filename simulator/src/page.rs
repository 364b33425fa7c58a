//! The pages' common shell: one style sheet, one set of headers, and the only way text becomes HTML.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const STYLE: &str = include_str!("style.css");

/// Nothing but our own style sheet. There is no `form-action`: browsers apply it to the redirects that follow a form,
/// and ours lead to other origins by design.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'")
});

/// Text made safe for element content and quoted attribute values.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A whole page. `body` is HTML already; `title` is text. `theme` names a colour of the style sheet.
pub(super) fn page(status: StatusCode, theme: &str, title: &str, body: &str) -> Response {
    let title = escape(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\" class=\"{theme}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n{body}\n</body>\n</html>\n"
    );
    (
        status,
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ],
        html,
    )
        .into_response()
}

/// What a person sees when there is nowhere to send them back to.
pub(super) fn refusal(theme: &str, title: &str, reason: &str) -> Response {
    dead_end(
        theme,
        title,
        "This request cannot be answered",
        reason,
        "The application that sent you here asked for something it must not ask for, so you are not sent back to it. \
         Whoever runs that application has to put it right.",
    )
}

/// What a person sees who comes with a page from before.
pub(super) fn stale(theme: &str, title: &str) -> Response {
    dead_end(
        theme,
        title,
        "This page is out of date",
        "It was answered before, or it waited too long.",
        "Go back to the application and sign in again.",
    )
}

fn dead_end(theme: &str, title: &str, heading: &str, reason: &str, advice: &str) -> Response {
    let body = format!(
        "<main class=\"centre\"><div class=\"sheet narrow\">{}\n<h1>{heading}</h1>\n<p id=\"reason\">{}</p>\n\
         <p class=\"quiet small\">{advice}</p></div>\n{}</main>",
        brand(theme, title),
        escape(reason),
        footnote(title),
    );
    page(StatusCode::BAD_REQUEST, theme, title, &body)
}

/// The line that says what this is.
pub(super) fn footnote(title: &str) -> String {
    format!(
        "<p class=\"note\">{} is a simulation. Its people are invented, and nothing leaves this machine.</p>",
        escape(title)
    )
}

/// Mark and name.
pub(super) fn brand(theme: &str, title: &str) -> String {
    format!("<div class=\"brand\">{}<span>{}</span></div>", mark(theme), escape(title))
}

/// A small drawing for each brand.
pub(super) fn mark(theme: &str) -> String {
    let shape = match theme {
        "aurora" => "<path d=\"M4 22c3-10 6-15 10-15s7 5 10 15\"/><path d=\"M9 22c1.500-6 3-9 5-9s3.500 3 5 9\"/>",
        "tangent" => "<circle cx=\"14\" cy=\"16\" r=\"7\"/><path d=\"M3 9h22\"/>",
        "vireo" => "<path d=\"M4 8l10 14L24 5\"/><path d=\"M14 22l6-2\"/>",
        "harbour" => {
            "<circle cx=\"14\" cy=\"6\" r=\"2.500\"/><path d=\"M14 8.500V24M8 13h12M4 17c1 5 5 7 10 7s9-2 10-7\"/>"
        }
        _ => "<circle cx=\"10\" cy=\"14\" r=\"5.500\"/><path d=\"M15.500 14H25M21 14v4M24.500 14v3\"/>",
    };
    format!(
        "<svg class=\"mark {theme}\" viewBox=\"0 0 28 28\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2.250\" \
         stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\">{shape}</svg>"
    )
}
