//! The configuration documents, as odd as the recorded ones.

use serde_json::{Map, Value, json};

use super::profile::{Brand, Profile};
use super::rules::{CarrierRules, adjust};
use super::usertrait;

/// Who is telling: the central discovery issuer or the carrier itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Teller {
    DiscoveryIssuer,
    Carrier,
}

/// A carrier's configuration. `mccmnc` is the code that led here.
pub(super) fn document(
    brand: &Brand,
    origin: &str,
    mccmnc: &str,
    teller: Teller,
    rules: &CarrierRules,
) -> Map<String, Value> {
    let mut document = Map::new();
    let mut set = |name: &str, value: Value| {
        document.insert(name.to_owned(), value);
    };
    set("issuer", format!("{origin}{}", brand.issuer_path).into());
    set("authorization_endpoint", format!("{origin}{}", brand.authorize_path).into());
    set("token_endpoint", format!("{origin}{}", brand.token_path).into());
    set("userinfo_endpoint", format!("{origin}{}", brand.userinfo_path).into());
    set("jwks_uri", format!("{origin}{}", brand.jwks_path).into());
    set("mccmnc", mccmnc.into());
    set("response_types_supported", json!(["code"]));
    set("id_token_signing_alg_values_supported", json!(["RS256"]));
    if let Some(server_initiated) = brand.server_initiated {
        let begin = format!("{origin}{}", server_initiated.begin_path);
        let cancel = format!("{origin}{}", server_initiated.cancel_path);
        set(server_initiated.member, begin.into());
        set("server_initiated_cancel_endpoint", cancel.into());
    }
    match brand.profile {
        Profile::Att => att(&mut set, origin, mccmnc),
        Profile::Tmobile => tmobile(&mut set),
        Profile::Verizon => verizon(&mut set, teller),
    }
    adjust(&mut document, &rules.metadata, &rules.metadata_omit);
    document
}

fn att(set: &mut impl FnMut(&str, Value), origin: &str, mccmnc: &str) {
    // This one gives its code as a number.
    if let Ok(number) = mccmnc.parse::<u32>() {
        set("mccmnc", number.into());
    }
    set("revocation_endpoint", format!("{origin}/mga/sps/oauth/oauth20/revoke").into());
    set("usertrait_endpoint", format!("{origin}{}", usertrait::PATH).into());
    set("usertraits_supported", "sim_tenure_24".into());
    set("events_supported", json!(["device_change", "security_event", "consent_revoked"]));
    set("token_endpoint_auth_methods_supported", json!(["client_secret_basic", "client_assertion_jwt"]));
    set("acr_values_supported", json!(["aal1", "aal2", "aal3"]));
    set(
        "scopes_supported",
        json!(["openid", "email", "address", "phone", "birthdate", "postal_code", "name", "picture", "offline_access"]),
    );
    set("response_types_supported", json!(["code", "async_token"]));
    set("response_modes_supported", json!(["fragment", "form_post"]));
    set("subject_types_supported", json!(["pairwise"]));
    set("request_parameter_supported", json!([true]));
    set("request_uri_parameter_supported", json!([false]));
    set("claims_parameter_supported", json!([false]));
    set("op_policy_uri", json!(["hhtps://aurora.example/legal/policy"]));
    set("op_tos_uri", " ".into());
    set("link_branding", "Powered by Aurora Wireless".into());
    set("link_img:", "https://aurora.example/endorsed.svg".into());
    set("request_object_encryption_alg_values_supported", json!(["A128CBC-HS256"]));
    set("request_object_encryption_enc_values_supported", json!(["RSA-OAEP"]));
}

fn tmobile(set: &mut impl FnMut(&str, Value)) {
    set("token_endpoint_auth_methods_supported", json!(["client_secret_post", "client_secret_basic"]));
    set("acr_values_supported", json!(["loa2", "loa3"]));
    set("scopes_supported", json!(["openid", "profile", "email", "address"]));
    set("response_types_supported", json!(["code", "code id_token"]));
    set("subject_types_supported", json!(["public"]));
    set("branding", "https://tangent.example/button.svg".into());
}

fn verizon(set: &mut impl FnMut(&str, Value), teller: Teller) {
    if teller == Teller::DiscoveryIssuer {
        // Recorded as one blank. The carrier's own document has the real one.
        set("jwks_uri", " ".into());
    }
    set("revocation_endpoint", " ".into());
    set("registration_endpoint", " ".into());
    set("token_endpoint_auth_methods_supported", json!(["client_secret_basic", "client_secret_post"]));
    set("scopes_supported", json!(["openid", "email", "profile"]));
    set("subject_types_supported", json!(["Public"]));
    set("id_token_signing_alg_values_supported", json!(["ES384, “HS256", "HS512", "ES256", "RS256", "HS384", "ES512"]));
}
