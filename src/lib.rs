//! zengate: a reverse-proxy authentication gateway.

#[cfg(feature = "demo")]
pub mod demo;
pub mod identity;
pub mod oidc;
pub mod provider;
pub mod secret;
pub mod zenkey;
