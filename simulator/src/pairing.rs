//! The discovery UI's page: a visual code, a numeric code, and the simulated phones that could read them.

use std::fmt::Write as _;

use axum::http::StatusCode;
use axum::response::Response;
use qrcode::{Color, QrCode};

use super::discovery_ui::{Ask, DiscoveryUi, THEME, TITLE};
use super::expiring::random_digits;
use super::page::{brand, escape, footnote, mark, page};
use super::personas;

/// What the page puts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Both,
    VisualCode,
    NumericCode,
}

/// The page.
pub(super) fn show(ui: &DiscoveryUi, ask: &Ask, ticket: &str, view: View) -> Response {
    let client = escape(&ask.client.name);
    let (heading, lead) = if ask.phone {
        (
            "Which phone is this?",
            "A real page would know from the network. Here you say whose SIM is in the phone you hold.",
        )
    } else {
        (
            "Sign in with your phone",
            "Scan this code with your carrier’s ZenKey app, or type the number there. You do this once in each \
             browser.",
        )
    };
    let code = if ask.phone { String::new() } else { codes(view) };
    let body = format!(
        "<main class=\"centre\"><div class=\"sheet{width}\">{brand}\n\
         <h1>{heading}</h1>\n<p class=\"quiet\">{client} will know you by your phone. {lead}</p>\n\
         <form id=\"choose\" method=\"post\" action=\"/ui/discovery-ui/choose\">\n\
         <input type=\"hidden\" id=\"ticket\" name=\"ticket\" value=\"{ticket}\">\n\
         <div{grid}>{code}<div>{phones}{trust}</div></div>\n</form>\n<hr class=\"rule\">\n\
         <form id=\"trouble\" method=\"post\" action=\"/ui/discovery-ui/choose\">\n\
         <input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\n\
         <details><summary>Simulate a problem</summary><div class=\"row\">\
         <label for=\"error\" class=\"small\">Answer with<select id=\"error\" name=\"error\">\
         <option value=\"access_denied\">access_denied: the person gave up</option>\
         <option value=\"user_unsupported\">user_unsupported: no app on the phone</option>\
         <option value=\"temporarily_unavailable\">temporarily_unavailable: try again later</option>\
         <option value=\"server_error\">server_error: discovery broke down</option>\
         <option value=\"invalid_request\">invalid_request: a parameter is wrong</option></select></label>\
         <button class=\"plain\" id=\"fail\">Send</button></div></details></form></div>\n{footnote}</main>",
        width = if ask.phone { " narrow" } else { "" },
        brand = brand(THEME, "ZenKey"),
        ticket = escape(ticket),
        grid = if ask.phone { "" } else { " class=\"pair\"" },
        phones = phones(ui, ask.phone),
        trust = "<label class=\"check small\" for=\"trust\"><input type=\"checkbox\" id=\"trust\" name=\"trust\" \
                 value=\"yes\" checked><span>Remember this browser</span></label>",
        footnote = footnote(TITLE),
    );
    page(StatusCode::OK, THEME, TITLE, &body)
}

fn codes(view: View) -> String {
    let digits = random_digits(6);
    // The same number either way, as an app's link and as something to type.
    let link = format!("zenkey://pair?code={digits}");
    let (left, right) = digits.split_at(3);
    let visual = qr(&link).unwrap_or_default();
    let numeric = format!("<div class=\"digits\" id=\"numeric-code\">{left} {right}</div>");
    let inside = match view {
        View::Both => {
            format!("{visual}<span class=\"quiet small\">or type</span>{numeric}")
        }
        View::VisualCode => visual,
        View::NumericCode => {
            format!("<span class=\"quiet small\">Type this on your phone</span>{numeric}")
        }
    };
    format!("<div class=\"code\">{inside}</div>")
}

/// A QR code as a drawing, dark on light in either colour scheme so that cameras can read it.
fn qr(text: &str) -> Option<String> {
    const QUIET: usize = 3;
    let code = QrCode::new(text).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (index, module) in code.to_colors().into_iter().enumerate() {
        if module == Color::Dark {
            // Writing to a String cannot fail.
            let _ = write!(path, "M{} {}h1v1h-1z", index % width + QUIET, index / width + QUIET);
        }
    }
    let side = width + 2 * QUIET;
    Some(format!(
        "<svg id=\"visual-code\" role=\"img\" aria-label=\"Visual code\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#111\" \
         d=\"{path}\"/></svg>"
    ))
}

fn phones(ui: &DiscoveryUi, phone: bool) -> String {
    let legend = if phone { "This phone is" } else { "Which simulated phone scans it?" };
    let mut list = format!("<fieldset><legend>{legend}</legend><div class=\"phones\">");
    for person in personas::personas() {
        let Some(carrier) = ui.carrier_of(person) else {
            continue;
        };
        let _ = write!(
            list,
            "<button id=\"person-{id}\" name=\"person\" value=\"{id}\">{mark}<span><span class=\"who\">{name}</span>\
             <span class=\"what\">{device}, {title}</span></span></button>",
            id = person.id,
            mark = mark(carrier.brand.name),
            name = escape(&person.name()),
            device = escape(person.device),
            title = escape(carrier.brand.title),
        );
    }
    list.push_str("</div></fieldset>");
    list
}
