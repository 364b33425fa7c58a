//! Every way of saying no: whose fault it is, which status it has, and what the person is told.
//!
//! The browser learns a code, plain words and an id; the log learns the reason. No refusal carries text that came from
//! a browser, a carrier or a store.

mod code;
mod exit;
mod messages;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{HeaderValue, Method, header};

pub(super) use self::exit::Denied;
pub use self::exit::{Recipient, RefusalExit, Refused};
pub use self::messages::Message;
pub(in crate::auth) use self::messages::Way;
use crate::web::page::{Action, ErrorPage, error_json, error_page, error_page_to_reload};
use crate::web::{Reply, RequestView};

/// Why a request or a sign-in was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The person keeps an attribute back that the page needs.
    AttributeMissing,
    /// The sign-in took longer than an attempt lives.
    AttemptExpired,
    /// The state is unknown, used up, or belongs to another browser.
    AttemptUnknown,
    /// The request's body is larger than its route takes.
    BodyTooLarge,
    /// The callback itself is malformed: doubled, missing, oversized or contradicting parameters.
    CallbackMalformed,
    /// The answer came from another issuer or carrier than the one that was asked (mix-up).
    CarrierMismatch,
    /// The carrier does not know this person, also after asking for the carrier anew.
    CarrierUnknownPerson,
    /// The client owed us bytes and did not send them.
    ClientTooSlow,
    /// The browser signs in again and again and never brings our cookie back.
    CookieLost,
    /// The person, or the carrier for them, said no.
    Declined,
    /// The carrier could not reach the phone.
    DeviceUnavailable,
    /// The head of the request is larger than its limits.
    HeadTooLarge,
    /// A defect of ours.
    Internal,
    /// The route is closed for a while; when to ask again.
    Maintenance(Option<Duration>),
    /// A request of ours that only `GET` may make.
    MethodNotAllowed,
    /// A method that is never passed on.
    MethodNotServed,
    /// The carrier's check on the phone failed.
    NetworkFailure,
    /// No route covers the path.
    NoRoute,
    /// No page of ours has this address.
    NotFound,
    /// The carrier said no in words we do not know.
    NotSignedIn,
    /// Somebody who is signed in was to confirm, and somebody else did.
    OtherPerson,
    /// The session is good, but the route demands more than it has.
    PolicyUnmet,
    /// The provider's answer is invalid, or not to be trusted.
    ProviderInvalid,
    /// The provider refused what we asked: our registration or configuration is wrong.
    ProviderRefused,
    /// The provider did not answer in time.
    ProviderTimeout,
    /// The provider cannot be reached or says it is overloaded.
    ProviderUnavailable(Option<Duration>),
    /// The request cannot be read in exactly one way.
    RequestMalformed,
    /// The access token is good, but lacks a scope of the route.
    ScopeMissing,
    /// More than one `Authorization`.
    SeveralCredentials,
    /// A form was sent to us from another site.
    SignOutForeign,
    /// The person's SIM is new, or nobody says whether it is, and the page is not for them.
    SimUnmet,
    /// The session store is away, and no more sign-outs can be kept for it: this one must be asked for again.
    SignOutNotKept,
    /// The session has ended here and in this browser; the session store is away and will be told.
    SignOutUnheard,
    /// The session, or the token, is good, but of a sign-in that is too weak or too long ago for the route.
    StepUpNeeded,
    /// The session store takes nothing new: a sign-in could not be kept.
    StoreNotWritable,
    /// The session store does not answer.
    StoreUnavailable,
    /// The address is longer than its limit.
    TargetTooLong,
    /// The person did not answer on the phone in time.
    TimedOut,
    /// The access token is not good here; the log says why.
    TokenInvalid,
    /// The route takes access tokens, and there is none.
    TokenMissing,
    /// Too many forged access tokens came from this client.
    TooManyFailures(Duration),
    /// There is no session, and whoever asks cannot be sent to sign in.
    Unauthenticated,
    /// Another site tried to have somebody link their sign-in.
    LinkForeign,
    /// A ticket for the link page that is used up, too old, or not ours; or a browser that brought none.
    LinkUnknown,
    /// The person is linked to another account than the app vouches for.
    LinkedElsewhere,
    /// The account has as many people as it may have.
    TooManySubjects,
    /// A person who is linked to no account of the app wants a page that is for those who are.
    UnlinkedUser,
    /// The issuer named by the link that began the sign-in is not one of ours.
    UnknownIssuer,
    /// A host that no route names.
    UnknownHost,
    /// One client began more sign-ins than it may; how long until it may begin another.
    TooManySignIns(Duration),
    /// The person has no app of the carrier on the phone.
    Unsupported,
    /// The app behind us did not answer in time.
    UpstreamTimeout,
    /// The app behind us cannot be reached, or broke off.
    UpstreamUnavailable,
    /// The sign-in was weaker than what was asked for.
    WeakSignIn,
    /// A page of another origin, or a program without a token, opened a WebSocket.
    WebSocketForeign,
}

/// The path under which `start`, the address that begins a sign-in, and all other addresses of ours lie.
fn beside(start: &str) -> &str {
    let path = start.split('?').next().unwrap_or_default();
    path.rfind('/').map_or(path, |last| &path[..=last])
}

/// What a sign-in can be refused with when its browser comes back.
const OF_SIGN_IN: [Refusal; 19] = [
    Refusal::AttemptExpired,
    Refusal::AttemptUnknown,
    Refusal::CallbackMalformed,
    Refusal::CarrierMismatch,
    Refusal::CarrierUnknownPerson,
    Refusal::Declined,
    Refusal::DeviceUnavailable,
    Refusal::NetworkFailure,
    Refusal::NotSignedIn,
    Refusal::OtherPerson,
    Refusal::ProviderInvalid,
    Refusal::ProviderRefused,
    Refusal::ProviderTimeout,
    Refusal::ProviderUnavailable(None),
    Refusal::StoreNotWritable,
    Refusal::StoreUnavailable,
    Refusal::TimedOut,
    Refusal::Unsupported,
    Refusal::WeakSignIn,
];

impl Refusal {
    /// The refusal of a sign-in that has this code; `None` for every other text.
    pub(in crate::auth) fn of_sign_in(code: &str) -> Option<Self> {
        OF_SIGN_IN.into_iter().find(|refusal| refusal.message().code == code)
    }

    /// The reply: a page for a person who is looking at it, JSON for everything else. Starting again leads to `start`.
    pub(in crate::auth) fn reply(self, view: &RequestView<'_>, start: &str) -> Reply {
        self.reply_in(&[], view, start)
    }

    /// The same; `words` are texts that are read in place of the common ones, by codes.
    pub(in crate::auth) fn reply_in(
        self,
        words: &[(&'static str, &'static str)],
        view: &RequestView<'_>,
        start: &str,
    ) -> Reply {
        let message = self.message();
        let own = words.iter().find(|(code, _)| *code == message.code);
        let message = own.map_or(message, |(_, text)| Message { text, ..message });
        let mut reply = if view.wants_html() {
            let start = Action { label: "Start again", href: start };
            let action = match message.way {
                Way::Start => Some(start),
                Way::Reload if view.target.path().starts_with(beside(start.href)) => Some(start),
                Way::Home => Some(Action { label: "Start page", href: "/" }),
                Way::Reload | Way::Nothing => None,
            };
            let page = ErrorPage {
                status: message.status,
                title: message.title,
                text: message.text,
                code: message.code,
                request_id: view.request_id,
                action,
            };
            match message.way {
                Way::Reload if page.action.is_none() && view.method == Method::GET => error_page_to_reload(page),
                _ => error_page(page),
            }
        } else {
            let start = (message.way == Way::Start).then_some(start);
            error_json(message.status, message.code, view.request_id, start)
        };
        self.advise(&mut reply);
        reply
    }

    /// The reply to a program that brought an access token: JSON, nothing of the request in it.
    fn plain_reply(self, request_id: &str) -> Reply {
        let message = self.message();
        let mut reply = error_json(message.status, message.code, request_id, None);
        self.advise(&mut reply);
        reply
    }

    /// Says when or how to try again.
    fn advise(self, reply: &mut Reply) {
        match self {
            Self::SignOutNotKept | Self::SignOutUnheard | Self::StoreUnavailable => {
                reply.set(header::RETRY_AFTER, HeaderValue::from_static("5"))
            }
            Self::StoreNotWritable => reply.set(header::RETRY_AFTER, HeaderValue::from_static("30")),
            Self::TooManySignIns(wait) => {
                let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
                reply.set(header::RETRY_AFTER, HeaderValue::from(seconds.clamp(1, 60)));
            }
            Self::ProviderUnavailable(after) => {
                let seconds = after.map_or(10, |after| after.as_secs().clamp(1, 60));
                reply.set(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Self::TooManyFailures(wait) => {
                reply.set(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().clamp(1, 60)));
            }
            Self::Maintenance(Some(after)) => reply.set(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1))),
            Self::MethodNotAllowed => reply.set(header::ALLOW, HeaderValue::from_static("GET")),
            _ => {}
        }
    }

    /// The reply to a request that could not even be judged: nothing of the request in it, no way on.
    fn unjudged_reply(self, request_id: &str, wants_html: bool) -> Reply {
        let Message { status, code, title, text, .. } = self.message();
        if wants_html {
            return error_page(ErrorPage { status, title, text, code, request_id, action: None });
        }
        error_json(status, code, request_id, None)
    }

    /// Whether the app behind us is at fault.
    pub fn is_upstreams(self) -> bool {
        matches!(self, Self::UpstreamTimeout | Self::UpstreamUnavailable)
    }
}
