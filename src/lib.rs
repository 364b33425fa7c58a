//! zengate: a reverse-proxy authentication gateway.

pub mod identity;
pub mod policy;
pub mod route;
pub mod secret;
pub mod web;

#[cfg(feature = "demo")]
pub mod demo;
pub mod identity;
pub mod oidc;
pub mod provider;
pub mod secret;
pub mod zenkey;
