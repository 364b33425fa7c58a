use super::*;
use crate::auth::refusal::tests::all;

// FD20: whoever reads a page can do something about it, or is told that it is not theirs to do.
#[test]
fn every_refusal_that_a_person_reads_has_a_way_on() {
    let of_programs = ["invalid_request", "invalid_token", "insufficient_scope", "too_many_failures"];
    // The browser's Back, or the text itself, is the way on.
    let said = [
        // Its page has a button of its own.
        "attribute_missing",
        "body_too_large",
        "client_too_slow",
        "head_too_large",
        "method_not_served",
        "policy_unmet",
        "sim_unmet",
        "sign_out_not_kept",
        "sign_out_unheard",
        "unknown_host",
        "unlinked_user",
    ];
    for refusal in all() {
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
