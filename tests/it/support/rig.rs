//! The rig of the case list: simulated carriers, a recording upstream, and the gateway in front of it, with routes
//! `/public` (anonymous), `/app` (any session), `/admin` (session and a claim nobody has unless told otherwise).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use zengate::app::{App, StartError};
use zengate::config::Config;
use zengate::gateway::Sockets;
use zengate::session::embedded::EmbeddedError;
use zengate::session::provider_check::RecheckPolicy;
use zengate::upstream::NameService;
use zengate_simulator::{Client, Ports, Simulator, SimulatorSettings};

use super::browser::{Browser, Page};
use super::upstream::Upstream;

pub const CLIENT_ID: &str = "ccid-rig0123456789abc";
pub const CLIENT_SECRET: &str = "rig secret:%+ü&=";

/// What differs from rig to rig. Texts are YAML; `DIR` in them is the rig's own directory, `UPSTREAM` the recording app,
/// `AURORA`, `TANGENT` and `VIREO` are the issuers of the carriers, `UI_ORIGIN` is where the discovery UI is.
#[derive(Debug, Clone)]
pub struct Choices {
    /// `sessions:` without the key itself, two spaces in front of each line.
    pub sessions: String,
    /// `sign_in:`, likewise; empty for none.
    pub sign_in: String,
    /// `trusted_issuers` of `provider.zenkey`, six spaces in front of each line; empty for the names of all.
    pub issuers: String,
    /// Further keys below `provider.zenkey`, four spaces in front of each line.
    pub zenkey: String,
    /// Further keys below `provider`, two spaces in front of each line.
    pub provider: String,
    /// Further routes; `UPSTREAM` stands for the recording upstream's address.
    pub routes: String,
    /// Further top-level keys.
    pub top: String,
    /// Aurora alone, as a plain OpenID Connect issuer, with these further keys, four spaces in front of each line.
    pub plain: Option<String>,
    /// Aurora as the provider `staff` and Tangent as `partners`, in place of `provider`.
    pub two_providers: bool,
    /// The whole of `provider`, in place of a simulated one; two spaces in front of each line.
    pub oauth2: Option<String>,
    /// How often the provider is asked again, sooner than a configuration may say.
    pub recheck: Option<Duration>,
    /// The ports of the relays in front of the simulated parts, if there are any.
    pub relays: Option<Ports>,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            sessions: "  store: memory\n".to_owned(),
            // Every test is 127.0.0.1, and some begin hundreds of sign-ins.
            sign_in: "  starts_per_minute: 0\n".to_owned(),
            issuers: String::new(),
            zenkey: "    scopes: [openid, name, email]\n    acr_values: [a1, a3]\n".to_owned(),
            provider: String::new(),
            routes: String::new(),
            top: String::new(),
            plain: None,
            two_providers: false,
            oauth2: None,
            recheck: None,
            relays: None,
        }
    }
}

/// Everything a test needs. Stops when dropped, or orderly with [`Rig::stop`].
pub struct Rig {
    pub simulator: Simulator,
    pub upstream: Upstream,
    pub address: SocketAddr,
    pub choices: Choices,
    app: Option<App>,
    _dir: TempDir,
    dir_path: String,
}

impl Rig {
    /// The default rig.
    pub async fn start() -> Self {
        Self::with(Choices::default()).await
    }

    /// A rig with its sessions in a file.
    pub async fn embedded() -> Self {
        Self::with(Choices { sessions: "  store: embedded\n  path: DIR/sessions.redb\n".into(), ..Choices::default() })
            .await
    }

    /// A rig of one's own.
    pub async fn with(choices: Choices) -> Self {
        super::init();
        let simulator = Simulator::start(SimulatorSettings { relays: choices.relays, ..SimulatorSettings::default() })
            .await
            .unwrap();
        let upstream = Upstream::start().await;
        let dir = tempfile::tempdir().unwrap();
        let dir_path = dir.path().to_str().unwrap().to_owned();
        let sockets = Sockets::bind(loopback(), loopback()).unwrap();
        let address = sockets.address();
        let redirect_uri = format!("http://localhost:{}/oauth2/callback", address.port());
        let client = Client::with_secret(CLIENT_ID, CLIENT_SECRET);
        let client =
            client.redirect_uri(format!("{redirect_uri}/staff")).redirect_uri(format!("{redirect_uri}/partners"));
        simulator.register(client.redirect_uri(redirect_uri));
        let mut rig = Self { simulator, upstream, address, choices, app: None, _dir: dir, dir_path };
        rig.app = Some(App::start_on(sockets, rig.config()).await.unwrap());
        rig
    }

    /// The configuration text this rig runs on.
    pub fn config_text(&self) -> String {
        let Choices {
            sessions,
            sign_in,
            issuers: own_issuers,
            zenkey,
            provider,
            routes,
            top,
            plain,
            two_providers,
            oauth2,
            recheck: _,
            relays: _,
        } = &self.choices;
        let upstream = self.upstream.address;
        let issuers: String = self.simulator.issuers().iter().map(|issuer| format!("      - {issuer}\n")).collect();
        let issuers = if own_issuers.is_empty() { &issuers } else { own_issuers };
        let provider = match plain {
            None => format!(
                "  zenkey:
    client_id: {CLIENT_ID}
    client_secret: \"{CLIENT_SECRET}\"
    discovery_issuer: {discovery}
    discovery_ui: {ui}
    trusted_issuers:
{issuers}{zenkey}  allow_private_addresses: true
{provider}",
                discovery = self.simulator.discovery_issuer(),
                ui = self.simulator.discovery_ui(),
            ),
            Some(keys) => format!(
                "  oidc:
    issuer: {issuer}
    client_id: {CLIENT_ID}
    client_secret: \"{CLIENT_SECRET}\"
{keys}  allow_private_addresses: true
{provider}",
                issuer = self.simulator.carrier("aurora").unwrap().issuer(),
            ),
        };
        let provider = match two_providers {
            false => format!("provider:\n{}", oauth2.as_ref().unwrap_or(&provider)),
            true => {
                let one = |id: &str, name: &str, carrier: &str| {
                    let issuer = self.simulator.carrier(carrier).unwrap().issuer();
                    format!(
                        "  - {{ id: {id}, name: {name}, allow_private_addresses: true, oidc: {{ issuer: '{issuer}', \
                         client_id: {CLIENT_ID}, client_secret: \"{CLIENT_SECRET}\" }} }}\n"
                    )
                };
                let (staff, partners) = (one("staff", "Staff", "aurora"), one("partners", "Partners", "tangent"));
                format!("providers:\n{staff}{partners}")
            }
        };
        // Lines of requests are written past what a test's output is kept in.
        let log = if top.contains("log:") { "" } else { "log:\n  access: false\n" };
        let sign_in = if sign_in.is_empty() { String::new() } else { format!("sign_in:\n{sign_in}") };
        let mut text = format!(
            "public_url: http://localhost:{port}
listen: 127.0.0.1:{port}
admin_listen: 127.0.0.1:1
{provider}sessions:
{sessions}{sign_in}{log}{top}routes:
  - {{ host: localhost, path: /public, access: anonymous, upstream: 'http://{upstream}' }}
  - host: localhost
    path: /app
    access: session
    upstream: http://{upstream}
    identity_headers:
      preset: [zenkey, x-auth-request, x-forwarded, remote-user]
      map:
        X-Auth-Sub: sub
        X-Auth-Issuer: iss
        X-Auth-Email: email
  - host: localhost
    path: /admin
    access: session
    upstream: http://{upstream}
    require: {{ claims: {{ groups: [admins] }} }}
{routes}",
            port = self.address.port(),
        )
        .replace("DIR", &self.dir_path)
        .replace("UPSTREAM", &format!("http://{upstream}"));
        text = text.replace("UI_ORIGIN", self.simulator.discovery_ui().trim_end_matches("/ui/discovery-ui"));
        for carrier in self.simulator.carriers() {
            text = text.replace(&carrier.name().to_uppercase(), &carrier.issuer());
        }
        text
    }

    fn config(&self) -> Config {
        let mut config = Self::read(&self.config_text());
        if let Some(every) = self.choices.recheck {
            config.sessions.recheck = Some(RecheckPolicy { every, grace: Duration::from_secs(900) });
        }
        config
    }

    fn read(text: &str) -> Config {
        match Config::parse(text, "rig.yaml", &|_| None) {
            Ok((config, _)) => config,
            Err(faults) => panic!("{faults}\n{text}"),
        }
    }

    /// Stops the gateway and starts another one on the same port, with the same configuration.
    pub async fn restart(&mut self) {
        self.stop_gateway().await;
        self.start_gateway().await;
    }

    /// Stops the gateway; the rest of the rig goes on.
    pub async fn stop_gateway(&mut self) {
        if let Some(app) = self.app.take() {
            app.stop(Duration::ZERO).await;
        }
    }

    /// Stops the gateway in order, which may take it `grace`; how many connections were cut.
    pub async fn stop_within(&mut self, grace: Duration) -> usize {
        match self.app.take() {
            Some(app) => app.stop(grace).await,
            None => 0,
        }
    }

    /// Starts the gateway again on its old port, once the old one has let go of its file: a connection that was cut
    /// takes a moment to end.
    pub async fn start_gateway(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        self.app = loop {
            let sockets = Sockets::bind(self.address, loopback()).unwrap();
            match App::start_on(sockets, self.config()).await {
                Ok(app) => break Some(app),
                Err(StartError::Embedded { error: EmbeddedError::AlreadyOpen, .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
    }

    /// Another gateway with the same configuration on a port of its own, behind the same name.
    pub async fn another_node(&self) -> App {
        let sockets = Sockets::bind(loopback(), loopback()).unwrap();
        App::start_on(sockets, self.config()).await.unwrap()
    }

    /// As [`Rig::another_node`], with a name service of its own for upstreams.
    pub async fn node_with(&self, names: Arc<dyn NameService>) -> App {
        let sockets = Sockets::bind(loopback(), loopback()).unwrap();
        App::start_with(sockets, self.config(), names).await.unwrap()
    }

    /// Another gateway with the same configuration, but for its listeners: `listeners`, in YAML, in place of `listen`, with `DIR`
    /// as everywhere.
    pub async fn node_listening(&self, listeners: &str) -> App {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match self.try_listening(listeners).await {
                Ok(app) => return app,
                Err(StartError::Embedded { error: EmbeddedError::AlreadyOpen, .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// As [`Rig::node_listening`], where people come by https: `public_url` is `https://localhost:8443`.
    pub async fn node_at_https(&self, listeners: &str) -> App {
        let text = self.config_text();
        let public = format!("public_url: http://localhost:{}\n", self.address.port());
        assert!(text.contains(&public), "{text}");
        let text = text.replacen(&public, "public_url: https://localhost:8443\n", 1);
        self.started_with(&text, listeners).await.unwrap()
    }

    /// As [`Rig::node_listening`], where it may fail.
    pub async fn try_listening(&self, listeners: &str) -> Result<App, StartError> {
        self.started_with(&self.config_text(), listeners).await
    }

    async fn started_with(&self, text: &str, listeners: &str) -> Result<App, StartError> {
        let (listen, admin) = (format!("listen: {}\n", self.address), "admin_listen: 127.0.0.1:1\n");
        assert!(text.contains(&listen) && text.contains(admin), "{text}");
        let text = text.replacen(&listen, &listeners.replace("DIR", &self.dir_path), 1);
        App::start(Self::read(&text.replacen(admin, "admin_listen: 127.0.0.1:0\n", 1))).await
    }

    /// A page as `node` serves it, as a person would open it whom the load balancer sent there.
    pub fn url_at(&self, node: &App, path: &str) -> String {
        format!("http://localhost:{}{path}", node.address().port())
    }

    /// Where this rig's files are.
    pub fn dir(&self) -> &str {
        &self.dir_path
    }

    /// The gateway.
    pub fn app(&self) -> &App {
        self.app.as_ref().expect("the gateway is running")
    }

    /// A page of the gateway, as a person would open it.
    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    /// What is at `path` of the private listener.
    pub async fn admin(&self, path: &str) -> Page {
        Browser::new().open(format!("http://{}{path}", self.app().admin_address())).await
    }

    /// Opens `path` without a session and goes as far as the discovery UI's page.
    pub async fn begin(&self, browser: &Browser, path: &str) -> Page {
        browser.go(self.url(path)).await
    }

    /// At the discovery UI: chooses the phone of `person`. The answer leads back to the gateway and is not followed.
    pub async fn choose(&self, browser: &Browser, ui: &Page, person: &str) -> Page {
        let ticket = ui.field("ticket").unwrap_or_else(|| panic!("the discovery UI: {}", ui.body));
        let target = ui.url.join("/ui/discovery-ui/choose").unwrap();
        browser.post(target, &[("ticket", &ticket), ("person", person)]).await
    }

    /// At the carrier: agrees with a PIN and shares name and e-mail. The answer leads back and is not followed.
    pub async fn agree(&self, browser: &Browser, consent: &Page) -> Page {
        self.decide(
            browser,
            consent,
            &[("decision", "agree"), ("factor", "pin"), ("share", "name"), ("share", "email")],
        )
        .await
    }

    /// At the carrier: any other decision.
    pub async fn decide(&self, browser: &Browser, consent: &Page, form: &[(&str, &str)]) -> Page {
        let ticket = consent.field("ticket").unwrap_or_else(|| panic!("the consent page: {}", consent.body));
        let mut target = consent.url.clone();
        target.set_query(None);
        target.set_path(&format!("{}/decision", consent.url.path()));
        let mut fields = vec![("ticket", ticket.as_str())];
        fields.extend_from_slice(form);
        browser.post(target, &fields).await
    }

    /// As far as the carrier's consent page.
    pub async fn to_consent(&self, browser: &Browser, path: &str, person: &str) -> Page {
        let ui = self.begin(browser, path).await;
        let chosen = self.choose(browser, &ui, person).await;
        browser.follow(chosen).await
    }

    /// As far as the redirect that carries the code back to the gateway.
    pub async fn to_code(&self, browser: &Browser, path: &str, person: &str) -> Page {
        let consent = self.to_consent(browser, path, person).await;
        self.agree(browser, &consent).await
    }

    /// The whole way: opens `path`, signs in as `person`, and returns the page it ends on.
    pub async fn sign_in(&self, browser: &Browser, path: &str, person: &str) -> Page {
        let code = self.to_code(browser, path, person).await;
        browser.follow(code).await
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
