//! `accounts`: to which account of the app people belong.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{List, Size, Time};
use crate::config::form::Written;
use crate::config::form::address::ProviderUrl;
use crate::config::form::text::FilePath;

/// To which account of the app people belong: links from who they are at their issuer to the app's own account name. Without
/// this key there are none. Links lie in the session store and outlive all sessions, so `sessions.keys` must be set.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountsFile {
    /// The app's page for people who have no account yet. On a route that demands a linked account they are led there, with a
    /// signed statement of who they are and what they agreed to share (docs/ACCOUNTS.md). Without it they get a page that says
    /// that they have no account.
    pub(crate) registration_url: Option<Written<ProviderUrl>>,
    /// How long that statement lives.
    #[schemars(extend("default" = "2m", "x-min" = "10s", "x-max" = "10m"))]
    pub(crate) registration_ttl: Time,
    /// How long a ticket lives with which the app sends somebody to the link page.
    #[schemars(extend("default" = "2m", "x-min" = "10s", "x-max" = "10m"))]
    pub(crate) ticket_ttl: Time,
    /// A link ends so long after it was last written. Without it: never.
    #[schemars(extend("x-min" = "1h"))]
    pub(crate) link_ttl: Time,
    /// Most people that may be linked to one account.
    #[schemars(extend("default" = 10), range(min = 1, max = 100))]
    pub(crate) subjects_per_account: Option<u32>,
    /// Most links that are kept in a file or in memory; beyond it no new one is taken. Redis keeps as many as it has room for.
    #[schemars(extend("default" = 1_000_000), range(min = 1, max = 3_000_000))]
    pub(crate) max_links: Option<u64>,
    /// Changes of links that one client of the private listener may make in a minute, and twice as many at once; an import is
    /// one. Beyond it 429; `0` for no limit.
    #[schemars(extend("default" = 600), range(min = 0, max = 1_000_000))]
    pub(crate) changes_per_minute: Option<u32>,
    /// Largest table that is imported at once; beyond it 413. A line takes about 100 bytes, and while it is read three times
    /// as much memory.
    #[schemars(extend("default" = "16MiB", "x-min" = "1KiB", "x-max" = "256MiB"))]
    pub(crate) import_bytes: Size,
}

/// Keys with which the gateway signs what it tells the app. Their public halves are at `{prefix}/assertion-keys.json`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssertionsFile {
    /// Files with private keys (PEM, PKCS #8, P-256; `zengate keys` makes one). The first one signs, all are
    /// published: put a new one last, and an hour later first. Without any, the gateway makes its keys, keeps them sealed in the
    /// session store and rotates them.
    #[schemars(extend("minItems" = 1))]
    pub(crate) keys: Option<List<Written<FilePath>>>,
    /// A key of the gateway's own making is followed by another when it is this old.
    #[schemars(extend("default" = "90d", "x-min" = "1d", "x-max" = "3650d"))]
    pub(crate) rotate: Time,
}
