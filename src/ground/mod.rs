//! What every room stands on and no room owns: client networks, rate limits, waits between tries, moments of time.

pub mod limit;
pub mod network;
pub mod retry;
pub mod single_flight;
pub mod time;
