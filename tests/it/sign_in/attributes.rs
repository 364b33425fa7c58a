//! What people share, and what they keep back (issue 11, item 9; dossier 8, 12.1 and 15).

use serde_json::json;
use zengate_simulator::{AutoConsent, Factor};

use super::{assert_refused, at_once, is_signed_in, until_authorize, value};
use crate::support::browser::Browser;
use crate::support::rig::{Choices, Rig};

const ALL: &str = "    scopes: [openid, name, email, phone, postal_code, address, birthdate, proofing, last_4_social]
    acr_values: [a1, a3]\n";

const ROUTES: &str = "  - { host: localhost, path: /ship, access: session, upstream: UPSTREAM,
      require: { attributes: [email, postal_code], attributes_for: 'We send <it> there.' } }
  - { host: localhost, path: /all, access: session, upstream: UPSTREAM, identity_headers: { map: {
      A-Name: name, A-Given: given_name, A-Family: family_name, A-Email: email, A-Phone: phone_number, A-Code: postal_code,
      A-Address: address, A-Birth: birthdate, A-Proofing: proofing, A-Last: last_4_social, A-Picture: picture } } }
";

async fn rig() -> Rig {
    let rig = Rig::with(Choices { routes: ROUTES.to_owned(), zenkey: ALL.to_owned(), ..Choices::default() }).await;
    at_once(&rig, "maya");
    rig
}

/// From now on the person shares this much.
fn shares(rig: &Rig, attributes: Option<&[&str]>, person: Option<&str>) {
    let share = attributes.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let auto = AutoConsent { factor: Factor::Pin, share, person: person.map(str::to_owned) };
    rig.simulator.carrier("aurora").unwrap().set(|rules| rules.auto_consent = Some(auto));
}

// Dossier 12.1: nested at Aurora, flat at Tangent, nested and vouched for at Vireo.
#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_arrives_in_every_shape() {
    let rig = rig().await;
    for (person, carrier) in [("maya", "aurora"), ("ines", "tangent"), ("noor", "vireo")] {
        let them = zengate_simulator::personas().iter().find(|known| known.id == person).unwrap();
        at_once(&rig, person);
        let picture =
            if carrier == "tangent" { json!("https://p.test/1") } else { json!({"value": "https://p.test/1"}) };
        rig.simulator.carrier(carrier).unwrap().set(|rules| drop(rules.userinfo.insert("picture".to_owned(), picture)));
        assert_eq!(Browser::new().go(rig.url("/all")).await.status, 200, "{carrier}");
        let seen = rig.upstream.last();
        for (header, expected) in [
            ("a-family", them.family_name),
            ("a-email", them.email),
            ("a-phone", them.phone),
            ("a-birth", them.birthdate),
            ("a-proofing", "IAL2"),
            ("a-picture", "https://p.test/1"),
        ] {
            let found = seen.one(header).unwrap_or_default();
            assert_eq!(found.replace("%C3%AA", "ê").replace("%2F", "/").replace("%3A", ":"), expected, "{carrier}");
        }
        assert!(seen.one("a-code").unwrap().starts_with(them.postal_code), "{carrier}");
        assert!(seen.one("a-address").is_some() && seen.one("a-last").is_some() && seen.one("a-given").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_back_what_a_page_needs_is_told_what_for_and_can_be_asked_again() {
    let rig = rig().await;
    shares(&rig, Some(&["name", "email"]), None);
    let browser = Browser::new();
    let page = browser.go(rig.url("/ship/x?y=1")).await;
    assert_refused_here(&page);
    assert!(page.body.contains("your postal code") && page.body.contains("We send &lt;it&gt; there."), "{}", page.body);
    let again = "/oauth2/start?consent=1&amp;rd=%2Fship%2Fx%3Fy%3D1";
    assert!(page.body.contains(again), "{}", page.body);
    assert!(is_signed_in(&rig, &browser).await);
    assert_eq!(browser.open(rig.url("/all")).await.status, 200, "the twin: a page that needs nothing");
    assert_eq!(rig.upstream.last().one("a-code"), None);
    let again = rig.url(&again.replace("&amp;", "&"));
    let asked = until_authorize(&browser, &again).await;
    assert_eq!(value(&asked, "prompt").as_deref(), Some("consent"));
    assert!(value(&asked, "scope").unwrap().contains("postal_code"));
    // Still less than is needed: the page says so, and asks nobody by itself.
    let page = browser.go(&again).await;
    assert_refused_here(&page);
    // Not with what somebody else shares.
    shares(&rig, None, Some("tomas"));
    assert_refused(&browser.go(&again).await, 403, "other_person");
    shares(&rig, None, None);
    assert_eq!(browser.go(&again).await.status, 200);
    assert_eq!(rig.upstream.last().target(), "/ship/x?y=1");
    // A program reads the same.
    shares(&rig, Some(&[]), None);
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/all")).await.status, 200);
    let page = browser.send(reqwest::Method::GET, rig.url("/ship"), None, &[("accept", "application/json")]).await;
    assert_eq!((page.status.as_u16(), page.json()["error"].as_str()), (403, Some("attribute_missing")));
    assert_eq!(page.json()["login_url"], rig.url("/oauth2/start?consent=1&rd=%2Fship"));
}

#[track_caller]
fn assert_refused_here(page: &crate::support::browser::Page) {
    assert_refused(page, 403, "attribute_missing");
}

// A route of another host asks there, where the person signs in; a page that needs nothing has nothing to ask again.
#[tokio::test(flavor = "multi_thread")]
async fn another_host_asks_again_where_people_sign_in() {
    let routes = format!(
        "{ROUTES}  - {{ host: second.localhost, path: /, access: session, upstream: UPSTREAM,
      require: {{ attributes: [email] }} }}\n"
    );
    let rig = Rig::with(Choices { routes, zenkey: ALL.to_owned(), ..Choices::default() }).await;
    at_once(&rig, "maya");
    shares(&rig, Some(&["name"]), None);
    let browser = Browser::new();
    let second = format!("http://second.localhost:{}", rig.address.port());
    let page = browser.go(format!("{second}/x")).await;
    assert_refused_here(&page);
    let asked = || rig.simulator.carrier("aurora").unwrap().count("authorize");
    let before = asked();
    shares(&rig, None, None);
    let page = browser.go(format!("{second}/oauth2/start?consent=1&rd=%2Fx")).await;
    assert_eq!((page.status.as_u16(), asked()), (200, before + 1), "{}", page.body);
    let last = rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap();
    assert_eq!(last.parameter("prompt"), Some("consent"));
    // The twin: nothing is needed there.
    assert_eq!(browser.go(rig.url("/oauth2/start?consent=1&rd=%2Fall")).await.status, 200);
    let last = rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap();
    assert_ne!(last.parameter("prompt"), Some("login"));
}
