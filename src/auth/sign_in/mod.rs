//! Signing in: from the first redirect out of the house to a session, over one host or two.

mod account;
mod arrive;
mod astray;
pub(super) mod attempt;
pub(super) mod attempts;
mod attributes;
pub(super) mod binding;
mod callback;
mod choice;
mod decision;
pub(super) mod demand;
mod form_post;
mod hand_off;
mod migration;
mod native;
mod not_begun;
pub(super) mod one_source;
mod optimized;
mod remembered;
mod return_note;
pub(super) mod sim;
mod start;
mod start_cookie;
