//! Approvals on the phone: the app asks, the carrier answers, and the app and the person's own browser hear of it. Whatever the
//! answer is, nobody's session begins or changes.

mod answers;
mod browser;
mod in_browser;
mod limits;
mod notices;
mod replicas;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use zengate_simulator::{AutoConsent, CarrierHandle, Client, Person, personas};

use crate::support::browser::Browser;
use crate::support::process::{Home, Process};
use crate::support::rig::{CLIENT_ID, CLIENT_SECRET, Choices, Rig};

const APP: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-approvals";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-accounts";

/// What people are asked here.
const CONTEXT: &str = "Pay 70 EUR to Harbour Books for order 17";

/// A gateway that may ask people, an app with a token for that, and Maya, who is signed in.
struct Desk {
    rig: Rig,
    aurora: CarrierHandle,
    client: reqwest::Client,
    maya: Browser,
    _home: Home,
}

impl Desk {
    async fn start() -> Self {
        Self::with(Choices::default(), "").await
    }

    /// With `approvals` as the configuration has them, two spaces in front of each line.
    async fn with(choices: Choices, approvals: &str) -> Self {
        let home = Home::new();
        let member = |name: &str| {
            let path = home.path(&format!("{name}.pem"));
            let path = path.to_str().unwrap().to_owned();
            let made = Process::run(&["keys", "--algorithm", "RS256", "--out", &path]);
            assert_eq!(made.code, Some(0), "{}", made.stderr);
            let entry = format!(
                "      - issuer: {}\n        id: {name}\n        client: {{ client_keys: [{path}], assertion_audience: token_endpoint }}\n",
                name.to_uppercase()
            );
            (entry, serde_json::from_str::<Value>(&made.stdout).unwrap())
        };
        let ((aurora, key), (tangent, other)) = (member("aurora"), member("tangent"));
        let top = format!(
            "admin:\n  tokens:\n    - {{ name: shop, token: {APP}, scope: approvals }}\n    \
             - {{ name: crm, token: {OTHER}, scope: accounts }}\napprovals:\n  per_hour: 60\n{approvals}"
        );
        let top = if approvals.contains("per_hour") { top.replacen("  per_hour: 60\n", "", 1) } else { top };
        let issuers = format!("{aurora}{tangent}      - VIREO\n");
        let rig = Rig::with(Choices { issuers, top, ..choices }).await;
        let keys = [key, other].iter().flat_map(|set| set["keys"].as_array().unwrap().clone()).collect::<Vec<_>>();
        let known = Client { jwks: Some(json!({ "keys": keys })), ..Client::with_secret(CLIENT_ID, CLIENT_SECRET) };
        let notify = rig.url("/oauth2/approvals/notify");
        rig.simulator.register(known.redirect_uri(rig.url("/oauth2/callback")).notification_uri(notify));
        let aurora = rig.simulator.carrier("aurora").unwrap().clone();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let maya = Browser::new();
        let desk = Self { rig, aurora, client, maya: maya.fork(), _home: home };
        desk.sign_in(&desk.maya, "maya").await;
        desk
    }

    /// Signs in, by a carrier that agrees at once, and then does so no more.
    async fn sign_in(&self, browser: &Browser, person: &str) {
        self.rig.simulator.ui().set(|rules| rules.auto_choose = Some(person.to_owned()));
        for carrier in self.rig.simulator.carriers() {
            carrier.set(|rules| {
                rules.auto_consent = Some(AutoConsent { person: Some(person.to_owned()), ..AutoConsent::default() })
            });
        }
        let page = browser.go(self.rig.url("/app")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for carrier in self.rig.simulator.carriers() {
            carrier.set(|rules| rules.auto_consent = None);
        }
    }

    fn wanted_of(&self, carrier: &CarrierHandle, id: &str) -> Value {
        json!({ "issuer": carrier.issuer(), "subject": carrier.subject(CLIENT_ID, person(id)), "context": CONTEXT })
    }

    fn wanted(&self) -> Value {
        self.wanted_of(&self.aurora, "maya")
    }

    async fn call_as(&self, token: &str, method: Method, query: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("http://{}/approvals{query}", self.rig.app().admin_address());
        let request = self.client.request(method, url).bearer_auth(token);
        let request = body.map_or(request.try_clone().unwrap(), |body| request.body(body.to_string()));
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| json!(text)))
    }

    /// Asks, and says how the carrier may answer.
    async fn ask(&self, changes: Value) -> Question {
        let (status, body) = self.try_ask(changes).await;
        assert_eq!(status, 201, "{body}");
        let claims = claims(self.aurora.last("server_initiated").unwrap().parameter("request").unwrap());
        Question { id: body["id"].as_str().unwrap().to_owned(), body, claims }
    }

    async fn try_ask(&self, changes: Value) -> (u16, Value) {
        let mut wanted = self.wanted();
        for (name, value) in changes.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        self.call_as(APP, Method::POST, "", Some(&wanted)).await
    }

    async fn look(&self, id: &str, wait: u8) -> Value {
        let (status, body) = self.call_as(APP, Method::GET, &format!("?id={id}&wait={wait}"), None).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn state(&self, question: &Question) -> String {
        self.look(&question.id, 0).await["state"].as_str().unwrap().to_owned()
    }

    /// State and code once it has ended.
    async fn ending(&self, question: &Question) -> (String, String) {
        let seen = self.look(&question.id, 25).await;
        let text = |name: &str| seen[name].as_str().unwrap_or_default().to_owned();
        (text("state"), text("code"))
    }

    /// The person decides on their phone.
    async fn decide(&self, question: &Question, form: &[(&str, &str)]) {
        // What the carrier calls the question stands on the phone's page.
        let phone = self.aurora.phone_url().unwrap();
        let page = Browser::new().open(&phone).await;
        let part = page.body.split("</form>").find(|part| part.contains(&question.context())).unwrap();
        let id = part.split("name=\"auth_req_id\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let mut fields = vec![("auth_req_id", id.as_str())];
        fields.extend_from_slice(form);
        Browser::new().post(format!("{phone}/decide"), &fields).await;
    }

    async fn agree(&self, question: &Question) {
        self.decide(question, &[("decision", "agree"), ("factor", "face")]).await;
    }

    /// Posts a notification as a carrier would.
    async fn notify(&self, bearer: &str, body: &Value) -> (u16, String) {
        self.post_notice(&[&format!("Bearer {bearer}")], body.to_string()).await
    }

    async fn post_notice(&self, authorization: &[&str], body: String) -> (u16, String) {
        let mut request = self.client.post(self.rig.url("/oauth2/approvals/notify")).body(body);
        for field in authorization {
            request = request.header("authorization", *field);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.headers().get("set-cookie").is_none(), "T12: no notification sets a cookie");
        let told = answer.headers().get("www-authenticate").map(|told| told.to_str().unwrap().to_owned());
        let expected =
            (answer.status() == 401).then(|| "Bearer realm=\"localhost\", error=\"invalid_token\"".to_owned());
        assert_eq!(told, expected);
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// An ID token of Aurora's for `question`, with `changes`.
    async fn id_token(&self, question: &Question, changes: Value) -> String {
        let now = now();
        let mut claims = json!({
            "iss": self.aurora.issuer(), "aud": CLIENT_ID, "sub": question.claims["login_hint"], "iat": now, "exp": now + 600,
            "nonce": question.claims["nonce"], "acr": "a3", "amr": ["hwk", "pin"], "auth_time": now,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.aurora.sign(serde_json::Map::new(), claims.as_object().unwrap().clone()).await.unwrap()
    }

    /// A notification that says yes.
    async fn yes(&self, question: &Question, auth_req_id: &str, changes: Value) -> Value {
        json!({
            "auth_req_id": auth_req_id, "state": question.claims["state"], "scope": "openid",
            "id_token": self.id_token(question, changes).await, "access_token": "at",
        })
    }

    fn no(question: &Question, auth_req_id: &str, error: &str) -> Value {
        json!({ "auth_req_id": auth_req_id, "state": question.claims["state"], "error": error })
    }

    /// Has the carrier call the next question `q-1`, and leave it to the test to answer.
    fn by_hand(&self, expires_in: u32) {
        let body = json!({ "auth_req_id": "q-1", "expires_in": expires_in }).to_string();
        self.aurora.set(|rules| drop(rules.body.insert("server_initiated".to_owned(), body)));
    }

    async fn metric(&self, line: &str) -> u64 {
        let page = self.rig.admin("/metrics").await;
        let found = page.body.lines().find_map(|found| found.strip_prefix(line));
        found.map_or(0, |count| count.trim().parse().unwrap())
    }

    async fn notices(&self, outcome: &str) -> u64 {
        self.metric(&format!("zengate_approval_notices_total{{outcome=\"{outcome}\"}}")).await
    }
}

/// Somebody was asked.
struct Question {
    id: String,
    body: Value,
    /// What the carrier was told.
    claims: Value,
}

impl Question {
    fn bearer(&self) -> &str {
        self.claims["client_notification_token"].as_str().unwrap()
    }

    fn context(&self) -> String {
        self.claims["context"].as_str().unwrap().to_owned()
    }
}

fn person(id: &str) -> &'static Person {
    personas().iter().find(|person| person.id == id).unwrap()
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
