//! The carrier's app on the person's phone: what is asked, and what the person decides.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer::{agree, decline};
use super::authorize::AuthorizationRequest;
use super::call::{Call, all, first};
use super::carrier::Carrier;
use super::page::{brand, escape, footnote, page, refusal, stale};
use super::profile::Brand;
use super::rules::Factor;
use super::userinfo::preview;

/// Every error a carrier can answer, in the words the demo's operator reads.
const TROUBLES: [(&str, &[(&str, &str)]); 3] = [
    (
        "The person and the phone",
        &[
            ("user_not_found", "the number has moved to another carrier"),
            ("access_denied", "refused"),
            ("authentication_timed_out", "nobody answered on the phone"),
            ("device_unavailable", "the phone could not be reached"),
            ("network_failure", "the SIM check failed"),
            ("user_unsupported", "the carrier’s app was removed"),
            ("invalid_login_hint", "the hint is somebody else"),
            ("invalid_login_hint_token", "the hint token is not readable"),
            ("request_denied", "an old name for a refusal"),
            ("device_authentication_failure", "an old name for a failed check"),
        ],
    ),
    (
        "The carrier",
        &[
            ("temporarily_unavailable", "try again later"),
            ("server_error", "the carrier broke down"),
            ("interaction_required", "never without the person"),
            ("login_required", "never without the person"),
            ("consent_required", "never seen in practice"),
            ("account_selection_required", "never seen in practice"),
            ("something_unheard_of", "a code nobody documented"),
        ],
    ),
    (
        "The application’s set-up",
        &[
            ("invalid_request", "a parameter is wrong"),
            ("invalid_scope", "an attribute is not enabled"),
            ("unauthorized_client", "the client is not allowed"),
            ("unsupported_response_type", "only code exists"),
            ("invalid_request_object", "the signed request is wrong"),
            ("request_not_supported", "no signed requests here"),
            ("invalid_request_uri", "no request by reference"),
            ("request_uri_not_supported", "no request by reference"),
            ("registration_not_supported", "no dynamic registration"),
        ],
    ),
];

const FACTORS: [(&str, &str, u8); 4] =
    [("approve", "Just a tap", 1), ("pin", "PIN", 3), ("fingerprint", "Fingerprint", 3), ("face", "Face", 3)];

/// The page.
pub(super) fn show(carrier: &Brand, request: &AuthorizationRequest, ticket: &str) -> Response {
    let strong = !request.acr_values.first().is_some_and(|class| class.ends_with('1'));
    let lead =
        if strong { "Unlock your phone to confirm that it is you." } else { "One tap is enough for this application." };
    let client = escape(&request.client.name);
    let body = format!(
        "<main class=\"centre consent\"><div class=\"phone\"><div class=\"screen\">\n\
         <div class=\"status\" aria-hidden=\"true\"><span>9:41</span><span>{device}</span>{signal}</div>\n{brand}\n\
         <h1>{client} asks to sign you in</h1>\n<p class=\"quiet\">As {name}. {lead}</p>\n{context}\
         <form id=\"consent\" method=\"post\" action=\"{action}/decision\">\n\
         <input type=\"hidden\" id=\"ticket\" name=\"ticket\" value=\"{ticket}\">\n{attributes}{factors}\
         <div class=\"actions\">\
         <button class=\"plain\" id=\"deny\" name=\"decision\" value=\"deny\">Deny</button>\
         <button id=\"agree\" name=\"decision\" value=\"agree\">Agree</button></div>\n\
         <details class=\"trouble\"><summary>Simulate a problem</summary>\n\
         <div class=\"row\"><label for=\"error\" class=\"small\">Answer with{troubles}</label>\
         <button class=\"plain\" id=\"fail\" name=\"decision\" value=\"error\">Send</button></div></details>\n\
         </form></div></div>\n{footnote}</main>",
        device = escape(request.person.device),
        signal = SIGNAL,
        brand = brand(carrier.name, carrier.title),
        name = escape(&request.person.name()),
        context = context(request.context.as_deref()),
        action = carrier.authorize_path,
        ticket = escape(ticket),
        attributes = attributes(request),
        factors = factors(strong),
        troubles = troubles(),
        footnote = footnote(carrier.title),
    );
    page(StatusCode::OK, carrier.name, carrier.title, &body)
}

const SIGNAL: &str = "<svg viewBox=\"0 0 18 18\" fill=\"currentColor\"><path d=\"M2 12h2v4H2zM6 9h2v7H6zM10 6h2v10h-2zM14 \
                      3h2v13h-2z\"/></svg>";

fn context(text: Option<&str>) -> String {
    text.map(|text| {
        format!(
            "<div class=\"context\" id=\"context\"><p class=\"small quiet\">What this is about</p><p>{}</p></div>\n",
            escape(text)
        )
    })
    .unwrap_or_default()
}

/// The attributes asked for, each of which can be kept back.
fn attributes(request: &AuthorizationRequest) -> String {
    if request.attributes.is_empty() {
        return "<p class=\"small quiet\">It asks for nothing about you but a name that only it knows you \
                by.</p>\n"
            .to_owned();
    }
    let mut list = "<fieldset><legend>Edit what you share</legend><ul class=\"share\">".to_owned();
    for attribute in &request.attributes {
        let (what, value) = preview(attribute, request.person);
        // Writing to a String cannot fail.
        let _ = write!(
            list,
            "<li><label for=\"share-{attribute}\"><input type=\"checkbox\" id=\"share-{attribute}\" name=\"share\" \
             value=\"{attribute}\" checked><span><span class=\"what\">{what}</span><span \
             class=\"value\">{}</span></span></label></li>",
            escape(&value)
        );
    }
    list.push_str("</ul></fieldset>\n");
    list
}

fn factors(strong: bool) -> String {
    let mut list = "<fieldset><legend>How you confirm</legend><div class=\"factors\">".to_owned();
    for (value, label, class) in FACTORS {
        let checked = if value == (if strong { "pin" } else { "approve" }) { " checked" } else { "" };
        let _ = write!(
            list,
            "<label for=\"factor-{value}\"><input type=\"radio\" id=\"factor-{value}\" name=\"factor\" \
             value=\"{value}\"{checked}><span>{label} <span class=\"quiet small\">a{class}</span></span></label>"
        );
    }
    list.push_str("</div></fieldset>\n");
    list
}

fn troubles() -> String {
    let mut list = "<select id=\"error\" name=\"error\">".to_owned();
    for (group, codes) in TROUBLES {
        let _ = write!(list, "<optgroup label=\"{group}\">");
        for (code, words) in codes {
            let _ = write!(list, "<option value=\"{code}\">{code}: {words}</option>");
        }
        list.push_str("</optgroup>");
    }
    list.push_str("</select>");
    list
}

/// The decision.
pub(super) async fn decide(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("decision", &call);
    let field = |name| first(&call.body, name);
    let title = carrier.brand.title;
    let decision = field("decision").unwrap_or_default();
    let error = match decision {
        "agree" => None,
        "deny" => Some("access_denied"),
        "error" => field("error").or(Some("server_error")),
        _ => return refusal(carrier.brand.name, title, "That is not a decision."),
    };
    let factor = match field("factor").map(Factor::from_field) {
        Some(Some(factor)) => factor,
        None => Factor::default(),
        Some(None) => return refusal(carrier.brand.name, title, "That is not a factor."),
    };
    let ticket = field("ticket").unwrap_or_default();
    if let Some(location) = carrier.decided.get(ticket) {
        return (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    }
    let Some(request) = carrier.tickets.take(ticket) else {
        return stale(carrier.brand.name, title);
    };
    if let Some(error) = error {
        return decline(&carrier, &request, error);
    }
    let shared = request
        .attributes
        .iter()
        .copied()
        .filter(|attribute| all(&call.body, "share").any(|shared| shared == *attribute))
        .collect();
    let answer = agree(&carrier, request, factor, shared, StatusCode::SEE_OTHER);
    if let Some(location) = answer.headers().get(header::LOCATION) {
        carrier.decided.put_as(ticket.to_owned(), location.clone());
    }
    answer
}
