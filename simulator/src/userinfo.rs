//! A carrier's userinfo endpoint: attributes the person shared, in that carrier's own shape.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::call::{Call, only};
use super::carrier::Carrier;
use super::key_binding::{self, Proof};
use super::mint::Access;
use super::personas::Person;
use super::profile::{Brand, Profile};
use super::rules::adjust;

/// The endpoint.
pub(super) async fn userinfo(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("userinfo", &call);
    if let Some(response) = carrier.interfere("userinfo").await {
        return response;
    }
    if call.method != Method::GET {
        let allow = [(header::ALLOW, "GET")];
        return (StatusCode::METHOD_NOT_ALLOWED, allow).into_response();
    }
    // Only the header field counts; a token in the query is as good as none.
    let Some(token) = call.header("authorization").and_then(bearer) else {
        return unauthorized("Bearer realm=\"userinfo\"".to_owned());
    };
    let Some(access) = carrier.tokens.get(token) else {
        return unauthorized("Bearer error=\"invalid_token\"".to_owned());
    };
    let rules = carrier.rules();
    match key_binding::examine(&call, &access.grant.request.client) {
        Proof::Good => {}
        Proof::Absent if !rules.key_binding_required => {}
        Proof::Absent => return bad_request("x-authorization is missing"),
        Proof::Bad => return bad_request("x-authorization does not prove anything"),
    }
    let given = match only(&call.query, "correlation_id") {
        Ok(given) => given.or_else(|| call.header("correlation_id")),
        Err(_) => return bad_request("A parameter was sent twice"),
    };
    let expected = access.grant.request.to.correlation_id.as_deref();
    if given.is_some() && given != expected && !rules.correlation_unchecked {
        return bad_request("correlation_id is not the one of the authorization request");
    }
    let mut body = attributes(&carrier, &access);
    adjust(&mut body, &rules.userinfo, &rules.userinfo_omit);
    axum::Json(body).into_response()
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn unauthorized(challenge: String) -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], axum::Json(json!({ "error": "invalid_token" })))
        .into_response()
}

fn bad_request(description: &str) -> Response {
    let body = json!({ "error": "invalid_request", "error_description": description });
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

fn attributes(carrier: &Carrier, access: &Access) -> Map<String, Value> {
    let request = &access.grant.request;
    let sub = subject(carrier.brand, &request.client.client_id, request.person);
    let mut body = Map::new();
    body.insert("sub".to_owned(), sub.into());
    for attribute in &access.grant.shared {
        match carrier.brand.profile {
            Profile::Att => nested(&mut body, attribute, request.person, false),
            Profile::Verizon => nested(&mut body, attribute, request.person, true),
            Profile::Tmobile => flat(&mut body, attribute, request.person),
        }
    }
    body
}

/// Version 2: an object for each attribute.
fn nested(body: &mut Map<String, Value>, attribute: &str, person: &Person, verified: bool) {
    let mut value = match attribute {
        "name" => json!({
            "value": person.name(),
            "given_name": person.given_name,
            "family_name": person.family_name,
        }),
        "email" => json!({ "value": person.email }),
        "phone" => json!({ "value": person.phone }),
        "postal_code" if verified => json!({ "value": format!("{}-3456", person.postal_code) }),
        "postal_code" => json!({ "value": person.postal_code }),
        "birthdate" => json!({ "value": person.birthdate }),
        "address" => address(person),
        "proofing" => json!({ "value": "IAL2" }),
        "last_4_social" => json!({ "value": last_digits(person) }),
        _ => return,
    };
    if verified && let Value::Object(object) = &mut value {
        object.insert("verified".to_owned(), 1.into());
    }
    body.insert(attribute.to_owned(), value);
}

/// Version 1: the flat members of plain OpenID Connect.
fn flat(body: &mut Map<String, Value>, attribute: &str, person: &Person) {
    let mut set = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    match attribute {
        "name" => {
            set("name", person.name().into());
            set("given_name", person.given_name.into());
            set("family_name", person.family_name.into());
        }
        "email" => {
            set("email", person.email.into());
            set("email_verified", true.into());
        }
        "phone" => {
            set("phone_number", person.phone.into());
            set("phone_number_verified", true.into());
        }
        "address" => set("address", address(person)),
        "postal_code" => set("postal_code", person.postal_code.into()),
        "birthdate" => set("birthdate", person.birthdate.into()),
        "proofing" => set("proofing", "IAL2".into()),
        "last_4_social" => set("last_4_social", last_digits(person).into()),
        _ => {}
    }
}

fn address(person: &Person) -> Value {
    let line = format!("{} {}", person.region, person.postal_code);
    json!({
        "formatted": format!("{}\n{}, {line}\nUSA", person.street, person.locality),
        "street_address": person.street,
        "locality": person.locality,
        "region": person.region,
        "postal_code": person.postal_code,
        "country": "USA",
    })
}

fn last_digits(person: &Person) -> &'static str {
    person.phone.get(8..).unwrap_or("0000")
}

/// What a person sees of an attribute before sharing it.
pub(super) fn preview(attribute: &str, person: &Person) -> (&'static str, String) {
    match attribute {
        "name" => ("Name", person.name()),
        "email" => ("E-mail address", person.email.to_owned()),
        "phone" => ("Phone number", person.phone.to_owned()),
        "postal_code" => ("Postal code", person.postal_code.to_owned()),
        "address" => ("Address", format!("{}, {}", person.street, person.locality)),
        "birthdate" => ("Date of birth", person.birthdate.to_owned()),
        "proofing" => ("Identity proofing", "IAL2".to_owned()),
        _ => ("Last four of social security number", "••••".to_owned()),
    }
}

/// The name of a person at one client: the same after a restart, different for every client.
pub(super) fn subject(brand: &Brand, client_id: &str, person: &Person) -> String {
    let seed = format!("{} {client_id} {}", brand.name, person.id);
    let hash = digest::digest(&digest::SHA256, seed.as_bytes());
    let text = URL_SAFE_NO_PAD.encode(hash);
    format!("{}-{}", brand.mccmnc, text.get(..22).unwrap_or(&text))
}
