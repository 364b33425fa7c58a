//! Signing in: from the first redirect out of the house to a session, over one host or two.

mod arrive;
pub(super) mod attempt;
mod attributes;
pub(super) mod binding;
mod callback;
mod choice;
mod hand_off;
pub(super) mod start;
mod start_cookie;
