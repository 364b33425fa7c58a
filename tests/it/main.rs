//! Promises, tested from outside: a real gateway on a kernel-chosen port, simulated carriers that share no protocol
//! code with it, browsers that are plain HTTP clients with a cookie jar. A file a promise.

mod floors;
mod process;
mod proxy;
mod sign_in;
mod support;
