//! The law: OAuth 2.0 and OpenID Connect as pure functions, without a clock, a socket or a store.
//!
//! What comes from a browser or a peer is parsed once into a narrow type, and each type says what it proves:
//! [`authorization::CallbackParams`] is well-formed and nothing more, [`authorization::AuthorizationResponse`] came
//! from the issuer we asked, [`id_token::VerifiedIdToken`] names a person, [`access_token::VerifiedAccessToken`] a caller.

pub mod access_token;
pub mod acr;
pub mod authorization;
pub mod claims;
pub mod client_auth;
pub mod id_token;
pub(crate) mod json;
pub mod jwks;
pub mod jwt;
pub mod key_proof;
pub mod logout_token;
pub mod metadata;
pub(crate) mod read;
pub mod refresh;
pub mod request_object;
pub mod security_event;
pub mod tenants;
pub mod token;
mod token_error;
pub mod userinfo_jwt;

pub use token_error::TokenError;

#[cfg(test)]
pub(crate) mod fuzz;
#[cfg(test)]
pub(crate) mod test_tokens;
