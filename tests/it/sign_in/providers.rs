//! Several providers: a person chooses, a route may choose for them, and no provider answers in another's place.

use url::Url;

use super::{assert_refused, at_once, token_calls, with};
use crate::support::browser::Browser;
use crate::support::rig::{Choices, Rig};

/// A rig whose people come from two providers, those of `/staff` from one of them.
async fn rig() -> Rig {
    let staff = "  - { host: localhost, path: /staff, access: session, upstream: 'UPSTREAM', providers: [staff],
      identity_headers: { map: { X-Auth-Issuer: iss } } }
  - { host: second.localhost, path: /, access: session, upstream: 'UPSTREAM', providers: [staff],
      identity_headers: { map: { X-Auth-Issuer: iss } } }
  - { host: third.localhost, path: /, access: session, upstream: 'UPSTREAM',
      identity_headers: { map: { X-Auth-Issuer: iss } } }\n";
    let rig = Rig::with(Choices { two_providers: true, routes: staff.to_owned(), ..Choices::default() }).await;
    at_once(&rig, "maya");
    rig
}

fn issuer(rig: &Rig, carrier: &str) -> String {
    rig.simulator.carrier(carrier).unwrap().issuer()
}

/// Where the choice `name` of the chooser page leads.
fn choice(rig: &Rig, page: &str, name: &str) -> String {
    let at = page.find(&format!(">{name}</a>")).unwrap_or_else(|| panic!("no {name} in {page}"));
    let href = page[..at].rsplit("href=\"").next().unwrap().trim_end_matches('"').replace("&amp;", "&");
    rig.url(&href)
}

/// The callback of a sign-in at `/app`, not yet opened.
pub(super) async fn callback(rig: &Rig, browser: &Browser, provider: &str) -> Url {
    let mut page = browser.open(rig.url(&format!("/oauth2/start?rd=/app&provider={provider}"))).await;
    loop {
        let next = page.location().unwrap_or_else(|| panic!("{}", page.body));
        if next.path().starts_with("/oauth2/callback") {
            return next;
        }
        page = browser.open(next).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_chooses_and_comes_back_to_the_very_page() {
    let rig = rig().await;
    for (name, carrier) in [("Partners", "tangent"), ("Staff", "aurora")] {
        let browser = Browser::new();
        let page = browser.go(rig.url("/app/x?y=1&z=a%20b")).await;
        assert_eq!((page.status.as_u16(), page.url.path()), (200, "/oauth2/start"), "{}", page.body);
        let page = browser.go(choice(&rig, &page.body, name)).await;
        assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/x"), "{}", page.body);
        assert_eq!(page.url.query(), Some("y=1&z=a%20b"));
        assert_eq!(rig.upstream.last().one("x-auth-issuer").unwrap(), issuer(&rig, carrier));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_takes_people_of_the_providers_that_it_names() {
    let rig = rig().await;
    let browser = Browser::new();
    let page = browser.go(rig.url("/staff/a")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/staff/a"), "one is left: nothing to choose");
    assert_eq!(rig.upstream.last().one("x-auth-issuer").unwrap(), issuer(&rig, "aurora"));
    // Somebody of the other provider signs in with the right one, and is not let in before.
    let partner = Browser::new();
    assert!(partner.open(callback(&rig, &partner, "partners").await).await.gives_session());
    let before = rig.upstream.count();
    let page = partner.open(rig.url("/staff/a")).await;
    assert_eq!(page.status.as_u16(), 302);
    assert_eq!(rig.upstream.count(), before);
    assert_eq!(partner.follow(page).await.url.path(), "/staff/a");
    assert_eq!(rig.upstream.last().one("x-auth-issuer").unwrap(), issuer(&rig, "aurora"));
    // What the route does not name cannot be asked for either.
    let page = Browser::new().open(rig.url("/oauth2/start?rd=/staff/a&provider=partners")).await;
    assert_refused(&page, 400, "unknown_issuer");
    assert_refused(&Browser::new().open(rig.url("/oauth2/start?provider=nobody")).await, 400, "unknown_issuer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_own_link_leads_to_it() {
    let rig = rig().await;
    let browser = Browser::new();
    let page = browser
        .go(with(&rig.url("/oauth2/start?rd=/app").parse().unwrap(), "iss", Some(&issuer(&rig, "tangent"))))
        .await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app"), "{}", page.body);
    let page = Browser::new().open(rig.url("/oauth2/start?iss=https%3A%2F%2Fevil.test")).await;
    assert_refused(&page, 400, "unknown_issuer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_at_another_providers_callback_is_refused_before_anything_is_redeemed() {
    // RFC 9700 4.4: a hostile provider sends the browser to another one, whose code would then be given to it.
    let rig = rig().await;
    for (begun, other, status, code) in [
        ("partners", "/staff", 400, "carrier_mismatch"),
        ("staff", "/partners", 400, "carrier_mismatch"),
        ("partners", "", 400, "carrier_mismatch"),
        ("staff", "/", 404, "not_found"),
        ("staff", "/nobody", 404, "not_found"),
    ] {
        let browser = Browser::new();
        let mut bent = callback(&rig, &browser, begun).await;
        assert_eq!(bent.path(), format!("/oauth2/callback/{begun}"));
        bent.set_path(&format!("/oauth2/callback{other}"));
        assert_refused(&browser.open(bent).await, status, code);
    }
    assert_eq!(token_calls(&rig), 0);
    let browser = Browser::new();
    assert!(browser.open(callback(&rig, &browser, "partners").await).await.gives_session());
    assert_eq!(token_calls(&rig), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_hands_on_what_its_route_wants() {
    let rig = rig().await;
    let (port, browser) = (rig.address.port(), Browser::new());
    assert!(browser.open(callback(&rig, &browser, "partners").await).await.gives_session());
    // Any provider will do: the session of the public host is handed over.
    let page = browser.go(format!("http://third.localhost:{port}/p")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/p"), "{}", page.body);
    assert_eq!(rig.upstream.last().one("x-auth-issuer").unwrap(), issuer(&rig, "tangent"));
    // Only staff will do: they sign in anew, and there is no loop.
    let page = browser.go(format!("http://second.localhost:{port}/p")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/p"), "{}", page.body);
    assert_eq!(rig.upstream.last().one("x-auth-issuer").unwrap(), issuer(&rig, "aurora"));
}
