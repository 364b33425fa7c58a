//! Requests whose browser goes away in the middle: at whichever step, nothing is left half done.

use super::*;

const APP: &str = "https://apps.example/app";
const SECOND: &str = "https://second.example/app";
/// More steps than any of these requests has.
const MOST: usize = 40;

/// Asks for `url`, and drops the request after `polls` steps; whether it was done by then.
async fn dropped_after(story: &mut Story, url: &str, polls: usize) -> bool {
    let mut request = Box::pin(story.ask(Method::GET, url));
    for _ in 0..=polls {
        if futures_util::poll!(&mut request).is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

// What a dropped request began of its own accord comes to its end.
async fn settle() {
    for _ in 0..MOST {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_callback_that_is_dropped_redeems_its_code_once_and_leaves_a_way_in() {
    let mut whole = false;
    for polls in 0..MOST {
        let mut story = Story::begin();
        let back = story.until_discovery("apps.example").await;
        let back = story.until_carrier(&back).await;
        whole = dropped_after(&mut story, &back, polls).await;
        settle().await;
        // The browser asks again: it comes in, or is led into another round.
        let reply = story.get(&back).await;
        assert!(reply.status.is_redirection(), "after {polls}: {}", reply.status);
        assert!(story.provider.redeemed.load(Ordering::SeqCst) <= 1, "after {polls}: a code is sent once");
        let to = location(&reply);
        if to.path() == "/app" {
            assert!(story.passes(APP).await, "after {polls}");
        } else {
            assert_begun_anew(&reply);
            assert!(!story.passes(APP).await, "after {polls}: no cookie, no session");
        }
        story.sign_in().await;
        assert!(story.passes(APP).await, "after {polls}");
        if whole {
            break;
        }
    }
    assert!(whole, "a callback takes longer than this test looks");
}

#[tokio::test]
async fn a_hand_over_that_is_dropped_ends_with_its_sign_in() {
    let mut whole = false;
    for polls in 0..MOST {
        let mut story = Story::begin();
        story.sign_in().await;
        let start = location(&story.get("https://second.example/oauth2/start?rd=/app").await);
        let ticket = location(&story.get(start.as_str()).await);
        whole = dropped_after(&mut story, ticket.as_str(), polls).await;
        settle().await;
        // The same ticket once more: it opens one session at most.
        story.ask(Method::GET, ticket.as_str()).await;
        let jar = story.jar.clone();
        assert!(story.passes(APP).await, "after {polls}");
        story.ask(Method::POST, "https://apps.example/oauth2/sign_out").await;
        story.jar = jar;
        assert!(!story.passes(APP).await && !story.passes(SECOND).await, "after {polls}: whoever is out is out");
        if whole {
            break;
        }
    }
    assert!(whole, "a hand-over takes longer than this test looks");
}
