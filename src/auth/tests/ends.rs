//! Who signs out is out: on every host, on every gateway, whatever the store was doing at that moment.

use super::*;

const SECOND: &str = "https://second.example/app";
const FIRST: &str = "https://apps.example/app";
const SIGN_OUT: &str = "https://apps.example/oauth2/sign_out";

/// The same browser, or a thief with all of its cookies.
fn copy(story: &Story) -> Vec<(&'static str, String, String)> {
    story.jar.clone()
}

async fn with_jar<T>(
    story: &mut Story,
    jar: &mut Vec<(&'static str, String, String)>,
    work: impl AsyncFnOnce(&mut Story) -> T,
) -> T {
    std::mem::swap(&mut story.jar, jar);
    let done = work(story).await;
    std::mem::swap(&mut story.jar, jar);
    done
}

/// Signs in on the second host, by the first one, with the session that is there.
pub(super) async fn hand_over(story: &mut Story) {
    let mut to = ticket(story).await;
    to = location(&story.get(&to).await).to_string();
    assert_eq!(to, "https://apps.example/app", "the page that was asked for, on its host");
    assert!(story.passes(SECOND).await);
}

/// As far as the ticket: the address that brings it.
async fn ticket(story: &mut Story) -> String {
    let to = location(&story.get("https://second.example/oauth2/start?rd=/app").await);
    location(&story.get(to.as_str()).await).to_string()
}

// RB01
#[tokio::test]
async fn of_two_that_were_handed_over_to_one_host_both_end_with_their_parent() {
    let mut story = Story::begin();
    story.sign_in().await;
    let mut thief = copy(&story);
    with_jar(&mut story, &mut thief, hand_over).await;
    hand_over(&mut story).await;
    assert!(with_jar(&mut story, &mut thief, async |story| story.passes(SECOND).await).await, "the twin: before");
    story.ask(Method::POST, SIGN_OUT).await;
    assert!(!story.passes(SECOND).await);
    assert!(!with_jar(&mut story, &mut thief, async |story| story.passes(SECOND).await).await);
    assert!(!with_jar(&mut story, &mut thief, async |story| story.passes(FIRST).await).await);
}

// RB02
#[tokio::test]
async fn a_ticket_from_before_a_sign_out_opens_nothing_after_it() {
    for signs_out in [true, false] {
        let mut story = Story::begin();
        story.sign_in().await;
        let ticket = ticket(&mut story).await;
        if signs_out {
            story.ask(Method::POST, SIGN_OUT).await;
        }
        let reply = story.get(&ticket).await;
        assert_eq!(reply.status.as_u16(), if signs_out { 303 } else { 302 });
        assert_eq!(story.passes(SECOND).await, !signs_out);
    }
}

// FT22: the relation is in the store, not in the parent's life.
#[tokio::test]
async fn what_was_handed_over_ends_with_a_parent_that_was_idle_for_too_long() {
    let mut story = Story::begin();
    story.sign_in().await;
    let parent = copy(&story);
    hand_over(&mut story).await;
    for _ in 0..8 {
        story.wait(5 * MINUTE);
        assert!(story.passes(SECOND).await);
        tokio::task::yield_now().await;
    }
    story.store.sweep(story.now).await.unwrap();
    story.jar.retain(|(host, ..)| *host == "second.example");
    story.jar.extend(parent.into_iter().filter(|(host, ..)| *host == "apps.example"));
    story.ask(Method::POST, SIGN_OUT).await;
    assert!(!story.passes(SECOND).await);
}

// A sealed record that somebody copied before a sign-out and put back after it (attacks, class A).
#[tokio::test]
async fn a_record_that_is_put_back_after_its_end_is_believed_by_no_gateway() {
    for ended in [true, false] {
        let mut story = Story::begin();
        story.sign_in().await;
        let thief = copy(&story);
        let key = session_key(&story);
        let record = story.store.get(Kind::Session, key, story.now).await.unwrap().unwrap();
        if ended {
            story.ask(Method::POST, SIGN_OUT).await;
        }
        story.store.put(Kind::Session, key, &record, 60 * MINUTE, story.now).await.unwrap();
        let mut other = Story::on(Arc::clone(&story.store), CacheLimits::default(), 100, |policy| policy);
        (other.jar, other.now) = (thief, story.now);
        assert_eq!(other.passes(FIRST).await, !ended, "after a restart, or on another gateway");
    }
}

fn session_key(story: &Story) -> StoreKey {
    let cookie = story.jar.iter().find(|(host, name, _)| *host == "apps.example" && name == "__Host-gw").unwrap();
    SessionId::parse(&cookie.2).unwrap().store_key()
}

// Attacks, class C: one record, one host.
#[tokio::test]
async fn a_cookie_that_was_carried_to_another_host_is_nothing_there() {
    let mut story = Story::begin();
    story.sign_in().await;
    hand_over(&mut story).await;
    let of = |host: &str| story.jar.iter().find(|(of, name, _)| *of == host && name == "__Host-gw").unwrap().2.clone();
    let (first, second) = (of("apps.example"), of("second.example"));
    for (host, url, cookie, opens) in [
        ("apps.example", FIRST, &first, true),
        ("apps.example", FIRST, &second, false),
        ("second.example", SECOND, &second, true),
        ("second.example", SECOND, &first, false),
    ] {
        story.jar = vec![(host, "__Host-gw".to_owned(), cookie.clone())];
        assert_eq!(story.passes(url).await, opens, "{url}");
        // And from the store, on a gateway that has never seen it.
        let mut other = Story::on(Arc::clone(&story.store), CacheLimits::default(), 100, |policy| policy);
        (other.jar, other.now) = (vec![(host, "__Host-gw".to_owned(), cookie.clone())], story.now);
        assert_eq!(other.passes(url).await, opens, "{url}, from the store");
    }
}

// FT20: what no gateway of ours has drawn is told without a question to the store.
#[tokio::test]
async fn a_made_up_cookie_costs_the_store_nothing() {
    let mut story = Story::begin();
    story.sign_in().await;
    story.store.set_away(true);
    let made_up = SessionId::generate(&SystemEntropy).to_text().expose().to_owned();
    story.jar = vec![("apps.example", "__Host-gw".to_owned(), made_up)];
    let reply = story.get(FIRST).await;
    assert_eq!(reply.status.as_u16(), 302, "not 503: nobody was asked");
    // The twin: one of ours that this gateway does not know is asked after.
    let ours = story.auth.sessions.sealer().new_id(&SystemEntropy).to_text().expose().to_owned();
    story.jar = vec![("apps.example", "__Host-gw".to_owned(), ours)];
    assert_eq!(story.get(FIRST).await.status.as_u16(), 503);
}

// RB03, FT01
#[tokio::test]
async fn a_sign_out_while_the_store_is_away_holds_everywhere_once_it_is_back() {
    let mut story = Story::begin();
    story.sign_in().await;
    hand_over(&mut story).await;
    let cookies = copy(&story);
    let mut other = Story::on(Arc::clone(&story.store), CacheLimits::default(), 100, |policy| policy);
    (other.jar, other.now) = (cookies.clone(), story.now);
    assert!(other.passes(FIRST).await && other.passes(SECOND).await);

    story.store.set_away(true);
    let Decision::Answer(reply) = story.ask(Method::POST, SIGN_OUT).await else { panic!() };
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status.as_u16(), 503);
    assert!(body.contains("sign_out_unheard") && body.contains("There is nothing you need to do"), "{body}");
    assert!(!story.jar.iter().any(|(host, name, _)| *host == "apps.example" && name == "__Host-gw"), "taken away");
    story.jar = cookies.clone();
    assert!(!story.passes(FIRST).await, "the gateway that knows refuses at once");
    assert_eq!(story.auth.metrics.revocations_pending.get(), 1);

    // A try while it is away changes nothing; the first one after it is back is heard.
    assert_eq!(story.auth.sessions.tell_all_pending(story.now).await, 1);
    story.store.set_away(false);
    assert_eq!(story.auth.sessions.tell_all_pending(story.now).await, 0);
    assert_eq!(story.auth.metrics.revocations_pending.get(), 0);
    for gateway in [&mut story, &mut other] {
        gateway.jar = cookies.clone();
        gateway.wait(Duration::from_secs(2));
        assert!(!gateway.passes(FIRST).await && !gateway.passes(SECOND).await);
    }
}

#[tokio::test]
async fn a_sign_out_that_cannot_be_kept_leaves_the_cookie_so_that_it_can_be_asked_for_again() {
    let store = Arc::new(Switch {
        store: MemoryStore::new(Limits::default()),
        away: AtomicBool::new(false),
        asked: AtomicUsize::new(0),
    });
    let mut story = Story::on(store, CacheLimits::default(), 1, |policy| policy);
    story.sign_in().await;
    let first = copy(&story);
    story.jar.clear();
    story.sign_in().await;
    let second = copy(&story);
    story.store.set_away(true);
    story.jar = first;
    story.ask(Method::POST, SIGN_OUT).await;
    story.jar = second.clone();
    let Decision::Answer(reply) = story.ask(Method::POST, SIGN_OUT).await else { panic!() };
    assert_eq!(reply.status.as_u16(), 503);
    assert!(String::from_utf8_lossy(&reply.body).contains("sign_out_not_kept"));
    assert_eq!(copy(&story), second, "the cookie is still there");
    story.store.set_away(false);
    let Decision::Answer(reply) = story.ask(Method::POST, SIGN_OUT).await else { panic!() };
    assert_eq!(reply.status.as_u16(), 200);
    let mut other = Story::on(Arc::clone(&story.store), CacheLimits::default(), 1, |policy| policy);
    (other.jar, other.now) = (second, story.now);
    assert!(!other.passes(FIRST).await);
}

#[tokio::test]
async fn what_the_store_never_heard_outlives_a_restart_sealed_and_is_told_by_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let mut story = Story::begin();
    story.sign_in().await;
    let cookies = copy(&story);
    story.store.set_away(true);
    story.ask(Method::POST, SIGN_OUT).await;
    let unheard = story.auth.sessions.finish(Duration::ZERO, story.now).await;
    assert_eq!(unheard.len(), 1);
    story.auth.sessions.keep_unheard(&unheard, Some(directory.path()), story.now);
    let file = directory.path().join(crate::session::unheard::FILE);
    let kept = std::fs::read(&file).unwrap();
    assert!(!kept.windows(32).any(|part| part == session_key_of(&cookies).0), "sealed");

    let begin = || Story::on(Arc::clone(&story.store), CacheLimits::default(), 100, |policy| policy);
    // Whoever bends the file ends nobody's session, and stops nothing.
    let mut bent = kept.clone();
    *bent.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bent).unwrap();
    let other = begin();
    other.auth.sessions.take_up_unheard(directory.path(), story.now);
    assert_eq!(other.auth.metrics.revocations_pending.get(), 0);
    // The twin.
    std::fs::write(&file, kept).unwrap();
    let mut next = begin();
    next.auth.sessions.take_up_unheard(directory.path(), story.now);
    assert!(file.exists(), "whoever is killed now loses nothing");
    story.store.set_away(false);
    (next.jar, next.now) = (cookies.clone(), story.now);
    assert!(!next.passes(FIRST).await, "refused here before the store has heard");
    assert_eq!(next.auth.sessions.tell_all_pending(story.now).await, 0);
    assert!(!file.exists());
    let mut third = begin();
    (third.jar, third.now) = (cookies, story.now);
    assert!(!third.passes(FIRST).await);
    // Without a directory it is counted.
    next.auth.sessions.keep_unheard(&unheard, None, story.now);
    assert_eq!(next.auth.metrics.revocations_lost.get(), 1);
}

fn session_key_of(jar: &[(&'static str, String, String)]) -> StoreKey {
    let cookie = jar.iter().find(|(host, name, _)| *host == "apps.example" && name == "__Host-gw").unwrap();
    SessionId::parse(&cookie.2).unwrap().store_key()
}

// Whoever has begun to sign out is out, also if their browser went away.
#[tokio::test]
async fn a_sign_out_that_has_begun_ends_whenever_its_request_is_dropped() {
    for polls in 0..12 {
        let mut story = Story::begin();
        story.sign_in().await;
        hand_over(&mut story).await;
        let cookies = copy(&story);
        {
            let mut request = Box::pin(story.ask(Method::POST, SIGN_OUT));
            let mut done = false;
            for _ in 0..=polls {
                done = futures_util::poll!(&mut request).is_ready();
                if done {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(request);
            assert!(done || polls < 11, "a sign-out takes longer than this test looks");
        }
        assert!(story.auth.sessions.finish(Duration::from_secs(5), story.now).await.is_empty());
        story.jar = cookies;
        assert!(!story.passes(FIRST).await && !story.passes(SECOND).await, "dropped after {polls}");
    }
}

// RB01: nobody pushes an earlier child out of its parent's reach by making more of them than are remembered.
#[tokio::test]
async fn more_children_than_are_remembered_hide_none() {
    let mut story = Story::begin();
    story.sign_in().await;
    hand_over(&mut story).await;
    let mut first = copy(&story);
    for number in 0..crate::session::store::Relation::MOST {
        if number % 100 == 0 {
            assert!(story.passes(FIRST).await);
            assert!(with_jar(&mut story, &mut first, async |story| story.passes(SECOND).await).await, "{number}");
            tokio::task::yield_now().await;
        }
        // Nobody may begin more than one a second.
        story.wait(Duration::from_secs(2));
        story.jar.retain(|(host, ..)| *host != "second.example");
        hand_over(&mut story).await;
    }
    assert!(story.passes(SECOND).await, "the last one");
    let mut last = copy(&story);
    story.ask(Method::POST, SIGN_OUT).await;
    for jar in [&mut first, &mut last] {
        for url in [FIRST, SECOND] {
            assert!(!with_jar(&mut story, jar, async |story| story.passes(url).await).await, "{url}");
        }
    }
}
