//! What a sign-in is asked for from outside: links and forms of others, another account, an answer by a form.

use reqwest::Method;
use url::Url;

use super::{
    assert_begun_anew, assert_refused, at_once, only, start_url, token_calls, until_authorize, until_code, value,
};
use crate::support::browser::{Browser, Page};
use crate::support::rig::{Choices, Rig};

async fn plain(keys: &str, sign_in: &str) -> Rig {
    let plain = Some(format!("    scopes: [openid, name, email]\n{keys}"));
    let sign_in = format!("  starts_per_minute: 0\n{sign_in}");
    let rig = Rig::with(Choices { plain, sign_in, ..Choices::default() }).await;
    at_once(&rig, "maya");
    rig
}

/// A form that another site has the browser post: none of our cookies come with it.
async fn posted_from_elsewhere(url: &str, form: &[(String, String)]) -> Page {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let headers = [
        ("accept", "text/html"),
        ("origin", "https://login.provider.test"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    Browser::new().send(Method::POST, url, Some(body), &headers).await
}

fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

// OF3, OpenID Connect Core 1.0, 4
#[tokio::test(flavor = "multi_thread")]
async fn a_link_or_a_form_of_others_names_who_is_to_sign_in_and_nothing_else() {
    let rig = plain("", "").await;
    let issuer = rig.simulator.carrier("aurora").unwrap().issuer();
    let asked = [("iss", issuer.as_str()), ("login_hint", "maya@mail.example"), ("target_link_uri", "/app/linked?a=1")];
    let authorize = until_authorize(&Browser::new(), start_url(&rig, &asked)).await;
    assert_eq!(value(&authorize, "login_hint").as_deref(), Some("maya@mail.example"));
    let mut form = fields(&asked);
    form.extend(fields(&[("scope", "admin"), ("prompt", "none"), ("again", "1"), ("account", "other")]));
    let page = posted_from_elsewhere(&rig.url("/oauth2/start"), &form).await;
    assert_eq!(page.status, 303);
    let browser = Browser::new();
    let authorize = until_authorize(&browser, page.location().unwrap()).await;
    assert_eq!(value(&authorize, "login_hint").as_deref(), Some("maya@mail.example"));
    assert_eq!((value(&authorize, "prompt"), value(&authorize, "scope").as_deref()), (None, Some("openid name email")));
    assert_eq!(browser.go(authorize).await.url.path(), "/app/linked");
    // The twins: what is no hint is not passed on, and who is no issuer of ours begins nothing.
    for none in ["", "a\nb", "\u{0}", &"x".repeat(257)] {
        let authorize = until_authorize(&Browser::new(), start_url(&rig, &[("login_hint", none)])).await;
        assert_eq!(value(&authorize, "login_hint"), None, "{none:?}");
    }
    let foreign = posted_from_elsewhere(&rig.url("/oauth2/start"), &fields(&[("iss", "https://evil.test")])).await;
    assert_refused(&Browser::new().open(foreign.location().unwrap()).await, 400, "unknown_issuer");
}

// FD10, KC07
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_open_a_page_reads_who_they_are_and_what_they_can_do() {
    let rig = plain("", "  contact: \"it-help <at> example\"\n").await;
    let browser = Browser::new();
    let page = browser.go(rig.url("/admin/x?y=1")).await;
    assert_eq!(page.status, 403);
    assert!(
        page.body.contains("Code: policy_unmet<br>") && page.body.contains("You are signed in as <b>"),
        "{}",
        page.body
    );
    assert!(page.body.contains("Whom to ask: it-help &lt;at&gt; example"), "{}", page.body);
    assert!(page.body.contains("href=\"/oauth2/start?rd=%2Fadmin%2Fx%3Fy%3D1\">Check again"), "{}", page.body);
    let other = "/oauth2/start?account=other&amp;rd=%2Fadmin%2Fx%3Fy%3D1";
    assert!(page.body.contains(&format!("href=\"{other}\">Use another account")), "{}", page.body);
    // The provider is asked with which account, and only then.
    let aurora = rig.simulator.carrier("aurora").unwrap();
    browser.go(rig.url("/oauth2/start?account=other&rd=%2Fadmin%2Fx%3Fy%3D1")).await;
    assert_eq!(only(&aurora.last("authorize").unwrap(), "prompt").as_deref(), Some("select_account"));
    // Checked again: what the provider says of them now counts.
    aurora.set(|rules| drop(rules.userinfo.insert("groups".into(), serde_json::json!(["admins"]))));
    let page = browser.go(rig.url("/oauth2/start?rd=%2Fadmin%2Fx%3Fy%3D1")).await;
    assert_eq!(only(&aurora.last("authorize").unwrap(), "prompt"), None);
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/admin/x"), "{}", page.body);
    // Who shall not be told who they are is not.
    let silent = plain("", "  display_claims: []\n").await;
    let page = Browser::new().go(silent.url("/admin")).await;
    assert!(page.status == 403 && !page.body.contains("signed in as"), "{}", page.body);
}

/// The fields of an answer as a provider would have the browser post them.
fn answer(callback: &Url) -> Vec<(String, String)> {
    callback.query_pairs().into_owned().collect()
}

// PM13, XM14
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_another_site_posts_is_posted_again_from_ours_and_counts_then() {
    let rig = plain("    response_mode: form_post\n", "").await;
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app/x")).await;
    assert_eq!(
        rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap().parameter("response_mode"),
        Some("form_post")
    );
    let here = rig.url("/oauth2/callback");
    let mut sent = answer(&callback);
    sent.push(("session_state".to_owned(), "\"><script>alert(1)</script>".to_owned()));
    let page = posted_from_elsewhere(&here, &sent).await;
    assert_eq!((page.status.as_u16(), page.gives_session()), (200, false));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'sha256-") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!page.body.contains("alert"), "{}", page.body);
    assert_eq!(page.body.matches("<script>").count(), 1);
    let own = |fields: Vec<(String, String)>| fields.into_iter().chain(fields_of_ours()).collect::<Vec<_>>();
    // Not with a mark of ours from elsewhere, and not in another browser.
    let forged = posted_from_elsewhere(&here, &own(answer(&callback))).await;
    assert_eq!((forged.status.as_u16(), forged.gives_session()), (400, false));
    let pairs = own(answer(&callback));
    let form: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let thief = Browser::new().post(&here, &form).await;
    assert_eq!((thief.status.as_u16(), thief.raw_location()), (303, "/oauth2/start?again=1"));
    assert_eq!(token_calls(&rig), 0);
    // The twin: its own browser, from our own page.
    let arrived = browser.post(&here, &form).await;
    assert_eq!((arrived.status.as_u16(), arrived.raw_location(), arrived.gives_session()), (303, "/app/x", true));
    assert_eq!(token_calls(&rig), 1);
    let again = browser.post(&here, &form).await;
    assert_eq!((again.status.as_u16(), again.raw_location(), again.gives_session()), (303, "/app/x", false));
    assert_eq!(token_calls(&rig), 1);
    // A code that stands in an address though a form was asked for is not redeemed.
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app/x")).await;
    assert_refused(&browser.open(&callback).await, 400, "callback_malformed");
    assert_eq!(token_calls(&rig), 1);
}

fn fields_of_ours() -> Vec<(String, String)> {
    fields(&[("zengate_reposted", "1")])
}

// B14, XM14
#[tokio::test(flavor = "multi_thread")]
async fn where_no_form_was_asked_for_none_is_taken_and_a_large_one_nowhere() {
    let rig = plain("", "").await;
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app/x")).await;
    let page = posted_from_elsewhere(&rig.url("/oauth2/callback"), &answer(&callback)).await;
    assert_eq!((page.status.as_u16(), page.headers["allow"].to_str().unwrap()), (405, "GET"));
    let large = fields(&[("code", &"x".repeat(70_000))]);
    for path in ["/oauth2/callback", "/oauth2/start"] {
        assert_eq!(posted_from_elsewhere(&rig.url(path), &large).await.status, 413, "{path}");
    }
    assert_eq!(token_calls(&rig), 0);
    assert!(browser.open(&callback).await.gives_session());
    assert_begun_anew(&Browser::new().open(&callback).await, "/");
}

// XS26: an office, a school, a range of a carrier behind one address.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_people_behind_one_address_begin_at_nine_o_clock() {
    let rig = Rig::with(Choices { sign_in: "  skew: 1m\n".to_owned(), ..Choices::default() }).await;
    for n in 0..1_000 {
        assert_eq!(Browser::new().open(rig.url("/oauth2/start")).await.status, 302, "{n}");
    }
}
