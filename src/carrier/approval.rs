//! Asking a person on their phone, by our server: what is said, and what is said back (dossier 13; CIBA Core 1.0 in push mode
//! where that is silent).
//!
//! Nothing here signs anybody in: it reads and writes, and who may be asked for what is judged elsewhere.

pub mod notice;
pub mod request;
