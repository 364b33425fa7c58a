//! Simulated ZenKey services and a small legacy app to put a gateway in front of.
//!
//! The public ZenKey service no longer exists, so these are the only counterparties that ever answer. They behave as
//! the recorded ones did, quirks included, and share no protocol code with the product: what both sides got wrong in
//! the same way could never be noticed.
//!
//! # What is started
//!
//! | part | paths |
//! |---|---|
//! | discovery issuer | `GET /.well-known/openid_configuration` |
//! | discovery UI | `GET /ui/discovery-ui`, `/ui/visual-code`, `/ui/device`; `POST /ui/discovery-ui/choose`; `GET /ui/trusted`, `POST /ui/forget`; `GET /v1/auth` (optimized discovery) |
//! | Aurora Wireless (`att` profile) | issuer is the bare origin; `/mga/sps/oauth/oauth20/{authorize,token,userinfo}`, `/mga/sps/jwks` |
//! | Tangent Mobile (`tmobile` profile) | issuer is the bare origin; `/verify/authorize`, `/tms/v3/usertoken`, `/oidc/v1/userinfo`, `/oauth2/v1/certs` |
//! | Vireo (`verizon` profile) | issuer is `{origin}/vzauth/oauth2/ccid`; below it `/authorize`, `/access_token`, `/userinfo`, `/jwks` |
//! | Harbour wiki, the sample app | every path; `/public`; `/echo.json` (also below any path) answers in JSON |
//!
//! Each carrier also serves `{issuer}/.well-known/openid-configuration`.
//!
//! # Walking through with a scripted browser
//!
//! 1. `GET {discovery_ui}?client_id=…&redirect_uri=…&state=…` answers a page. Its form `#choose` has the hidden field
//!    `ticket` (`#ticket`); post it to `/ui/discovery-ui/choose` as `ticket=…&person=maya`. `person` is one of the
//!    ids in [`people`]; `carrier=aurora|tangent|vireo` stands for that carrier's first person. `trust=yes` sets
//!    the trusted-browser cookie; `error=…` makes the page call back with that error instead. The answer is a 303 to
//!    `redirect_uri` with `mccmnc`, `state` and, unless the user agent is a phone, `login_hint_token`.
//! 2. `GET` (or `POST`) the carrier's authorization endpoint answers the consent page. Its form `#consent` has the
//!    hidden field `ticket` (`#ticket`); post it to `{authorization_endpoint}/decision` as
//!    `ticket=…&decision=agree&factor=pin&share=name&share=email`. `decision` is `agree` or `deny`, or
//!    `error` together with `error=user_not_found` (any code). `factor` is `approve` (acr a1), `pin`,
//!    `fingerprint` or `face` (acr a3). Without any `share` field nothing but the subject is shared. The answer is a
//!    303 to `redirect_uri`.
//!
//! Aurora and Tangent also take server-initiated requests, at the endpoints their metadata names. `GET /phone` lists
//! what waits; `POST /phone/decide` takes `auth_req_id=…&decision=agree&factor=pin` (or `deny`, or `error` with
//! `error=…`), and the answer goes to the client's notification URI. With `auto_consent` nobody is asked.
//!
//! A request that cannot be answered by redirect (unknown client, unregistered redirect URI) gets a page with
//! status 400.
//!
//! # Control
//!
//! Tests use the methods of [`Simulator`], [`CarrierHandle`], [`DiscoveryHandle`] and [`DiscoveryUiHandle`]. The same
//! switches are served as JSON on each part's own port:
//!
//! | request | effect |
//! |---|---|
//! | `GET /_control` | `{"rules": …, "counters": …, "requests": […]}` |
//! | `POST /_control` | merges the JSON object into the rules (RFC 7396: `null` restores a default), answers as `GET` |
//! | `POST /_control/reset` | default rules, no counters, no recorded requests; the body is `{}` |
//! | `POST /_control/rotate-keys` | carriers only: a new signing key; `{"keep_previous": true}` leaves the old one published |
//! | `POST /_control/sign` | carriers only: `{"header": …, "claims": …}` signed with the current key, as `{"jwt": …}` |
//!
//! The rules are [`CarrierRules`], [`DiscoveryRules`] and [`DiscoveryUiRules`]; their field names are the JSON names.

#![allow(clippy::disallowed_methods, reason = "a simulation lives by the clock of the machine")]

mod answer;
mod app;
mod authorize;
mod call;
mod carrier;
mod client_auth;
mod consent;
mod control;
mod discovery;
mod discovery_ui;
mod expiring;
mod jwt;
mod key_binding;
mod keys;
mod loopback;
mod metadata;
mod mint;
mod page;
mod pairing;
mod personas;
mod phone;
mod profile;
mod refusal;
mod rules;
mod server;
mod server_initiated;
mod settings;
mod simulator;
#[cfg(test)]
mod tests;
mod token;
mod userinfo;
mod usertrait;
mod wire;

pub use call::Recorded;
pub use carrier::CarrierHandle;
pub use discovery::DiscoveryHandle;
pub use discovery_ui::DiscoveryUiHandle;
pub use personas::{Person, personas};
pub use profile::{CARRIERS, Profile};
pub use rules::{
    AutoConsent, CarrierRules, DiscoveryAnswer, DiscoveryRules, DiscoveryUiRules, Factor, PortTokenRules,
    PortTokenShape, Signature,
};
pub use settings::{Client, Ports, SimulatorSettings, TryOut};
pub use simulator::Simulator;
