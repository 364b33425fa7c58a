//! What a simulator is started with: where it listens and who is registered.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::profile::CARRIERS;

/// How to start a [`Simulator`](super::Simulator). The default is every port chosen by the kernel and no client.
#[derive(Clone, Debug, Default)]
pub struct SimulatorSettings {
    /// The ports to listen on.
    pub ports: Ports,
    /// Where a relay stands in front of every part: the relay's ports. Each part then tells these as its own address,
    /// and [`Simulator::listening`](super::Simulator::listening) says where the relay finds it.
    pub relays: Option<Ports>,
    /// The clients known to the discovery service and to every carrier.
    pub clients: Vec<Client>,
    /// The gateway that the sample app stands behind, if people are to try things out with it.
    pub try_out: Option<TryOut>,
    /// Make every carrier's key right away, in the background, instead of when it is first needed.
    pub warm_keys: bool,
}

/// What the sample app knows of the gateway in front of it, so that people can try out what apps can ask of it.
#[derive(Clone, Debug)]
pub struct TryOut {
    /// Where people open the app, without a slash at the end.
    pub gateway: String,
    /// The gateway's private listener, without a slash at the end.
    pub admin: String,
    /// The app's token there.
    pub token: String,
    /// The gateway's client id at the carriers.
    pub client_id: String,
    /// The approval that was asked for last.
    pub(super) last_approval: Arc<Mutex<Option<String>>>,
}

impl TryOut {
    /// With nothing asked for yet.
    pub fn new(gateway: String, admin: String, token: String, client_id: String) -> Self {
        Self { gateway, admin, token, client_id, last_approval: Arc::default() }
    }
}

/// A loopback port for each part; `0` lets the kernel choose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// The discovery issuer.
    pub discovery_issuer: u16,
    /// The discovery UI.
    pub discovery_ui: u16,
    /// The carriers, in the order of [`Simulator::carriers`](super::Simulator::carriers).
    pub carriers: [u16; CARRIERS],
    /// The sample app.
    pub app: u16,
}

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// As issued by the portal, `ccid-…`.
    pub client_id: String,
    /// The name the consent page shows.
    pub name: String,
    /// For clients that authenticate with a secret.
    pub client_secret: Option<String>,
    /// A JSON Web Key Set, for clients that authenticate with a signed assertion.
    pub jwks: Option<serde_json::Value>,
    /// Compared exactly, character by character.
    pub redirect_uris: Vec<String>,
    /// Where carriers may notify it of a sign-in that it began from its server; plain `http` only.
    pub notification_uris: Vec<String>,
}

impl Client {
    /// A client that authenticates with a secret.
    pub fn with_secret(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            name: "Harbour".to_owned(),
            client_secret: Some(client_secret.into()),
            jwks: None,
            redirect_uris: Vec::new(),
            notification_uris: Vec::new(),
        }
    }

    /// A client that authenticates with assertions signed by one of these keys.
    pub fn with_keys(client_id: impl Into<String>, jwks: serde_json::Value) -> Self {
        Self {
            client_id: client_id.into(),
            name: "Harbour".to_owned(),
            client_secret: None,
            jwks: Some(jwks),
            redirect_uris: Vec::new(),
            notification_uris: Vec::new(),
        }
    }

    /// Registers one more redirect URI.
    #[must_use]
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uris.push(redirect_uri.into());
        self
    }

    /// Registers one more notification URI.
    #[must_use]
    pub fn notification_uri(mut self, notification_uri: impl Into<String>) -> Self {
        self.notification_uris.push(notification_uri.into());
        self
    }

    /// The name the consent page shows.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// The clients of one simulator, shared by its parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry(Arc<RwLock<Vec<Client>>>);

impl Registry {
    pub(super) fn new(clients: Vec<Client>) -> Self {
        Self(Arc::new(RwLock::new(clients)))
    }

    /// Adds a client, or replaces the one with the same id.
    pub(super) fn register(&self, client: Client) {
        let mut clients = self.0.write();
        clients.retain(|known| known.client_id != client.client_id);
        clients.push(client);
    }

    pub(super) fn find(&self, client_id: &str) -> Option<Client> {
        let clients = self.0.read();
        clients.iter().find(|known| known.client_id == client_id).cloned()
    }
}
