//! `request_headers` and `response_headers` of a route: headers that the operator writes or takes away.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use crate::config::form::Written;
use crate::config::form::text::HeaderWord;
use crate::config::secret_ref::SecretRef;

/// Headers that are written or taken away, in requests or in answers. First `remove`, then `set`, then `add`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditsFile {
    /// Headers that take the place of whatever is there, in any spelling: the name and its value, or a list of values.
    #[schemars(extend("propertyNames" = { "format": "header" }))]
    pub(crate) set: Option<BTreeMap<String, EditEntry>>,
    /// Headers that stand beside whatever is there.
    #[schemars(extend("propertyNames" = { "format": "header" }))]
    pub(crate) add: Option<BTreeMap<String, EditEntry>>,
    /// Headers that go no further, in any spelling.
    #[schemars(extend("minItems" = 1))]
    pub(crate) remove: Option<List<Written<HeaderWord>>>,
}

/// A header's value: the text, a mapping for secrets, or a list of both.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum EditEntry {
    Text(String),
    Full(EditFile),
    Many(List<EditItem>),
}

/// One of several values.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum EditItem {
    Text(String),
    Full(EditFile),
}

/// A value that is not written into the file: exactly one of `file`, `env` and `basic`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditFile {
    /// A file with the value; one line break at its end is ignored.
    pub(crate) file: Option<String>,
    /// An environment variable with the value.
    pub(crate) env: Option<String>,
    /// What stands in front of the value: `"Bearer "`.
    pub(crate) prefix: Option<String>,
    /// A name and a password, written as HTTP's Basic scheme has them (RFC 7617).
    pub(crate) basic: Option<BasicFile>,
}

/// A name and a password.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasicFile {
    /// The name; without a colon.
    #[schemars(required)]
    pub(crate) user: Option<String>,
    /// The password.
    #[schemars(required)]
    pub(crate) password: Option<SecretRef>,
}
