//! Approvals: the app asks (`begin.rs`), the carrier answers (`notice.rs`) or the person in their browser (`confirm.rs`), all of
//! it is brought together (`desk.rs`), and the app and the person's own browser are told (`watch.rs`, `webhook.rs`).
//!
//! BCP 247 (RFC 10027): only somebody who is signed in is asked, and whatever the answer is, nobody's session begins or changes
//! by it. The answer goes to the app that asked.

mod begin;
mod confirm;
mod desk;
mod notice;
mod statement;
mod watch;
mod webhook;

pub use begin::{Asked, NotAsked};
pub use desk::Desk;
pub use watch::LONGEST_WAIT;

pub(super) use notice::MAX_BODY;
