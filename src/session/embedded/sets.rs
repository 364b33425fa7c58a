//! Sets in the session file: members in the order of their sets, and in the order in which they end.

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, Table, WriteTransaction};

use super::tables::{BITE, MEMBER_ENDS, MEMBERS};
use crate::session::StoreKey;
use crate::session::store::Relation;

/// The name of a set as every member of it begins.
fn name(relation: Relation, of: StoreKey) -> [u8; 33] {
    let mut name = [0; 33];
    let (kind, rest) = name.split_at_mut(1);
    kind.fill(match relation {
        Relation::Children => 1,
        Relation::Person => 2,
        Relation::Parents => 3,
        Relation::ProviderSession => 4,
        Relation::Account => 5,
        Relation::Links => 6,
    });
    rest.copy_from_slice(&of.0);
    name
}

fn place(relation: Relation, of: StoreKey, member: [u8; 32]) -> [u8; 65] {
    let mut place = [0; 65];
    let (head, tail) = place.split_at_mut(33);
    head.copy_from_slice(&name(relation, of));
    tail.copy_from_slice(&member);
    place
}

fn ending(end: u64, place: &[u8; 65]) -> [u8; 73] {
    let mut ending = [0; 73];
    let (head, tail) = ending.split_at_mut(8);
    head.copy_from_slice(&end.to_be_bytes());
    tail.copy_from_slice(place);
    ending
}

/// Members of a set with their ends, those that are over included.
fn all(
    table: &impl ReadableTable<&'static [u8; 65], u64>,
    relation: Relation,
    of: StoreKey,
) -> Result<Vec<(StoreKey, u64)>, redb::Error> {
    let (first, last) = (place(relation, of, [0; 32]), place(relation, of, [0xff; 32]));
    let mut members = Vec::new();
    for entry in table.range::<&[u8; 65]>(&first..=&last)? {
        let (place, end) = entry?;
        if let Some(member) = place.value().last_chunk::<32>() {
            members.push((StoreKey(*member), end.value()));
        }
    }
    Ok(members)
}

/// The members of a set whose time is not over at `now`.
pub(super) fn members(
    database: &Database,
    relation: Relation,
    of: StoreKey,
    now: u64,
) -> Result<Vec<StoreKey>, redb::Error> {
    let table = database.begin_read()?.open_table(MEMBERS)?;
    let all = all(&table, relation, of)?;
    Ok(all.into_iter().filter(|(_, end)| now < *end).map(|(member, _)| member).collect())
}

/// Copies all sets to another file, `at_once` members in each transaction, for as long as `go_on` says so after each.
pub(super) fn copy(
    from: &ReadTransaction,
    to: &Database,
    at_once: usize,
    go_on: impl Fn() -> bool,
) -> Result<(), redb::Error> {
    let mut rows = from.open_table(MEMBERS)?.range::<&[u8; 65]>(..)?.peekable();
    while rows.peek().is_some() {
        let write = to.begin_write()?;
        {
            let mut members = write.open_table(MEMBERS)?;
            let mut ends = write.open_table(MEMBER_ENDS)?;
            for row in rows.by_ref().take(at_once) {
                let (place, end) = row?;
                members.insert(place.value(), end.value())?;
                ends.insert(&ending(end.value(), place.value()), ())?;
            }
        }
        write.commit()?;
        if !go_on() {
            break;
        }
    }
    Ok(())
}

/// The sets while a transaction writes.
pub(super) struct Sets<'t> {
    members: Table<'t, &'static [u8; 65], u64>,
    ends: Table<'t, &'static [u8; 73], ()>,
    pub(super) changed: bool,
}

impl<'t> Sets<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            members: transaction.open_table(MEMBERS)?,
            ends: transaction.open_table(MEMBER_ENDS)?,
            changed: false,
        })
    }

    /// Adds a member, or lets it live until the later of its two ends. Gives back what a full set loses for it: the one
    /// that would end first.
    pub(super) fn add(
        &mut self,
        relation: Relation,
        of: StoreKey,
        member: StoreKey,
        end: u64,
        now: u64,
    ) -> Result<Vec<StoreKey>, redb::Error> {
        let mut pushed_out = Vec::new();
        let known = all(&self.members, relation, of)?;
        if known.len() >= Relation::MOST {
            for (over, _) in known.iter().filter(|(_, end)| *end <= now) {
                self.remove(relation, of, *over)?;
            }
        }
        let mut live: Vec<_> = known.into_iter().filter(|(_, end)| now < *end).collect();
        let before = live.iter().find(|(known, _)| *known == member).map(|(_, end)| *end);
        if end <= now.max(before.unwrap_or(0)) {
            return Ok(pushed_out);
        }
        if before.is_none() && live.len() >= Relation::MOST {
            live.sort_unstable_by_key(|(_, end)| *end);
            for (first, _) in live.iter().take(live.len() + 1 - Relation::MOST) {
                self.remove(relation, of, *first)?;
                pushed_out.push(*first);
            }
        }
        self.remove(relation, of, member)?;
        let place = place(relation, of, member.0);
        self.members.insert(&place, end)?;
        self.ends.insert(&ending(end, &place), ())?;
        self.changed = true;
        Ok(pushed_out)
    }

    pub(super) fn remove(&mut self, relation: Relation, of: StoreKey, member: StoreKey) -> Result<(), redb::Error> {
        let place = place(relation, of, member.0);
        let end = self.members.remove(&place)?.map(|end| end.value());
        if let Some(end) = end {
            self.ends.remove(&ending(end, &place))?;
            self.changed = true;
        }
        Ok(())
    }

    /// Removes up to [`BITE`] members that are over at `now`; says how many.
    pub(super) fn sweep(&mut self, now: u64) -> Result<usize, redb::Error> {
        let mut swept = 0;
        while swept < BITE {
            let first = self.ends.first()?.map(|(ending, _)| *ending.value());
            let Some(first) = first else { break };
            let Some((end, place)) = first.split_first_chunk::<8>() else { break };
            if u64::from_be_bytes(*end) > now {
                break;
            }
            let Ok(place) = <[u8; 65]>::try_from(place) else { break };
            self.ends.remove(&first)?;
            self.members.remove(&place)?;
            self.changed = true;
            swept += 1;
        }
        Ok(swept)
    }
}
