//! zengate: a reverse-proxy authentication gateway.

#[cfg(feature = "demo")]
pub mod demo;
pub mod oidc;
pub mod secret;
