//! What the benches share: everybody around the proxies, the contenders, one load, one way to measure in rounds and one
//! way to report. What each bench asks stands in a directory of its own; benches/README.md says how to run them.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on ends"
)]

pub mod aims;
pub mod bare;
pub mod client;
pub mod contender;
pub mod cores;
pub mod crowd;
pub mod figures;
pub mod gate;
pub mod issuer;
pub mod load;
pub mod markdown;
pub mod measure;
pub mod options;
pub mod origin;
pub mod peers;
pub mod place;
pub mod plot;
pub mod process;
pub mod proof;
pub mod report;
pub mod requests;
pub mod role;
pub mod roles;
pub mod scene;
pub mod seed;
pub mod tables;
