//! Whether somebody's number has been on its SIM for more than a day: asked of their carrier once for each sign-in, and what
//! follows is the page's. A carrier that does not say so never keeps anybody from signing in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zengate_simulator::{CarrierHandle, CarrierRules, Client, Factor};

use super::{assert_refused, at_once, is_signed_in, only};
use crate::support::browser::Browser;
use crate::support::process::{Home, Process};
use crate::support::rig::{CLIENT_ID, CLIENT_SECRET, Choices, Rig};

const ROUTES: &str = "  - { host: localhost, path: /, access: session, upstream: UPSTREAM }
  - { host: localhost, path: /guarded, access: session, upstream: UPSTREAM, require: { sim_tenure_24: refuse } }
  - { host: localhost, path: /lenient, access: session, upstream: UPSTREAM,
      require: { sim_tenure_24: refuse, sim_tenure_24_unknown: allow } }
  - { host: localhost, path: /confirm, access: session, upstream: UPSTREAM, require: { sim_tenure_24: step_up } }
  - { host: localhost, path: /told, access: session, upstream: UPSTREAM, identity_headers: { map: { X-Sim: sim_tenure_24 } } }
  - { host: second.localhost, path: /, access: session, upstream: UPSTREAM, require: { sim_tenure_24: step_up } }
";

/// A gateway that has a key for Aurora, whose people tap.
struct Sims {
    rig: Rig,
    _home: Home,
}

impl Sims {
    async fn start() -> Self {
        Self::with(Choices::default()).await
    }

    async fn with(choices: Choices) -> Self {
        let home = Home::new();
        let path = home.path("aurora.pem");
        let path = path.to_str().unwrap();
        let made = Process::run(&["keys", "--algorithm", "RS256", "--out", path]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let public: Value = serde_json::from_str(&made.stdout).unwrap();
        let client = format!("client: {{ client_keys: [{path}], assertion_audience: token_endpoint }}");
        let issuers = format!("      - {{ issuer: AURORA, id: aurora, {client} }}\n      - TANGENT\n      - VIREO\n");
        let rig = Rig::with(Choices { routes: ROUTES.to_owned(), issuers, ..choices }).await;
        let known = Client { jwks: Some(public), ..Client::with_secret(CLIENT_ID, CLIENT_SECRET) };
        rig.simulator.register(known.redirect_uri(rig.url("/oauth2/callback")));
        let sims = Self { rig, _home: home };
        at_once(&sims.rig, "maya");
        sims.confirms_by(Factor::Approve);
        sims
    }

    fn aurora(&self) -> &CarrierHandle {
        self.rig.simulator.carrier("aurora").unwrap()
    }

    fn confirms_by(&self, factor: Factor) {
        for carrier in self.rig.simulator.carriers() {
            carrier.set(|rules| rules.auto_consent.as_mut().unwrap().factor = factor);
        }
    }

    fn new_sim(&self, is_new: bool) {
        self.aurora().set(|rules| rules.new_sims = is_new.then(|| "maya".to_owned()).into_iter().collect());
    }

    async fn signed_in(&self) -> Browser {
        let browser = Browser::new();
        assert_eq!(browser.go(self.rig.url("/app")).await.status, 200);
        browser
    }

    async fn status(&self, browser: &Browser, path: &str) -> u16 {
        browser.open(self.rig.url(path)).await.status.as_u16()
    }

    /// What the app is told.
    async fn told(&self, browser: &Browser) -> Option<String> {
        assert_eq!(self.status(browser, "/told").await, 200);
        self.rig.upstream.last().one("x-sim")
    }
}

fn claims(request: &str) -> Value {
    let claims = request.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_is_asked_once_for_each_sign_in_by_a_signed_request() {
    let sims = Sims::start().await;
    let mut ids = Vec::new();
    for sign_ins in 1..=2 {
        let browser = sims.signed_in().await;
        for path in ["/guarded", "/lenient", "/confirm", "/told", "/app"] {
            assert_eq!(sims.status(&browser, path).await, 200, "{path}");
        }
        assert_eq!(sims.told(&browser).await.as_deref(), Some("true"));
        assert_eq!(sims.aurora().count("usertrait"), sign_ins, "no request asks");
        let asked = sims.aurora().last("usertrait").unwrap();
        let asked = claims(asked.parameter("request").unwrap());
        let maya = zengate_simulator::personas().iter().find(|person| person.id == "maya").unwrap();
        assert_eq!(asked["aud"], sims.aurora().issuer());
        assert_eq!(asked["login_hint"], sims.aurora().subject(CLIENT_ID, maya));
        assert_eq!(asked["usertraits"], "sim_tenure_24");
        ids.push(asked["jti"].as_str().unwrap().to_owned());
    }
    assert_ne!(ids[0], ids[1], "a question is for one time");
    let metrics = sims.rig.admin("/metrics").await.body;
    assert!(metrics.contains("zengate_sim_tenures_total{tenure=\"settled\"} 2"), "{metrics}");
}

// The twin of the one above: everything is the same but the SIM.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_whose_sim_is_new_is_signed_in_and_not_let_into_guarded_pages() {
    let embedded = Choices { sessions: "  store: embedded\n  path: DIR/sessions.redb\n".into(), ..Choices::default() };
    let mut sims = Sims::with(embedded).await;
    sims.new_sim(true);
    let browser = sims.signed_in().await;
    for restarted in [false, true] {
        for path in ["/guarded", "/guarded/x?y=1", "/lenient"] {
            assert_refused(&browser.open(sims.rig.url(path)).await, 403, "sim_unmet");
        }
        let passed = sims.rig.upstream.count();
        for spelling in ["/GUARDED", "/guarded;x=1", "/guarded%2e"] {
            assert_ne!(sims.status(&browser, spelling).await, 200, "{spelling}");
        }
        assert_eq!(sims.rig.upstream.count(), passed);
        assert_eq!(sims.told(&browser).await.as_deref(), Some("false"));
        assert_eq!(sims.status(&browser, "/app").await, 200);
        if !restarted {
            sims.rig.restart().await;
        }
    }
    // What a client says of itself is not passed on.
    let claimed = browser.send(reqwest::Method::GET, sims.rig.url("/told"), None, &[("x-sim", "true")]).await;
    assert_eq!(claimed.status, 200);
    assert_eq!(sims.rig.upstream.last().one("x-sim").as_deref(), Some("false"));
    // A day later the carrier says otherwise, to whoever signs in again: their page has a button for it.
    sims.new_sim(false);
    let again = browser.go(sims.rig.url("/oauth2/start?rd=/guarded")).await;
    assert_eq!((again.status.as_u16(), again.url.path()), (200, "/guarded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_enough_somebody_whose_sim_is_new_confirms_who_they_are() {
    let sims = Sims::start().await;
    sims.new_sim(true);
    let browser = sims.signed_in().await;
    // Who only taps again, or whom the carrier remembers from before the SIM, has shown nothing, and does not go in circles.
    let asked = sims.aurora().count("authorize");
    assert_refused(&browser.go(sims.rig.url("/confirm")).await, 403, "acr_unmet");
    assert_eq!(sims.aurora().count("authorize"), asked + 1);
    sims.confirms_by(Factor::Pin);
    sims.aurora()
        .set(|rules| rules.id_token_claims = json!({ "auth_time": 1_700_000_000 }).as_object().unwrap().clone());
    assert_refused(&browser.go(sims.rig.url("/confirm")).await, 403, "acr_unmet");
    assert!(is_signed_in(&sims.rig, &browser).await, "the session is the one that it was");
    // Put right: the same page, the same person, a PIN shown now.
    sims.aurora().set(|rules| rules.id_token_claims.clear());
    let page = browser.go(sims.rig.url("/confirm/7?a=1")).await;
    assert_eq!((page.status.as_u16(), page.url.path(), page.url.query()), (200, "/confirm/7", Some("a=1")));
    let request = sims.aurora().last("authorize").unwrap();
    assert_eq!(
        (only(&request, "acr_values").unwrap(), only(&request, "prompt").unwrap()),
        ("a3".into(), "login".into())
    );
    // It opens no page that wants another SIM.
    assert_refused(&browser.open(sims.rig.url("/guarded")).await, 403, "sim_unmet");
    // Programs are told what to bring.
    sims.confirms_by(Factor::Approve);
    let tapped = sims.signed_in().await;
    let accept = [("accept", "application/json")];
    let page = tapped.send(reqwest::Method::GET, sims.rig.url("/confirm"), None, &accept).await;
    assert_eq!(
        (page.status.as_u16(), page.json()["error"].as_str()),
        (401, Some("insufficient_user_authentication")),
        "{}",
        page.body
    );
    // On another host as well.
    sims.confirms_by(Factor::Pin);
    let other = sims.rig.url("/").replace("localhost", "second.localhost");
    let asked = sims.aurora().count("authorize");
    assert_eq!(tapped.go(&other).await.status, 200);
    assert_eq!(sims.aurora().count("authorize"), asked + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_opens_no_guarded_page_and_keeps_nobody_from_signing_in() {
    let provider = "  sim_tenure_timeout: 300ms\n".to_owned();
    let sims = Sims::with(Choices { provider, ..Choices::default() }).await;
    type Bend = fn(&mut CarrierRules);
    let bends: [(&str, Bend); 7] = [
        ("an error", |rules| {
            rules.status.insert("usertrait".into(), 400);
        }),
        ("a redirect", |rules| {
            rules.status.insert("usertrait".into(), 302);
        }),
        ("no JSON", |rules| drop(rules.body.insert("usertrait".into(), "yes".into()))),
        ("a word", |rules| drop(rules.usertrait.insert("sim_tenure_24".into(), "true".into()))),
        ("somebody else", |rules| drop(rules.usertrait.insert("sub".into(), "310007-noor".into()))),
        ("nothing in time", |rules| {
            rules.latency_ms.insert("usertrait".into(), 20_000);
        }),
        ("the twin", |_| {}),
    ];
    for (what, bend) in bends {
        sims.aurora().set(bend);
        let browser = sims.signed_in().await;
        let good = what == "the twin";
        assert_eq!(sims.status(&browser, "/guarded").await, if good { 200 } else { 403 }, "{what}");
        assert_eq!(sims.status(&browser, "/lenient").await, 200, "{what}");
        assert_eq!(sims.told(&browser).await.as_deref(), Some(if good { "true" } else { "unknown" }), "{what}");
        sims.aurora().set(|rules| {
            rules.status.clear();
            rules.body.clear();
            rules.usertrait.clear();
            rules.latency_ms.clear();
        });
    }
    // A carrier that knows nothing of SIMs is not asked.
    sims.rig.simulator.ui().set(|rules| rules.auto_choose = Some("ines".to_owned()));
    let browser = sims.signed_in().await;
    assert_refused(&browser.open(sims.rig.url("/guarded")).await, 403, "sim_unmet");
    assert_eq!(sims.told(&browser).await.as_deref(), Some("unknown"));
    assert_eq!(sims.rig.simulator.carrier("tangent").unwrap().count("usertrait"), 0);
}

// Metadata that names a place of somebody else's: nothing is sent there.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_at_a_place_that_is_not_the_carriers() {
    let sims = Sims::start().await;
    let foreign = format!("http://{}/usertrait", sims.rig.upstream.address);
    sims.aurora().set(|rules| drop(rules.metadata.insert("usertrait_endpoint".into(), foreign.into())));
    let browser = sims.signed_in().await;
    assert_refused(&browser.open(sims.rig.url("/guarded")).await, 403, "sim_unmet");
    assert_eq!(sims.aurora().count("usertrait"), 0);
    assert_ne!(sims.rig.upstream.last().target(), "/usertrait");
}

// One carrier's trouble with this question is not its trouble with sign-ins (N09).
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_never_answers_is_left_alone_and_signs_people_in_all_the_same() {
    let sims = Sims::start().await;
    sims.aurora().set(|rules| {
        rules.status.insert("usertrait".into(), 500);
    });
    for _ in 0..13 {
        sims.signed_in().await;
    }
    let asked = sims.aurora().count("usertrait");
    assert!((10..13).contains(&asked), "asked {asked} times");
}
