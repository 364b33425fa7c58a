//! The whole simulation: started as one, held by handles, stopped as one.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use super::app;
use super::app::try_out::Things;
use super::carrier::{self, Carrier, CarrierHandle};
use super::discovery::{self, Discovery, DiscoveryHandle};
use super::discovery_ui::{self, DiscoveryUi, DiscoveryUiHandle};
use super::profile::{BRANDS, CARRIERS};
use super::server::{Bound, Serving};
use super::settings::{Client, Ports, Registry, SimulatorSettings};
use super::wire::{self, Wire};

/// A running simulation. Dropping it stops every part; [`Simulator::shutdown`] does so politely.
///
/// Nothing is shared between two simulators, so a test may have its own.
#[derive(Debug)]
pub struct Simulator {
    registry: Registry,
    discovery: DiscoveryHandle,
    discovery_issuer: String,
    ui: DiscoveryUiHandle,
    carriers: Vec<CarrierHandle>,
    app: String,
    listening: Ports,
    servings: Vec<Serving>,
}

impl Simulator {
    /// Binds every port and answers on all of them, or on none.
    pub async fn start(settings: SimulatorSettings) -> std::io::Result<Self> {
        let (ports, relays) = (settings.ports, settings.relays);
        let relay = |of: fn(&Ports) -> u16| relays.as_ref().map(of);
        let discovery_bound = Bound::loopback(ports.discovery_issuer, relay(|ports| ports.discovery_issuer)).await?;
        let ui_bound = Bound::loopback(ports.discovery_ui, relay(|ports| ports.discovery_ui)).await?;
        let app_bound = Bound::loopback(ports.app, relay(|ports| ports.app)).await?;
        let mut listening = Ports {
            discovery_issuer: discovery_bound.port(),
            discovery_ui: ui_bound.port(),
            carriers: [0; CARRIERS],
            app: app_bound.port(),
        };
        let registry = Registry::new(settings.clients);
        let mut carriers = Vec::new();
        let mut carrier_bounds = Vec::new();
        let relays = relays.map_or([None; CARRIERS], |relays| relays.carriers.map(Some));
        let places = ports.carriers.into_iter().zip(relays).zip(&mut listening.carriers);
        for (brand, ((port, relay), listening)) in BRANDS.iter().zip(places) {
            let bound = Bound::loopback(port, relay).await?;
            *listening = bound.port();
            let carrier = Carrier::new(brand, bound.origin(), registry.clone());
            carriers.push(Arc::new(carrier));
            carrier_bounds.push(bound);
        }
        for carrier in &carriers {
            carrier.peers.meet(&carriers);
        }
        let ui = Arc::new(DiscoveryUi::new(ui_bound.origin(), carriers.clone(), registry.clone()));
        let discovery = Arc::new(Discovery::new(ui.address(), carriers.clone(), registry.clone()));
        let discovery_issuer = discovery_bound.origin();
        let app = app_bound.origin();

        let wire = Wire::default();
        let recorded = settings.try_out.is_some();
        let noted = |router: Router, part: &'static str| match recorded {
            true => router.layer(from_fn_with_state((wire.clone(), part), wire::note)),
            false => router,
        };
        let things =
            settings.try_out.map(|settings| Things { settings, carriers: carriers.clone(), wire: wire.clone() });
        let mut servings = vec![
            discovery_bound.serve(noted(discovery::router(Arc::clone(&discovery)), "discovery issuer")),
            ui_bound.serve(noted(discovery_ui::router(Arc::clone(&ui)), "discovery UI")),
            app_bound.serve(app::router(things.map(Arc::new))),
        ];
        for (carrier, bound) in carriers.iter().zip(carrier_bounds) {
            let router = noted(carrier::router(Arc::clone(carrier)), carrier.brand.title);
            servings.push(bound.serve(router));
            if settings.warm_keys {
                let carrier = Arc::clone(carrier);
                tokio::spawn(async move { carrier.keys.current().await });
            }
        }
        Ok(Self {
            registry,
            discovery: DiscoveryHandle(discovery),
            discovery_issuer,
            ui: DiscoveryUiHandle(ui),
            carriers: carriers.into_iter().map(CarrierHandle).collect(),
            app,
            listening,
            servings,
        })
    }

    /// The ports that the parts listen on. They differ from those that the parts tell only behind relays.
    pub fn listening(&self) -> Ports {
        self.listening
    }

    /// The origin of the discovery issuer; `/.well-known/openid_configuration` is below it.
    pub fn discovery_issuer(&self) -> &str {
        &self.discovery_issuer
    }

    /// The address of the discovery UI, path included.
    pub fn discovery_ui(&self) -> String {
        self.ui.0.address()
    }

    /// The carriers: Aurora Wireless (`att`), Tangent Mobile (`tmobile`), Vireo (`verizon`).
    pub fn carriers(&self) -> &[CarrierHandle] {
        &self.carriers
    }

    /// A carrier by name: `aurora`, `tangent` or `vireo`.
    pub fn carrier(&self, name: &str) -> Option<&CarrierHandle> {
        self.carriers.iter().find(|carrier| carrier.name() == name)
    }

    /// The issuers of all carriers, for a gateway's list of trusted issuers.
    pub fn issuers(&self) -> Vec<String> {
        self.carriers.iter().map(CarrierHandle::issuer).collect()
    }

    /// The origin of the sample app.
    pub fn app_url(&self) -> &str {
        &self.app
    }

    /// The switches of the discovery issuer.
    pub fn discovery(&self) -> &DiscoveryHandle {
        &self.discovery
    }

    /// The switches of the discovery UI.
    pub fn ui(&self) -> &DiscoveryUiHandle {
        &self.ui
    }

    /// Registers a client everywhere, in place of the one with the same id.
    pub fn register(&self, client: Client) {
        self.registry.register(client);
    }

    /// Stops taking requests and gives those under way a moment to finish.
    pub async fn shutdown(self) {
        for serving in self.servings {
            serving.stop().await;
        }
    }
}
