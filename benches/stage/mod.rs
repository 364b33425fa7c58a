//! What `side_by_side` and `scale` share beside [`crate::common`]: everybody around the proxies, the cores they run on,
//! the gateway and its configuration, and how command lines are read.

#![allow(dead_code, reason = "no bench needs all of it")]

pub mod cores;
pub mod gate;
pub mod options;
pub mod roles;
pub mod scene;
