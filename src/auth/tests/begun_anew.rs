//! A sign-in that took too long, and what is begun for the person then.

use super::*;

// B09, KC05
#[tokio::test]
async fn a_sign_in_that_takes_longer_than_its_lifetime_is_over_at_every_leg_and_begins_anew_for_its_page() {
    let lifetime = Lifetimes::default().attempt;
    for late in [Duration::ZERO, MINUTE, lifetime - MINUTE, 20 * 60 * MINUTE] {
        let mut story = Story::begin();
        let back = story.until_discovery("apps.example").await;
        story.wait(lifetime + late);
        assert_begun_anew(&story.get(&back).await);

        let mut story = Story::begin();
        let back = story.until_discovery("apps.example").await;
        story.wait(lifetime - Duration::from_secs(1));
        let back = story.until_carrier(&back).await;
        story.wait(Duration::from_secs(1) + late);
        assert_begun_anew(&story.get(&back).await);
        assert_eq!(story.provider.redeemed.load(Ordering::SeqCst), 0);
        assert!(!story.passes("https://apps.example/app").await);
    }
    // The twin: in time, to the second, over both legs together.
    let mut story = Story::begin();
    let back = story.until_discovery("apps.example").await;
    story.wait(lifetime / 2);
    let back = story.until_carrier(&back).await;
    story.wait(lifetime / 2 - Duration::from_secs(1));
    assert_eq!(location(&story.get(&back).await).path(), "/app");
    assert!(story.passes("https://apps.example/app").await);
}

// B09, KC05, XP24: were the second one begun by itself too, a browser that loses its cookies would go round for ever.
#[tokio::test]
async fn what_was_begun_for_the_person_is_not_begun_for_them_again() {
    for leg in 0..2 {
        let mut story = Story::begin();
        let to = location(&story.get("https://apps.example/oauth2/start?again=1&rd=%2Fapp").await);
        let mut back = format!("https://apps.example/oauth2/callback?mccmnc=310007&state={}", value(&to, "state"));
        if leg == 1 {
            back = story.until_carrier(&back).await;
        }
        story.wait(Lifetimes::default().attempt);
        let reply = story.get(&back).await;
        assert_eq!(reply.status.as_u16(), 303);
        let told = location(&reply);
        assert!(told.as_str().contains("/oauth2/refused?code=login_expired&id="), "{told}");
        let page = story.get(told.as_str()).await;
        let body = String::from_utf8_lossy(&page.body);
        assert_eq!(page.status.as_u16(), 400);
        assert!(body.contains("Code: login_expired") && body.contains("href=\"/oauth2/start?rd=%2Fapp\""), "{body}");
    }
}

// B09
#[tokio::test]
async fn of_a_sign_in_that_nobody_remembers_any_more_the_page_is_lost_and_nothing_else() {
    let mut story = Story::begin();
    let back = story.until_discovery("apps.example").await;
    story.wait(25 * 60 * MINUTE);
    // A browser drops the cookies by then.
    story.jar.clear();
    let to = location(&story.get(&back).await);
    assert_eq!((to.path(), to.query()), ("/oauth2/start", Some("again=1")));
}
