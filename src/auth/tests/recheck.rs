//! Whoever is nobody at the provider any more is out in time, and nobody else is.

use super::*;
use crate::oidc::refresh::RefreshResponse;
use crate::session::provider_check::RecheckPolicy;

const APP: &str = "https://apps.example/app";
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What the provider makes of refresh tokens. Each is good for one use, and using one twice ends everything.
#[derive(Default)]
pub(super) struct Refreshing {
    /// The one that is good now: `r<n>`.
    current: usize,
    /// How often it was asked.
    asked: usize,
    says: Says,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Says {
    #[default]
    Yes,
    Disabled,
    SomebodyElse,
    Away,
    OurFault,
    /// `invalid_request`, each time.
    Unclear,
    /// The same, and then yes.
    UnclearOnce,
    /// A registration that may not refresh.
    NotOurs,
}

impl Refreshing {
    pub(super) fn issued(&self) -> SecretString {
        SecretString::new(format!("r{}", self.current))
    }

    pub(super) fn answer(
        &mut self,
        token: &SecretString,
        sign: impl FnOnce(&str) -> SecretString,
    ) -> Result<RefreshResponse, ProviderError> {
        self.asked += 1;
        match self.says {
            Says::Away => return Err(ProviderError::timeout()),
            Says::Disabled => return Err(ProviderError::refused("invalid_grant")),
            Says::OurFault => return Err(ProviderError::refused("invalid_client")),
            Says::NotOurs => return Err(ProviderError::refused("unauthorized_client")),
            Says::Unclear => return Err(ProviderError::refused("invalid_request")),
            Says::UnclearOnce => {
                self.says = Says::Yes;
                return Err(ProviderError::refused("invalid_request"));
            }
            Says::Yes | Says::SomebodyElse => {}
        }
        if token.expose() != self.issued().expose() {
            self.says = Says::Disabled;
            return Err(ProviderError::refused("invalid_grant"));
        }
        self.current += 1;
        let subject = if self.says == Says::Yes { "somebody" } else { "somebody-else" };
        Ok(RefreshResponse {
            id_token: Some(sign(subject)),
            access_token: Some(SecretString::new("a")),
            refresh_token: Some(self.issued()),
        })
    }
}

/// A gateway on `store` that asks again every hour and goes on for a quarter of one.
fn gateway(store: &Arc<Switch>, provider: &Arc<Fake>) -> Story {
    gateway_where(store, provider, 3)
}

/// The same, where words that are not clear may sign out so many people.
fn gateway_where(store: &Arc<Switch>, provider: &Arc<Fake>, unclear: usize) -> Story {
    let policy = RecheckPolicy { every: HOUR, grace: 15 * MINUTE };
    let mut settings = AuthSettings::clone(snapshot(CONFIG).settings());
    (settings.recheck, settings.recheck_unclear) = (true, unclear);
    let (config, _) = Config::parse(CONFIG, "story.yaml", &|_| None).unwrap();
    let snapshot = Arc::new(Snapshot::compile(settings, config.routes).unwrap());
    let mut story = Story::rechecking(Arc::clone(store), Arc::clone(provider), policy, Arc::clone(&snapshot));
    story.snapshot = Some(snapshot);
    story
}

async fn signed_in(refreshes: bool) -> Story {
    signed_in_where(refreshes, 3).await
}

async fn signed_in_where(refreshes: bool, unclear: usize) -> Story {
    let store = Arc::new(Switch {
        store: MemoryStore::new(Limits::default()),
        away: AtomicBool::new(false),
        asked: AtomicUsize::new(0),
    });
    let provider = Arc::new(Fake::default());
    *provider.refreshing.lock() = refreshes.then(Refreshing::default);
    let mut story = gateway_where(&store, &provider, unclear);
    story.sign_in().await;
    assert!(story.passes(APP).await);
    story
}

fn asked(story: &Story) -> usize {
    story.provider.refreshing.lock().as_ref().unwrap().asked
}

fn says(story: &Story, says: Says) {
    story.provider.refreshing.lock().as_mut().unwrap().says = says;
}

/// Uses the session every few minutes until `time` has passed; whether it stood all the while.
async fn uses(story: &mut Story, time: Duration) -> bool {
    let end = story.now + time;
    while story.now < end {
        story.wait((5 * MINUTE).min(end.duration_since(story.now).unwrap()));
        if !story.passes(APP).await {
            return false;
        }
        // What goes on behind the request's back.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    true
}

// XM13, PM06
#[tokio::test]
async fn a_person_whom_the_provider_still_knows_goes_on_and_is_asked_for_once_an_hour() {
    let mut story = signed_in(true).await;
    assert!(uses(&mut story, 47 * MINUTE).await);
    assert_eq!(asked(&story), 0);
    assert!(uses(&mut story, 10 * MINUTE).await);
    assert_eq!(asked(&story), 1, "before the hour is over, behind a request's back");
    assert!(uses(&mut story, 5 * HOUR).await);
    assert!((6..=8).contains(&asked(&story)), "{}", asked(&story));
    let record = story.store.store.count(Kind::Provider);
    assert_eq!(record, 1, "the token in force, and no other");
}

// XM13, PM06
#[tokio::test]
async fn whoever_was_disabled_is_out_within_the_time_and_so_is_whoever_is_answered_as_somebody_else() {
    for answer in [Says::Disabled, Says::SomebodyElse] {
        let mut story = signed_in(true).await;
        says(&story, answer);
        // Idle until the hour is over: the request itself waits for the answer.
        assert!(uses(&mut story, 40 * MINUTE).await);
        story.wait(21 * MINUTE);
        assert!(!story.passes(APP).await);
        assert_eq!(asked(&story), 1);
        says(&story, Says::Yes);
        story.wait(MINUTE);
        assert!(!story.passes(APP).await, "it has ended, it does not rest");
    }
}

// Some providers answer for a locked person with `invalid_request`.
#[tokio::test]
async fn words_that_are_not_clear_end_a_session_when_they_are_said_twice_and_not_before() {
    for (answer, asks, stays) in [(Says::Unclear, 2, false), (Says::UnclearOnce, 2, true), (Says::NotOurs, 1, true)] {
        let mut story = signed_in(true).await;
        assert!(uses(&mut story, 40 * MINUTE).await);
        says(&story, answer);
        story.wait(21 * MINUTE);
        assert_eq!(story.passes(APP).await, stays);
        assert_eq!(asked(&story), asks);
        let counted = |about: &str| story.auth.metrics.unclear_refusals.with_label_values(&[about]).get();
        assert_eq!((counted("person"), counted("registration")), (u64::from(!stays), 0));
    }
}

// The twin, where nobody is to be signed out by such words: they count as the provider being away.
#[tokio::test]
async fn words_that_are_not_clear_end_no_session_where_the_configuration_says_so() {
    let mut story = signed_in_where(true, 0).await;
    assert!(uses(&mut story, 40 * MINUTE).await);
    says(&story, Says::Unclear);
    story.wait(21 * MINUTE);
    assert!(story.passes(APP).await);
    let counted = |about: &str| story.auth.metrics.unclear_refusals.with_label_values(&[about]).get();
    assert_eq!((counted("person"), counted("registration")), (0, 1));
}

#[tokio::test]
async fn while_the_provider_is_away_a_session_goes_on_for_the_grace_and_not_longer() {
    for answer in [Says::Away, Says::OurFault, Says::NotOurs] {
        let mut story = signed_in(true).await;
        says(&story, answer);
        assert!(uses(&mut story, HOUR + 14 * MINUTE).await);
        assert!(asked(&story) < 12, "not with each request");
        assert!(!uses(&mut story, 10 * MINUTE).await);
        // The twin: it comes back in time.
        let mut story = signed_in(true).await;
        says(&story, answer);
        assert!(uses(&mut story, HOUR + 14 * MINUTE).await);
        says(&story, Says::Yes);
        assert!(uses(&mut story, HOUR).await);
    }
}

// RFC 9700, 4.14.2: a token is good for one use, whoever asks.
#[tokio::test]
async fn many_requests_on_two_gateways_use_a_token_once() {
    let mut first = signed_in(true).await;
    let mut second = gateway(&first.store, &first.provider);
    (second.jar, second.now) = (first.jar.clone(), first.now);
    assert!(uses(&mut first, 40 * MINUTE).await);
    second.now = first.now;
    assert!(second.passes(APP).await);
    for story in [&mut first, &mut second] {
        story.wait(21 * MINUTE);
    }
    let (one, other) = tokio::join!(first.passes(APP), second.passes(APP));
    assert!(one && other);
    assert_eq!(asked(&first), 1);
    assert!(uses(&mut first, 2 * HOUR).await);
    assert!(first.provider.refreshing.lock().as_ref().unwrap().says == Says::Yes, "no token was used twice");
}

// A session without a refresh token is confirmed by a new sign-in.
#[tokio::test]
async fn without_a_refresh_token_the_person_signs_in_again() {
    let mut story = signed_in(false).await;
    assert_eq!(story.store.store.count(Kind::Provider), 0);
    assert!(uses(&mut story, 55 * MINUTE).await);
    story.wait(6 * MINUTE);
    assert_eq!(story.get(APP).await.status.as_u16(), 302);
    story.sign_in().await;
    assert!(uses(&mut story, 55 * MINUTE).await);
}

// A sign-out while the provider is being asked is not undone by the answer.
#[tokio::test]
async fn an_answer_does_not_bring_back_who_has_left() {
    let mut story = signed_in(true).await;
    let thief = story.jar.clone();
    story.ask(Method::POST, "https://apps.example/oauth2/sign_out").await;
    assert_eq!(story.store.store.count(Kind::Provider), 0, "the tokens go with the session");
    story.jar = thief;
    story.wait(HOUR);
    assert!(!story.passes(APP).await);
    assert_eq!(asked(&story), 0);
}
