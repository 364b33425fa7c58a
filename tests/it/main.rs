//! Promises, tested from outside: a real gateway on a kernel-chosen port, simulated carriers that share no protocol
//! code with it, browsers that are plain HTTP clients with a cookie jar. A file a promise.

// The lints except `#[test]` functions by themselves; these are for what stands around them.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used, unreachable_pub)]

mod accounts;
mod approvals;
mod bearer;
mod deploy;
mod documents;
mod endings;
mod floors;
mod independent_provider;
mod listeners;
mod process;
mod proxy;
mod recipes;
mod rows;
mod sign_in;
mod support;
mod traces;
