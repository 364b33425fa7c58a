//! What each refusal is called and what the person reads. docs/REFUSALS.md says of each what whoever runs the gateway
//! can do; a test compares the two.

use http::StatusCode;

use super::Refusal;

/// What a refusal looks like from outside.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    /// Status.
    pub status: StatusCode,
    /// Machine word: in JSON, logs and metrics.
    pub code: &'static str,
    /// Heading.
    pub title: &'static str,
    /// What happened, whose fault it is, what to do next.
    pub text: &'static str,
    /// What the person can do about it with one click.
    pub way: Way,
}

/// What a person can do about a refusal with one click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Begin another sign-in for the page.
    Start,
    /// Ask for the same page once more. What was sent by a form is not sent again.
    Reload,
    /// Go to the site's start page.
    Home,
    /// Nothing: the text says what else, or a program reads it.
    Nothing,
}

const fn message(status: StatusCode, code: &'static str, title: &'static str, text: &'static str, way: Way) -> Message {
    Message { status, code, title, text, way }
}

impl Refusal {
    /// Status, code and words. One table, so that documentation and pages cannot drift apart.
    pub fn message(self) -> Message {
        use StatusCode as S;
        use Way as W;
        match self {
            Self::AttemptExpired => message(
                S::BAD_REQUEST,
                "login_expired",
                "That took too long",
                "This sign-in was started too long ago. Nothing is lost: start again.",
                W::Start,
            ),
            Self::AttemptUnknown => message(
                S::BAD_REQUEST,
                "login_unknown",
                "This sign-in cannot go on",
                "It was already finished, or it was started in another browser, or this browser did not keep our cookie. Start again here.",
                W::Start,
            ),
            Self::BodyTooLarge => message(
                S::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "That is too large",
                "What you sent is larger than this site takes. Send less at once.",
                W::Nothing,
            ),
            Self::CallbackMalformed => message(
                S::BAD_REQUEST,
                "callback_malformed",
                "This answer cannot be read",
                "The address that brought you here is damaged. Start again.",
                W::Start,
            ),
            Self::CarrierMismatch => message(
                S::BAD_REQUEST,
                "carrier_mismatch",
                "The answer came from somebody else",
                "Another provider answered than the one we asked. For your safety the sign-in was stopped.",
                W::Start,
            ),
            Self::CarrierUnknownPerson => message(
                S::FORBIDDEN,
                "user_not_found",
                "You are not known there yet",
                "The sign-in service found no account for you or for your phone. Set it up there, or choose another one.",
                W::Start,
            ),
            Self::ClientTooSlow => message(
                S::REQUEST_TIMEOUT,
                "client_too_slow",
                "That took too long",
                "What you sent stopped arriving. Check your connection and send it again.",
                W::Nothing,
            ),
            Self::CookieLost => message(
                S::BAD_REQUEST,
                "cookie_lost",
                "Your browser does not keep our cookie",
                "You signed in several times, but your browser brought no cookie back. Allow cookies for this site and check the clock of this device.",
                W::Start,
            ),
            Self::Declined => message(
                S::FORBIDDEN,
                "access_denied",
                "You were not signed in",
                "The request to sign you in was declined. If you did not ask for it, you need do nothing. Otherwise start again.",
                W::Start,
            ),
            Self::DeviceUnavailable => message(
                S::FORBIDDEN,
                "device_unavailable",
                "Your phone could not be reached",
                "Make sure that it is switched on and has a connection, then try again.",
                W::Start,
            ),
            Self::HeadTooLarge => message(
                S::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head_too_large",
                "Your browser sent too much",
                "The cookies or headers are too large. Clear the cookies of this site and try again.",
                W::Nothing,
            ),
            Self::Internal => message(
                S::INTERNAL_SERVER_ERROR,
                "internal",
                "Something broke on our side",
                "This is not your fault. Please tell whoever runs this site, with the id below.",
                W::Reload,
            ),
            Self::MethodNotAllowed => message(
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed",
                "This address cannot be used in this way. Open it from the app again.",
                W::Home,
            ),
            Self::MethodNotServed => message(
                S::METHOD_NOT_ALLOWED,
                "method_not_served",
                "Method not allowed",
                "This kind of request is not served here.",
                W::Nothing,
            ),
            Self::NetworkFailure => message(
                S::FORBIDDEN,
                "network_failure",
                "Your phone could not be checked",
                "The carrier could not verify the SIM. Check the phone's connection, then try again.",
                W::Start,
            ),
            Self::NoRoute => message(
                S::FORBIDDEN,
                "no_route",
                "No such page",
                "This site has no page at this address. Check the address.",
                W::Home,
            ),
            Self::NotFound => {
                message(S::NOT_FOUND, "not_found", "No such page", "This address does not exist.", W::Home)
            }
            Self::NotSignedIn => message(
                S::FORBIDDEN,
                "not_signed_in",
                "You were not signed in",
                "You were not signed in, and the provider gave no reason that is known here. Try again, or another way.",
                W::Start,
            ),
            Self::OtherPerson => message(
                S::FORBIDDEN,
                "other_person",
                "That was somebody else",
                "The person who is signed in here was asked to confirm, and somebody else did. Nothing was changed. Start again, or sign out first.",
                W::Start,
            ),
            Self::PolicyUnmet => message(
                S::FORBIDDEN,
                "policy_unmet",
                "You may not open this page",
                "You are signed in, but this page asks for more than your sign-in has. Ask whoever runs this site.",
                W::Nothing,
            ),
            Self::ProviderInvalid => message(
                S::BAD_GATEWAY,
                "provider_invalid",
                "The answer was not valid",
                "The sign-in service sent an answer that could not be verified. This is not your fault. Try again later.",
                W::Start,
            ),
            Self::ProviderRefused => message(
                S::BAD_GATEWAY,
                "provider_refused",
                "This site is not set up correctly",
                "Nobody can sign in until it is. This is not your fault. Please tell whoever runs this site, with the id below.",
                W::Home,
            ),
            Self::ProviderTimeout => message(
                S::GATEWAY_TIMEOUT,
                "provider_timeout",
                "The sign-in service did not answer",
                "It took too long, so you were not signed in. This is not your fault. Try again in a moment.",
                W::Start,
            ),
            Self::ProviderUnavailable(_) => message(
                S::SERVICE_UNAVAILABLE,
                "provider_unavailable",
                "Signing in does not work right now",
                "The sign-in service cannot be reached. People who are signed in are not affected. Try again in a minute.",
                W::Start,
            ),
            Self::RequestMalformed => message(
                S::BAD_REQUEST,
                "request_malformed",
                "This request cannot be read",
                "The address or the request is malformed. Check the address you opened.",
                W::Home,
            ),
            Self::ScopeMissing => message(
                S::FORBIDDEN,
                "insufficient_scope",
                "Not with this token",
                "The access token lacks a scope that is needed here. Ask for one that has it.",
                W::Nothing,
            ),
            Self::SeveralCredentials => message(
                S::BAD_REQUEST,
                "invalid_request",
                "That cannot be read",
                "The request carries more than one set of credentials. Send one.",
                W::Nothing,
            ),
            Self::SignOutForeign => message(
                S::FORBIDDEN,
                "cross_site",
                "This came from another site",
                "Another site tried to sign you out. Nothing was changed.",
                W::Home,
            ),
            Self::SignOutNotKept => message(
                S::SERVICE_UNAVAILABLE,
                "sign_out_not_kept",
                "You may still be signed in",
                "A part of this site is down, and it cannot note your sign-out for later. Go back and sign out again in a few minutes.",
                W::Nothing,
            ),
            Self::SignOutUnheard => message(
                S::SERVICE_UNAVAILABLE,
                "sign_out_unheard",
                "You are signed out in this browser",
                "A part of this site is down, so other parts do not know yet. They are told as soon as it is back. There is nothing you need to do.",
                W::Nothing,
            ),
            Self::StepUpNeeded => message(
                S::UNAUTHORIZED,
                "insufficient_user_authentication",
                "Confirm that it is you",
                "You are signed in, but this asks you to confirm who you are. What you sent was not passed on: go back and copy it, confirm, then send it again.",
                W::Start,
            ),
            Self::StoreNotWritable => message(
                S::SERVICE_UNAVAILABLE,
                "store_not_writable",
                "Signing in does not work right now",
                "This site cannot keep new sign-ins at the moment. People who are signed in are not affected. Try again in a few minutes.",
                W::Start,
            ),
            Self::StoreUnavailable => message(
                S::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "We cannot look you up right now",
                "A part of this site is down. If you were signed in, you still are. Try again in a minute.",
                W::Reload,
            ),
            Self::TargetTooLong => message(
                S::URI_TOO_LONG,
                "target_too_long",
                "This address is too long",
                "The address you opened is longer than this site takes.",
                W::Home,
            ),
            Self::TimedOut => message(
                S::FORBIDDEN,
                "authentication_timed_out",
                "No answer from your phone",
                "The request on your phone was not answered in time. Try again and have the phone at hand.",
                W::Start,
            ),
            Self::TooManySignIns(_) => message(
                S::TOO_MANY_REQUESTS,
                "too_many_sign_ins",
                "Too many sign-ins at once",
                "More sign-ins were started from your network than this site takes in so short a time. Wait a minute, then try again.",
                W::Start,
            ),
            Self::Unauthenticated => message(
                S::UNAUTHORIZED,
                "unauthenticated",
                "You are not signed in",
                "What you sent was not passed on. Go back and copy it, sign in, then send it again.",
                W::Start,
            ),
            Self::UnknownHost => message(
                S::MISDIRECTED_REQUEST,
                "unknown_host",
                "No such site here",
                "This server does not serve the site you asked for.",
                W::Nothing,
            ),
            Self::TokenInvalid => message(
                S::UNAUTHORIZED,
                "invalid_token",
                "Not with this token",
                "The access token is not good here, or not any more. Ask for a new one.",
                W::Nothing,
            ),
            Self::TokenMissing => message(
                S::UNAUTHORIZED,
                "unauthenticated",
                "This is for programs",
                "An access token is needed here, in the Authorization header.",
                W::Nothing,
            ),
            Self::TooManyFailures(_) => message(
                S::TOO_MANY_REQUESTS,
                "too_many_failures",
                "Too many bad tokens",
                "Too many access tokens from your address were not good. Wait a moment.",
                W::Nothing,
            ),
            Self::UnknownIssuer => message(
                S::BAD_REQUEST,
                "unknown_issuer",
                "This sign-in is not offered here",
                "The link that brought you here asks for a sign-in service that this site does not use.",
                W::Start,
            ),
            Self::LinkForeign => message(
                S::FORBIDDEN,
                "link_cross_site",
                "This came from another site",
                "Another site tried to link your sign-in to an account. Nothing was changed.",
                W::Home,
            ),
            Self::LinkUnknown => message(
                S::BAD_REQUEST,
                "link_unknown",
                "This link cannot be used",
                "It was used before, or it is too old, or it was opened in another browser. Go back to the site and start from your account there.",
                W::Home,
            ),
            Self::LinkedElsewhere => message(
                S::CONFLICT,
                "linked_elsewhere",
                "This sign-in belongs to another account",
                "Your sign-in is linked to another account of this site, so nothing was changed. Whoever runs the site can change that.",
                W::Home,
            ),
            Self::TooManySubjects => message(
                S::CONFLICT,
                "too_many_subjects",
                "This account has enough sign-ins",
                "As many sign-ins as this site allows are linked to the account. Whoever runs the site can take one away.",
                W::Home,
            ),
            Self::UnlinkedUser => message(
                S::FORBIDDEN,
                "unlinked_user",
                "You have no account here yet",
                "You are signed in, but this site does not know yet which account is yours. Whoever runs it can link it to your sign-in.",
                W::Nothing,
            ),
            Self::Unsupported => message(
                S::FORBIDDEN,
                "user_unsupported",
                "Your phone is not set up for this",
                "Install your carrier's app, set it up, then try again.",
                W::Start,
            ),
            Self::UpstreamTimeout => message(
                S::GATEWAY_TIMEOUT,
                "upstream_timeout",
                "The app did not answer",
                "The app behind this page took too long. Try again in a moment.",
                W::Reload,
            ),
            Self::UpstreamUnavailable => message(
                S::BAD_GATEWAY,
                "upstream_unavailable",
                "The app is not there",
                "The app behind this page cannot be reached. This is not your fault. Try again in a moment.",
                W::Reload,
            ),
            Self::WeakSignIn => message(
                S::FORBIDDEN,
                "acr_unmet",
                "A stronger sign-in is needed",
                "This site asks that you confirm who you are in a stronger way than you did. Try again, and use it.",
                W::Start,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    // FD20: whoever reads a page can do something about it, or is told that it is not theirs to do.
    #[test]
    fn every_refusal_that_a_person_reads_has_a_way_on() {
        let of_programs = ["invalid_request", "invalid_token", "insufficient_scope", "too_many_failures"];
        // The browser's Back, or the text itself, is the way on.
        let said = [
            "body_too_large",
            "client_too_slow",
            "head_too_large",
            "method_not_served",
            "policy_unmet",
            "sign_out_not_kept",
            "sign_out_unheard",
            "unknown_host",
            "unlinked_user",
        ];
        let all = [
            Refusal::AttemptExpired,
            Refusal::AttemptUnknown,
            Refusal::BodyTooLarge,
            Refusal::CallbackMalformed,
            Refusal::CarrierMismatch,
            Refusal::CarrierUnknownPerson,
            Refusal::ClientTooSlow,
            Refusal::CookieLost,
            Refusal::Declined,
            Refusal::DeviceUnavailable,
            Refusal::HeadTooLarge,
            Refusal::Internal,
            Refusal::MethodNotAllowed,
            Refusal::MethodNotServed,
            Refusal::NetworkFailure,
            Refusal::NoRoute,
            Refusal::NotFound,
            Refusal::NotSignedIn,
            Refusal::OtherPerson,
            Refusal::PolicyUnmet,
            Refusal::ProviderInvalid,
            Refusal::ProviderRefused,
            Refusal::ProviderTimeout,
            Refusal::ProviderUnavailable(None),
            Refusal::RequestMalformed,
            Refusal::ScopeMissing,
            Refusal::SeveralCredentials,
            Refusal::SignOutForeign,
            Refusal::SignOutNotKept,
            Refusal::SignOutUnheard,
            Refusal::StepUpNeeded,
            Refusal::StoreNotWritable,
            Refusal::StoreUnavailable,
            Refusal::TargetTooLong,
            Refusal::TimedOut,
            Refusal::TooManySignIns(Duration::ZERO),
            Refusal::Unauthenticated,
            Refusal::UnknownHost,
            Refusal::TokenInvalid,
            Refusal::TokenMissing,
            Refusal::TooManyFailures(Duration::ZERO),
            Refusal::UnknownIssuer,
            Refusal::LinkForeign,
            Refusal::LinkUnknown,
            Refusal::LinkedElsewhere,
            Refusal::TooManySubjects,
            Refusal::UnlinkedUser,
            Refusal::Unsupported,
            Refusal::UpstreamTimeout,
            Refusal::UpstreamUnavailable,
            Refusal::WeakSignIn,
        ];
        for refusal in all {
            let message = refusal.message();
            let may_be_without = of_programs.contains(&message.code)
                || said.contains(&message.code)
                || matches!(refusal, Refusal::TokenMissing);
            assert_eq!(message.way == Way::Nothing, may_be_without, "{}", message.code);
            // What the operator has to mend is no reason to begin again and again.
            if message.code == "provider_refused" {
                assert_ne!(message.way, Way::Start);
            }
        }
    }
}
