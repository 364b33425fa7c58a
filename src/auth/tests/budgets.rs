//! What a person does not pay for: a store that is away, a double click.

use super::*;

const START: &str = "https://apps.example/oauth2/start?rd=/app";
/// How many of a kind one client has at once: two minutes' worth.
const BURST: usize = 120;

/// How many callbacks that belong to nobody are answered before it is too many.
async fn forged_left(story: &mut Story) -> usize {
    for count in 0..=2 * BURST {
        if story.get("https://apps.example/oauth2/callback?code=c").await.status == 429 {
            return count;
        }
    }
    panic!("no limit");
}

// H: a failed try does not use up a budget.
#[tokio::test]
async fn a_start_that_ended_because_the_store_was_away_is_given_back() {
    let mut story = Story::begin();
    story.store.set_away(true);
    for _ in 0..2 * BURST {
        assert_eq!(story.get(START).await.status, 503);
    }
    story.store.set_away(false);
    for _ in 0..BURST {
        story.jar.clear();
        assert_eq!(story.get(START).await.status, 302);
    }
    // The twin: what the store took is spent, and stays it while the store is away again.
    assert_eq!(story.get(START).await.status, 429);
    story.store.set_away(true);
    assert_eq!(story.get(START).await.status, 429);
}

// H, KC05: Back, a reload and a double click bring an answer once more.
#[tokio::test]
async fn a_double_click_is_no_forged_callback() {
    for (times, charged) in [(2, 0), (3, 0), (4, 0), (7, 3)] {
        let mut story = Story::begin();
        let back = story.until_discovery("apps.example").await;
        let back = story.until_carrier(&back).await;
        for _ in 0..times {
            assert_eq!(location(&story.get(&back).await).path(), "/app");
        }
        assert_eq!(story.provider.redeemed.load(Ordering::SeqCst), 1);
        assert_eq!(forged_left(&mut story).await, BURST - charged, "{times}");
    }
}
