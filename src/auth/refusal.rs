//! Every way of saying no: whose fault it is, which status it has, and what the person is told.
//!
//! The browser learns a code, plain words and an id; the log learns the reason. No refusal carries text that came from
//! a browser, a carrier or a store.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};

use crate::web::page::{Action, ErrorPage, error_json, error_page};
use crate::web::{Reply, RequestView};

/// Why a request or a sign-in was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
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
    /// As many sign-ins are under way as there may be.
    SignInsFull,
    /// A form was sent to us from another site.
    SignOutForeign,
    /// The session has ended here and in this browser, but the session store did not hear of it.
    SignOutUnheard,
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
}

/// What a refusal looks like from outside.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Status.
    pub status: StatusCode,
    /// Machine word: in JSON, logs and metrics.
    pub code: &'static str,
    /// Heading.
    pub title: &'static str,
    /// What happened, whose fault it is, what to do next.
    pub text: &'static str,
    /// Whether starting again may help.
    pub again: bool,
}

const fn words(status: StatusCode, code: &'static str, title: &'static str, text: &'static str, again: bool) -> Words {
    Words { status, code, title, text, again }
}

impl Refusal {
    /// Status, code and words. One table, so that documentation and pages cannot drift apart.
    pub fn words(self) -> Words {
        use StatusCode as S;
        match self {
            Self::AttemptExpired => words(
                S::BAD_REQUEST,
                "login_expired",
                "That took too long",
                "This sign-in was started too long ago. Nothing is lost: start again.",
                true,
            ),
            Self::AttemptUnknown => words(
                S::BAD_REQUEST,
                "login_unknown",
                "This sign-in cannot go on",
                "It was already finished, or it was started in another browser, or this browser did not keep our cookie. Start again here.",
                true,
            ),
            Self::BodyTooLarge => words(
                S::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "That is too large",
                "What you sent is larger than this site takes. Send less at once.",
                false,
            ),
            Self::CallbackMalformed => words(
                S::BAD_REQUEST,
                "callback_malformed",
                "This answer cannot be read",
                "The address that brought you here is damaged. Start again.",
                true,
            ),
            Self::CarrierMismatch => words(
                S::BAD_REQUEST,
                "carrier_mismatch",
                "The answer came from somebody else",
                "Another provider answered than the one we asked. For your safety the sign-in was stopped.",
                true,
            ),
            Self::CarrierUnknownPerson => words(
                S::FORBIDDEN,
                "user_not_found",
                "Your carrier does not know you yet",
                "The carrier found no ZenKey account for this phone. Set it up in your carrier's app, or choose another phone.",
                true,
            ),
            Self::ClientTooSlow => words(
                S::REQUEST_TIMEOUT,
                "client_too_slow",
                "That took too long",
                "What you sent stopped arriving. Check your connection and send it again.",
                false,
            ),
            Self::CookieLost => words(
                S::BAD_REQUEST,
                "cookie_lost",
                "Your browser does not keep our cookie",
                "You signed in several times, but your browser brought no cookie back. Allow cookies for this site and check the clock of this device.",
                true,
            ),
            Self::Declined => words(
                S::FORBIDDEN,
                "access_denied",
                "You were not signed in",
                "The request to sign you in was declined. If you did not ask for it, you need do nothing. Otherwise start again.",
                true,
            ),
            Self::DeviceUnavailable => words(
                S::FORBIDDEN,
                "device_unavailable",
                "Your phone could not be reached",
                "Make sure that it is switched on and has a connection, then try again.",
                true,
            ),
            Self::HeadTooLarge => words(
                S::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head_too_large",
                "Your browser sent too much",
                "The cookies or headers are too large. Clear the cookies of this site and try again.",
                false,
            ),
            Self::Internal => words(
                S::INTERNAL_SERVER_ERROR,
                "internal",
                "Something broke on our side",
                "This is not your fault. Please tell whoever runs this site, with the id below.",
                false,
            ),
            Self::MethodNotAllowed => words(
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Not this way",
                "This address cannot be used in this way. Open it from the app again.",
                false,
            ),
            Self::MethodNotServed => words(
                S::METHOD_NOT_ALLOWED,
                "method_not_served",
                "Not this way",
                "This kind of request is not served here.",
                false,
            ),
            Self::NetworkFailure => words(
                S::FORBIDDEN,
                "network_failure",
                "Your phone could not be checked",
                "The carrier could not verify the SIM. Check the phone's connection, then try again.",
                true,
            ),
            Self::NoRoute => words(
                S::FORBIDDEN,
                "no_route",
                "No such page",
                "This site has no page at this address. Check the address.",
                false,
            ),
            Self::NotFound => words(S::NOT_FOUND, "not_found", "No such page", "This address does not exist.", false),
            Self::NotSignedIn => words(
                S::FORBIDDEN,
                "not_signed_in",
                "You were not signed in",
                "You were not signed in, and no reason that we know was given. Try again, or another way.",
                true,
            ),
            Self::PolicyUnmet => words(
                S::FORBIDDEN,
                "policy_unmet",
                "You may not open this page",
                "You are signed in, but this page asks for more than your sign-in has. Ask whoever runs this site.",
                false,
            ),
            Self::ProviderInvalid => words(
                S::BAD_GATEWAY,
                "provider_invalid",
                "The answer was not valid",
                "The sign-in service sent an answer that could not be verified. This is not your fault. Try again later.",
                true,
            ),
            Self::ProviderRefused => words(
                S::BAD_GATEWAY,
                "provider_refused",
                "This site is not set up correctly",
                "The sign-in service refused it. This is not your fault. Please tell whoever runs this site, with the id below.",
                true,
            ),
            Self::ProviderTimeout => words(
                S::GATEWAY_TIMEOUT,
                "provider_timeout",
                "The sign-in service did not answer",
                "It took too long, so you were not signed in. This is not your fault. Try again in a moment.",
                true,
            ),
            Self::ProviderUnavailable(_) => words(
                S::SERVICE_UNAVAILABLE,
                "provider_unavailable",
                "Signing in does not work right now",
                "The sign-in service cannot be reached. Whoever is signed in stays so. Try again in a minute.",
                true,
            ),
            Self::RequestMalformed => words(
                S::BAD_REQUEST,
                "request_malformed",
                "This request cannot be read",
                "The address or the request is malformed. Check the address you opened.",
                false,
            ),
            Self::SignInsFull => words(
                S::SERVICE_UNAVAILABLE,
                "sign_ins_full",
                "Too many people are signing in",
                "This site cannot take another sign-in right now. Whoever is signed in stays so. Try again in a few minutes.",
                true,
            ),
            Self::ScopeMissing => words(
                S::FORBIDDEN,
                "insufficient_scope",
                "Not with this token",
                "The access token lacks a scope that is needed here. Ask for one that has it.",
                false,
            ),
            Self::SeveralCredentials => words(
                S::BAD_REQUEST,
                "invalid_request",
                "That cannot be read",
                "The request carries more than one set of credentials. Send one.",
                false,
            ),
            Self::SignOutForeign => words(
                S::FORBIDDEN,
                "cross_site",
                "This came from another site",
                "Another site tried to sign you out. Nothing was changed.",
                false,
            ),
            Self::SignOutUnheard => words(
                S::SERVICE_UNAVAILABLE,
                "sign_out_unheard",
                "You are signed out in this browser",
                "A part of this site is down, so other parts may not know yet. To be sure, sign in and out again in a few minutes.",
                false,
            ),
            Self::StoreUnavailable => words(
                S::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "We cannot look you up right now",
                "A part of this site is down. If you were signed in, you still are. Try again in a minute.",
                false,
            ),
            Self::TargetTooLong => words(
                S::URI_TOO_LONG,
                "target_too_long",
                "This address is too long",
                "The address you opened is longer than this site takes.",
                false,
            ),
            Self::TimedOut => words(
                S::FORBIDDEN,
                "authentication_timed_out",
                "No answer from your phone",
                "The request on your phone was not answered in time. Try again and have the phone at hand.",
                true,
            ),
            Self::TooManySignIns(_) => words(
                S::TOO_MANY_REQUESTS,
                "too_many_sign_ins",
                "Too many sign-ins at once",
                "More sign-ins were started from your network than this site takes in so short a time. Wait a minute, then try again.",
                true,
            ),
            Self::UnknownHost => words(
                S::MISDIRECTED_REQUEST,
                "unknown_host",
                "No such site here",
                "This server does not serve the site you asked for.",
                false,
            ),
            Self::TokenInvalid => words(
                S::UNAUTHORIZED,
                "invalid_token",
                "Not with this token",
                "The access token is not good here, or not any more. Ask for a new one.",
                false,
            ),
            Self::TokenMissing => words(
                S::UNAUTHORIZED,
                "unauthenticated",
                "This is for programs",
                "An access token is needed here, in the Authorization header.",
                false,
            ),
            Self::TooManyFailures(_) => words(
                S::TOO_MANY_REQUESTS,
                "too_many_failures",
                "Too many bad tokens",
                "Too many access tokens from your address were not good. Wait a moment.",
                false,
            ),
            Self::UnknownIssuer => words(
                S::BAD_REQUEST,
                "unknown_issuer",
                "This sign-in is not offered here",
                "The link that brought you here asks for a sign-in service that this site does not use.",
                true,
            ),
            Self::Unsupported => words(
                S::FORBIDDEN,
                "user_unsupported",
                "Your phone is not set up for this",
                "Install your carrier's ZenKey app, set it up, then try again.",
                true,
            ),
            Self::UpstreamTimeout => words(
                S::GATEWAY_TIMEOUT,
                "upstream_timeout",
                "The app did not answer",
                "The app behind this page took too long. Try again in a moment.",
                false,
            ),
            Self::UpstreamUnavailable => words(
                S::BAD_GATEWAY,
                "upstream_unavailable",
                "The app is not there",
                "The app behind this page cannot be reached. This is not your fault. Try again in a moment.",
                false,
            ),
            Self::WeakSignIn => words(
                S::FORBIDDEN,
                "acr_unmet",
                "A stronger sign-in is needed",
                "This site asks for more than you confirmed with, such as a PIN or a fingerprint. Try again and use it.",
                true,
            ),
        }
    }

    /// The reply: a page for a person who is looking at it, JSON for everything else.
    pub fn reply(self, view: &RequestView<'_>, prefix: &str) -> Reply {
        self.reply_with(view, &format!("{prefix}/start"))
    }

    /// As [`Refusal::reply`], where starting again leads to `start`: back to the page that was asked for.
    pub fn reply_with(self, view: &RequestView<'_>, start: &str) -> Reply {
        let words = self.words();
        let mut reply = if view.wants_html() {
            let action = words.again.then_some(Action { label: "Start again", href: start });
            error_page(ErrorPage {
                status: words.status,
                title: words.title,
                text: words.text,
                code: words.code,
                request_id: view.request_id,
                action,
            })
        } else {
            error_json(words.status, words.code, view.request_id, words.again.then_some(start))
        };
        self.advise(&mut reply);
        reply
    }

    /// The reply to a program that brought an access token: JSON, nothing of the request in it.
    pub fn plain_reply(self, request_id: &str) -> Reply {
        let words = self.words();
        let mut reply = error_json(words.status, words.code, request_id, None);
        self.advise(&mut reply);
        reply
    }

    /// Says when or how to try again.
    fn advise(self, reply: &mut Reply) {
        match self {
            Self::SignInsFull | Self::SignOutUnheard | Self::StoreUnavailable => {
                reply.set(header::RETRY_AFTER, HeaderValue::from_static("5"))
            }
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
            Self::MethodNotAllowed => reply.set(header::ALLOW, HeaderValue::from_static("GET")),
            _ => {}
        }
    }

    /// The reply to a request that could not even be judged: nothing of the request in it, no way on.
    pub fn unjudged_reply(self, request_id: &str, wants_html: bool) -> Reply {
        let Words { status, code, title, text, .. } = self.words();
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
