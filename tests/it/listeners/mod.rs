//! Where connections come in, and what they pass before they are read as HTTP.

mod addresses;
mod balancers;
mod frames;
mod health;
mod http2;
mod https;
mod tls;
