//! Promises, tested from outside: a real gateway on a kernel-chosen port, simulated carriers that share no protocol
//! code with it, browsers that are plain HTTP clients with a cookie jar. A file a promise.

mod bearer;
mod floors;
mod independent_provider;
mod proxy;
mod rows;
mod sign_in;
mod support;
