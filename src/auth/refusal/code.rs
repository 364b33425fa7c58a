//! What each refusal is called by machines: status, and the word in JSON, logs and metrics. docs/REFUSALS.md says of each
//! what whoever runs the gateway can do; a test compares the two.

use http::StatusCode;

use super::Refusal;

impl Refusal {
    /// Status, and the machine word.
    pub(super) fn code(self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::AttributeMissing => (S::FORBIDDEN, "attribute_missing"),
            Self::AttemptExpired => (S::BAD_REQUEST, "login_expired"),
            Self::AttemptUnknown => (S::BAD_REQUEST, "login_unknown"),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::CallbackMalformed => (S::BAD_REQUEST, "callback_malformed"),
            Self::CarrierMismatch => (S::BAD_REQUEST, "carrier_mismatch"),
            Self::CarrierUnknownPerson => (S::FORBIDDEN, "user_not_found"),
            Self::ClientTooSlow => (S::REQUEST_TIMEOUT, "client_too_slow"),
            Self::CookieLost => (S::BAD_REQUEST, "cookie_lost"),
            Self::Declined => (S::FORBIDDEN, "access_denied"),
            Self::DeviceUnavailable => (S::FORBIDDEN, "device_unavailable"),
            Self::HeadTooLarge => (S::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large"),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal"),
            Self::Maintenance(_) => (S::SERVICE_UNAVAILABLE, "maintenance"),
            Self::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::MethodNotServed => (S::METHOD_NOT_ALLOWED, "method_not_served"),
            Self::NetworkFailure => (S::FORBIDDEN, "network_failure"),
            Self::NoRoute => (S::FORBIDDEN, "no_route"),
            Self::NotFound => (S::NOT_FOUND, "not_found"),
            Self::NotSignedIn => (S::FORBIDDEN, "not_signed_in"),
            Self::OtherPerson => (S::FORBIDDEN, "other_person"),
            Self::PolicyUnmet => (S::FORBIDDEN, "policy_unmet"),
            Self::SimUnmet => (S::FORBIDDEN, "sim_unmet"),
            Self::ProviderInvalid => (S::BAD_GATEWAY, "provider_invalid"),
            Self::ProviderRefused => (S::BAD_GATEWAY, "provider_refused"),
            Self::ProviderTimeout => (S::GATEWAY_TIMEOUT, "provider_timeout"),
            Self::ProviderUnavailable(_) => (S::SERVICE_UNAVAILABLE, "provider_unavailable"),
            Self::RequestMalformed => (S::BAD_REQUEST, "request_malformed"),
            Self::ScopeMissing => (S::FORBIDDEN, "insufficient_scope"),
            Self::SeveralCredentials => (S::BAD_REQUEST, "invalid_request"),
            Self::SignOutForeign => (S::FORBIDDEN, "cross_site"),
            Self::SignOutNotKept => (S::SERVICE_UNAVAILABLE, "sign_out_not_kept"),
            Self::SignOutUnheard => (S::SERVICE_UNAVAILABLE, "sign_out_unheard"),
            Self::StepUpNeeded => (S::UNAUTHORIZED, "insufficient_user_authentication"),
            Self::StoreNotWritable => (S::SERVICE_UNAVAILABLE, "store_not_writable"),
            Self::StoreUnavailable => (S::SERVICE_UNAVAILABLE, "store_unavailable"),
            Self::TargetTooLong => (S::URI_TOO_LONG, "target_too_long"),
            Self::TimedOut => (S::FORBIDDEN, "authentication_timed_out"),
            Self::TooManySignIns(_) => (S::TOO_MANY_REQUESTS, "too_many_sign_ins"),
            Self::Unauthenticated => (S::UNAUTHORIZED, "unauthenticated"),
            Self::UnknownHost => (S::MISDIRECTED_REQUEST, "unknown_host"),
            Self::TokenInvalid => (S::UNAUTHORIZED, "invalid_token"),
            Self::TokenMissing => (S::UNAUTHORIZED, "unauthenticated"),
            Self::TooManyFailures(_) => (S::TOO_MANY_REQUESTS, "too_many_failures"),
            Self::UnknownIssuer => (S::BAD_REQUEST, "unknown_issuer"),
            Self::LinkForeign => (S::FORBIDDEN, "link_cross_site"),
            Self::LinkUnknown => (S::BAD_REQUEST, "link_unknown"),
            Self::LinkedElsewhere => (S::CONFLICT, "linked_elsewhere"),
            Self::TooManySubjects => (S::CONFLICT, "too_many_subjects"),
            Self::UnlinkedUser => (S::FORBIDDEN, "unlinked_user"),
            Self::Unsupported => (S::FORBIDDEN, "user_unsupported"),
            Self::UpstreamTimeout => (S::GATEWAY_TIMEOUT, "upstream_timeout"),
            Self::UpstreamUnavailable => (S::BAD_GATEWAY, "upstream_unavailable"),
            Self::WeakSignIn => (S::FORBIDDEN, "acr_unmet"),
            Self::WebSocketForeign => (S::FORBIDDEN, "websocket_origin"),
        }
    }

    /// What the log says of a limit that was overstepped, where whoever found it says no more: its key.
    pub(super) fn limit(self) -> Option<&'static str> {
        Some(match self {
            Self::AttemptExpired => "over `sessions.attempt`",
            Self::SignOutNotKept => "over `sessions.pending_revocations`",
            Self::TooManyFailures(_) => "over `bearer.failures_per_minute`",
            Self::TooManySignIns(_) => "over `sign_in.starts_per_minute`",
            Self::TooManySubjects => "over `accounts.subjects_per_account`",
            _ => return None,
        })
    }
}
