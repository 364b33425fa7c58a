//! `listeners`: where people and programs reach the gateway.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::form::Written;
use crate::config::form::address::Listen;

/// A public listener.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenerFile {
    /// Where it listens: `:443` or `[::]:443` (every address of both families), `0.0.0.0:443` (IPv4 alone), `192.0.2.1:443`,
    /// `unix:/run/zengate/http.sock` (made with mode 0660), or a socket that systemd hands over: `fd:3` by number, `fd:web` by
    /// its `FileDescriptorName=`.
    #[schemars(required)]
    pub(crate) address: Option<Written<Listen>>,
}
