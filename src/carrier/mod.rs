//! What federations of mobile carriers add to OpenID Connect: finding the carrier, its error codes, its shape of userinfo.
//!
//! This room prepares the ordinary flow and never relaxes its rules: every verdict on a token is `oidc`'s.

pub mod approval;
pub mod differs;
pub mod discovery;
pub mod error;
pub mod event;
pub mod find;
pub mod network;
pub mod port_token;
pub mod profile;
pub mod userinfo;
pub mod usertrait;
