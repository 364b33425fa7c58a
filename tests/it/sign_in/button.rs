//! The button that an app pastes into its own page: seen, hit, and leading to the sign-in (dossier 15).

use std::collections::BTreeMap;

use zengate::auth::Refusal;

use super::{at_once, is_signed_in};
use crate::support::browser::Browser;
use crate::support::chromium::Chromium;
use crate::support::rig::Rig;

const HTML: &str = include_str!("../../../docs/button/button.html");
const CSS: &str = include_str!("../../../docs/button/button.css");

const PAGE: &str = include_str!("../../../docs/ZENKEY.md");

/// The pages that the two looks are made for: the lightest and the darkest.
const PAGES: [(&str, &str); 2] = [("", "#ffffff"), (".zengate-on-dark ", "#121212")];

type Rules = BTreeMap<String, BTreeMap<String, String>>;

/// Selector to property to value; what stands later wins.
fn rules() -> Rules {
    let mut rules = Rules::new();
    for rule in CSS.split('}') {
        let rule = rule.rsplit("*/").next().unwrap();
        let Some((selectors, body)) = rule.split_once('{') else { continue };
        for selector in selectors.split(',') {
            let known = rules.entry(selector.trim().to_owned()).or_default();
            let lines = body.split(';').filter_map(|line| line.split_once(':'));
            known.extend(lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())));
        }
    }
    rules
}

/// Relative luminance (WCAG 2.2) of `#rrggbb`.
fn luminance(colour: &str) -> f64 {
    let digits = colour.strip_prefix('#').filter(|digits| digits.len() == 6).unwrap_or_else(|| panic!("{colour}"));
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

/// Contrast ratio (WCAG 2.2).
fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The addresses that the snippet leads to, as a browser reads them.
fn addresses() -> Vec<String> {
    HTML.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&")).collect()
}

#[test]
fn the_contrast_is_the_one_of_the_guidelines() {
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    assert!((contrast("#767676", "#ffffff") - 4.54).abs() < 0.01, "the best-known grey that is just enough");
    assert!(contrast("#777777", "#ffffff") < 4.5);
}

#[test]
fn its_words_can_be_read_in_every_state_and_its_edge_and_focus_are_seen() {
    let rules = rules();
    for (page, behind) in PAGES {
        for state in ["link", "visited", "hover", "active"] {
            let rule = &rules[&format!("{page}a.zengate-button:{state}")];
            let ratio = contrast(&rule["color"], &rule["background"]);
            assert!(ratio >= 4.5, "{page}{state}: {ratio:.2}");
        }
        let words = contrast(&rules[&format!("{page}.zengate-endorsement")]["color"], behind);
        assert!(words >= 4.5, "{page}endorsement: {words:.2}");
        let last = |rule: &str, names: [&str; 2]| {
            let rule = &rules[&format!("{page}{rule}")];
            let value = names.iter().find_map(|name| rule.get(*name)).unwrap();
            value.rsplit(' ').next().unwrap().to_owned()
        };
        let edge = contrast(&last("a.zengate-button", ["border-color", "border"]), behind);
        assert!(edge >= 3.0, "{page}edge: {edge:.2}");
        let focus = contrast(&last("a.zengate-button:focus-visible", ["outline-color", "outline"]), behind);
        assert!(focus >= 3.0, "{page}focus: {focus:.2}");
    }
}

#[test]
fn it_needs_no_script_and_nothing_from_elsewhere() {
    for (what, text) in [("html", HTML), ("css", CSS)] {
        for absent in ["<script", "http", "//", "url(", "@import", "style=", "onclick", "javascript:", "<img", "src="] {
            assert!(!text.contains(absent), "{what}: {absent}");
        }
    }
    assert!(HTML.contains(">Sign in with ZenKey</a>") && HTML.contains(">Continue with ZenKey</a>"));
}

/// Dossier 9.2: the classes of the Android SDK.
#[test]
fn each_error_class_of_the_sdk_has_the_words_of_our_page() {
    let classes = [
        ("INVALID_CONFIGURATION", Refusal::ProviderRefused),
        ("INVALID_REQUEST", Refusal::ProviderRefused),
        ("REQUEST_DENIED", Refusal::Declined),
        ("REQUEST_TIMEOUT", Refusal::TimedOut),
        ("SERVER_ERROR", Refusal::ProviderUnavailable(None)),
        ("NETWORK_FAILURE", Refusal::NetworkFailure),
        ("DISCOVERY_STATE", Refusal::CarrierUnknownPerson),
        ("UNKNOWN", Refusal::NotSignedIn),
    ];
    let section = PAGE.split("## A button").nth(1).unwrap().split("\n## ").next().unwrap();
    let told: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    let ours = classes.map(|(class, refusal)| {
        let message = refusal.message();
        format!("| `{class}` | `{}` | {} |", message.code, message.title)
    });
    assert_eq!(told, ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_in_it_signs_in_and_comes_back_to_the_page_it_names() {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    assert_eq!(addresses().len(), 2);
    for address in addresses() {
        let browser = Browser::new();
        let page = browser.go(rig.url(&address)).await;
        assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app"), "{address}");
        assert!(is_signed_in(&rig, &browser).await, "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_browser_shows_it_large_enough_under_a_strict_policy_and_it_leads_to_the_page() {
    let Some(chromium) = Chromium::start("the button in an app's page") else { return };
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    // The rules for links that many pages have; none may reach the button.
    let foreign = "a:link,a:visited{color:#00f}a:hover{color:#f00}";
    let policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">";
    let page = format!("<!doctype html><html lang=en>{policy}<style>{CSS}{foreign}</style>{HTML}");
    rig.upstream.serve("/public/launch", &page);
    let tab = chromium.tab();
    tab.open(&rig.url("/public/launch"));
    for at in 0..2 {
        let side = |side: &str| {
            let script = format!("document.querySelectorAll('a')[{at}].getBoundingClientRect().{side}");
            tab.evaluate(&script).as_f64().unwrap()
        };
        assert!(side("height") >= 44.0 && side("width") >= 44.0, "{at}: {} by {}", side("width"), side("height"));
        let colour = tab.evaluate(&format!("getComputedStyle(document.querySelectorAll('a')[{at}]).color"));
        assert_eq!(colour, ["rgb(255, 255, 255)", "rgb(27, 27, 31)"][at]);
    }
    tab.click("a.zengate-button");
    assert_eq!((tab.at().as_str(), tab.status()), ("/app", 200));
    assert_eq!(tab.policy_complaints(), Vec::<String>::new());
}
