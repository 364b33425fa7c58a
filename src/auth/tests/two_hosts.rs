//! A sign-in that begins on a host other than the public URL's.

use super::*;

const SECOND: &str = "https://second.example/oauth2/start";

// KC07, XS05: who is to sign in is said to the host that signs in.
#[tokio::test]
async fn whom_a_sign_in_is_for_goes_along_to_the_host_that_signs_in() {
    let mut story = Story::begin();
    let to = location(&story.get(&format!("{SECOND}?login_hint=maya%40example.com&account=other&rd=/app")).await);
    assert_eq!(to.host_str(), Some("apps.example"));
    assert_eq!((value(&to, "login_hint"), value(&to, "account")), ("maya@example.com".into(), "other".into()));
    // The twin, and what is none of ours.
    for plain in ["", "&account=others", "&login_hint=%0d", "&login_hint=", "&prompt=none"] {
        let to = location(&story.get(&format!("{SECOND}?rd=/app{plain}")).await);
        let names: Vec<_> = to.query_pairs().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(names, ["hand_off", "host", "browser", "rd"], "{plain}");
    }
}

#[tokio::test]
async fn whoever_wants_another_account_is_not_handed_the_one_at_hand() {
    for (wish, asked) in [("", false), ("&account=other", true)] {
        let mut story = Story::begin();
        story.sign_in().await;
        let to = location(&story.get(&format!("{SECOND}?rd=/app{wish}")).await);
        let next = location(&story.get(to.as_str()).await);
        let expected = if asked { "discovery.example" } else { "second.example" };
        assert_eq!(next.host_str(), Some(expected), "{next}");
    }
}
