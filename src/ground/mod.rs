//! What every room stands on and no room owns: client networks, rate limits, waits between tries,
//! single flight, moments of time, answers that end by themselves.

pub mod limit;
pub mod network;
pub mod retry;
pub mod single_flight;
pub mod state_file;
pub mod time;
pub mod ttl_cache;
