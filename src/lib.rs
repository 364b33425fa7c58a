//! zengate: a reverse-proxy authentication gateway that signs people in through their mobile carrier (ZenKey) or any
//! OpenID Connect issuer, in front of unmodified web apps.
//!
//! # The map
//!
//! The simulated carriers of `zengate demo` (feature `demo`) are a crate of their own, `simulator/`.
//!
//! A room looks down, never up, never into a neighbour's inside; `tests/it/floors.rs` keeps it so.
//!
//! | floor | room | what it is |
//! |---|---|---|
//! | 11 | [`cli`] | the door: arguments and exit codes |
//! | 10 | [`app`] | the composition root: where concrete types meet |
//! | 9 | [`config`] | a file of text becomes each room's settings; all faults at once |
//! | 8 | [`gateway`] | sockets and HTTP; the proxy framework lives here and nowhere else |
//! | 7 | [`auth`] | the story: may this request pass, how a person signs in, how they leave |
//! | 6 | [`snapshot`] | one configuration, compiled: each route with all that it needs at run time |
//! | 5 | [`session`] [`account`] [`assertion`] [`upstream`] | what we remember, sealed; to which account a person belongs, and what we vouch for; where requests go |
//! | 4 | [`provider`] [`identity`] [`carrier`] [`policy`] | whom we ask, whom we name, what carriers add, what a route demands |
//! | 3 | [`oidc`] | the law: pure, no I/O, no clock |
//! | 2 | [`route`] [`web`] | vocabulary: hosts, paths, replies, cookies, pages |
//! | 1 | [`telemetry`] [`ground`] | what the operator sees; what every room stands on: time, limits, client networks |
//! | 0 | [`secret`] | secrets, randomness and the primitives of cryptography |
//!
//! # One signed-in request
//!
//! The gateway checks framing and makes the target normal, then asks one question: [`auth::Auth::decide`]. The
//! answer is a reply, or a permit that carries the route and the identity headers, already rendered. Only a permit
//! opens the way to an upstream. Headers that only we may write are removed from the request, then ours are written.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files and wait with deadlines"))]

pub mod account;
pub mod app;
pub mod approval;
pub mod assertion;
pub mod auth;
pub mod carrier;
pub mod cli;
pub mod config;
pub mod gateway;
pub mod ground;
pub mod identity;
pub mod oidc;
pub mod policy;
pub mod provider;
pub mod route;
pub mod secret;
pub mod session;
pub mod snapshot;
pub mod telemetry;
pub mod upstream;
pub mod web;
