//! Things to try in the demo: what a gateway does beyond signing people in, each one click away. This is what an app's server does
//! with the gateway's private listener, and what an app on a phone does.

use std::fmt::Write as _;
use std::sync::Arc;

use aws_lc_rs::digest;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::wiki;
use crate::call::{Call, first};
use crate::carrier::Carrier;
use crate::jwt;
use crate::loopback::{Answered, Asked, send};
use crate::mint::seconds;
use crate::page::escape;
use crate::personas::personas;
use crate::rules::Signature;
use crate::settings::TryOut;
use crate::userinfo;
use crate::wire::Wire;

/// The app's redirect URI on a phone.
pub(super) const NATIVE_REDIRECT: &str = "com.example.harbour:/signed-in";

/// All that the pages need.
pub(crate) struct Things {
    pub(crate) settings: TryOut,
    pub(crate) carriers: Vec<Arc<Carrier>>,
    pub(crate) wire: Wire,
}

pub(super) fn router(things: Arc<Things>) -> Router {
    Router::new()
        .route("/try", get(show))
        .route("/try/approve", post(approve))
        .route("/try/approval", get(approval))
        .route("/try/link", post(link))
        .route("/try/move", post(change_carrier))
        .route("/try/sim-swap", post(sim_swap))
        .route("/try/native", post(native))
        .route("/try/wire", get(wire).post(forget_wire))
        .with_state(things)
}

const THINGS: &str = "<article class=\"card\" id=\"try\"><h1>Things to try</h1>\
<h2>A page that demands more</h2><p>The safe opens only with a PIN or a finger (<code>assurance: person</code>). Sign in with “Just a tap”, and you \
are asked to confirm. <a href=\"/safe?drawer=3\">Open the safe</a></p>\
<h2>A page that needs an attribute</h2><p>Keep the postal code back when you sign in, and this page says what it is for. \
<a href=\"/post-room\">Open the post room</a></p>\
<h2>An approval in this browser</h2><form method=\"post\" action=\"/try/approve\"><input type=\"hidden\" name=\"way\" value=\"browser\">\
<p>The app asks for one thing, and gets a signed receipt.</p><button>Lend berth 12 to the Marlin</button></form>\
<h2>An approval on the phone</h2><form method=\"post\" action=\"/try/approve\"><input type=\"hidden\" name=\"way\" value=\"phone\">\
<p>The carrier asks, on the phone; for people of Aurora Wireless.</p><button>Open the fuel pump</button></form>\
<h2>Linking an account</h2><form method=\"post\" action=\"/try/link\"><p>The app has an account of yours already, and vouches for it.</p>\
<button>Link my account “harbour-7”</button></form><p><a href=\"/members\">A page for linked accounts</a></p>\
<h2>Another carrier, the same account</h2><form method=\"post\" action=\"/try/move\"><p>You move to Vireo, and are Wyn there. Sign in \
as Wyn afterwards: the account is the same.</p><button>Move to Vireo</button></form>\
<h2>A SIM swap</h2><form method=\"post\" action=\"/try/sim-swap\"><p>Your carrier tells the gateway that your number is on another SIM: you are \
signed out, and must authenticate anew.</p><button>Swap my SIM</button></form>\
<h2>An app on a phone</h2><form method=\"post\" action=\"/try/native\"><p>The app signs somebody in by itself, and hands the code in.</p>\
<button>Sign in by the app</button></form>\
<h2>What was said on the wire</h2><p><a href=\"/try/wire\">Every request of the last sign-ins</a>, without what would let anybody in.</p></article>";

async fn show(call: Call) -> Response {
    wiki(THINGS, &call)
}

/// Who is there, as the gateway says: issuer and subject.
fn who(call: &Call) -> Option<(String, String)> {
    Some((call.header("x-zenkey-issuer")?.to_owned(), call.header("x-zenkey-sub")?.to_owned()))
}

fn said(call: &Call, title: &str, text: &str, more: &str) -> Response {
    let content = format!(
        "<article class=\"card\"><h1>{}</h1><p id=\"said\">{}</p>{more}<p><a href=\"/try\">Back to the things to try</a></p></article>",
        escape(title),
        escape(text)
    );
    wiki(&content, call)
}

fn see(place: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, place.to_owned())]).into_response()
}

impl Things {
    /// Asks the gateway's private listener.
    async fn admin(&self, method: &str, path: &str, body: &str) -> Option<Answered> {
        let bearer = format!("Bearer {}", self.settings.token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        send(&Asked { method, url: &format!("{}{path}", self.settings.admin), headers: &headers, body }).await
    }

    fn carrier_of(&self, issuer: &str) -> Option<&Arc<Carrier>> {
        self.carriers.iter().find(|carrier| carrier.issuer() == issuer)
    }
}

async fn approve(State(things): State<Arc<Things>>, call: Call) -> Response {
    let Some((issuer, subject)) = who(&call) else { return said(&call, "Nobody is signed in", "Sign in first.", "") };
    let in_browser = first(&call.body, "way") == Some("browser");
    let context = if in_browser { "Lend berth 12 to the Marlin until Sunday" } else { "Open the fuel pump at pier 3" };
    let mut wanted = json!({ "issuer": issuer, "subject": subject, "context": context, "acr_values": ["a3"] });
    if in_browser {
        wanted["return_to"] = "/try/approval".into();
    }
    let answered = things.admin("POST", "/approvals", &wanted.to_string()).await;
    let body = answered.as_ref().map(Answered::json).unwrap_or_default();
    let Some(id) = body["id"].as_str() else {
        let text = body["message"].as_str().unwrap_or("The gateway did not answer.").to_owned();
        return said(&call, "It cannot be asked", &text, "");
    };
    *things.settings.last_approval.lock() = Some(id.to_owned());
    match body["confirm"].as_str() {
        Some(confirm) => see(confirm),
        None => see("/try/approval"),
    }
}

async fn approval(State(things): State<Arc<Things>>, call: Call) -> Response {
    let last = things.settings.last_approval.lock().clone();
    let Some(id) = last else { return said(&call, "Nothing was asked", "Ask for something first.", "") };
    let body =
        things.admin("GET", &format!("/approvals?id={id}"), "").await.as_ref().map(Answered::json).unwrap_or_default();
    let state = body["state"].as_str().unwrap_or("unknown").to_owned();
    let mut more = String::new();
    if state == "waiting" {
        if let Some(phone) =
            body["issuer"].as_str().and_then(|issuer| things.carrier_of(issuer)).and_then(|own| own.phone())
        {
            // Writing to a String cannot fail.
            let _ = write!(more, "<p><a href=\"{}\" target=\"_blank\">The phone</a></p>", escape(&phone));
        }
        more.push_str("<p><a href=\"/try/approval\">Look again</a></p>");
    }
    if let Some(claims) = body["receipt"].as_str().and_then(claims) {
        let _ = write!(more, "<h2>The receipt says</h2><pre id=\"receipt\">{}</pre>", escape(&format!("{claims:#}")));
    }
    let context = body["context"].as_str().unwrap_or_default();
    said(&call, "An approval", &format!("{context}: {state} {}", body["code"].as_str().unwrap_or_default()), &more)
}

/// What a signed statement says. An app checks its signature before it believes that.
fn claims(token: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?).ok()
}

async fn link(State(things): State<Arc<Things>>, call: Call) -> Response {
    let wanted = json!({ "account": "harbour-7", "return_to": "/members" }).to_string();
    let body = things.admin("POST", "/link-tickets", &wanted).await.as_ref().map(Answered::json).unwrap_or_default();
    match body["url"].as_str() {
        Some(url) => see(url),
        None => said(&call, "No ticket", body["message"].as_str().unwrap_or("The gateway did not answer."), ""),
    }
}

async fn change_carrier(State(things): State<Arc<Things>>, call: Call) -> Response {
    let found = who(&call).and_then(|(issuer, subject)| {
        let own = things.carrier_of(&issuer)?;
        let of = |them: &&crate::Person| userinfo::subject(own.brand, &things.settings.client_id, them) == subject;
        personas().iter().filter(|them| them.carrier == own.brand.name).find(of)
    });
    let (Some(them), Some(vireo)) = (found, things.carriers.iter().find(|carrier| carrier.brand.name == "vireo"))
    else {
        return said(&call, "Nobody moved", "Sign in first, with a phone of another carrier.", "");
    };
    vireo.rules.write().ported.insert("wyn".to_owned(), them.id.to_owned());
    let text = format!("{} is Wyn O’Hara of Vireo now.", them.name());
    let more = "<p><a href=\"/oauth2/start?account=other&amp;rd=%2Fmembers\">Sign in with Wyn’s phone</a></p>";
    said(&call, "You moved to Vireo", &text, more)
}

async fn sim_swap(State(things): State<Arc<Things>>, call: Call) -> Response {
    let Some((issuer, subject)) = who(&call) else { return said(&call, "Nobody is signed in", "Sign in first.", "") };
    let status = match things.carrier_of(&issuer) {
        Some(carrier) => tell(&things, carrier, &subject).await,
        None => None,
    };
    let text = match status {
        Some(status) => format!("The gateway answered {status}. Open another page of the wiki."),
        None => "The gateway could not be told.".to_owned(),
    };
    said(&call, "Your SIM was swapped", &text, "")
}

/// The carrier tells the gateway.
async fn tell(things: &Things, carrier: &Carrier, subject: &str) -> Option<u16> {
    let key = carrier.keys.current().await.ok()?;
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    let now = seconds(std::time::SystemTime::now());
    let header = object(json!({ "alg": "RS256", "kid": key.kid, "typ": "secevent+jwt" }));
    let claims = object(json!({
        "iss": carrier.issuer(), "aud": things.settings.client_id, "iat": now, "jti": format!("swap-{now}"),
        "sub_id": { "format": "iss_sub", "iss": carrier.issuer(), "sub": subject },
        "events": { "urn:zenkey:event:sim_swap": {} },
    }));
    let token = jwt::sign(&key, Signature::Valid, header, &claims).await.ok()?;
    let url = format!("{}/oauth2/signals", things.settings.gateway);
    let headers = [("content-type", "application/secevent+jwt")];
    send(&Asked { method: "POST", url: &url, headers: &headers, body: &token }).await.map(|answered| answered.status)
}

async fn native(State(things): State<Arc<Things>>, call: Call) -> Response {
    match sign_in_by_app(&things).await {
        Ok(seen) => {
            let more =
                format!("<h2>What the wiki told the app</h2><pre id=\"native\">{}</pre>", escape(&format!("{seen:#}")));
            said(
                &call,
                "The app is signed in",
                "It handed in a code of Aurora’s, and used the token that it got.",
                &more,
            )
        }
        Err(step) => said(&call, "The app is not signed in", step, ""),
    }
}

/// What an app with a carrier's SDK does, with Maya's phone.
async fn sign_in_by_app(things: &Things) -> Result<Value, &'static str> {
    const VERIFIER: &str = "an-app-draws-this-verifier-anew-for-each-sign-in-0123456789";
    let json_kind = [("content-type", "application/json")];
    let gateway = things.settings.gateway.as_str();
    let post = |path: &str, body: Value| {
        let (url, body) = (format!("{gateway}{path}"), body.to_string());
        async move { send(&Asked { method: "POST", url: &url, headers: &json_kind, body: &body }).await }
    };
    let nonce = post("/oauth2/native/nonce", json!({})).await.ok_or("The gateway gave no nonce.")?.json();
    let nonce = nonce["nonce"].as_str().ok_or("The gateway gave no nonce.")?;
    let aurora = things.carriers.first().ok_or("There is no carrier.")?;
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("client_id", things.settings.client_id.as_str()),
            ("redirect_uri", NATIVE_REDIRECT),
            ("response_type", "code"),
            ("scope", "openid name email"),
            ("state", "of-the-app"),
            ("nonce", nonce),
            ("acr_values", "a3"),
            ("correlation_id", "harbour-app-0001"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    let url = format!("{}?{query}", aurora.authorization_endpoint());
    let page =
        send(&Asked { method: "GET", url: &url, headers: &[], body: "" }).await.ok_or("Aurora did not answer.")?;
    // The SDK shows this page; Maya agrees with her PIN.
    let ticket = page.body.split("name=\"ticket\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let form =
        format!("ticket={}&decision=agree&factor=pin&share=name&share=email", ticket.ok_or("Aurora asked nothing.")?);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let decided = format!("{}/decision", aurora.authorization_endpoint());
    let done = send(&Asked { method: "POST", url: &decided, headers: &headers, body: &form }).await;
    let done = done.ok_or("Aurora did not answer.")?;
    let back = url::Url::parse(done.header("location").unwrap_or_default()).map_err(|_| "Aurora gave no code.")?;
    let code = back.query_pairs().find(|(name, _)| name == "code").ok_or("Aurora gave no code.")?.1.into_owned();
    let handed = json!({
        "code": code, "mccmnc": aurora.brand.mccmnc, "redirect_uri": NATIVE_REDIRECT, "code_verifier": VERIFIER,
        "client_id": things.settings.client_id, "nonce": nonce, "correlation_id": "harbour-app-0001",
    });
    let token = post("/oauth2/native", handed).await.ok_or("The gateway did not take the code.")?.json();
    let bearer = format!("Bearer {}", token["token"].as_str().ok_or("The gateway did not take the code.")?);
    let headers = [("authorization", bearer.as_str()), ("accept", "application/json")];
    let url = format!("{gateway}/echo.json");
    let echo = send(&Asked { method: "GET", url: &url, headers: &headers, body: "" })
        .await
        .ok_or("The wiki did not answer.")?;
    let mut seen = echo.json()["headers"].take();
    if let Some(headers) = seen.as_object_mut() {
        headers.retain(|name, _| name.starts_with("x-"));
    }
    Ok(seen)
}

async fn wire(State(things): State<Arc<Things>>, call: Call) -> Response {
    let list = |pairs: &[(String, String)]| {
        let mut rows = String::new();
        for (name, value) in pairs {
            let _ = write!(
                rows,
                "<tr><th scope=\"row\"><code>{}</code></th><td><code>{}</code></td></tr>",
                escape(name),
                escape(value)
            );
        }
        rows
    };
    let mut content = "<article class=\"card\"><h1>What was said on the wire</h1><p>Oldest first. Of codes, tokens and secrets only the beginning \
                       is shown; of signed tokens what they say. The gateway’s own answers to the browser are not here: they lead to these \
                       requests.</p><form method=\"post\" action=\"/try/wire\"><button class=\"plain\">Begin anew</button></form></article>"
        .to_owned();
    for exchange in things.wire.all() {
        let _ = write!(
            content,
            "<section class=\"card wire\"><h2>{} → {}</h2><p><code>{}</code></p><div class=\"scroll\"><table><tbody>{}</tbody></table></div>\
             <p>answered {}</p><div class=\"scroll\"><table><tbody>{}</tbody></table></div></section>",
            if exchange.from == "browser" { "browser" } else { "gateway" },
            escape(exchange.to),
            escape(&exchange.request),
            list(&exchange.parameters),
            exchange.status,
            list(&exchange.answer)
        );
    }
    wiki(&content, &call)
}

async fn forget_wire(State(things): State<Arc<Things>>) -> Response {
    things.wire.clear();
    see("/try/wire")
}
