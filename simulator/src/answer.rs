//! A carrier's answer to an authorization request: a code or an error, back at the client's own address.

use std::time::SystemTime;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::authorize::AuthorizationRequest;
use super::carrier::Carrier;
use super::expiring::random_text;
use super::mint::Grant;
use super::rules::{AutoConsent, CarrierRules, Factor, adjust_parameters};
use super::{page, personas};

/// Where an answer goes, and what it repeats.
#[derive(Clone, Debug)]
pub(super) struct ReturnAddress {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) correlation_id: Option<String>,
    /// Whether the carrier names its code. Not all of them did.
    pub(super) mccmnc: bool,
    /// Whether it names itself (RFC 9207).
    pub(super) iss: bool,
}

/// The person agrees without being asked.
pub(super) fn agree_at_once(carrier: &Carrier, mut request: AuthorizationRequest, auto: &AutoConsent) -> Response {
    let named = auto.person.as_deref().and_then(personas::person);
    if let Some(person) = named.filter(|person| person.carrier == carrier.brand.name) {
        request.person = person;
    }
    let shared = request
        .attributes
        .iter()
        .copied()
        .filter(|name| auto.share.as_ref().is_none_or(|share| share.iter().any(|shared| shared == name)))
        .collect();
    agree(carrier, request, auto.factor, shared, StatusCode::FOUND)
}

/// The person agreed.
pub(super) fn agree(
    carrier: &Carrier,
    request: AuthorizationRequest,
    factor: Factor,
    shared: Vec<&'static str>,
    status: StatusCode,
) -> Response {
    let to = request.to.clone();
    if let Some(token) = &request.hint_token {
        carrier.hints.take(token);
    }
    let rules = carrier.rules();
    let code = random_text(rules.code_bytes.map_or(24, usize::from));
    carrier.codes.put_as(code.clone(), grant(&rules, request, factor, shared));
    let answer = vec![("code".to_owned(), code)];
    answer_client(carrier, &rules, &to, answer, status)
}

/// What the person agreed to, less what this carrier withholds.
pub(super) fn grant(
    rules: &CarrierRules,
    request: AuthorizationRequest,
    factor: Factor,
    shared: Vec<&'static str>,
) -> Grant {
    Grant {
        shared: shared.into_iter().filter(|name| !rules.withhold.iter().any(|withheld| withheld == name)).collect(),
        factor,
        auth_time: SystemTime::now(),
        request,
        redeemed: false,
    }
}

/// The person, the phone or the carrier did not let it happen.
pub(super) fn decline(carrier: &Carrier, request: &AuthorizationRequest, error: &str) -> Response {
    let to = &request.to;
    if let Some(token) = &request.hint_token {
        carrier.hints.take(token);
    }
    refused(carrier, to, error, "The simulated carrier was told to answer this")
}

pub(super) fn refused(carrier: &Carrier, to: &ReturnAddress, error: &str, description: &str) -> Response {
    let error = carrier.brand.error(error);
    let answer = vec![("error".to_owned(), error.to_owned()), ("error_description".to_owned(), description.to_owned())];
    answer_client(carrier, &carrier.rules(), to, answer, StatusCode::SEE_OTHER)
}

fn answer_client(
    carrier: &Carrier,
    rules: &CarrierRules,
    to: &ReturnAddress,
    mut answer: Vec<(String, String)>,
    status: StatusCode,
) -> Response {
    if let Some(state) = &to.state {
        answer.push(("state".to_owned(), state.clone()));
    }
    if to.mccmnc {
        answer.push(("mccmnc".to_owned(), carrier.brand.mccmnc.to_owned()));
    }
    if to.iss {
        answer.push(("iss".to_owned(), carrier.issuer()));
    }
    if let Some(correlation_id) = &to.correlation_id {
        answer.push(("correlation_id".to_owned(), correlation_id.clone()));
    }
    adjust_parameters(&mut answer, &rules.callback, &rules.callback_omit);
    redirect(&to.redirect_uri, &answer, status)
}

/// A redirect with parameters added to the query.
pub(super) fn redirect(to: &str, parameters: &[(String, String)], status: StatusCode) -> Response {
    let Ok(mut url) = Url::parse(to) else {
        return page::refusal("zenkey", "ZenKey", "The redirect URI is not a URI.");
    };
    url.query_pairs_mut().extend_pairs(parameters);
    (
        status,
        [
            (header::LOCATION, url.as_str()),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
        ],
    )
        .into_response()
}
