//! Addresses of an issuer that are given by hand.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::form::Written;
use crate::config::form::address::EndpointUrl;

/// Addresses at the issuer, in place of what its metadata says. With `authorization`, `token` and `jwks` the metadata is not
/// asked for at all: for an issuer that has none, or one that is wrong.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointsFile {
    /// Where browsers are sent to sign in.
    pub(crate) authorization: Option<Written<EndpointUrl>>,
    /// Where codes are redeemed.
    pub(crate) token: Option<Written<EndpointUrl>>,
    /// Where the issuer's keys are.
    pub(crate) jwks: Option<Written<EndpointUrl>>,
    /// Where attributes are.
    pub(crate) userinfo: Option<Written<EndpointUrl>>,
    /// Where browsers are sent to end the session at the issuer.
    pub(crate) end_session: Option<Written<EndpointUrl>>,
    /// Where authorization requests are pushed.
    pub(crate) pushed_authorization_request: Option<Written<EndpointUrl>>,
}
