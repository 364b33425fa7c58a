//! Sign-in that a server begins.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use parking_lot::Mutex;
use serde_json::json;

use super::super::call::{Call, first};
use super::super::keys::SigningKey;
use super::super::server::{Bound, Serving};
use super::super::{AutoConsent, Person, Signature, personas};
use super::*;

type Inbox = Arc<Mutex<Vec<(String, Vec<(String, String)>)>>>;

/// A client's server: its key, and what it was notified of.
struct Desk {
    world: World,
    key: SigningKey,
    inbox: Inbox,
    notification_uri: String,
    _serving: Serving,
}

impl Desk {
    async fn open() -> Self {
        let world = World::new().await;
        let key = SigningKey::generate().await.unwrap();
        let inbox = Inbox::default();
        let bound = Bound::loopback(0, None).await.unwrap();
        let notification_uri = format!("{}/oauth2/notify", bound.origin());
        let router = axum::Router::new().route("/oauth2/notify", post(receive)).with_state(Arc::clone(&inbox));
        let keys = json!({ "keys": [key.to_jwk()] });
        let client = Client::with_keys(CLIENT, keys).redirect_uri(BACK).notification_uri(&notification_uri);
        world.simulator.register(client);
        Self { world, key, inbox, notification_uri, _serving: bound.serve(router) }
    }

    fn maya() -> &'static Person {
        personas().iter().find(|person| person.id == "maya").unwrap()
    }

    async fn send(&self, endpoint: &str, changes: Value) -> Response {
        let aurora = self.world.carrier("aurora");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({
            "iss": CLIENT, "aud": aurora.issuer(), "sub": CLIENT, "client_id": CLIENT,
            "iat": now, "exp": now + 300, "response_type": "async_token", "scope": "openid name",
            "redirect_uri": BACK, "notification_uri": self.notification_uri,
            "client_notification_token": "a-secret-of-ours", "state": "si-state", "nonce": "si-nonce",
            "login_hint": aurora.subject(CLIENT, Self::maya()), "correlation_id": "abcd-1234",
            "context": "Pick up parcel 7", "expires_in": 600,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = json!({ "alg": "RS256", "kid": self.key.kid, "typ": "jwt" });
        let (header, claims) = (header.as_object().unwrap().clone(), claims.as_object().unwrap().clone());
        let request = jwt::sign(&self.key, Signature::Valid, header, &claims).await.unwrap();
        self.world.http.post(endpoint).json(&json!({ "request": request })).send().await.unwrap()
    }

    async fn endpoints(&self) -> (String, String) {
        let query = [("client_id", CLIENT), ("mccmnc", "310410")];
        let found: Value = self.world.discovery(&query).await.json().await.unwrap();
        let text = |name: &str| found[name].as_str().unwrap().to_owned();
        (text("server_initiated_authorization_endpoint"), text("server_initiated_cancel_endpoint"))
    }

    async fn wait_for(&self, count: usize) -> Vec<(String, Vec<(String, String)>)> {
        for _ in 0..200 {
            let received = self.inbox.lock().clone();
            if received.len() >= count {
                return received;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("no notification came");
    }
}

async fn receive(State(inbox): State<Inbox>, call: Call) -> StatusCode {
    let bearer = call.header("authorization").unwrap().to_owned();
    inbox.lock().push((bearer, call.body));
    StatusCode::OK
}

#[tokio::test]
async fn a_push_is_approved_on_the_phone_and_tokens_arrive() {
    let desk = Desk::open().await;
    let aurora = desk.world.carrier("aurora");
    let (begin, _) = desk.endpoints().await;
    let answer: Value = desk.send(&begin, json!({})).await.json().await.unwrap();
    assert_eq!((&answer["expires_in"], &answer["correlation_id"]), (&json!("600"), &json!("abcd-1234")));
    let auth_req_id = answer["auth_req_id"].as_str().unwrap();
    let phone = aurora.phone_url().unwrap();
    let page = desk.world.get(&phone, &[]).await.text().await.unwrap();
    assert!(page.contains("Pick up parcel 7") && page.contains(auth_req_id));

    let form = [("auth_req_id", auth_req_id), ("decision", "agree"), ("factor", "face")];
    assert_eq!(desk.world.post(&format!("{phone}/decide"), &form).await.status(), 303);
    let received = desk.wait_for(1).await;
    let (bearer, body) = &received[0];
    assert_eq!(bearer, "Bearer a-secret-of-ours");
    assert_eq!((first(body, "auth_req_id"), first(body, "state")), (Some(auth_req_id), Some("si-state")));
    let id_token = json!({ "id_token": first(body, "id_token").unwrap() });
    let claims = desk.world.claims(aurora, &id_token).await.unwrap();
    assert_eq!((&claims["nonce"], &claims["context"]), (&json!("si-nonce"), &json!("Pick up parcel 7")));
    assert_eq!(claims["cnf"]["kty"], "RSA");
    assert_eq!(aurora.notified(), [Some(200)]);
}

#[tokio::test]
async fn a_push_can_fail_come_twice_or_be_taken_back() {
    let desk = Desk::open().await;
    let aurora = desk.world.carrier("aurora");
    let (begin, cancel) = desk.endpoints().await;
    aurora.set(|rules| {
        rules.auto_consent = Some(AutoConsent::default());
        rules.push_error = Some("device_unavailable".to_owned());
        rules.notify_bearer = Some("somebody-else".to_owned());
        rules.notify_again = 1;
    });
    desk.send(&begin, json!({})).await;
    let received = desk.wait_for(2).await;
    assert_eq!(received[0], received[1]);
    assert_eq!(received[0].0, "Bearer somebody-else");
    assert_eq!(first(&received[0].1, "error"), Some("device_unavailable"));

    aurora.reset();
    let answer: Value = desk.send(&begin, json!({})).await.json().await.unwrap();
    let changes = json!({ "auth_req_id": answer["auth_req_id"] });
    assert_eq!(desk.send(&cancel, changes.clone()).await.status(), 204);
    assert_eq!(desk.send(&cancel, changes).await.status(), 404);
    assert_eq!(desk.inbox.lock().len(), 2);
}

#[tokio::test]
async fn a_bad_request_object_pushes_nothing() {
    let desk = Desk::open().await;
    let (begin, _) = desk.endpoints().await;
    for (changes, error) in [
        (json!({ "aud": "https://elsewhere.example" }), "invalid_request_object"),
        (json!({ "exp": 1 }), "invalid_request_object"),
        (json!({ "response_type": "code" }), "unsupported_response_type"),
        (json!({ "login_hint": "310410-nobody" }), "invalid_login_hint"),
        (json!({ "notification_uri": "http://127.0.0.1:1/" }), "invalid_request"),
        (json!({ "expires_in": 172_801 }), "invalid_request"),
        (json!({ "scope": "name" }), "invalid_scope"),
    ] {
        let answer = desk.send(&begin, changes.clone()).await;
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], error, "{changes}");
    }
}
