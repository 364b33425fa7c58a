//! What a carrier issues: ID tokens, access tokens, port tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::authorize::AuthorizationRequest;
use super::carrier::Carrier;
use super::expiring::random_text;
use super::keys::KeyFault;
use super::profile::{Brand, Profile};
use super::rules::{CarrierRules, Factor, PortTokenShape, Signature, adjust};
use super::{jwt, personas, userinfo};

const EXPIRES_IN: u64 = 1800;
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

/// The token response for what a person agreed to. `code` is what the access token dies with.
pub(super) async fn issue(carrier: &Carrier, code: &str, grant: Grant) -> Result<Map<String, Value>, KeyFault> {
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
    if let Some(port_tokens) = port_tokens(carrier, &rules, &grant).await? {
        id_claims.insert("aka".to_owned(), port_tokens);
    }
    if let Some(key) = bound_key(&grant) {
        id_claims.insert("cnf".to_owned(), key);
    }
    adjust(&mut id_claims, &rules.id_token_claims, &rules.id_token_omit);
    let mut id_header = object(json!({ "alg": "RS256", "kid": key.kid, "typ": "JWT" }));
    adjust(&mut id_header, &rules.id_token_header, &rules.id_token_header_omit);
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
    if let Some(correlation_id) = &grant.request.to.correlation_id {
        body.insert("correlation_id".to_owned(), correlation_id.clone().into());
    }
    let access = Access { code: code.to_owned(), grant };
    if rules.refresh_tokens {
        body.insert("refresh_token".to_owned(), carrier.refreshes.put(access.clone()).into());
    }
    adjust(&mut body, &rules.token_response, &rules.token_response_omit);
    carrier.tokens.put_as(access_token, access);
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

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// What earlier carriers say about somebody who has moved here, as they would have signed it.
async fn port_tokens(carrier: &Carrier, rules: &CarrierRules, grant: &Grant) -> Result<Option<Value>, KeyFault> {
    let bent = &rules.port_token;
    if let Some(instead) = &bent.instead {
        return Ok(Some(instead.clone()));
    }
    let mut tokens = Vec::new();
    for id in rules.ported.get(grant.request.person.id).into_iter().chain(&bent.also) {
        let old = personas::person(id);
        let Some((old, former)) = old.and_then(|old| Some((old, carrier.peers.carrier(old.carrier)?))) else {
            continue;
        };
        let (key, signer) = (former.keys.current().await?, carrier.keys.current().await?);
        let client_id = &grant.request.client.client_id;
        let mut header = object(json!({ "alg": "RS256", "kid": key.kid, "typ": "port_token+jwt" }));
        adjust(&mut header, &bent.header, &bent.header_omit);
        let subject = match bent.new_subject {
            true => userinfo::subject(carrier.brand, client_id, grant.request.person),
            false => userinfo::subject(former.brand, client_id, old),
        };
        let mut claims = object(json!({
            "iss": former.issuer(),
            "sub": subject,
            "aud": client_id,
            "iat": seconds(SystemTime::now()),
        }));
        adjust(&mut claims, &bent.claims, &bent.claims_omit);
        let key = if bent.own_key { signer } else { key };
        tokens.push(jwt::sign(&key, bent.signature, header, &claims).await?);
    }
    let Some(first) = tokens.first() else { return Ok(None) };
    Ok(Some(match bent.shape {
        PortTokenShape::List => json!(tokens),
        PortTokenShape::Text => json!(first),
        PortTokenShape::Object => json!({ "port_token": first }),
    }))
}

/// The client's key, bare, as the recorded sample has it.
fn bound_key(grant: &Grant) -> Option<Value> {
    let key = grant.request.client.jwks.as_ref()?.get("keys")?.get(0)?;
    Some(json!({ "kty": key.get("kty")?, "n": key.get("n")?, "e": key.get("e")? }))
}

/// How this carrier spells an authentication class.
fn spelled_class(brand: &Brand, class: u8) -> String {
    match brand.profile {
        Profile::Att => format!("aal{class}"),
        Profile::Tmobile | Profile::Verizon => format!("a{class}"),
    }
}
