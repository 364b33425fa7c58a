//! A sign-in that an app on a phone made by itself (dossier 17): it hands in the code, and gets a session token of ours.
//!
//! The app's word counts for nothing that a browser's would not: the code is redeemed where the network code leads, under our
//! own client, the ID token is verified by the one function, with a nonce that we issued, and what is demanded of it is the
//! operator's choice. Whoever has a stolen code lacks its verifier; whoever has a stolen ID token lacks everything.

use std::time::SystemTime;

use http::{HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::callback::LegOutcome;
use crate::auth::SignIn;
use crate::auth::refusal::{Denied, Recipient, Refusal, Refused};
use crate::auth::session_cookie::TOKEN_PREFIX;
use crate::oidc::authorization::CorrelationId;
use crate::provider::{Carrier, CodeGrant, Discovery};
use crate::secret::SecretString;
use crate::session::SessionId;
use crate::session::account_of::AccountOf as _;
use crate::session::opening::OpenError;
use crate::session::store::{Kind, StoreError};
use crate::snapshot::{ClientRegistration, NativeSettings};
use crate::web::{Reply, RequestView, single_value};

/// Longest code and nonce that are looked at, in bytes.
const LONGEST: usize = 4096;

/// What an app hands in. Further members (`acr_values`, `sdk_version`, `context`) are the app's affair: what is demanded of a
/// sign-in, it does not say.
#[derive(Deserialize)]
struct HandedIn {
    code: SecretText,
    redirect_uri: String,
    code_verifier: SecretText,
    client_id: String,
    nonce: String,
    mccmnc: Option<Value>,
    mcc: Option<Value>,
    mnc: Option<Value>,
    correlation_id: Option<String>,
}

/// A text that no log prints.
#[derive(Deserialize)]
#[serde(from = "String")]
struct SecretText(SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(SecretString::new(text))
    }
}

impl HandedIn {
    /// Six digits: together, or as country and network.
    fn network(&self) -> Option<String> {
        match (&self.mccmnc, &self.mcc, &self.mnc) {
            (Some(both), None, None) => digits(both, 6, 6),
            (None, Some(country), Some(network)) => Some(digits(country, 3, 3)? + &digits(network, 2, 3)?),
            _ => None,
        }
    }
}

/// `width` digits, of a text of at least `least`, or of a number, whose leading zeros are put back.
fn digits(value: &Value, least: usize, width: usize) -> Option<String> {
    let text = match value {
        Value::String(text) if text.len() >= least => text.clone(),
        Value::Number(number) => number.as_u64()?.to_string(),
        _ => return None,
    };
    let sound = !text.is_empty() && text.len() <= width && text.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| format!("{text:0>width$}"))
}

/// RFC 7636, 4.1.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

fn is_visible(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Why an app's request is refused, in words for the log.
fn wrong(reason: &'static str) -> Denied {
    Denied::because(Refusal::RequestMalformed, reason)
}

impl SignIn<'_> {
    /// What is said of apps on phones, if they may sign in on this host.
    fn native_settings(&self, view: &RequestView<'_>) -> Option<&NativeSettings> {
        self.settings.native.as_ref().filter(|native| native.hosts.iter().any(|host| host == view.host))
    }

    /// `native` and `native/nonce`: both by POST, and nothing else.
    pub(in crate::auth) async fn native(&self, view: &RequestView<'_>, wants_nonce: bool, now: SystemTime) -> Reply {
        let Some(native) = self.native_settings(view) else { return self.answers.refusal(Refusal::NotFound, view) };
        if view.method != Method::POST {
            let mut reply = self.answers.refusal(Refusal::MethodNotAllowed, view);
            reply.set(header::ALLOW, HeaderValue::from_static("POST"));
            return reply;
        }
        let answer = match self.limits.native.take(view.client, now) {
            Err(wait) => {
                self.metrics.limit_hits.with_label_values(&["native_per_minute"]).inc();
                Err(Refusal::TooManySignIns(wait).into())
            }
            Ok(()) if wants_nonce => self.nonce_for_app(view, native, now).await,
            Ok(()) => Box::pin(self.hand_in(view, native, now)).await,
        };
        answer.unwrap_or_else(|denied| {
            let Denied { refusal, reason } = denied;
            self.metrics.sign_ins.with_label_values(&[refusal.message().code]).inc();
            let refused = Refused { reason: reason.as_deref(), ..Refused::of(refusal, view) };
            self.answers.exit.refuse(refused, Recipient::Program)
        })
    }

    /// A nonce for one sign-in of an app. It is stored: whatever an app hands in, we said it, and it is good once.
    async fn nonce_for_app(
        &self,
        view: &RequestView<'_>,
        native: &NativeSettings,
        now: SystemTime,
    ) -> Result<Reply, Denied> {
        let nonce = self.sealer.new_id(self.entropy);
        let key = nonce.store_key();
        let record = self.sealer.seal(Kind::Attempt, key, nonce.secret().expose(), view.host.as_bytes(), self.entropy);
        let kept = self.store.insert(Kind::Attempt, key, &record, native.nonce_ttl, now).await;
        kept.map_err(|error| self.not_kept(view, &error))?;
        let body = json!({ "nonce": nonce.to_text().expose(), "expires_in": native.nonce_ttl.as_secs() });
        Ok(secret_answer(body))
    }

    /// Takes a nonce of ours; it is nobody's afterwards.
    async fn take_nonce(&self, view: &RequestView<'_>, nonce: &str, now: SystemTime) -> Result<(), Denied> {
        let unknown =
            || Denied::because(Refusal::AttemptUnknown, "the nonce is none that was issued here and not used");
        // What was made up costs no question to the store.
        let id = SessionId::parse(nonce).filter(|id| self.sealer.has_made(id)).ok_or_else(unknown)?;
        let key = id.store_key();
        let record = self.store.take(Kind::Attempt, key, now).await.map_err(|error| self.not_kept(view, &error))?;
        let host = record.and_then(|record| self.sealer.open(Kind::Attempt, key, id.secret().expose(), &record).ok());
        match host {
            Some(host) if *host == view.host.as_bytes() => Ok(()),
            _ => Err(unknown()),
        }
    }

    async fn hand_in(&self, view: &RequestView<'_>, native: &NativeSettings, now: SystemTime) -> Result<Reply, Denied> {
        // No page of another site can say so without asking first, and it would be told no.
        let kind = single_value(view.headers, header::CONTENT_TYPE).ok().flatten().unwrap_or_default();
        if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
            return Err(wrong("the body is not `application/json`"));
        }
        let handed: HandedIn =
            serde_json::from_slice(view.form).map_err(|_| wrong("the body is not what an app hands in"))?;
        if !native.redirect_uris.contains(&handed.redirect_uri) {
            return Err(wrong("redirect_uri is not in native.redirect_uris"));
        }
        if !is_verifier(handed.code_verifier.0.expose()) {
            return Err(wrong("code_verifier is not 43 to 128 characters of RFC 7636"));
        }
        if !is_visible(handed.code.0.expose()) {
            return Err(wrong("code is empty, too long, or not visible ASCII"));
        }
        let is_named = |registration: &&ClientRegistration| {
            registration.client_id == handed.client_id && registration.profile.issues_id_tokens
        };
        let registration = self.settings.registrations.iter().find(is_named);
        let chosen = registration.and_then(|registration| self.at(registration));
        let chosen = chosen.ok_or_else(|| wrong("client_id is none of ours"))?;
        self.take_nonce(view, &handed.nonce, now).await?;
        let correlation = handed.correlation_id.as_deref().and_then(CorrelationId::parse);
        let correlation = correlation.unwrap_or_else(|| CorrelationId::generate(self.entropy));
        let carrier = chosen.carrier_of(view, &handed, correlation.as_str(), now).await?;
        let grant = CodeGrant {
            code: &handed.code.0,
            redirect_uri: &handed.redirect_uri,
            code_verifier: &handed.code_verifier.0,
            correlation_id: correlation.as_str(),
            now,
        };
        let LegOutcome::SignedIn(session, provider) =
            chosen.redeemed(view, &carrier, &grant, &handed.nonce, None).await?
        else {
            // The app asks the person anew, with `prompt=login`.
            return Err(Denied::because(Refusal::WeakSignIn, "the issuer told us of something that came after it"));
        };
        if native.linked_account {
            let account = match self.linking {
                Some(linking) => linking.links().account_of(session.identity(), now).await,
                None => Ok(None),
            };
            if account.map_err(|error| self.not_kept(view, &error))?.is_none() {
                return Err(Denied::because(Refusal::UnlinkedUser, "native.linked_account demands an account"));
            }
        }
        let left = session.left(now, &self.settings.lifetimes).as_secs();
        let opened = self.sessions.open(*session, provider, view.host, None, self.snapshot.plans(), now).await;
        let id = opened.map_err(|error| match error {
            OpenError::Store(error) => self.not_kept(view, &error),
            OpenError::ParentEnded => Refusal::AttemptUnknown.into(),
        })?;
        self.metrics.sign_ins.with_label_values(&["completed"]).inc();
        info!(request_id = view.request_id, outcome = "native", "An app handed in a sign-in");
        let (text, name) = (id.to_text(), &self.settings.cookies.session);
        Ok(secret_answer(json!({
            "token": format!("{TOKEN_PREFIX}{}", text.expose()),
            "token_type": "Bearer",
            "expires_in": left,
            "cookie": format!("{name}={}", text.expose()),
        })))
    }

    /// The carrier that the network code leads to; where there is one issuer, that one.
    async fn carrier_of(
        &self,
        view: &RequestView<'_>,
        handed: &HandedIn,
        correlation_id: &str,
        now: SystemTime,
    ) -> Result<Carrier, Denied> {
        let registration = self.registration;
        let refused = |error| Denied::from(self.provider_refusal(view, &error));
        let discovers = registration.discovery_ui.is_some() || registration.optimized_discovery.is_some();
        if !discovers && !registration.picks() {
            return self.provider.issuer(now).await.map_err(refused);
        }
        let network = handed.network().ok_or_else(|| wrong("mccmnc, or mcc and mnc, are not six digits"))?;
        if !discovers {
            let member = registration.member_of(&network).ok_or(Refusal::UnknownIssuer)?;
            return self.provider.member(&member.issuer, now).await.map_err(refused);
        }
        let found = self.provider.discover(&network, correlation_id, now).await;
        match found.map_err(refused)? {
            Discovery::Carrier(carrier) => Ok(*carrier),
            Discovery::AskUser(_) => Err(Refusal::CarrierUnknownPerson.into()),
        }
    }

    fn not_kept(&self, view: &RequestView<'_>, error: &StoreError) -> Denied {
        self.metrics.store_errors.inc();
        warn!(request_id = view.request_id, reason = %error, "The session store did not answer an app");
        match error {
            StoreError::NotWritable(_) => Refusal::StoreNotWritable.into(),
            _ => Refusal::StoreUnavailable.into(),
        }
    }
}

/// An answer that nobody keeps.
fn secret_answer(body: Value) -> Reply {
    let mut reply = Reply::json(StatusCode::OK, body.to_string());
    reply.set(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_six_digits_in_every_way_that_apps_write_it() {
        let of = |text: Value| {
            let mut all =
                json!({ "code": "c", "redirect_uri": "r", "code_verifier": "v", "client_id": "c", "nonce": "n" });
            all.as_object_mut().unwrap().extend(text.as_object().unwrap().clone());
            serde_json::from_value::<HandedIn>(all).unwrap().network()
        };
        for good in [
            json!({ "mccmnc": "310007" }),
            json!({ "mccmnc": 310_007 }),
            json!({ "mcc": "310", "mnc": "007" }),
            json!({ "mcc": 310, "mnc": 7 }),
            json!({ "mcc": "310", "mnc": 7 }),
        ] {
            assert_eq!(of(good.clone()).as_deref(), Some("310007"), "{good}");
        }
        for bad in [
            json!({}),
            json!({ "mccmnc": "31007" }),
            json!({ "mccmnc": "3100071" }),
            json!({ "mccmnc": "31000x" }),
            json!({ "mccmnc": 3_100_071 }),
            json!({ "mccmnc": -1 }),
            json!({ "mccmnc": 310_007.5 }),
            json!({ "mccmnc": ["310007"] }),
            json!({ "mcc": "310" }),
            json!({ "mnc": "007" }),
            json!({ "mcc": "310", "mnc": "7" }),
            json!({ "mcc": "31", "mnc": "0007" }),
            json!({ "mccmnc": "310007", "mcc": "310", "mnc": "007" }),
        ] {
            assert_eq!(of(bad.clone()), None, "{bad}");
        }
    }
}
