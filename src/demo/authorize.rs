//! A carrier's authorization endpoint: what it accepts, and how it answers.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use url::Url;

use super::call::{Call, Repeated, only};
use super::carrier::Carrier;
use super::people::{self, Person};
use super::profile::{Brand, Profile};
use super::rules::{AutoConsent, CarrierRules, Factor, adjust_parameters};
use super::settings::Client;
use super::token::Grant;
use super::{consent, jwt, page, userinfo};

/// The attributes a client may ask for, by the scope that asks for them.
pub(super) const ATTRIBUTES: [&str; 8] = [
    "name",
    "email",
    "phone",
    "postal_code",
    "address",
    "birthdate",
    "proofing",
    "last_4_social",
];

const CONTEXT_LIMIT: usize = 280;

/// An authorization request that this carrier is ready to show to its user.
#[derive(Clone, Debug)]
pub(super) struct AuthorizationRequest {
    pub(super) client: Client,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    /// The scope as asked for.
    pub(super) scope: String,
    /// Which of [`ATTRIBUTES`] the scope means.
    pub(super) attributes: Vec<&'static str>,
    pub(super) acr_values: Vec<String>,
    pub(super) context: Option<String>,
    pub(super) correlation_id: Option<String>,
    pub(super) code_challenge: Option<String>,
    pub(super) hint_token: Option<String>,
    pub(super) person: &'static Person,
}

/// Why a request is not shown to anybody.
#[derive(Debug)]
enum Refusal {
    /// Nobody can be redirected: the client or its address is not known.
    Page(&'static str),
    /// The client is told.
    Redirect {
        to: ReturnAddress,
        error: &'static str,
        description: &'static str,
    },
}

/// Where an answer goes.
#[derive(Clone, Debug)]
struct ReturnAddress {
    redirect_uri: String,
    state: Option<String>,
    correlation_id: Option<String>,
}

impl ReturnAddress {
    fn refuse(&self, error: &'static str, description: &'static str) -> Refusal {
        Refusal::Redirect {
            to: self.clone(),
            error,
            description,
        }
    }
}

/// The endpoint.
pub(super) async fn authorize(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("authorize", &call);
    if let Some(response) = carrier.interfere("authorize").await {
        return response;
    }
    if call.method != Method::GET && call.method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let request = match read(&carrier, &call) {
        Ok(request) => request,
        Err(Refusal::Page(reason)) => {
            return page::refusal(carrier.brand.name, carrier.brand.title, reason);
        }
        Err(Refusal::Redirect {
            to,
            error,
            description,
        }) => {
            return refused(&carrier, &to, error, description);
        }
    };
    let imposed = {
        let mut rules = carrier.rules.write();
        rules
            .next_authorize_error
            .take()
            .or_else(|| rules.authorize_error.clone())
    };
    if let Some(error) = imposed {
        return decline(&carrier, &request, &error);
    }
    let auto_consent = carrier.rules.read().auto_consent.clone();
    if let Some(auto) = auto_consent {
        return agree_at_once(&carrier, request, &auto);
    }
    let ticket = carrier.tickets.put(request.clone());
    consent::show(carrier.brand, &request, &ticket)
}

fn read(carrier: &Carrier, call: &Call) -> Result<AuthorizationRequest, Refusal> {
    let plain = call.parameters();
    let repeated = |Repeated| Refusal::Page("A parameter was sent twice.");
    let client = only(plain, "client_id")
        .map_err(repeated)?
        .and_then(|client_id| carrier.registry.find(client_id))
        .ok_or(Refusal::Page("This client is not registered."))?;
    let redirect_uri = only(plain, "redirect_uri")
        .map_err(repeated)?
        .filter(|asked| client.redirect_uris.iter().any(|known| known == asked))
        .ok_or(Refusal::Page(
            "The redirect URI is not one that this client registered.",
        ))?
        .to_owned();
    let mut to = ReturnAddress {
        redirect_uri: redirect_uri.clone(),
        state: None,
        correlation_id: None,
    };

    let mut parameters = plain.to_vec();
    if let Some(object) = only(plain, "request").map_err(repeated)? {
        overlay_request_object(&mut parameters, object, &client, carrier, &to)?;
    }
    let field = |name: &'static str| {
        only(&parameters, name)
            .map_err(|Repeated| to.refuse("invalid_request", "A parameter was sent twice"))
    };
    let state = field("state")?.map(str::to_owned);
    let correlation_id = field("correlation_id")?.map(str::to_owned);
    to.state = state.clone();
    let field = |name: &'static str| {
        only(&parameters, name)
            .map_err(|Repeated| to.refuse("invalid_request", "A parameter was sent twice"))
    };

    if state.is_none() {
        return Err(to.refuse("invalid_request", "state is missing"));
    }
    if correlation_id
        .as_deref()
        .is_some_and(|id| !is_correlation_id(id))
    {
        return Err(to.refuse("invalid_request", "correlation_id has the wrong form"));
    }
    if field("request_uri")?.is_some() {
        return Err(to.refuse("request_uri_not_supported", "request_uri is not supported"));
    }
    if field("response_type")? != Some("code") {
        return Err(to.refuse("unsupported_response_type", "Only code is supported"));
    }
    let scope = field("scope")?.unwrap_or_default().to_owned();
    if !scope.split(' ').any(|word| word == "openid") {
        return Err(to.refuse("invalid_scope", "openid is missing from scope"));
    }
    let prompt = field("prompt")?.unwrap_or_default();
    if prompt.split(' ').any(|word| word == "none") {
        return Err(to.refuse("interaction_required", "The user always has to approve"));
    }
    let context = field("context")?.map(str::to_owned);
    if context
        .as_deref()
        .is_some_and(|text| text.chars().count() > CONTEXT_LIMIT)
    {
        return Err(to.refuse("invalid_request", "context is longer than 280 characters"));
    }
    let code_challenge = field("code_challenge")?.map(str::to_owned);
    if code_challenge
        .as_deref()
        .is_some_and(|challenge| challenge.len() != 43)
        || code_challenge.is_some() != (field("code_challenge_method")? == Some("S256"))
    {
        return Err(to.refuse("invalid_request", "The code challenge is not an S256 one"));
    }
    let nonce = field("nonce")?.map(str::to_owned);
    let hint_token = field("login_hint_token")?.map(str::to_owned);
    // An empty login_hint_token is not the same as none: a client must not make one up.
    if hint_token.is_none()
        && parameters
            .iter()
            .any(|(name, _)| name == "login_hint_token")
    {
        return Err(to.refuse("invalid_login_hint_token", "login_hint_token is empty"));
    }
    let person = match &hint_token {
        Some(token) => {
            let user = format!("{state:?} {nonce:?}");
            hinted(carrier, &client, token, user).ok_or_else(|| {
                to.refuse(
                    "invalid_login_hint_token",
                    "login_hint_token is not from this carrier, or was used before",
                )
            })?
        }
        None if carrier.rules.read().hint_required && !call.is_phone() => {
            return Err(to.refuse("invalid_login_hint_token", "login_hint_token is missing"));
        }
        None => {
            // A bad login_hint does no harm in the browser.
            let hint = field("login_hint")?.unwrap_or_default();
            people::people()
                .iter()
                .filter(|person| person.carrier == carrier.brand.name)
                .find(|person| {
                    person.phone == hint
                        || userinfo::subject(carrier.brand, &client.client_id, person) == hint
                })
                .or_else(|| people::first_of(carrier.brand.name))
                .ok_or_else(|| to.refuse("user_not_found", "Nobody uses this carrier"))?
        }
    };
    Ok(AuthorizationRequest {
        attributes: ATTRIBUTES
            .into_iter()
            .filter(|name| scope.split(' ').any(|word| word == *name))
            .collect(),
        acr_values: field("acr_values")?
            .unwrap_or("a3")
            .split(' ')
            .map(str::to_owned)
            .collect(),
        client,
        redirect_uri,
        state,
        nonce,
        scope,
        context,
        correlation_id,
        code_challenge,
        hint_token,
        person,
    })
}

/// Puts the claims of a signed request object over the plain parameters.
fn overlay_request_object(
    parameters: &mut Vec<(String, String)>,
    object: &str,
    client: &Client,
    carrier: &Carrier,
    to: &ReturnAddress,
) -> Result<(), Refusal> {
    let Some(jwks) = &client.jwks else {
        return Err(to.refuse("request_not_supported", "This client has no keys"));
    };
    let claims = jwt::verify(object, jwks)
        .filter(|claims| {
            claims.get("iss").and_then(Value::as_str) == Some(&client.client_id)
                && claims.get("aud").and_then(Value::as_str) == Some(&carrier.issuer())
        })
        .ok_or_else(|| to.refuse("invalid_request_object", "The request object is not valid"))?;
    for (name, value) in claims {
        // What the return address hangs on has been judged already, and must not differ.
        let value = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let differs = parameters
            .iter()
            .any(|(known, plain)| *known == name && *plain != value);
        if differs && (name == "client_id" || name == "redirect_uri") {
            return Err(to.refuse("invalid_request_object", "The request object disagrees"));
        }
        parameters.retain(|(known, _)| *known != name);
        parameters.push((name, value));
    }
    Ok(())
}

/// Whom a login hint token means. It serves one authorization request; reloading its page is not a second one.
fn hinted(
    carrier: &Carrier,
    client: &Client,
    token: &str,
    user: String,
) -> Option<&'static Person> {
    carrier.hints.change(token, |hint| {
        let fresh = hint.used_by.as_ref().is_none_or(|used_by| *used_by == user);
        if hint.client_id != client.client_id || !fresh {
            return None;
        }
        hint.used_by = Some(user);
        Some(hint.person)
    })?
}

fn is_correlation_id(id: &str) -> bool {
    (8..=16).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// How this carrier spells an authentication class.
pub(super) fn spelled_class(brand: &Brand, class: u8) -> String {
    match brand.profile {
        Profile::Att => format!("aal{class}"),
        Profile::Tmobile | Profile::Verizon => format!("a{class}"),
    }
}

fn agree_at_once(
    carrier: &Carrier,
    mut request: AuthorizationRequest,
    auto: &AutoConsent,
) -> Response {
    let named = auto.person.as_deref().and_then(people::person);
    if let Some(person) = named.filter(|person| person.carrier == carrier.brand.name) {
        request.person = person;
    }
    let shared = request
        .attributes
        .iter()
        .copied()
        .filter(|name| {
            auto.share
                .as_ref()
                .is_none_or(|share| share.iter().any(|shared| shared == name))
        })
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
    let to = ReturnAddress {
        redirect_uri: request.redirect_uri.clone(),
        state: request.state.clone(),
        correlation_id: request.correlation_id.clone(),
    };
    if let Some(token) = &request.hint_token {
        carrier.hints.take(token);
    }
    let rules = carrier.rules();
    let code = carrier.codes.put(Grant {
        shared: shared
            .into_iter()
            .filter(|name| !rules.withhold.iter().any(|withheld| withheld == name))
            .collect(),
        factor,
        auth_time: SystemTime::now(),
        request,
        redeemed: false,
    });
    let answer = vec![("code".to_owned(), code)];
    answer_client(carrier, &rules, &to, answer, status)
}

/// The person, the phone or the carrier did not let it happen.
pub(super) fn decline(carrier: &Carrier, request: &AuthorizationRequest, error: &str) -> Response {
    let to = ReturnAddress {
        redirect_uri: request.redirect_uri.clone(),
        state: request.state.clone(),
        correlation_id: request.correlation_id.clone(),
    };
    if let Some(token) = &request.hint_token {
        carrier.hints.take(token);
    }
    refused(
        carrier,
        &to,
        error,
        "The simulated carrier was told to answer this",
    )
}

fn refused(carrier: &Carrier, to: &ReturnAddress, error: &str, description: &str) -> Response {
    let answer = vec![
        ("error".to_owned(), error.to_owned()),
        ("error_description".to_owned(), description.to_owned()),
    ];
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
    if carrier.brand.profile != Profile::Verizon {
        answer.push(("mccmnc".to_owned(), carrier.brand.mccmnc.to_owned()));
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
