//! Streams that are open under a session.

use futures_util::future::join_all;

use super::*;

const STREAMS: usize = 500;

/// Opens a page, and has all streams that were opened under it ask at once. How many stand, and how often the store was asked.
async fn ask(story: &Story, permits: &[&Permit]) -> (usize, usize) {
    let before = story.store.asked.load(Ordering::SeqCst);
    let asking = permits.iter().cycle().take(STREAMS).map(|permit| story.auth.still_stands(permit, story.now));
    let stand = join_all(asking).await.into_iter().filter(|stands| *stands).count();
    (stand, story.store.asked.load(Ordering::SeqCst) - before)
}

// RB14: ten thousand sockets are no ten thousand questions.
#[tokio::test]
async fn all_streams_of_a_session_ask_the_store_once() {
    let mut story = Story::begin();
    story.sign_in().await;
    let Decision::Forward(permit) = story.ask(Method::GET, "https://apps.example/app").await else { panic!() };
    // A copy that is asked about behind its back, one that is too old to be believed, and one in between.
    for millis in [1500, 5000, 1999] {
        story.wait(Duration::from_millis(millis));
        assert_eq!(ask(&story, &[&permit]).await, (STREAMS, 1), "after {millis} ms");
        assert_eq!(ask(&story, &[&permit]).await, (STREAMS, 0), "what one heard all know");
    }
    // The twin: of two sessions each asks.
    story.jar.clear();
    story.sign_in().await;
    let Decision::Forward(other) = story.ask(Method::GET, "https://apps.example/app").await else { panic!() };
    story.wait(Duration::from_secs(5));
    assert_eq!(ask(&story, &[&permit, &other]).await, (STREAMS, 2));
    // A store that does not answer is not asked more often for it.
    story.wait(Duration::from_secs(5));
    story.store.set_away(true);
    let (_, asked) = ask(&story, &[&permit]).await;
    assert_eq!(asked, 1);
}

// RB14: the answer that one question brings ends every stream.
#[tokio::test]
async fn all_streams_of_a_session_that_ended_elsewhere_end_by_one_question() {
    let mut story = Story::begin();
    story.sign_in().await;
    let Decision::Forward(permit) = story.ask(Method::GET, "https://apps.example/app").await else { panic!() };
    let Holder::Session(_, _, key) = permit.holder() else { panic!() };
    story.store.store.remove(Kind::Session, *key).await.unwrap();
    story.wait(Duration::from_secs(5));
    assert_eq!(ask(&story, &[&permit]).await, (0, 1));
}
