//! What every room stands on and no room owns: waits between tries.

pub mod retry;
