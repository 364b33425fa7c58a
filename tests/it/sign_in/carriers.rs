//! The main job: a person signs in through their carrier and reaches an unmodified app.

use crate::support::browser::Browser;
use crate::support::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_each_carrier_reaches_exactly_the_page_they_asked_for() {
    // A01, C01
    let rig = Rig::start().await;
    for (person, carrier, email) in [
        ("maya", "aurora", "maya.okafor@example.com"),
        ("ines", "tangent", "ines.carvalho@example.org"),
        ("noor", "vireo", "noor.haddad@example.net"),
    ] {
        let browser = Browser::new();
        let page = rig.sign_in(&browser, "/app/deep?x=1&y=two%20words", person).await;
        assert_eq!((page.status.as_u16(), page.url.as_str()), (200, rig.url("/app/deep?x=1&y=two%20words").as_str()));
        let seen = rig.upstream.last();
        let carrier = rig.simulator.carrier(carrier).unwrap();
        assert_eq!(seen.target(), "/app/deep?x=1&y=two%20words");
        assert_eq!(seen.one("x-zenkey-issuer").unwrap(), carrier.issuer());
        assert_eq!(seen.one("x-zenkey-acr").unwrap(), "a3");
        assert_eq!(seen.one("x-zenkey-email").unwrap(), email);
        assert!(seen.one("x-zenkey-name").is_some());
        assert_eq!(seen.one("x-auth-sub"), seen.one("x-zenkey-sub"));
        assert_eq!(carrier.count("userinfo"), 1);
        assert_eq!(carrier.count("token"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_declined_starts_again_on_the_way_to_the_same_page() {
    let rig = Rig::start().await;
    let browser = Browser::new();
    let consent = rig.to_consent(&browser, "/app/deep?x=1&y=2", "maya").await;
    let back = rig.decide(&browser, &consent, &[("decision", "deny")]).await;
    let refused = browser.follow(back).await;
    assert_eq!(refused.status.as_u16(), 403);
    assert!(refused.body.contains("/oauth2/start?rd=%2Fapp%2Fdeep%3Fx%3D1%26y%3D2"), "{}", refused.body);
    assert!(refused.body.len() <= 1024);
}
