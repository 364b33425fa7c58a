//! What `side_by_side` and `scale` share beside [`crate::common`]: everybody around the proxies, and the cores they run on.

#![allow(dead_code, reason = "no bench needs all of it")]

pub mod cores;
pub mod options;
pub mod roles;
pub mod scene;
