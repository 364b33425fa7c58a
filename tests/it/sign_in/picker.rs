//! A person picks their carrier on a page of ours, and a browser may remember which one it was.

use reqwest::Method;
use zengate_simulator::Client;

use super::{
    assert_own_page, assert_refused, at_once, is_signed_in, token_calls, until, until_authorize, until_code, value,
    with,
};
use crate::support::browser::{Browser, Page};
use crate::support::rig::{CLIENT_ID, CLIENT_SECRET, Choices, Rig};

/// Our client id at Tangent alone.
const OTHER_CLIENT: &str = "ccid-tangent012345678";

/// Long enough for a busy machine to make a simulated carrier's first key.
const PATIENT: &str = "  total_timeout: 30s\n";

/// Aurora and Tangent, which people pick; `more` goes into the block of `zenkey`, `aurora` into that of Aurora.
async fn rig(find: &str, more: &str, aurora: &str) -> Rig {
    let issuers = format!(
        "      - {{ issuer: 'AURORA', id: one, name: 'One Mobile'{aurora} }}
      - issuer: TANGENT
        id: two
        name: Two & Tel
        networks: [310-260]
        client: {{ client_id: {OTHER_CLIENT}, client_secret: \"{CLIENT_SECRET}\" }}
"
    );
    let zenkey = format!("    scopes: [openid, name, email]\n    acr_values: [a1, a3]\n    find: {find}\n{more}");
    let rig = Rig::with(Choices { issuers, zenkey, provider: PATIENT.to_owned(), ..Choices::default() }).await;
    for id in [CLIENT_ID, OTHER_CLIENT] {
        let known = Client::with_secret(id, CLIENT_SECRET).redirect_uri(rig.url("/oauth2/callback"));
        let known = known.redirect_uri(rig.url("/oauth2/callback/one")).redirect_uri(rig.url("/oauth2/callback/two"));
        rig.simulator.register(known);
    }
    at_once(&rig, "maya");
    rig
}

const OWN_ADDRESSES: &str = "    redirect_uri_per_carrier: true\n";
const REMEMBERS: &str = "    remember_carrier: 30d\n";

fn is_picker(page: &Page) -> bool {
    page.status == 200 && page.body.contains("Choose your mobile carrier.")
}

/// The cookie in which a browser remembers its carrier.
fn remembered(browser: &Browser) -> Option<String> {
    browser.cookies("localhost").remove("__Host-gwtx-carrier")
}

// CR-F01
#[tokio::test(flavor = "multi_thread")]
async fn the_page_lists_carriers_in_the_order_of_the_configuration_and_asks_for_no_number() {
    let rig = rig("[picker]", "", "").await;
    let browser = Browser::new();
    let page = browser.go(rig.url("/app/x?y=1&z=a%20b")).await;
    assert!(is_picker(&page), "{}", page.body);
    let at = |text: &str| page.body.find(text).unwrap_or_else(|| panic!("no {text}: {}", page.body));
    assert!(at(">One Mobile</a>") < at(">Two &amp; Tel</a>"));
    for absent in ["<input", "tel:", "last time", "I do not know"] {
        assert!(!page.body.contains(absent), "{absent}");
    }
    assert_own_page(&page);
    assert_eq!((page.set_cookies().len(), browser.cookies("localhost").len()), (0, 0));
    assert_eq!(rig.simulator.discovery().count() + rig.simulator.ui().count(), 0, "nobody else is asked");
}

// CR-F02
#[tokio::test(flavor = "multi_thread")]
async fn whoever_picks_a_carrier_goes_to_it_as_the_client_that_it_knows() {
    let rig = rig("[picker]", OWN_ADDRESSES, "").await;
    let (aurora, tangent) = (rig.simulator.carrier("aurora").unwrap(), rig.simulator.carrier("tangent").unwrap());
    let (mut states, mut nonces) = (Vec::new(), Vec::new());
    for (id, client, carrier) in
        [("one", CLIENT_ID, aurora), ("two", OTHER_CLIENT, tangent), ("two", OTHER_CLIENT, tangent)]
    {
        let browser = Browser::new();
        let picked = browser.post(rig.url("/oauth2/start"), &[("carrier", id), ("rd", "/app/x?y=1")]).await;
        assert_eq!(picked.status, 303, "{}", picked.body);
        let page = browser.open(picked.location().unwrap()).await;
        let to = page.location().unwrap_or_else(|| panic!("{}", page.body));
        assert_eq!(page.status, 302);
        assert!(to.as_str().starts_with(&carrier.authorization_endpoint()), "{to}");
        assert_eq!(value(&to, "client_id").as_deref(), Some(client));
        assert_eq!(value(&to, "redirect_uri"), Some(rig.url(&format!("/oauth2/callback/{id}"))));
        assert_eq!(value(&to, "code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(value(&to, "login_hint_token"), None);
        states.push(value(&to, "state").unwrap());
        nonces.push(value(&to, "nonce").unwrap());
        let page = browser.go(to).await;
        assert_eq!((page.status.as_u16(), page.url.path(), page.url.query()), (200, "/app/x", Some("y=1")));
        let seen = rig.upstream.last();
        assert_eq!(seen.one("x-auth-issuer").unwrap(), carrier.issuer());
        assert!(seen.one("x-zenkey-email").is_some(), "userinfo was asked for as that client");
        assert!(remembered(&browser).is_none(), "nothing is remembered unless the operator says so");
    }
    for drawn in [&mut states, &mut nonces] {
        drawn.sort();
        drawn.dedup();
        assert_eq!(drawn.len(), 3, "each sign-in has its own");
    }
}

// CR-F02: by a link of the page, and by a carrier's own link.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_picks_as_a_form_does() {
    let rig = rig("[picker]", "", "").await;
    let tangent = rig.simulator.carrier("tangent").unwrap();
    let browser = Browser::new();
    let page = browser.go(rig.url("/app/x")).await;
    let at = page.body.find(">Two &amp; Tel</a>").unwrap();
    let href = page.body[..at].rsplit("href=\"").next().unwrap().trim_end_matches('"').replace("&amp;", "&");
    let to = until_authorize(&browser, rig.url(&href)).await;
    assert_eq!(value(&to, "redirect_uri"), Some(rig.url("/oauth2/callback")), "the one address, unless told otherwise");
    assert_eq!(browser.go(to).await.url.path(), "/app/x");
    let link = with(&rig.url("/oauth2/start?rd=/app").parse().unwrap(), "iss", Some(&tangent.issuer()));
    assert_eq!(value(&until_authorize(&Browser::new(), link).await, "client_id").as_deref(), Some(OTHER_CLIENT));
}

// CR-F03
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_nobody_listed_cannot_be_picked() {
    let rig = rig("[picker]", "", "").await;
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/oauth2/start?rd=/app&carrier=one")).await;
    let before = browser.cookies("localhost");
    for id in ["three", "", "ONE", "one,two", "../one", "https://evil.test"] {
        let picked = browser.post(rig.url("/oauth2/start"), &[("carrier", id)]).await;
        assert_refused(&browser.open(picked.location().unwrap()).await, 400, "request_malformed");
    }
    assert_eq!(browser.cookies("localhost"), before, "what is under way goes on");
    assert!(browser.open(callback).await.gives_session());
}

// CR-F05
#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_no_page_to_pick_on() {
    let rig = rig("[picker]", "", "").await;
    for path in ["/oauth2/start", "/oauth2/start?carrier=one", "/app"] {
        let answer = Browser::new().send(Method::GET, rig.url(path), None, &[("accept", "*/*")]).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
        assert_eq!(answer.json()["error"], "unauthenticated");
        assert!(answer.json()["login_url"].as_str().unwrap().contains("/oauth2/start"), "{}", answer.body);
        assert!(answer.set_cookies().is_empty());
    }
}

// CR-M34 for what exists: mix-up. RFC 9700 4.4: each carrier that has an address of its own answers there and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_at_another_carriers_address_is_refused_before_anything_is_redeemed() {
    let rig = rig("[picker, ui_with_state]", OWN_ADDRESSES, "").await;
    let coded = |page: &Page| {
        let to = page.location().filter(|to| value(to, "code").is_some());
        to.is_some_and(|to| to.path().starts_with("/oauth2/callback"))
    };
    let callback = async |browser: &Browser, how: &str| {
        until(browser, rig.url(&format!("/oauth2/start?rd=/app&{how}")), coded).await.location().unwrap()
    };
    for (how, own, other, status, code) in [
        ("carrier=one", "/one", "/two", 400, "carrier_mismatch"),
        ("carrier=two", "/two", "/one", 400, "carrier_mismatch"),
        ("carrier=two", "/two", "", 400, "carrier_mismatch"),
        // Who comes from the discovery UI answers at the one address that is registered there.
        ("unsure=1", "", "/one", 400, "carrier_mismatch"),
        ("carrier=one", "/one", "/three", 404, "not_found"),
        ("carrier=one", "/one", "/", 404, "not_found"),
    ] {
        let browser = Browser::new();
        let mut bent = callback(&browser, how).await;
        assert_eq!(bent.path(), format!("/oauth2/callback{own}"));
        bent.set_path(&format!("/oauth2/callback{other}"));
        assert_refused(&browser.open(bent).await, status, code);
    }
    // A picked carrier was found by no network; one that is listed as another's is refused all the same.
    let browser = Browser::new();
    let bent = callback(&browser, "carrier=one").await;
    assert_refused(&browser.open(with(&bent, "mccmnc", Some("310260"))).await, 400, "carrier_mismatch");
    let browser = Browser::new();
    let foreign = rig.simulator.carrier("tangent").unwrap().issuer();
    let bent = callback(&browser, "carrier=one").await;
    assert_refused(&browser.open(with(&bent, "iss", Some(&foreign))).await, 400, "carrier_mismatch");
    assert_eq!(token_calls(&rig), 0);
    for how in ["carrier=one", "carrier=two", "unsure=1"] {
        let browser = Browser::new();
        let callback = callback(&browser, how).await;
        assert!(browser.open(callback).await.gives_session(), "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_know_is_led_to_the_discovery_ui() {
    let rig = rig("[picker, ui_with_state]", "", "").await;
    let browser = Browser::new();
    let page = browser.go(rig.url("/app/x")).await;
    assert!(is_picker(&page) && page.body.contains("I do not know</a>"), "{}", page.body);
    let page = browser.go(rig.url("/oauth2/start?rd=/app/x&unsure=1")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/x"), "{}", page.body);
    assert_eq!(rig.simulator.ui().count(), 1);
    // A carrier that was picked and does not know the person: the page of the federation finds out, once.
    let aurora = rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| rules.next_authorize_error = Some("user_not_found".to_owned()));
    let browser = Browser::new();
    let page = browser.go(rig.url("/oauth2/start?rd=/app/y&carrier=one")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/y"), "{}", page.body);
    assert_eq!(rig.simulator.ui().last().unwrap().parameter("prompt"), Some("true"));
}

// A network that is listed as one carrier's leads to no other, whatever discovery says.
#[tokio::test(flavor = "multi_thread")]
async fn discovery_cannot_lead_the_people_of_a_listed_network_elsewhere() {
    for (aurora, status) in [("310-260", 502), ("310-410", 200)] {
        let issuers = format!("      - {{ issuer: AURORA, networks: [{aurora}] }}\n      - TANGENT\n");
        let rig = Rig::with(Choices { issuers, ..Choices::default() }).await;
        at_once(&rig, "ines");
        let page = Browser::new().go(rig.url("/app")).await;
        assert_eq!((page.status.as_u16(), token_calls(&rig)), (status, u64::from(status == 200)), "{}", page.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_goes_to_the_carrier_that_it_remembers_and_a_desktop_never_loses_its_hint() {
    let rig = rig("[ui_with_state]", REMEMBERS, "").await;
    let (ui, aurora) = (rig.simulator.ui(), rig.simulator.carrier("aurora").unwrap());
    for (browser, skips) in [(Browser::phone(), true), (Browser::new(), false)] {
        assert_eq!(browser.go(rig.url("/app")).await.status, 200);
        let cookie = remembered(&browser).expect("a sign-in that ended well is remembered");
        assert!(!cookie.contains("310410") && !cookie.contains("one"), "sealed");
        browser.forget("localhost", "__Host-gw");
        let before = ui.count();
        let page = browser.go(rig.url("/app/x")).await;
        assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/x"), "{}", page.body);
        assert_eq!(ui.count() - before, u64::from(!skips));
        assert_eq!(aurora.last("authorize").unwrap().parameter("login_hint_token").is_some(), !skips);
        assert_eq!(
            rig.upstream.last().one("x-zenkey-mccmnc").as_deref(),
            Some("310410"),
            "and the app is told as before"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_carrier_that_does_not_know_the_person_is_forgotten_and_the_ui_asked_once() {
    let rig = rig("[ui_with_state]", REMEMBERS, "").await;
    let (ui, aurora) = (rig.simulator.ui(), rig.simulator.carrier("aurora").unwrap());
    let phone = Browser::phone();
    assert_eq!(phone.go(rig.url("/app")).await.status, 200);
    phone.forget("localhost", "__Host-gw");
    // The person has moved to another carrier.
    aurora.set(|rules| rules.authorize_error = Some("user_not_found".to_owned()));
    at_once(&rig, "ines");
    let before = ui.count();
    let old = remembered(&phone);
    let page = phone.go(rig.url("/app/x")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/x"), "{}", page.body);
    assert_eq!((ui.count() - before, ui.last().unwrap().parameter("prompt")), (1, Some("true")));
    assert!(remembered(&phone).is_some() && remembered(&phone) != old, "the new one is remembered");
    // Twice is the end of it.
    phone.forget("localhost", "__Host-gw");
    for carrier in rig.simulator.carriers() {
        carrier.set(|rules| rules.authorize_error = Some("user_not_found".to_owned()));
    }
    let before = ui.count();
    assert_refused(&phone.go(rig.url("/app/x")).await, 403, "user_not_found");
    assert_eq!(ui.count() - before, 1);
    assert_eq!(remembered(&phone), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_and_a_device_of_somebody_elses_forget_the_carrier() {
    let rig = rig("[picker, ui_with_state]", REMEMBERS, "").await;
    let start = rig.url("/oauth2/start?rd=/app&carrier=two");
    let browser = Browser::new();
    assert_eq!(browser.go(&start).await.status, 200);
    let page = browser.open(rig.url("/oauth2/start")).await;
    assert!(
        page.body.contains(">Two &amp; Tel (last time)</a>") && page.body.contains(">One Mobile</a>"),
        "{}",
        page.body
    );
    let out = browser.post(rig.url("/oauth2/sign_out"), &[]).await;
    assert!(out.status.is_success() || out.status.is_redirection(), "{}", out.body);
    assert_eq!((remembered(&browser), is_signed_in(&rig, &browser).await), (None, false));
    // Somebody else's device: what it remembered goes, and nothing new is remembered.
    assert_eq!(browser.go(&start).await.status, 200);
    assert!(remembered(&browser).is_some());
    browser.forget("localhost", "__Host-gw");
    let page = browser.open(format!("{start}&device=shared")).await;
    assert_eq!(remembered(&browser), None, "from the first step on");
    assert_eq!(browser.follow(page).await.status, 200);
    assert_eq!(remembered(&browser), None);
    // What somebody planted means nothing.
    browser.plant("localhost", "__Host-gwtx-carrier", "dHdv");
    assert!(!browser.open(rig.url("/oauth2/start")).await.body.contains("last time"));
}

// Issue 11, item 4: who confirms is not asked which carrier they have.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_confirms_does_so_at_their_own_carrier_without_picking_again() {
    let mut rig = rig("[picker]", "", "").await;
    rig.stop_gateway().await;
    let routes =
        "  - { host: localhost, path: /pay, access: session, upstream: UPSTREAM, require: { assurance: person } }\n";
    rig.choices.routes = routes.to_owned();
    rig.start_gateway().await;
    let factor = |factor| {
        for carrier in rig.simulator.carriers() {
            carrier.set(|rules| rules.auto_consent.as_mut().unwrap().factor = factor);
        }
    };
    factor(zengate_simulator::Factor::Approve);
    let browser = Browser::new();
    assert!(is_picker(&browser.go(rig.url("/app")).await));
    assert_eq!(browser.go(rig.url("/oauth2/start?rd=/app&carrier=one")).await.status, 200);
    factor(zengate_simulator::Factor::Pin);
    let page = browser.go(rig.url("/pay")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/pay"), "{}", page.body);
}
