//! A carrier's token endpoint: who may redeem a code, and what comes out.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::authorize::{AuthorizationRequest, spelled_class};
use super::call::{Call, Repeated, only};
use super::carrier::Carrier;
use super::keys::KeyFault;
use super::profile::Profile;
use super::rules::{Factor, Signature, adjust};
use super::settings::Client;
use super::shelf::random_text;
use super::{jwt, userinfo};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const EXPIRES_IN: u64 = 1800;
const DAY: u64 = 24 * 3600;
/// How much of a context the `tmobile` profile gives back.
const CONTEXT_ECHO: usize = 100;

/// What a person agreed to, waiting under its code.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) request: AuthorizationRequest,
    pub(super) factor: Factor,
    pub(super) shared: Vec<&'static str>,
    pub(super) auth_time: SystemTime,
    pub(super) redeemed: bool,
}

/// What an access token opens.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) code: String,
    pub(super) grant: Grant,
}

/// Why no token is issued.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl Refusal {
    fn request(error: &'static str, description: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description,
        }
    }

    fn client(description: &'static str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_client",
            description,
        }
    }
}

impl From<Repeated> for Refusal {
    fn from(_: Repeated) -> Self {
        Self::request("invalid_request", "A parameter was sent twice")
    }
}

impl From<KeyFault> for Refusal {
    fn from(_: KeyFault) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "server_error",
            description: "No key could be made",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::debug!(
            error = self.error,
            reason = self.description,
            "The simulated carrier issues no token"
        );
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CACHE_CONTROL,
            header::HeaderValue::from_static("no-store"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = header::HeaderValue::from_static("Basic realm=\"token\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The endpoint.
pub(super) async fn token(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("token", &call);
    if let Some(response) = carrier.interfere("token").await {
        return response;
    }
    if call.method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    match redeem(&carrier, &call).await {
        Ok(body) => (
            [
                (header::CACHE_CONTROL, "no-cache, no-store"),
                (header::PRAGMA, "no-cache"),
            ],
            axum::Json(body),
        )
            .into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn redeem(carrier: &Carrier, call: &Call) -> Result<Map<String, Value>, Refusal> {
    let client = authenticate(carrier, call)?;
    let field = |name| only(&call.body, name);
    match field("grant_type")? {
        Some("authorization_code") => {}
        Some(_) => {
            return Err(Refusal::request(
                "unsupported_grant_type",
                "Only authorization_code is supported",
            ));
        }
        None => return Err(Refusal::request("invalid_request", "grant_type is missing")),
    }
    let code = field("code")?.ok_or(Refusal::request("invalid_request", "code is missing"))?;
    let grant = take_once(carrier, code)?;
    if grant.request.client.client_id != client.client_id {
        return Err(Refusal::request(
            "invalid_grant",
            "The code was issued to another client",
        ));
    }
    if field("redirect_uri")? != Some(&grant.request.redirect_uri) {
        return Err(Refusal::request(
            "invalid_grant",
            "redirect_uri is not the one of the authorization request",
        ));
    }
    check_verifier(carrier, &grant, field("code_verifier")?)?;
    let same = field("correlation_id")? == grant.request.correlation_id.as_deref();
    if !same && !carrier.rules.read().correlation_unchecked {
        return Err(Refusal::request(
            "invalid_request",
            "correlation_id is not the one of the authorization request",
        ));
    }
    issue(carrier, code, grant).await
}

/// RFC 6749, 4.1.2: a code that comes twice gives nothing, and takes back what it gave.
fn take_once(carrier: &Carrier, code: &str) -> Result<Grant, Refusal> {
    let found = carrier.codes.change(code, |grant| {
        let before = grant.clone();
        grant.redeemed = true;
        before
    });
    match found {
        Some(grant) if grant.redeemed => {
            carrier.tokens.retain(|access| access.code != code);
            Err(Refusal::request(
                "invalid_grant",
                "The code was used before",
            ))
        }
        Some(grant) => Ok(grant),
        None => Err(Refusal::request("invalid_grant", "The code is not known")),
    }
}

fn check_verifier(carrier: &Carrier, grant: &Grant, verifier: Option<&str>) -> Result<(), Refusal> {
    let Some(challenge) = &grant.request.code_challenge else {
        return Ok(());
    };
    if carrier.rules.read().pkce_ignored {
        return Ok(());
    }
    let verifier = verifier.ok_or(Refusal::request(
        "invalid_request",
        "code_verifier is missing",
    ))?;
    let legal = (43..=128).contains(&verifier.len())
        && verifier
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
    if legal && URL_SAFE_NO_PAD.encode(hash) == *challenge {
        return Ok(());
    }
    let error = match carrier.brand.profile {
        // The name this carrier had for it.
        Profile::Att => "request_denied",
        Profile::Tmobile | Profile::Verizon => "invalid_grant",
    };
    Err(Refusal::request(error, "code_verifier does not match"))
}

fn authenticate(carrier: &Carrier, call: &Call) -> Result<Client, Refusal> {
    let field = |name| only(&call.body, name);
    let body_id = field("client_id")?;
    let secret = field("client_secret")?;
    let assertion = field("client_assertion")?;
    let basic = call
        .header("authorization")
        .map(|value| basic_credentials(value).ok_or(Refusal::client("This is not HTTP Basic")))
        .transpose()?;
    let ways = [secret.is_some(), assertion.is_some(), basic.is_some()];
    if ways.into_iter().filter(|used| *used).count() > 1 {
        return Err(Refusal::request(
            "invalid_request",
            "The client authenticates in more than one way",
        ));
    }
    if let Some((client_id, client_secret)) = basic {
        if body_id.is_some() && carrier.brand.profile == Profile::Verizon {
            return Err(Refusal::request(
                "invalid_request",
                "client_id must not be in the body beside HTTP Basic",
            ));
        }
        if body_id.is_some_and(|body_id| body_id != client_id) {
            return Err(Refusal::request("invalid_request", "client_id differs"));
        }
        return with_secret(carrier, &client_id, &client_secret);
    }
    if let Some(assertion) = assertion {
        if field("client_assertion_type")? != Some(ASSERTION_TYPE) {
            return Err(Refusal::client("client_assertion_type is wrong"));
        }
        return with_assertion(carrier, body_id, assertion);
    }
    match (body_id, secret) {
        (Some(_), Some(_)) if carrier.brand.profile == Profile::Att => {
            Err(Refusal::client("client_secret_post is not supported"))
        }
        (Some(client_id), Some(secret)) => with_secret(carrier, client_id, secret),
        _ => Err(Refusal::client("The client does not authenticate")),
    }
}

/// RFC 6749, 2.3.1: each half is form-encoded before the two are joined.
fn basic_credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (client_id, secret) = joined.split_once(':')?;
    Some((form_decode(client_id)?, form_decode(secret)?))
}

fn form_decode(value: &str) -> Option<String> {
    // What the encoding would have changed must not be there.
    if value.contains(['&', '=']) {
        return None;
    }
    let mut pairs = url::form_urlencoded::parse(value.as_bytes());
    Some(
        pairs
            .next()
            .map(|(text, _)| text.into_owned())
            .unwrap_or_default(),
    )
}

fn with_secret(carrier: &Carrier, client_id: &str, secret: &str) -> Result<Client, Refusal> {
    let client = carrier.registry.find(client_id);
    client
        .filter(|client| client.client_secret.as_deref() == Some(secret))
        .ok_or(Refusal::client("The client or its secret is not known"))
}

fn with_assertion(
    carrier: &Carrier,
    body_id: Option<&str>,
    assertion: &str,
) -> Result<Client, Refusal> {
    let client_id = body_id.ok_or(Refusal::client("client_id is missing beside the assertion"))?;
    let client = carrier
        .registry
        .find(client_id)
        .ok_or(Refusal::client("The client is not known"))?;
    let claims = client
        .jwks
        .as_ref()
        .and_then(|jwks| jwt::verify(assertion, jwks))
        .ok_or(Refusal::client(
            "The assertion is not signed by this client",
        ))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    for name in ["iss", "sub", "client_id"] {
        if text(name) != Some(client_id) {
            return Err(Refusal::client(
                "iss, sub and client_id have to be the client",
            ));
        }
    }
    if text("aud") != Some(&carrier.token_endpoint()) {
        return Err(Refusal::client("aud is not this token endpoint"));
    }
    let now = seconds(SystemTime::now());
    let number = |name: &str| claims.get(name).and_then(Value::as_u64).unwrap_or(0);
    if number("exp") <= now || number("iat") + DAY < now || number("iat") > now + 60 {
        return Err(Refusal::client("The assertion is not of this hour"));
    }
    let jti = text("jti").ok_or(Refusal::client("jti is missing"))?;
    let seen = format!("{client_id} {jti}");
    if carrier.assertions.get(&seen).is_some() {
        return Err(Refusal::client("The assertion was used before"));
    }
    carrier.assertions.put_as(seen, ());
    Ok(client)
}

async fn issue(carrier: &Carrier, code: &str, grant: Grant) -> Result<Map<String, Value>, Refusal> {
    let key = carrier.keys.current().await?;
    let rules = carrier.rules();
    let claims = claims(carrier, &grant);
    let mut id_claims = claims.clone();
    if let Some(nonce) = &grant.request.nonce {
        id_claims.insert("nonce".to_owned(), nonce.clone().into());
    }
    if let Some(context) = echoed_context(carrier.brand.profile, grant.request.context.as_deref()) {
        id_claims.insert("context".to_owned(), context.into());
    }
    adjust(&mut id_claims, &rules.id_token_claims, &rules.id_token_omit);
    let mut id_header = object(json!({ "alg": "RS256", "kid": key.kid, "typ": "JWT" }));
    adjust(
        &mut id_header,
        &rules.id_token_header,
        &rules.id_token_header_omit,
    );
    let id_token = jwt::sign(&key, rules.id_token_signature, id_header, &id_claims).await?;

    let access_token = if carrier.brand.profile == Profile::Att {
        let mut access_claims = claims;
        access_claims.insert("jti".to_owned(), random_text(12).into());
        access_claims.insert("scopes".to_owned(), grant.request.scope.clone().into());
        let access_header = object(json!({ "alg": "RS256", "kid": key.kid, "typ": "at+jwt" }));
        jwt::sign(&key, Signature::Valid, access_header, &access_claims).await?
    } else {
        random_text(32)
    };

    let mut body = object(json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": EXPIRES_IN,
        "id_token": id_token,
    }));
    if carrier.brand.profile == Profile::Verizon {
        body.insert("expires_in".to_owned(), EXPIRES_IN.to_string().into());
    }
    if let Some(correlation_id) = &grant.request.correlation_id {
        body.insert("correlation_id".to_owned(), correlation_id.clone().into());
    }
    adjust(&mut body, &rules.token_response, &rules.token_response_omit);
    let code = code.to_owned();
    carrier.tokens.put_as(access_token, Access { code, grant });
    Ok(body)
}

/// What the ID token and the access token have in common.
fn claims(carrier: &Carrier, grant: &Grant) -> Map<String, Value> {
    let client_id = &grant.request.client.client_id;
    let now = seconds(SystemTime::now());
    object(json!({
        "iss": carrier.issuer(),
        "sub": userinfo::subject(carrier.brand, client_id, grant.request.person),
        "aud": client_id,
        "iat": now,
        "exp": now + EXPIRES_IN,
        "auth_time": seconds(grant.auth_time),
        "acr": spelled_class(carrier.brand, grant.factor.class()),
        "amr": grant.factor.methods(),
    }))
}

fn echoed_context(profile: Profile, context: Option<&str>) -> Option<String> {
    match profile {
        Profile::Att => context.map(str::to_owned),
        Profile::Tmobile => context.map(|text| text.chars().take(CONTEXT_ECHO).collect()),
        Profile::Verizon => None,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}
