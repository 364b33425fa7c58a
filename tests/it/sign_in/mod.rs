//! Signing in, staying and leaving, as a browser sees it. A file a promise; the ids are those of the case list.

mod asked;
mod attempts;
mod attributes;
mod button;
mod carriers;
mod chromium;
mod claims;
mod differs;
mod errors;
mod federation;
mod flood;
mod full_disk;
mod hand_off;
mod id_token;
mod keys;
mod leaving;
mod member_client;
mod native;
mod oauth2;
mod optimized;
mod outage;
mod picker;
mod plain_issuer;
mod providers;
mod replicas;
mod restart;
mod return_address;
mod sessions;
mod sign_out;
mod signals;
mod sim_tenure;
mod step_up;
mod step_up_on_hosts;
mod tabs;

use url::Url;
use zengate_simulator::{AutoConsent, Recorded};

use crate::support::browser::{Browser, Page};
use crate::support::rig::Rig;

/// From now on `person` chooses the phone and agrees without being asked, so that one `go` is a whole sign-in.
fn at_once(rig: &Rig, person: &str) {
    rig.simulator.ui().set(|rules| rules.auto_choose = Some(person.to_owned()));
    for carrier in rig.simulator.carriers() {
        carrier.set(|rules| rules.auto_consent = Some(AutoConsent::default()));
    }
}

/// Follows redirects from `url` up to the answer that `is_it`.
async fn until(browser: &Browser, url: impl AsRef<str>, is_it: impl Fn(&Page) -> bool) -> Page {
    let mut page = browser.open(url).await;
    for _ in 0..15 {
        if is_it(&page) {
            return page;
        }
        let next = page.location().unwrap_or_else(|| panic!("the way ends at {} with {}", page.url, page.body));
        page = browser.open(next).await;
    }
    panic!("a redirect loop at {}", page.url)
}

/// Follows redirects from `url` up to the answer that gives the session out.
async fn until_signed_in(browser: &Browser, url: impl AsRef<str>) -> Page {
    until(browser, url, Page::gives_session).await
}

/// Follows redirects up to the redirect to a callback of ours that has a code.
async fn until_code(browser: &Browser, url: impl AsRef<str>) -> Url {
    let coded =
        |page: &Page| page.location().is_some_and(|to| to.path() == "/oauth2/callback" && value(&to, "code").is_some());
    until(browser, url, coded).await.location().unwrap()
}

/// Follows redirects up to the redirect to a carrier's authorization endpoint.
async fn until_authorize(browser: &Browser, url: impl AsRef<str>) -> Url {
    let asks = |page: &Page| page.location().is_some_and(|to| value(&to, "response_type").is_some());
    until(browser, url, asks).await.location().unwrap()
}

/// A query parameter of a URL.
fn value(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// `url` with one query parameter set to another value, or taken away.
fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let mut bent = url.clone();
    let kept: Vec<_> = url.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
    let added = value.map(|value| (name.to_owned(), value.to_owned()));
    bent.query_pairs_mut().clear().extend_pairs(kept.into_iter().chain(added));
    bent
}

/// `/oauth2/start` with `parameters`.
fn start_url(rig: &Rig, parameters: &[(&str, &str)]) -> String {
    Url::parse_with_params(&rig.url("/oauth2/start"), parameters).unwrap().into()
}

/// How often each carrier's token endpoint was asked, in all.
fn token_calls(rig: &Rig) -> u64 {
    rig.simulator.carriers().iter().map(|carrier| carrier.count("token")).sum()
}

/// How often each carrier's userinfo endpoint was asked, in all.
fn userinfo_calls(rig: &Rig) -> u64 {
    rig.simulator.carriers().iter().map(|carrier| carrier.count("userinfo")).sum()
}

/// The value of a parameter that stands in `request` exactly once.
fn only(request: &Recorded, name: &str) -> Option<String> {
    let mut values = request.query.iter().chain(&request.body).filter(|(key, _)| key == name);
    let first = values.next().map(|(_, value)| value.clone());
    assert!(values.next().is_none(), "{name} stands twice");
    first
}

/// Whether `browser` is signed in: what an app behind a session route would see.
async fn is_signed_in(rig: &Rig, browser: &Browser) -> bool {
    browser.open(rig.url("/oauth2/session")).await.status == 200
}

/// Asserts that `page` is a refusal as section 0 of the case list has it: the status and the code, a short page of our
/// own without anything executable, not to be kept, and no session.
#[track_caller]
fn assert_refused(page: &Page, status: u16, code: &str) {
    assert_eq!(page.status.as_u16(), status, "{} answered {}", page.url.path(), page.body);
    assert!(page.body.contains(&format!("Code: {code}<br>")), "not {code}: {}", page.body);
    assert!(!page.gives_session());
    assert_own_page(page);
}

/// Asserts that `page` is what a browser gets whose answer could not be used: another sign-in, for the page `to` of this
/// site, and no session.
#[track_caller]
fn assert_begun_anew(page: &Page, to: &str) {
    let rd: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
    let rd = if to == "/" { String::new() } else { format!("&rd={rd}") };
    let expected = format!("/oauth2/start?again=1{rd}");
    assert_eq!((page.status.as_u16(), page.raw_location()), (302, expected.as_str()), "{}", page.body);
    assert!(!page.gives_session());
}

/// Cookies of sign-ins that have only begun.
fn starts(browser: &Browser) -> usize {
    browser.cookies("localhost").values().filter(|value| value.starts_with("s.") || value.starts_with("m.")).count()
}

/// A17: what every page of ours promises.
#[track_caller]
fn assert_own_page(page: &Page) {
    let header = |name: &str| page.headers.get(name).map_or("", |value| value.to_str().unwrap());
    assert!(page.body.len() <= 1024, "{} bytes", page.body.len());
    assert!(header("content-type").starts_with("text/html"), "{}", header("content-type"));
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
    assert!(!page.body.contains("<script"), "{}", page.body);
}
