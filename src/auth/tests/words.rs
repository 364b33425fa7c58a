//! Words that fit the provider: an issuer that is no carrier is not called one, and asks nobody for a PIN.

use super::lines::Lines;
use super::*;
use crate::carrier::profile::Profile;

/// Somebody at the provider whose answer is `said`: where they are led, and the line about it.
async fn answered(profile: &'static Profile, said: &str) -> (Url, serde_json::Value, Story) {
    let mut story = Story::begin();
    let mut registration = story.auth.snapshot().settings().registrations.first().clone();
    registration.profile = profile;
    story.configure(CONFIG, |settings| settings.registrations = Registrations::new(registration, Vec::new()));
    let back = story.until_discovery("apps.example").await;
    let back = story.until_carrier(&back).await;
    let (lines, listening) = Lines::of_this_thread();
    let to = location(&story.get(&back.replace("code=c", said)).await);
    drop(listening);
    let line = lines.all().into_iter().find(|line| !line["description"].is_null()).expect("a line");
    assert_eq!(story.provider.redeemed.load(Ordering::SeqCst), 0);
    (to, line, story)
}

// PF09
#[tokio::test]
async fn a_plain_issuer_is_no_carrier_in_the_log_and_its_people_have_no_phone_on_their_pages() {
    for (said, plainly, of_a_carrier) in [
        ("error=access_denied", "access_denied", "access_denied"),
        ("error=device_unavailable", "not_signed_in", "device_unavailable"),
        ("error=network_failure", "not_signed_in", "network_failure"),
        ("error=authentication_timed_out", "not_signed_in", "authentication_timed_out"),
        ("error=user_unsupported", "not_signed_in", "user_unsupported"),
        ("error=server_error", "provider_unavailable", "provider_unavailable"),
        ("error=temporarily_unavailable", "provider_unavailable", "provider_unavailable"),
        ("error=invalid_scope", "provider_refused", "provider_refused"),
    ] {
        let said = format!("{said}&error_description=too%0abusy");
        for (profile, code, phones) in [(&profile::OIDC, plainly, false), (&profile::ZENKEY, of_a_carrier, true)] {
            let (to, line, mut story) = answered(profile, &said).await;
            assert_eq!(value(&to, "code"), code, "{said}");
            assert_eq!(line["message"], "The provider refused a sign-in", "{line}");
            assert_eq!(line["description"], "too?busy");
            let page = story.get(to.as_str()).await;
            let page = String::from_utf8_lossy(&page.body);
            let words = ["arrier", "phone", "SIM", "PIN", "fingerprint"];
            assert!(phones || !words.iter().any(|word| page.contains(word)), "{page}");
        }
    }
}

// PF09
#[tokio::test]
async fn whose_sign_in_was_too_weak_reads_what_their_provider_can_offer() {
    for (profile, pin) in [(&profile::OIDC, false), (&profile::ZENKEY, true)] {
        let (_, _, mut story) = answered(profile, "error=access_denied&error_description=x").await;
        let page = story.get("https://apps.example/oauth2/refused?code=acr_unmet&id=0123456789abcdef").await;
        let page = String::from_utf8_lossy(&page.body);
        assert!(page.contains("A stronger sign-in is needed"), "{page}");
        assert_eq!(page.contains("PIN or a fingerprint"), pin, "{page}");
    }
}

// KC06
#[tokio::test]
async fn a_login_page_that_was_open_for_too_long_is_no_outage_but_a_fresh_round_to_the_page() {
    let said = "error=temporarily_unavailable&error_description=authentication_expired";
    let (to, line, story) = answered(&profile::OIDC, said).await;
    assert_eq!((to.path(), to.query()), ("/oauth2/start", Some("again=1&rd=%2Fapp")));
    assert_eq!(line["description"], "authentication_expired");
    assert_eq!(story.auth.metrics.refusals.with_label_values(&["provider_unavailable"]).get(), 0);
    // The twins: an outage is one, and the word alone says nothing.
    for (said, code) in [
        ("error=temporarily_unavailable&error_description=authentication_expire", "provider_unavailable"),
        ("error=temporarily_unavailable&error_description=Authentication_expired", "provider_unavailable"),
        ("error=access_denied&error_description=authentication_expired", "access_denied"),
    ] {
        let (to, line, story) = answered(&profile::OIDC, said).await;
        assert_eq!(value(&to, "code"), code, "{said}");
        assert_eq!(line["description"], said.split('=').next_back().unwrap());
        assert_eq!(story.auth.metrics.refusals.with_label_values(&[code]).get(), 1);
    }
}

// KC15: browsers send cookies to every port of a host, so two gateways there need names of their own.
#[tokio::test]
async fn two_gateways_on_one_host_name_leave_each_others_sessions_alone() {
    for (name, both) in [("wiki", true), ("gw", false)] {
        let mut first = Story::begin();
        first.sign_in().await;
        let mut second = Story::begin();
        second.configure(CONFIG, |settings| settings.cookies = CookieNames::of(name));
        second.jar = std::mem::take(&mut first.jar);
        second.sign_in().await;
        assert!(second.passes("https://apps.example/app").await);
        first.jar = second.jar.clone();
        assert_eq!(first.passes("https://apps.example/app").await, both, "{name}");
    }
}
