//! The discovery UI: the page that pairs a browser with a phone and so learns the carrier.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use parking_lot::RwLock;

use super::answer::redirect;
use super::call::{Call, Journal, Recorded, first, only};
use super::carrier::Carrier;
use super::control::{self, Controlled};
use super::expiring::ExpiringMap;
use super::page::{brand, escape, footnote, page, refusal, stale};
use super::pairing::{View, show};
use super::personas::{self, Person};
use super::rules::{DiscoveryUiRules, adjust_parameters};
use super::settings::{Client, Registry};

const COOKIE: &str = "zenkey_demo_browser";
pub(super) const THEME: &str = "zenkey";
pub(super) const TITLE: &str = "ZenKey discovery";
const TICKET_LIFE: Duration = Duration::from_secs(1800);

/// Everything the discovery UI knows.
#[derive(Debug)]
pub(super) struct DiscoveryUi {
    origin: String,
    carriers: Vec<Arc<Carrier>>,
    registry: Registry,
    rules: RwLock<DiscoveryUiRules>,
    journal: Journal,
    tickets: ExpiringMap<Ask>,
}

/// Who wants to know, and where to tell.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) client: Client,
    redirect_uri: String,
    state: Option<String>,
    /// Whether the browser is on the phone itself.
    pub(super) phone: bool,
    /// The authorization request to go on with, if one came along.
    request: Option<Vec<(String, String)>>,
}

impl DiscoveryUi {
    pub(super) fn new(origin: String, carriers: Vec<Arc<Carrier>>, registry: Registry) -> Self {
        Self {
            origin,
            carriers,
            registry,
            rules: RwLock::default(),
            journal: Journal::default(),
            tickets: ExpiringMap::new(TICKET_LIFE),
        }
    }

    /// Where browsers begin.
    pub(super) fn address(&self) -> String {
        format!("{}/ui/discovery-ui", self.origin)
    }

    pub(super) fn carrier_of(&self, person: &Person) -> Option<&Carrier> {
        let carrier = self.carriers.iter().find(|carrier| carrier.brand.name == person.carrier)?;
        Some(carrier)
    }
}

impl Controlled for DiscoveryUi {
    type Rules = DiscoveryUiRules;

    fn rules(&self) -> &RwLock<DiscoveryUiRules> {
        &self.rules
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }
}

pub(super) fn router(ui: Arc<DiscoveryUi>) -> Router {
    Router::new()
        .route("/ui/discovery-ui", get(discovery_ui))
        .route("/v1/auth", get(optimized))
        .route("/ui/visual-code", get(visual_code))
        .route("/ui/device", get(device))
        .route("/ui/discovery-ui/choose", post(choose))
        .route("/ui/trusted", get(trusted))
        .route("/ui/forget", post(forget))
        .with_state(Arc::clone(&ui))
        .merge(control::routes(ui))
}

async fn discovery_ui(State(ui): State<Arc<DiscoveryUi>>, call: Call) -> Response {
    enter(&ui, &call, View::Both)
}

/// Discovery and authorization in one: the browser comes with the carrier's request, and is sent on with it.
async fn optimized(State(ui): State<Arc<DiscoveryUi>>, call: Call) -> Response {
    enter(&ui, &call, View::Both)
}

async fn visual_code(State(ui): State<Arc<DiscoveryUi>>, call: Call) -> Response {
    enter(&ui, &call, View::VisualCode)
}

async fn device(State(ui): State<Arc<DiscoveryUi>>, call: Call) -> Response {
    enter(&ui, &call, View::NumericCode)
}

fn enter(ui: &DiscoveryUi, call: &Call, view: View) -> Response {
    ui.journal.record("discovery_ui", call);
    let ask = match read(ui, call) {
        Ok(ask) => ask,
        Err(reason) => return refusal(THEME, TITLE, reason),
    };
    let (next_error, auto_choose) = {
        let mut rules = ui.rules.write();
        (rules.next_error.take(), rules.auto_choose.clone())
    };
    if let Some(error) = next_error {
        return call_back_with_error(ui, &ask, &error, StatusCode::FOUND);
    }
    if let Some(person) = auto_choose.as_deref().and_then(somebody) {
        return call_back(ui, &ask, person, StatusCode::FOUND);
    }
    let (view, trusting) = match first(&call.query, "prompt") {
        Some("true" | "picker") => (view, false),
        Some("visual_code") => (View::VisualCode, false),
        Some("device") => (View::NumericCode, false),
        _ => (view, true),
    };
    let remembered = call.cookie(COOKIE).and_then(personas::person);
    if let Some(person) = remembered.filter(|_| trusting) {
        return call_back(ui, &ask, person, StatusCode::FOUND);
    }
    let ticket = ui.tickets.put(ask.clone());
    show(ui, &ask, &ticket, view)
}

fn read(ui: &DiscoveryUi, call: &Call) -> Result<Ask, &'static str> {
    let field = |name| only(&call.query, name).map_err(|_| "A parameter was sent twice.");
    let client = field("client_id")?
        .and_then(|client_id| ui.registry.find(client_id))
        .ok_or("This client is not registered.")?;
    let redirect_uri = field("redirect_uri")?
        .filter(|asked| client.redirect_uris.iter().any(|known| known == asked))
        .ok_or("The redirect URI is not one that this client registered.")?
        .to_owned();
    Ok(Ask {
        client,
        redirect_uri,
        state: field("state")?.map(str::to_owned),
        phone: call.is_phone(),
        request: (call.path == "/v1/auth").then(|| call.query.clone()),
    })
}

/// A person's id, or a carrier's name for its first person.
fn somebody(name: &str) -> Option<&'static Person> {
    personas::person(name).or_else(|| personas::first_of(name))
}

fn call_back(ui: &DiscoveryUi, ask: &Ask, person: &'static Person, status: StatusCode) -> Response {
    let Some(carrier) = ui.carrier_of(person) else {
        return call_back_with_error(ui, ask, "server_error", status);
    };
    // Only a second device needs to be told whose phone to ring.
    let hint = (!ask.phone).then(|| {
        let token = carrier.hint(&ask.client.client_id, person);
        ("login_hint_token".to_owned(), token)
    });
    if let Some(request) = &ask.request {
        let mut request = request.clone();
        request.retain(|(name, value)| name != "prompt" || value != "true");
        request.push(("discovered_by".to_owned(), "v1/auth".to_owned()));
        request.extend(hint);
        return redirect(&carrier.authorization_endpoint(), &request, status);
    }
    let mut answer = vec![("mccmnc".to_owned(), carrier.brand.mccmnc.to_owned())];
    answer.extend(hint);
    send_back(ui, ask, answer, status)
}

fn call_back_with_error(ui: &DiscoveryUi, ask: &Ask, error: &str, status: StatusCode) -> Response {
    let description = "The simulated discovery UI was told to answer this";
    let answer = vec![("error".to_owned(), error.to_owned()), ("error_description".to_owned(), description.to_owned())];
    send_back(ui, ask, answer, status)
}

fn send_back(ui: &DiscoveryUi, ask: &Ask, mut answer: Vec<(String, String)>, status: StatusCode) -> Response {
    if let Some(state) = &ask.state {
        answer.push(("state".to_owned(), state.clone()));
    }
    let rules = ui.rules.read();
    adjust_parameters(&mut answer, &rules.callback, &rules.callback_omit);
    redirect(&ask.redirect_uri, &answer, status)
}

async fn choose(State(ui): State<Arc<DiscoveryUi>>, call: Call) -> Response {
    ui.journal.record("choose", &call);
    let field = |name| first(&call.body, name);
    let person = field("person").or_else(|| field("carrier")).and_then(somebody);
    let error = field("error");
    if person.is_none() && error.is_none() {
        return refusal(THEME, TITLE, "Nobody has such a phone.");
    }
    let Some(ask) = field("ticket").and_then(|ticket| ui.tickets.take(ticket)) else {
        return stale(THEME, TITLE);
    };
    let (Some(person), None) = (person, error) else {
        let error = error.unwrap_or("server_error");
        return call_back_with_error(&ui, &ask, error, StatusCode::SEE_OTHER);
    };
    let mut response = call_back(&ui, &ask, person, StatusCode::SEE_OTHER);
    let trust = (field("trust") == Some("yes")).then_some(person.id);
    set_cookie(&mut response, trust);
    response
}

/// Remembers a person in this browser, or nobody.
fn set_cookie(response: &mut Response, person: Option<&'static str>) {
    let cookie = match person {
        Some(id) => format!("{COOKIE}={id}; Path=/ui; Max-Age=15552000; HttpOnly; SameSite=Lax"),
        None => format!("{COOKIE}=; Path=/ui; Max-Age=0; HttpOnly; SameSite=Lax"),
    };
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}

async fn trusted(call: Call) -> Response {
    let body = match call.cookie(COOKIE).and_then(personas::person) {
        Some(person) => format!(
            "<h1>This browser is trusted</h1><p>It goes straight to {}, without asking whose phone it is paired \
             with.</p><form id=\"forget\" method=\"post\" action=\"/ui/forget\"><button id=\"forget-browser\">Forget \
             this browser</button></form>",
            escape(person.device)
        ),
        None => "<h1>This browser is not trusted</h1><p>The next sign-in shows a code to scan.</p>".to_owned(),
    };
    plain_page(&body)
}

async fn forget() -> Response {
    let mut response = plain_page("<h1>Forgotten</h1><p>The next sign-in shows a code to scan.</p>");
    set_cookie(&mut response, None);
    response
}

fn plain_page(content: &str) -> Response {
    let body = format!(
        "<main class=\"centre\"><div class=\"sheet narrow\">{}{content}</div>{}</main>",
        brand(THEME, "ZenKey"),
        footnote(TITLE)
    );
    page(StatusCode::OK, THEME, TITLE, &body)
}

/// The running discovery UI, as tests hold it.
#[derive(Clone, Debug)]
pub struct DiscoveryUiHandle(pub(super) Arc<DiscoveryUi>);

impl DiscoveryUiHandle {
    /// The rules in force.
    pub fn rules(&self) -> DiscoveryUiRules {
        self.0.rules.read().clone()
    }

    /// Changes the rules.
    pub fn set(&self, change: impl FnOnce(&mut DiscoveryUiRules)) {
        change(&mut self.0.rules.write());
    }

    /// Default rules, no counters, no recorded requests.
    pub fn reset(&self) {
        *self.0.rules.write() = DiscoveryUiRules::default();
        self.0.journal.clear();
    }

    /// How often a browser came.
    pub fn count(&self) -> u64 {
        self.0.journal.count("discovery_ui")
    }

    /// The last request to one of the pages.
    pub fn last(&self) -> Option<Recorded> {
        self.0.journal.last("discovery_ui")
    }

    /// The last requests, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.0.journal.requests()
    }
}
