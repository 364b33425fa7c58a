//! What lies where in the session file.

use redb::TableDefinition;

use crate::session::store::Kind;

/// Store key → end of its time (milliseconds since 1970, 8 bytes, big-endian) ‖ record.
pub(super) type Records = TableDefinition<'static, &'static [u8; 32], &'static [u8]>;
/// End of its time (as above) ‖ store key: records in the order in which they end.
pub(super) type Ends = TableDefinition<'static, &'static [u8; 40], ()>;
/// Relation ‖ what names the set ‖ member → end of its time (milliseconds since 1970).
pub(super) const MEMBERS: TableDefinition<'static, &'static [u8; 65], u64> = TableDefinition::new("members");
/// End of its time (8 bytes, big-endian) ‖ as above: members in the order in which they end.
pub(super) const MEMBER_ENDS: TableDefinition<'static, &'static [u8; 73], ()> = TableDefinition::new("member ends");

/// Records removed in one bite of a sweep, and when a full store looks for room.
pub(super) const BITE: usize = 250;

pub(super) fn records_of(kind: Kind) -> Records {
    TableDefinition::new(match kind {
        Kind::Session => "sessions",
        Kind::Attempt => "attempts",
        Kind::Ended => "ended",
        Kind::Keys => "keys",
        Kind::Spent => "spent",
        Kind::Provider => "provider",
        Kind::Page => "pages",
        Kind::Link => "links",
        Kind::Approval => "approvals",
    })
}

pub(super) fn ends_of(kind: Kind) -> Ends {
    TableDefinition::new(match kind {
        Kind::Session => "session ends",
        Kind::Attempt => "attempt ends",
        Kind::Ended => "ended ends",
        Kind::Keys => "key ends",
        Kind::Spent => "spent ends",
        Kind::Provider => "provider ends",
        Kind::Page => "page ends",
        Kind::Link => "link ends",
        Kind::Approval => "approval ends",
    })
}

/// The record in a stored value, if its time is not over at `now`.
pub(super) fn live(value: &[u8], now: u64) -> Option<&[u8]> {
    let (end, record) = value.split_first_chunk::<8>()?;
    (now < u64::from_be_bytes(*end)).then_some(record)
}

/// Where a record stands in the order in which records end.
pub(super) fn place(end: u64, key: [u8; 32]) -> [u8; 40] {
    let mut place = [0; 40];
    let (head, tail) = place.split_at_mut(8);
    head.copy_from_slice(&end.to_be_bytes());
    tail.copy_from_slice(&key);
    place
}
