//! How long a session lives, what counts as its use, and when its copy in memory is believed.

use super::*;

// RB13: were headers found by a number in a list beside the routes, the second configuration's route would be told
// what the first one's was, or nothing.
#[tokio::test]
async fn a_person_who_signed_in_under_another_configuration_is_told_by_the_headers_of_this_one() {
    let mut story = Story::begin();
    story.sign_in().await;
    let names = async |story: &mut Story| {
        let Decision::Forward(permit) = story.ask(Method::GET, "https://apps.example/app").await else { panic!() };
        let set = permit.identity_headers().unwrap();
        set.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect::<Vec<_>>()
    };
    let before = names(&mut story).await;
    assert!(before.iter().any(|header| header == "x-zenkey-sub: somebody"), "{before:?}");
    let text = CONFIG.replace("access: session,", "access: session, identity_headers: { preset: remote-user },");
    story.snapshot = Some(Arc::new(snapshot(&text)));
    assert_eq!(names(&mut story).await, ["remote-user: somebody"]);
    story.snapshot = None;
    assert_eq!(names(&mut story).await, before);
}

// F05
#[tokio::test]
async fn a_session_ends_when_it_was_unused_for_the_idle_time_and_at_its_absolute_end() {
    let Lifetimes { idle, absolute, .. } = Lifetimes::default();
    let mut story = Story::begin();
    story.sign_in().await;
    story.wait(idle - Duration::from_secs(1));
    assert!(story.passes("https://apps.example/app").await);
    story.wait(idle + Duration::from_secs(1));
    let reply = story.get("https://apps.example/app").await;
    assert_eq!(reply.status.as_u16(), 302);
    assert!(story.jar.iter().all(|(_, name, _)| name != "__Host-gw"), "its cookie is taken away");

    let mut story = Story::begin();
    story.sign_in().await;
    let begun = story.now;
    while story.now + 5 * MINUTE < begun + absolute {
        story.wait(5 * MINUTE);
        assert!(story.passes("https://apps.example/app").await, "in use, after {:?}", story.now.duration_since(begun));
        tokio::task::yield_now().await;
    }
    story.now = begun + absolute;
    assert!(!story.passes("https://apps.example/app").await, "used or not");
}

// F05
#[tokio::test]
async fn asking_about_a_session_is_no_use_of_it() {
    let idle = Lifetimes::default().idle;
    for path in ["/oauth2/session", "/oauth2/userinfo", "/oauth2/sign_in", "/app"] {
        let mut story = Story::begin();
        story.sign_in().await;
        let end = story.now + idle;
        while story.now + MINUTE < end {
            story.wait(MINUTE);
            story.ask(Method::GET, &format!("https://apps.example{path}")).await;
            tokio::task::yield_now().await;
        }
        let reply = story.get("https://apps.example/oauth2/session").await;
        let left = serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap()["idle_expires_in"].as_u64();
        assert_eq!(left, Some(if path == "/app" { idle.as_secs() } else { 60 }), "{path}");
        story.wait(MINUTE);
        assert_eq!(story.passes("https://apps.example/app").await, path == "/app", "{path}");
    }
}

// B04: a ticket between two hosts lives as long as a redirect takes.
#[tokio::test]
async fn a_ticket_that_is_a_minute_old_opens_nothing() {
    for (age, opens) in [(Duration::from_secs(59), true), (MINUTE, false)] {
        let mut story = Story::begin();
        let back = story.until_discovery("second.example").await;
        let back = story.until_carrier(&back).await;
        let ticket = location(&story.get(&back).await);
        assert_eq!(ticket.host_str(), Some("second.example"));
        story.wait(age);
        let reply = story.get(ticket.as_str()).await;
        assert_eq!(reply.status.as_u16(), if opens { 302 } else { 303 });
        assert_eq!(story.passes("https://second.example/app").await, opens);
    }
}

// F05: what is handed over ends with the sign-in it came from, not later.
#[tokio::test]
async fn a_handed_over_session_does_not_outlive_its_sign_in() {
    let Lifetimes { absolute, .. } = Lifetimes::default();
    let mut story = Story::begin();
    story.sign_in().await;
    let begun = story.now;
    while story.now + 10 * MINUTE < begun + absolute {
        story.wait(10 * MINUTE);
        assert!(story.passes("https://apps.example/app").await);
        tokio::task::yield_now().await;
    }
    let start = location(&story.get("https://second.example/oauth2/start?rd=/app").await);
    let ticket = location(&story.get(start.as_str()).await);
    story.get(ticket.as_str()).await;
    assert!(story.passes("https://second.example/app").await);
    story.now = begun + absolute;
    assert!(!story.passes("https://second.example/app").await);
}

// F07: a store that others write to is asked again after two seconds, one's own is not.
#[tokio::test]
async fn only_a_store_that_others_write_to_is_waited_for() {
    for (shared, asked) in [(true, 1), (false, 0)] {
        let mut story = Story::with(|policy| if shared { policy } else { policy.for_exclusive_store() });
        story.sign_in().await;
        story.wait(Duration::from_millis(1900));
        assert!(story.passes("https://apps.example/app").await);
        assert_eq!(story.auth.metrics.session_lookups.store.get(), 0);
        // What that request began behind its back has confirmed the copy of a store that others write to.
        tokio::task::yield_now().await;
        story.wait(Duration::from_millis(2000));
        assert!(story.passes("https://apps.example/app").await);
        assert_eq!(story.auth.metrics.session_lookups.store.get(), asked);
    }
}

// F05: a stream that is watched keeps the copy of its session fresh; the store must hear of the person's uses all the same.
#[tokio::test]
async fn whoever_works_beside_an_open_stream_stays_signed_in() {
    for policy in [|policy| policy, CachePolicy::for_exclusive_store] {
        let mut story = Story::with(policy);
        story.sign_in().await;
        let Decision::Forward(permit) = story.ask(Method::GET, "https://apps.example/app").await else { panic!() };
        for second in 1..=2 * 45 * 60 {
            story.wait(Duration::from_millis(500));
            assert!(story.auth.still_stands(&permit, story.now).await, "{second} half seconds");
            if second % 50 == 0 {
                assert!(story.passes("https://apps.example/app").await);
                // What was begun behind the request's back.
                tokio::task::yield_now().await;
            }
        }
        story.wait(29 * MINUTE);
        assert!(story.passes("https://apps.example/app").await, "used less than the idle time ago");
        story.wait(31 * MINUTE);
        assert!(!story.auth.still_stands(&permit, story.now).await, "a stream is no use");
    }
}

// F05, F07, F08
#[tokio::test]
async fn a_record_that_did_not_change_is_not_read_again_and_any_other_is() {
    let mut story = Story::begin();
    story.sign_in().await;
    let (_, _, cookie) = story.jar.iter().find(|(_, name, _)| name == "__Host-gw").unwrap();
    let id = SessionId::parse(cookie).unwrap();
    let lies_at = story.headers_lie_at("https://apps.example/app").await;
    assert!(lies_at.is_some());
    // Beyond the time a copy is trusted unasked, and within that after which a use is written down.
    story.wait(Duration::from_secs(5));
    assert_eq!(story.headers_lie_at("https://apps.example/app").await, lies_at);

    // Another replica wrote down a use.
    let (auth, key, now) = (Arc::clone(&story.auth), id.store_key(), story.now);
    let get = || async { auth.sessions.store().get(Kind::Session, key, now).await.unwrap().unwrap() };
    let put = async |record: &[u8]| auth.sessions.store().put(Kind::Session, key, record, MINUTE, now).await.unwrap();
    let honest = get().await;
    let mut session = auth.sessions.sealer().open_session(&id, &honest).unwrap();
    session.seen(now);
    put(&auth.sessions.sealer().seal_session(&id, &session, &SystemEntropy)).await;
    story.wait(Duration::from_secs(5));
    let anew = story.headers_lie_at("https://apps.example/app").await;
    assert!(anew.is_some() && anew != lies_at);
    assert_eq!(auth.sessions.cache.get(&key).unwrap().value().session().last_seen(), now);

    // Somebody turned a bit, or put the record of another session there.
    let mut bent = get().await.to_vec();
    *bent.last_mut().unwrap() ^= 1;
    let other = SessionId::generate(&SystemEntropy);
    for forged in [bent, auth.sessions.sealer().seal_session(&other, &session, &SystemEntropy)] {
        put(&forged).await;
        story.wait(Duration::from_secs(5));
        let jar = story.jar.clone();
        assert_eq!(story.headers_lie_at("https://apps.example/app").await, None);
        story.jar = jar;
        put(&honest).await;
        story.wait(Duration::from_secs(5));
        assert!(story.headers_lie_at("https://apps.example/app").await.is_some());
    }
}
