//! An issuer says that something happened to a person of its own: what follows is in the configuration, and whoever is not that issuer
//! is not heard.

use serde_json::{Map, Value, json};
use zengate_simulator::{AutoConsent, CarrierHandle, personas};

use super::{at_once, is_signed_in};
use crate::support::browser::Browser;
use crate::support::redis::Redis;
use crate::support::rig::{CLIENT_ID, Choices, Rig};

const SIGNALS: &str = "signals: { events: { line_port: ignore } }\n";

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

struct Sender {
    rig: Rig,
    client: reqwest::Client,
}

impl Sender {
    async fn start() -> Self {
        Self::with(Choices::default()).await
    }

    async fn with(choices: Choices) -> Self {
        let rig = Rig::with(Choices { top: SIGNALS.to_owned(), ..choices }).await;
        at_once(&rig, "maya");
        Self { rig, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    fn aurora(&self) -> &CarrierHandle {
        self.rig.simulator.carrier("aurora").unwrap()
    }

    fn claims_of(&self, event: &str, person: &str) -> Map<String, Value> {
        let them = personas().iter().find(|known| known.id == person).unwrap();
        let issuer = self.aurora().issuer();
        let claims = json!({
            "iss": issuer, "aud": CLIENT_ID, "iat": now(), "jti": format!("{event}-{:?}", std::time::Instant::now()),
            "sub_id": { "format": "iss_sub", "iss": issuer, "sub": self.aurora().subject(CLIENT_ID, them) },
            "events": { event: {} },
        });
        claims.as_object().unwrap().clone()
    }

    async fn token(&self, header: Value, claims: Map<String, Value>) -> String {
        self.aurora().sign(header.as_object().unwrap().clone(), claims).await.unwrap()
    }

    async fn signal(&self, event: &str, person: &str) -> String {
        self.token(json!({ "typ": "secevent+jwt" }), self.claims_of(event, person)).await
    }

    async fn post(&self, token: &str) -> (u16, Value) {
        self.post_as(token, "application/secevent+jwt", &self.rig.url("/oauth2/signals")).await
    }

    async fn post_as(&self, token: &str, kind: &str, to: &str) -> (u16, Value) {
        let answer = self.client.post(to).header("content-type", kind).body(token.to_owned()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
    }

    async fn signed_in(&self) -> Browser {
        let browser = Browser::new();
        assert_eq!(browser.go(self.rig.url("/app")).await.status, 200);
        browser
    }

    /// From now on the carrier says that the person authenticated at `auth_time`, if they are not asked anew.
    fn remembers(&self, auth_time: Option<u64>) {
        self.aurora().set(|rules| {
            rules.id_token_claims.clear();
            if let Some(at) = auth_time {
                rules.id_token_claims.insert("auth_time".to_owned(), json!(at));
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_has_what_the_configuration_says_and_for_that_person_alone() {
    let sender = Sender::start().await;
    at_once(&sender.rig, "tomas");
    let tomas = sender.signed_in().await;
    at_once(&sender.rig, "maya");
    for (event, ends) in [
        ("urn:zenkey:event:sim_swap", true),
        ("urn:zenkey:event:device_change", true),
        ("urn:zenkey:event:security_event", true),
        ("urn:zenkey:event:consent_revoked", true),
        ("urn:zenkey:event:user_port", true),
        ("https://schemas.openid.net/secevent/caep/event-type/session-revoked", true),
        ("https://schemas.openid.net/secevent/risc/event-type/account-disabled", true),
        ("urn:zenkey:event:line_port", false),
        ("urn:zenkey:event:profile_change", false),
        ("https://schemas.openid.net/secevent/ssf/event-type/verification", false),
        ("urn:somebody:event:else", false),
    ] {
        let maya = sender.signed_in().await;
        assert_eq!(sender.post(&sender.signal(event, "maya").await).await, (202, Value::Null), "{event}");
        assert_eq!(is_signed_in(&sender.rig, &maya).await, !ends, "{event}");
        assert!(is_signed_in(&sender.rig, &tomas).await, "{event}");
        // The carrier has them authenticate when it is asked to, so that they are back.
        assert_eq!(maya.go(sender.rig.url("/app")).await.status, 200, "{event}");
    }
    // Of somebody who was never here the sender learns nothing.
    assert_eq!(sender.post(&sender.signal("urn:zenkey:event:sim_swap", "wyn").await).await, (202, Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_sim_swap_a_sign_in_from_memory_counts_no_more() {
    let embedded = Choices { sessions: "  store: embedded\n  path: DIR/sessions.redb\n".into(), ..Choices::default() };
    let mut sender = Sender::with(embedded).await;
    let maya = sender.signed_in().await;
    let before = now() - 30;
    assert_eq!(sender.post(&sender.signal("urn:zenkey:event:sim_swap", "maya").await).await.0, 202);
    sender.rig.restart().await;
    assert!(!is_signed_in(&sender.rig, &maya).await);
    // The carrier remembers her from before, whatever it is asked: she is asked anew once, and then told so.
    sender.remembers(Some(before));
    let asked = sender.aurora().count("authorize");
    let page = maya.go(sender.rig.url("/app")).await;
    assert_eq!((page.status.as_u16(), page.body.contains("acr_unmet")), (403, true), "{}", page.body);
    assert_eq!(sender.aurora().count("authorize"), asked + 2);
    let last = sender.aurora().last("authorize").unwrap();
    assert_eq!((last.parameter("prompt"), last.parameter("max_age")), (Some("login"), Some("0")));
    assert!(!is_signed_in(&sender.rig, &maya).await);
    // The twin: she authenticates.
    sender.remembers(None);
    assert_eq!(maya.go(sender.rig.url("/app")).await.status, 200);
    // Whom it does not concern, the same memory is enough for.
    sender.remembers(Some(before));
    let consent = AutoConsent { person: Some("tomas".to_owned()), ..AutoConsent::default() };
    sender.aurora().set(|rules| rules.auto_consent = Some(consent));
    assert_eq!(Browser::new().go(sender.rig.url("/app")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_this_issuers_word_for_us_now_is_refused_and_nothing_ends() {
    let sender = Sender::start().await;
    let maya = sender.signed_in().await;
    let typ = || json!({ "typ": "secevent+jwt" });
    let with = |name: &str, value: Value| {
        let mut claims = sender.claims_of("urn:zenkey:event:sim_swap", "maya");
        claims.insert(name.to_owned(), value);
        claims
    };
    let tangent = sender.rig.simulator.carrier("tangent").unwrap();
    let own = with("jti", json!("own"));
    let of_tangent = tangent.sign(typ().as_object().unwrap().clone(), own.clone()).await.unwrap();
    let about = json!({ "format": "iss_sub", "iss": tangent.issuer(), "sub": "310410-1" });
    let mut in_its_name = with("iss", json!(tangent.issuer()));
    in_its_name.insert("sub_id".to_owned(), about.clone());
    for (what, token, err) in [
        ("another key", of_tangent, "invalid_key"),
        ("another kind", sender.token(json!({ "typ": "JWT" }), own.clone()).await, "invalid_request"),
        ("no kind", sender.token(json!({}), own.clone()).await, "invalid_request"),
        ("another client", sender.token(typ(), with("aud", json!("ccid-x"))).await, "invalid_audience"),
        ("an unknown issuer", sender.token(typ(), with("iss", json!("https://evil.example"))).await, "invalid_issuer"),
        ("in another carrier's name", sender.token(typ(), in_its_name).await, "invalid_key"),
        ("somebody else's person", sender.token(typ(), with("sub_id", about)).await, "invalid_request"),
        ("too old", sender.token(typ(), with("iat", json!(now() - 3600))).await, "invalid_request"),
        ("of tomorrow", sender.token(typ(), with("iat", json!(now() + 3600))).await, "invalid_request"),
        ("an ID token's nonce", sender.token(typ(), with("nonce", json!("n"))).await, "invalid_request"),
        ("with an end", sender.token(typ(), with("exp", json!(now() + 60))).await, "invalid_request"),
        ("two events", sender.token(typ(), with("events", json!({ "a": {}, "b": {} }))).await, "invalid_request"),
        ("no token", "x".to_owned(), "invalid_key"),
    ] {
        let (status, body) = sender.post(&token).await;
        assert_eq!(status, 400, "{what}: {body}");
        if what != "another kind" && what != "no kind" {
            assert_eq!(body["err"], err, "{what}: {body}");
        }
        assert!(!body.to_string().contains("310410"), "{what}: {body}");
        assert!(is_signed_in(&sender.rig, &maya).await, "{what}");
    }
    let honest = sender.token(typ(), own).await;
    let url = sender.rig.url("/oauth2/signals");
    assert_eq!(sender.post_as(&honest, "application/x-www-form-urlencoded", &url).await.0, 400);
    assert_eq!(sender.client.get(&url).send().await.unwrap().status(), 405);
    assert!(is_signed_in(&sender.rig, &maya).await);
    // The twin; and once.
    assert_eq!(sender.post(&honest).await.0, 202);
    assert!(!is_signed_in(&sender.rig, &maya).await);
    let maya = sender.signed_in().await;
    assert_eq!(sender.post(&honest).await.0, 202);
    assert!(is_signed_in(&sender.rig, &maya).await, "heard before");
    // Where nobody switched it on there is nothing.
    let off = Rig::start().await;
    assert_eq!(sender.post_as(&honest, "application/secevent+jwt", &off.url("/oauth2/signals")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_hears_it_and_all_of_them_end_the_session() {
    let Some(redis) = Redis::start("signals over two gateways") else { return };
    let sender = Sender::with(Choices { sessions: redis.sessions(), ..Choices::default() }).await;
    let maya = sender.signed_in().await;
    let other = sender.rig.another_node().await;
    assert_eq!(maya.open(sender.rig.url_at(&other, "/oauth2/session")).await.status, 200);
    let token = sender.signal("urn:zenkey:event:sim_swap", "maya").await;
    let there = sender.rig.url_at(&other, "/oauth2/signals");
    assert_eq!(sender.post_as(&token, "application/secevent+jwt", &there).await.0, 202);
    assert_eq!(maya.open(sender.rig.url_at(&other, "/oauth2/session")).await.status, 401);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(3);
    while is_signed_in(&sender.rig, &maya).await {
        assert!(std::time::Instant::now() < deadline, "the other gateway still lets her in");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // The store is away: the sender says it again later, and then it counts.
    let maya = sender.signed_in().await;
    let token = sender.signal("urn:zenkey:event:consent_revoked", "maya").await;
    redis.signal("STOP");
    assert_eq!(sender.post(&token).await.0, 503);
    redis.signal("CONT");
    assert_eq!(sender.post(&token).await.0, 202);
    assert!(!is_signed_in(&sender.rig, &maya).await);
}
