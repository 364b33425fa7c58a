//! `accounts`: to which account of the app people belong.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Size, Time};

/// To which account of the app people belong: links from who they are at their issuer to the app's own account name. Without
/// this key there are none. Links lie in the session store and outlive all sessions, so `sessions.keys` must be set.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountsFile {
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
