//! What signing out ends, what it says about it, and where it leads.

use super::*;
use crate::snapshot::{CookieLife, ProviderSignOut};

const APP: &str = "https://apps.example/app";
const SIGN_OUT: &str = "https://apps.example/oauth2/sign_out";
const ENDS: &str = "https://carrier.example/end?realm=x";

fn body(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.to_str().unwrap())
}

async fn post(story: &mut Story, url: &str) -> Reply {
    match story.ask(Method::POST, url).await {
        Decision::Answer(reply) => reply,
        Decision::Forward(_) => panic!("{url} was passed on"),
    }
}

/// The addresses that the forms of a page post to.
fn forms(page: &str) -> Vec<String> {
    let actions = page.split("<form method=post action=\"").skip(1);
    actions.map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&")).collect()
}

/// Where a page leads by itself.
fn leads_to(page: &str) -> Url {
    let to = page.split("http-equiv=refresh content=\"0;url=").nth(1).expect("a page that leads on");
    Url::parse(&to.split('"').next().unwrap().replace("&amp;", "&")).unwrap()
}

/// Somebody is signed in at a gateway with these settings, whose provider says how its session ends.
async fn signed_in(change: impl FnOnce(&mut AuthSettings)) -> Story {
    let mut story = Story::begin();
    *story.provider.ends.lock() = Some(Url::parse(ENDS).unwrap());
    let mut settings = AuthSettings::clone(story.auth.snapshot().settings());
    change(&mut settings);
    let (config, _) = Config::parse(CONFIG, "story.yaml", &|_| None).unwrap();
    story.snapshot = Some(Arc::new(Snapshot::compile(settings, config.routes).unwrap()));
    story.sign_in().await;
    assert!(story.passes(APP).await);
    story
}

fn kept(story: &Story) -> usize {
    story.store.store.count(Kind::Provider)
}

// XM05, XS03, KC29, PM02: the whole way to the provider and back.
#[tokio::test]
async fn signing_out_of_both_leads_to_the_provider_with_what_it_wants_and_back() {
    let mut story = signed_in(|_| {}).await;
    assert_eq!(kept(&story), 1, "the ID token, in a box of its own");
    let asked = body(&story.get(&format!("{SIGN_OUT}?rd=/bye")).await);
    let [here, both] = forms(&asked).try_into().unwrap();
    assert_eq!(
        (here.as_str(), both.as_str()),
        ("/oauth2/sign_out?rd=%2Fbye", "/oauth2/sign_out?provider=yes&rd=%2Fbye")
    );
    assert!(asked.contains("<a href=\"/\">Stay signed in</a>") && story.passes(APP).await);
    let reply = post(&mut story, &format!("https://apps.example{both}")).await;
    assert_eq!((reply.status.as_u16(), header(&reply, "clear-site-data")), (200, Some("\"cache\"")));
    assert!(header(&reply, "content-security-policy").unwrap().contains("form-action 'self'"));
    let to = leads_to(&body(&reply));
    assert!(to.as_str().starts_with("https://carrier.example/end?realm=x&id_token_hint="), "{to}");
    assert_eq!(value(&to, "id_token_hint").split('.').count(), 3);
    assert_eq!(value(&to, "client_id"), "ccid-a");
    assert_eq!(value(&to, "post_logout_redirect_uri"), "https://apps.example/oauth2/signed_out");
    assert!(!story.passes(APP).await);
    assert_eq!(kept(&story), 0, "nothing stays of it");
    let back = format!("https://apps.example/oauth2/signed_out?state={}", value(&to, "state"));
    assert_eq!(location(&story.get(&back).await).as_str(), "https://apps.example/bye");
}

#[tokio::test]
async fn a_state_that_is_old_or_not_ours_leads_to_the_page_that_knows() {
    let mut story = signed_in(|_| {}).await;
    let to = leads_to(&body(&post(&mut story, &format!("{SIGN_OUT}?provider=yes")).await));
    let state = value(&to, "state");
    let back = format!("https://apps.example/oauth2/signed_out?state={state}");
    let page = body(&story.get(&back).await);
    assert!(page.contains("Your session here and the one at your sign-in service have ended"), "{page}");
    for forged in [String::new(), "x".repeat(4000), state.replace(&state[10..12], "zz"), format!("{state}A")] {
        let back = format!("https://apps.example/oauth2/signed_out?state={forged}");
        assert_eq!(location(&story.get(&back).await).path(), "/oauth2/sign_out", "{forged}");
    }
    story.wait(61 * MINUTE);
    assert_eq!(location(&story.get(&back).await).path(), "/oauth2/sign_out");
}

#[tokio::test]
async fn what_the_operator_says_decides_what_can_end() {
    for (says, here, both, kept_then) in [
        (ProviderSignOut::Never, true, false, 0),
        (ProviderSignOut::Ask, true, true, 1),
        (ProviderSignOut::Always, false, true, 1),
    ] {
        let mut story = signed_in(|settings| settings.sign_out = says).await;
        assert_eq!(kept(&story), kept_then, "{says:?}");
        let asked = body(&story.get(SIGN_OUT).await);
        assert_eq!(forms(&asked).iter().any(|form| form == "/oauth2/sign_out"), here, "{says:?}");
        assert_eq!(forms(&asked).iter().any(|form| form == "/oauth2/sign_out?provider=yes"), both, "{says:?}");
        // Whatever a form says that no page of ours had.
        let wanted = if says == ProviderSignOut::Never { "?provider=yes" } else { "" };
        let page = body(&post(&mut story, &format!("{SIGN_OUT}{wanted}")).await);
        assert_eq!(page.contains("http-equiv=refresh"), says == ProviderSignOut::Always, "{says:?}");
        if says != ProviderSignOut::Always {
            assert!(page.contains("Your sign-in service may still know you"), "{page}");
        }
        assert!(!story.passes(APP).await);
    }
    // A provider that does not say how: nothing is kept, nothing is offered.
    let mut story = Story::begin();
    story.sign_in().await;
    assert_eq!(kept(&story), 0);
    assert_eq!(forms(&body(&story.get(SIGN_OUT).await)), ["/oauth2/sign_out"]);
}

// FD19
#[tokio::test]
async fn whoever_is_not_signed_in_is_told_so_and_has_nothing_to_post() {
    let mut story = Story::begin();
    let page = body(&story.get(SIGN_OUT).await);
    assert!(page.contains("You are not signed in") && forms(&page).is_empty(), "{page}");
    // The twin, and the store being away: nobody knows, and whoever wants to leave can.
    story.sign_in().await;
    assert_eq!(forms(&body(&story.get(SIGN_OUT).await)).len(), 1);
    let mut elsewhere = Story::on(Arc::clone(&story.store), CacheLimits::default(), 100, |policy| policy);
    (elsewhere.jar, elsewhere.now) = (story.jar.clone(), story.now);
    story.store.set_away(true);
    assert_eq!(forms(&body(&elsewhere.get(SIGN_OUT).await)).len(), 1);
}

// KC25, MV13, PF04, XS03
#[tokio::test]
async fn a_place_that_nobody_is_sent_to_is_said_before_the_form_is_posted() {
    let listed = |settings: &mut AuthSettings| settings.return_origins = vec!["https://portal.example".to_owned()];
    let ask = |rd: &str| Url::parse_with_params(SIGN_OUT, [("rd", rd)]).unwrap().to_string();
    for refused in ["https://evil.example/end", "//evil.example", "/oauth2/sign_out"] {
        let mut story = signed_in(listed).await;
        let asked = body(&story.get(&ask(refused)).await);
        assert!(
            asked.contains("the link names a place that is not allowed here") && !asked.contains("evil"),
            "{asked}"
        );
        assert_eq!(forms(&asked)[0], "/oauth2/sign_out", "and is not carried along");
        assert_eq!(location(&post(&mut story, &ask(refused)).await).as_str(), "https://apps.example/", "A13");
    }
    for path in ["/", "/end?client=wiki", "/oauth2/v1/logout?x=1"] {
        let mut story = signed_in(listed).await;
        let to = format!("https://portal.example{path}");
        let asked = body(&story.get(&ask(&to)).await);
        assert!(!asked.contains("not allowed"), "{asked}");
        let page = post(&mut story, &format!("https://apps.example{}", forms(&asked)[0])).await;
        assert_eq!(leads_to(&body(&page)).as_str(), to);
    }
}

// XM02
#[tokio::test]
async fn the_cookie_lasts_as_long_as_the_session_may_and_is_renewed_while_it_is_used() {
    let max_age = |reply: &Reply| {
        let cookie =
            reply.headers.iter().filter(|(name, _)| *name == SET_COOKIE).map(|(_, value)| value.to_str().unwrap());
        let session = cookie.into_iter().find(|cookie| cookie.starts_with("__Host-gw=")).unwrap();
        session.split("Max-Age=").nth(1).map(|seconds| seconds.parse::<u64>().unwrap())
    };
    let mut story = Story::begin();
    assert_eq!(max_age(&story.sign_in().await), Some(30 * 60));
    let renewed = async |story: &mut Story| {
        let Decision::Forward(permit) = story.ask(Method::GET, APP).await else { panic!("signed in") };
        let snapshot = story.snapshot.clone().unwrap_or_else(|| story.auth.snapshot());
        let pairs: Vec<_> = story.jar.iter().map(|(_, name, value)| format!("{name}={value}")).collect();
        let headers = HeaderMap::from_iter([(COOKIE, pairs.join("; ").parse().unwrap())]);
        let due = story.auth.is_cookie_due(&snapshot, &permit, story.now);
        let cookie = due.then(|| story.auth.renewed_cookie(&snapshot, &permit, &headers, story.now)).flatten();
        cookie.map(|cookie| cookie.to_str().unwrap().to_owned())
    };
    let id = story.jar.iter().find(|(_, name, _)| name == "__Host-gw").unwrap().2.clone();
    assert_eq!(renewed(&mut story).await, None, "it was sent just now");
    story.wait(8 * MINUTE);
    let cookie = renewed(&mut story).await.expect("a quarter of its life is gone");
    assert_eq!(cookie, format!("__Host-gw={id}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=1800"));
    assert_eq!(renewed(&mut story).await, None, "once is enough");
    // Never longer than the session.
    for _ in 0..59 {
        story.wait(12 * MINUTE);
        assert!(story.passes(APP).await);
        tokio::task::yield_now().await;
    }
    let cookie = renewed(&mut story).await.unwrap();
    assert!(cookie.ends_with("; Max-Age=240"), "{cookie}");
    // The operator's word, and the person's.
    for (life, device) in [(CookieLife::Browser, ""), (CookieLife::Persistent, "&device=shared")] {
        let mut story = signed_in(|settings| settings.cookie_life = life).await;
        story.jar.clear();
        let to = location(&story.get(&format!("https://apps.example/oauth2/start?rd=/app{device}")).await);
        let back = format!("https://apps.example/oauth2/callback?mccmnc=310007&state={}", super::value(&to, "state"));
        let back = story.until_carrier(&back).await;
        assert_eq!(max_age(&story.get(&back).await), None);
        story.wait(8 * MINUTE);
        assert_eq!(renewed(&mut story).await, None, "{device}");
        story.wait(31 * MINUTE);
        assert!(!story.passes(APP).await, "the store decides as ever");
    }
}
