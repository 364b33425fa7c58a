//! Our own addresses: which there are, and the small answers about whoever asks.

use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::SignIn;
use super::answers::Answers;
use super::own_address::OwnQuery;
use super::refusal::{Refusal, Refused};
use crate::route::path::NormalTarget;
use crate::session::sessions::{Lookup, Purpose};
use crate::snapshot::SHOWN;
use crate::web::cookie::clear_cookie;
use crate::web::page::{already_signed_in_page, error_json, sign_in_page};
use crate::web::{Reply, RequestView};

/// An address of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Approval,
    ApprovalNotice,
    AssertionKeys,
    BackchannelLogout,
    Callback,
    FrontchannelLogout,
    Keys,
    Link,
    Native,
    NativeNonce,
    Refused,
    Session,
    SignIn,
    Signals,
    SignOut,
    SignedOut,
    Start,
    UserInfo,
    Unknown,
}

impl Endpoint {
    /// Which of our addresses `target` is; `None` if it is not under our `prefix` at all. What merely looks like it
    /// (`/OAUTH2/start`, `/oauth2;x/start`) is no page of ours, but no app gets to see it either: one that reads it as
    /// ours could ask people for their consent in our name (H13).
    pub(super) fn of(target: &NormalTarget, prefix: &str) -> Option<Self> {
        if !target.is_under(prefix) {
            return None;
        }
        let rest = target.path().strip_prefix(prefix).unwrap_or_default();
        Some(match rest.strip_prefix('/').unwrap_or_default() {
            "approvals/notify" => Self::ApprovalNotice,
            own if own.starts_with("approvals/") => Self::Approval,
            "assertion-keys.json" => Self::AssertionKeys,
            "backchannel_logout" => Self::BackchannelLogout,
            "callback" => Self::Callback,
            "frontchannel_logout" => Self::FrontchannelLogout,
            own if own.starts_with("callback/") => Self::Callback,
            "jwks.json" => Self::Keys,
            "link" => Self::Link,
            "native" => Self::Native,
            "native/nonce" => Self::NativeNonce,
            "refused" => Self::Refused,
            "session" => Self::Session,
            "sign_in" => Self::SignIn,
            "signals" => Self::Signals,
            "sign_out" => Self::SignOut,
            "signed_out" => Self::SignedOut,
            "start" => Self::Start,
            "userinfo" => Self::UserInfo,
            _ => Self::Unknown,
        })
    }
}

impl SignIn<'_> {
    /// Answers one of our addresses. None of them ever reaches an upstream.
    pub(super) async fn endpoint(&self, endpoint: Endpoint, view: &RequestView<'_>, now: SystemTime) -> Reply {
        let answers = &self.answers;
        match endpoint {
            Endpoint::Callback => self.callback(view, now).await,
            Endpoint::SignOut => self.sign_out(view, now).await,
            Endpoint::Link => self.link(view, now).await,
            Endpoint::Start => self.start(view, now).await,
            Endpoint::Native => self.native(view, false, now).await,
            Endpoint::NativeNonce => self.native(view, true, now).await,
            // A POST is answered by its body, see `Auth::answer_body`.
            Endpoint::ApprovalNotice if self.settings.approvals.is_none() => answers.refusal(Refusal::NotFound, view),
            Endpoint::Signals if self.settings.signals.is_none() => answers.refusal(Refusal::NotFound, view),
            Endpoint::ApprovalNotice | Endpoint::BackchannelLogout | Endpoint::Signals => {
                let mut reply = answers.refusal(Refusal::MethodNotAllowed, view);
                reply.set(header::ALLOW, HeaderValue::from_static("POST"));
                reply
            }
            // Where there are approvals, they are asked before.
            Endpoint::Approval | Endpoint::Unknown => answers.refusal(Refusal::NotFound, view),
            _ if view.method != Method::GET && view.method != Method::HEAD => {
                answers.refusal(Refusal::MethodNotAllowed, view)
            }
            Endpoint::FrontchannelLogout => self.frontchannel_logout(view, now).await,
            Endpoint::SignedOut => self.signed_out(view, now),
            Endpoint::AssertionKeys => match self.assertion_keys {
                Some(keys) => key_set(&keys.published()),
                None => answers.refusal(Refusal::NotFound, view),
            },
            Endpoint::Keys => {
                match self.settings.client_key_sets.get(&OwnQuery::of(view).value("m").unwrap_or_default()) {
                    Some(keys) => key_set(keys),
                    None => answers.refusal(Refusal::NotFound, view),
                }
            }
            Endpoint::Refused => answers.refused(view),
            Endpoint::SignIn => {
                let found = answers.session_of(view, Purpose::Ask, now).await;
                let wanted = OwnQuery::of(view).wanted();
                let to = answers.return_to(wanted.as_deref(), view);
                let page = match &found {
                    Lookup::SignedIn(live, _) => {
                        let who = self.settings.display_name(live.value().session().identity());
                        let other = answers.start_with("?account=other", &to);
                        already_signed_in_page(&to.location(), &other, who.as_deref(), view.request_id)
                    }
                    _ => {
                        let [own, shared] = ["", "?device=shared"].map(|more| answers.start_with(more, &to));
                        sign_in_page(&own, &shared, wanted.is_some(), view.request_id)
                    }
                };
                answers.without_dead_cookie(page, &found)
            }
            Endpoint::Session | Endpoint::UserInfo => answers.who(endpoint, view, now).await,
        }
    }
}

/// Public keys of ours, for anybody (RFC 7517): of one kind, by which providers check that it is us, or of the other, by which
/// the app checks what we tell it.
fn key_set(keys: &str) -> Reply {
    let mut reply = Reply::json(StatusCode::OK, keys.to_owned());
    reply.set(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    reply
}

impl Answers<'_> {
    async fn who(&self, endpoint: Endpoint, view: &RequestView<'_>, now: SystemTime) -> Reply {
        let live = match self.session_of(view, Purpose::Ask, now).await {
            Lookup::SignedIn(live, _) => live,
            Lookup::StoreDown => return self.refusal(Refusal::StoreUnavailable, view),
            found @ (Lookup::Absent | Lookup::Dead) => {
                let start = format!("{}{}", self.snapshot.origin_of(view.host), self.snapshot.start());
                let message = Refusal::Unauthenticated.message();
                self.exit.note(Refused::of(Refusal::Unauthenticated, view));
                let mut reply = error_json(message.status, message.code, view.request_id, Some(&start));
                if matches!(found, Lookup::Dead) {
                    reply.add_cookie(clear_cookie(&self.settings.cookies.session));
                }
                return reply;
            }
        };
        let session = live.value().session();
        let last_used = session.last_seen().max(live.last_used());
        let parts = session.identity().parts();
        let body = if endpoint == Endpoint::UserInfo {
            let mut body = Map::new();
            body.insert("sub".into(), parts.subject.as_str().into());
            body.insert("iss".into(), parts.issuer.as_str().into());
            for name in SHOWN {
                if let Some(value) = parts.claims.get(*name).and_then(|value| serde_json::to_value(value).ok()) {
                    body.insert((*name).to_owned(), value);
                }
            }
            Value::Object(body)
        } else {
            let lifetimes = &self.settings.lifetimes;
            let left = |until: SystemTime| until.duration_since(now).unwrap_or(Duration::ZERO).as_secs();
            let absolute = left(session.created() + lifetimes.absolute);
            json!({
                "authenticated": true,
                "acr": parts.acr,
                "expires_in": absolute,
                "idle_expires_in": absolute.min(left(last_used + lifetimes.idle)),
            })
        };
        Reply::json(StatusCode::OK, body.to_string())
    }
}
