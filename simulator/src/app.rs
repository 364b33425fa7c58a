//! Harbour wiki, a small app that knows nothing about sign-in and believes the headers it gets.

pub(super) mod try_out;

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Map, Value, json};

use self::try_out::Things;
use super::call::{Call, readable_headers};
use super::page::{brand, escape, page};

const THEME: &str = "harbour";
const TITLE: &str = "Harbour wiki";

/// Headers that tell who is there, and what they tell.
const IDENTITY: [(&str, &str); 10] = [
    ("x-auth-request-user", "User"),
    ("x-auth-request-email", "E-mail"),
    ("x-zenkey-name", "Name"),
    ("x-zenkey-email", "E-mail (ZenKey)"),
    ("x-zenkey-sub", "Subject"),
    ("x-zenkey-issuer", "Issuer"),
    ("x-zenkey-acr", "Authentication class"),
    ("x-zenkey-amr", "Methods"),
    ("x-harbour-account", "Account"),
    ("x-harbour-person", "Stable subject"),
];

/// A page of the wiki: the start of its path, a link to it, and what it says.
struct Article {
    root: &'static str,
    link: &'static str,
    label: &'static str,
    title: &'static str,
    text: &'static str,
}

const ARTICLES: [Article; 4] = [
    Article {
        root: "tides",
        link: "/tides?port=long-beach&units=metres",
        label: "Tides",
        title: "Tide tables",
        text: "High water stands for about twenty minutes at the inner berths. Add a quarter of an hour after heavy \
               rain, when the river holds the ebb back.",
    },
    Article {
        root: "berths",
        link: "/berths/12?from=2026-03-01&to=2026-03-31#crane",
        label: "Berth 12",
        title: "Berths and cranes",
        text: "Berth 12 has the only crane that lifts more than eight tonnes. Book it a week ahead and leave the key \
               with the night watch.",
    },
    Article {
        root: "search",
        link: "/search?q=pilot%20boat&page=2",
        label: "Search",
        title: "Search results",
        text: "Three pages mention the pilot boat: its rota, its engine, and the winter it spent on the slipway.",
    },
    Article {
        root: "logbook",
        link: "/logbook/2026/03/entry-7?highlight=fog%26swell",
        label: "Logbook",
        title: "Logbook",
        text: "Fog until ten, then a long swell from the south-west. Two yachts waited outside and came in with the \
               afternoon flood.",
    },
];

/// With the pages of things to try, if there is a gateway that they can be tried with.
pub(super) fn router(things: Option<Arc<Things>>) -> Router {
    let router = Router::new().route("/public", any(public)).route("/echo.json", any(echo)).fallback(fallback);
    match things {
        Some(things) => router.merge(try_out::router(things)),
        None => router,
    }
}

async fn fallback(call: Call) -> Response {
    // Below any path, so that a test can echo through any route of a gateway.
    if call.path.ends_with("/echo.json") {
        return echo(call).await;
    }
    wiki_page(&call)
}

async fn echo(call: Call) -> Response {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in readable_headers(&call.headers) {
        // A repeated field shows as a list, so that a test cannot mistake two values for one.
        match headers.get_mut(&name) {
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = json!([first.take(), value]),
            None => {
                headers.insert(name, value.into());
            }
        }
    }
    axum::Json(json!({
        "method": call.method.as_str(),
        "path": call.path,
        "query": call.raw_query,
        "headers": headers,
    }))
    .into_response()
}

async fn public(call: Call) -> Response {
    let content = format!(
        "<section class=\"card\"><h1>Visitors’ moorings</h1><p>Twelve moorings lie east of the breakwater. Call \
         the harbour office on channel 14 before you tie up.</p><p class=\"quiet small\">Everybody may read this page; \
         the rest of the wiki is for members.</p></section>{}",
        asked_for(&call)
    );
    wiki(&content, &call)
}

fn wiki_page(call: &Call) -> Response {
    let content = format!("{}{}{}{}", article(call), asked_for(call), who(call), headers(call));
    wiki(&content, call)
}

fn article(call: &Call) -> String {
    let root = call.path.split('/').nth(1).unwrap_or_default();
    let (title, text) = ARTICLES.iter().find(|article| article.root == root).map_or(
        (
            "Welcome to the harbour",
            "What the crew knows about tides, berths and boats, written down so that nobody has to remember it.",
        ),
        |article| (article.title, article.text),
    );
    format!("<article class=\"card\"><h1>{title}</h1><p>{text}</p></article>")
}

/// The frame around every page.
fn wiki(content: &str, call: &Call) -> Response {
    let mut links = String::new();
    for article in &ARTICLES {
        // Writing to a String cannot fail.
        let _ = write!(links, "<a href=\"{}\">{}</a>", escape(article.link), article.label);
    }
    let session = if IDENTITY.iter().any(|(name, _)| call.headers.contains_key(*name)) {
        "<form id=\"sign-out\" method=\"post\" action=\"/oauth2/sign_out\"><button class=\"plain\">Sign \
         out</button></form>"
    } else {
        ""
    };
    let body = format!(
        "<header class=\"bar\"><div>{}<nav aria-label=\"Pages\"><a href=\"/\">Home</a>{links}<a href=\"/public\">\
         Visitors</a><a href=\"/try\">Try</a></nav>{session}</div></header>\n<main class=\"wiki\">{content}</main>\n\
         <footer class=\"wiki\"><p class=\"note\">Harbour wiki is a sample app. It has no login of its own and shows \
         what the gateway in front of it sends.</p></footer>",
        brand(THEME, TITLE)
    );
    page(StatusCode::OK, THEME, TITLE, &body)
}

/// The very address, so that a person sees they came back to it.
fn asked_for(call: &Call) -> String {
    let query = call.raw_query.as_ref().map(|query| format!("?{query}"));
    format!(
        "<section class=\"card\"><h2>You asked for</h2><code class=\"crumb\" id=\"asked-for\">{}{}</code></section>",
        escape(&call.path),
        escape(&query.unwrap_or_default())
    )
}

fn who(call: &Call) -> String {
    let mut facts = String::new();
    for (name, label) in IDENTITY {
        let values: Vec<String> = call
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        if !values.is_empty() {
            let _ = write!(facts, "<dt>{label}</dt><dd id=\"{name}\">{}</dd>", escape(&values.join(", ")));
        }
    }
    if facts.is_empty() {
        return "<section class=\"card\"><h2>Nobody is signed in</h2><p class=\"quiet\" id=\"nobody\">No header says \
                who you are.</p></section>"
            .to_owned();
    }
    format!("<section class=\"card\"><h2>You are signed in</h2><dl class=\"facts\" id=\"who\">{facts}</dl></section>")
}

fn headers(call: &Call) -> String {
    let mut rows = String::new();
    for (name, value) in readable_headers(&call.headers) {
        let class = if IDENTITY.iter().any(|(known, _)| *known == name) { " class=\"ours\"" } else { "" };
        let _ = write!(
            rows,
            "<tr{class}><th scope=\"row\"><code>{}</code></th><td><code>{}</code></td></tr>",
            escape(&name),
            escape(&value)
        );
    }
    format!(
        "<section class=\"card\"><h2>Everything this app received</h2><div class=\"scroll\"><table \
         id=\"headers\"><tbody>{rows}</tbody></table></div></section>"
    )
}
