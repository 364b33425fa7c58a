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
