//! The phone on the table: pushes that wait for somebody's approval.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::call::{Call, first};
use super::carrier::Carrier;
use super::page::{brand, escape, footnote, page, refusal, stale};
use super::rules::Factor;
use super::server_initiated::{approve, fail};

/// The page: every push that waits, oldest names first.
pub(super) async fn show(State(carrier): State<Arc<Carrier>>) -> Response {
    let brand_face = carrier.brand;
    let mut waiting = carrier.pushes.all();
    waiting.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut list = String::new();
    for (auth_req_id, push) in waiting {
        let request = &push.request;
        // Writing to a String cannot fail.
        let _ = write!(
            list,
            "<form class=\"push\" method=\"post\" action=\"/phone/decide\">\
             <input type=\"hidden\" name=\"auth_req_id\" value=\"{}\">\
             <div class=\"context\"><p class=\"small quiet\">{} for {}</p><p>{}</p></div>\
             <div class=\"actions\"><button class=\"plain\" name=\"decision\" value=\"deny\">Deny</button>\
             <button name=\"decision\" value=\"agree\">Agree with PIN</button></div></form><hr class=\"rule\">",
            escape(&auth_req_id),
            escape(&request.client.name),
            escape(&request.person.name()),
            escape(request.context.as_deref().unwrap_or("Sign in")),
        );
    }
    if list.is_empty() {
        list.push_str("<p class=\"quiet\" id=\"nothing\">Nothing waits for an answer. Reload this page after an application has asked.</p>");
    }
    let body = format!(
        "<main class=\"centre consent\"><div class=\"phone\"><div class=\"screen\">\
         <div class=\"status\" aria-hidden=\"true\"><span>9:41</span></div>{}\
         <h1>Requests</h1>{list}</div></div>{}</main>",
        brand(brand_face.name, brand_face.title),
        footnote(brand_face.title)
    );
    page(StatusCode::OK, brand_face.name, brand_face.title, &body)
}

/// The decision on one push.
pub(super) async fn decide(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("push_decision", &call);
    let field = |name| first(&call.body, name);
    let (theme, title) = (carrier.brand.name, carrier.brand.title);
    let Some(auth_req_id) = field("auth_req_id").filter(|id| carrier.pushes.get(id).is_some()) else {
        return stale(theme, title);
    };
    let factor = field("factor").map_or(Some(Factor::Pin), Factor::from_field);
    match (field("decision"), factor) {
        (Some("agree"), Some(factor)) => approve(&carrier, auth_req_id, factor).await,
        (Some("deny"), _) => fail(&carrier, auth_req_id, "access_denied").await,
        (Some("error"), _) => {
            let error = field("error").unwrap_or("server_error");
            fail(&carrier, auth_req_id, error).await;
        }
        _ => return refusal(theme, title, "That is not a decision."),
    }
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/phone")]).into_response()
}
