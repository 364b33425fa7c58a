//! The one thread that writes: many orders, one transaction, one sync.

use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{Database, ReadableTable, ReadableTableMetadata, Table, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::sets::Sets;
use super::slot::Slot;
use super::tables::{BITE, ends_of, live, place, records_of};
use crate::session::StoreKey;
use crate::session::store::{Kind, Limits, Relation, StoreError};

use self::Verb::{AddMember, RemoveMember, SweepSets};

/// Orders that share a transaction at most.
const BATCH: usize = 256;

/// One thing to do, and where to say that it is on disk.
pub(super) struct Order {
    pub(super) kind: Kind,
    pub(super) key: StoreKey,
    pub(super) verb: Verb,
    pub(super) reply: oneshot::Sender<Result<Done, StoreError>>,
}

/// What to do. Times in milliseconds since 1970.
pub(super) enum Verb {
    Insert { record: Vec<u8>, end: u64, now: u64 },
    AddMember { relation: Relation, member: StoreKey, end: u64, now: u64 },
    Ping,
    Put { record: Vec<u8>, end: u64, now: u64 },
    Remove,
    RemoveMember { relation: Relation, member: StoreKey },
    Replace { record: Vec<u8>, end: u64, now: u64 },
    Swap { swaps: Vec<Swapped>, now: u64 },
    Sweep { now: u64 },
    SweepSets { now: u64 },
    Take { now: u64 },
}

/// One record of a change that is made whole or not at all.
pub(super) struct Swapped {
    pub(super) key: StoreKey,
    pub(super) before: Option<Vec<u8>>,
    pub(super) after: Vec<u8>,
    pub(super) end: u64,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Done {
    /// It was to be written, removed or swept, and is.
    AsOrdered,
    /// There was one already.
    AlreadyThere,
    /// There was no room.
    Full,
    /// There was nothing to take or to replace.
    NotThere,
    /// A member was added, and these had to go.
    PushedOut(Vec<StoreKey>),
    Replaced,
    /// There is more to sweep.
    SweptSome,
    Taken(Vec<u8>),
}

/// Works until the last sender is gone.
pub(super) fn run(slot: &Slot, limits: Limits, mut queue: mpsc::Receiver<Order>) {
    let mut swept = false;
    while let Some(first) = queue.blocking_recv() {
        let mut orders = Vec::with_capacity(8);
        orders.push(first);
        while orders.len() < BATCH
            && let Ok(next) = queue.try_recv()
        {
            orders.push(next);
        }
        // A damaged page may make the database panic. The orders fail, the file is opened again before the next.
        let outcome = catch_unwind(AssertUnwindSafe(|| slot.write(|database| write(database, limits, &orders))));
        let outcome = outcome.unwrap_or_else(|_| Err(slot.give_up()));
        swept |= orders.iter().any(|order| matches!(order.verb, Verb::Sweep { .. } | Verb::SweepSets { .. }));
        answer(orders, outcome);
        // Nobody waits for a compaction. Where somebody does, it is put off until nobody is left.
        if swept && queue.is_empty() {
            swept = false;
            slot.compact_if_worth_it();
        }
    }
}

fn answer(orders: Vec<Order>, outcome: Result<Vec<Done>, StoreError>) {
    // A caller that no longer waits is no fault: what `send` says is not looked at.
    match outcome {
        Ok(all) => {
            for (order, done) in orders.into_iter().zip(all) {
                let _ = order.reply.send(if done == Done::Full { Err(StoreError::Full) } else { Ok(done) });
            }
        }
        Err(fault) => {
            for order in orders {
                let _ = order.reply.send(Err(fault.clone()));
            }
        }
    }
}

/// Carries out all `orders` or, on a fault, none of them.
fn write(database: &Database, limits: Limits, orders: &[Order]) -> Result<Vec<Done>, redb::Error> {
    if orders.iter().all(|order| matches!(order.verb, Verb::Ping)) {
        return Ok(vec![Done::AsOrdered; orders.len()]);
    }
    let transaction = database.begin_write()?;
    let mut changed = false;
    let mut done = Vec::with_capacity(orders.len());
    for order in orders {
        if let Some((outcome, wrote)) = carry_out_on_sets(&transaction, order)? {
            done.push(outcome);
            changed |= wrote;
            continue;
        }
        let mut tables = RecordTables::open(&transaction, order.kind, limits)?;
        done.push(tables.carry_out(order)?);
        changed |= tables.changed;
    }
    // Forged states and stale cookies change nothing, and are not worth a sync.
    if changed {
        transaction.commit()?
    } else {
        transaction.abort()?
    }
    Ok(done)
}

/// Carries out what is ordered of a set, and says whether anything was written; `None` for an order about records.
fn carry_out_on_sets(transaction: &WriteTransaction, order: &Order) -> Result<Option<(Done, bool)>, redb::Error> {
    let of = order.key;
    let (AddMember { .. } | RemoveMember { .. } | SweepSets { .. }) = &order.verb else { return Ok(None) };
    let mut sets = Sets::open(transaction)?;
    let mut done = Done::AsOrdered;
    match &order.verb {
        AddMember { relation, member, end, now } => {
            done = Done::PushedOut(sets.add(*relation, of, *member, *end, *now)?);
        }
        RemoveMember { relation, member } => sets.remove(*relation, of, *member)?,
        SweepSets { now } if sets.sweep(*now)? == BITE => done = Done::SweptSome,
        _ => {}
    }
    Ok(Some((done, sets.changed)))
}

/// The records of one kind, and the order in which they end.
struct RecordTables<'t> {
    records: Table<'t, &'static [u8; 32], &'static [u8]>,
    ends: Table<'t, &'static [u8; 40], ()>,
    limit: u64,
    makes_room: bool,
    changed: bool,
}

impl<'t> RecordTables<'t> {
    fn open(transaction: &'t WriteTransaction, kind: Kind, limits: Limits) -> Result<Self, redb::Error> {
        Ok(Self {
            records: transaction.open_table(records_of(kind))?,
            ends: transaction.open_table(ends_of(kind))?,
            limit: limits.of(kind),
            makes_room: kind.makes_room(),
            changed: false,
        })
    }

    fn carry_out(&mut self, order: &Order) -> Result<Done, redb::Error> {
        let key = order.key;
        match &order.verb {
            Verb::Ping | AddMember { .. } | RemoveMember { .. } | SweepSets { .. } => Ok(Done::AsOrdered),
            Verb::Insert { record, end, now } => {
                if self.records.get(&key.0)?.is_some_and(|value| live(value.value(), *now).is_some()) {
                    return Ok(Done::AlreadyThere);
                }
                // More than one only after the bound was lowered.
                for _ in 0..BITE {
                    if !self.makes_room || self.records.len()? < self.limit {
                        break;
                    }
                    if self.sweep(*now)? == 0 {
                        self.drop_first()?;
                    }
                }
                self.put(key, record, *end, *now)
            }
            Verb::Put { record, end, now } => self.put(key, record, *end, *now),
            Verb::Remove => {
                self.remove(key)?;
                Ok(Done::AsOrdered)
            }
            Verb::Replace { record, end, now } => {
                let there = self.records.get(&key.0)?.is_some_and(|value| live(value.value(), *now).is_some());
                if !there {
                    return Ok(Done::NotThere);
                }
                self.put(key, record, *end, *now)?;
                Ok(Done::Replaced)
            }
            Verb::Swap { swaps, now } => self.swap(swaps, *now),
            Verb::Sweep { now } => Ok(if self.sweep(*now)? == BITE { Done::SweptSome } else { Done::AsOrdered }),
            Verb::Take { now } => {
                let taken = self.remove(key)?;
                let record = taken.as_deref().and_then(|value| live(value, *now));
                Ok(record.map_or(Done::NotThere, |record| Done::Taken(record.to_vec())))
            }
        }
    }

    fn swap(&mut self, swaps: &[Swapped], now: u64) -> Result<Done, redb::Error> {
        let mut new = 0;
        for swap in swaps {
            let found = self.records.get(&swap.key.0)?;
            let held = found.as_ref().and_then(|value| live(value.value(), now));
            if held != swap.before.as_deref() {
                return Ok(Done::NotThere);
            }
            new += u64::from(found.is_none());
        }
        // Room for all of them is made sure of first: others share the transaction, and nothing of it is taken back.
        if self.records.len()? + new > self.limit {
            self.sweep(now)?;
            if self.records.len()? + new > self.limit {
                return Ok(Done::Full);
            }
        }
        for swap in swaps {
            self.put(swap.key, &swap.after, swap.end, now)?;
        }
        Ok(Done::Replaced)
    }

    fn put(&mut self, key: StoreKey, record: &[u8], end: u64, now: u64) -> Result<Done, redb::Error> {
        self.remove(key)?;
        if end <= now {
            return Ok(Done::AsOrdered);
        }
        if self.records.len()? >= self.limit {
            self.sweep(now)?;
            if self.records.len()? >= self.limit {
                return Ok(Done::Full);
            }
        }
        let value = [end.to_be_bytes().as_slice(), record].concat();
        self.records.insert(&key.0, value.as_slice())?;
        self.ends.insert(&place(end, key.0), ())?;
        self.changed = true;
        Ok(Done::AsOrdered)
    }

    /// Takes a record off both tables and gives what was stored.
    fn remove(&mut self, key: StoreKey) -> Result<Option<Vec<u8>>, redb::Error> {
        let Some(value) = self.records.remove(&key.0)?.map(|value| value.value().to_vec()) else { return Ok(None) };
        self.changed = true;
        if let Some(end) = value.first_chunk::<8>() {
            self.ends.remove(&place(u64::from_be_bytes(*end), key.0))?;
        }
        Ok(Some(value))
    }

    /// Removes the record that would end first.
    fn drop_first(&mut self) -> Result<(), redb::Error> {
        let first = self.ends.first()?.map(|(place, _)| *place.value());
        if let Some((_, key)) = first.as_ref().and_then(|place| place.split_first_chunk::<8>())
            && let Ok(key) = <[u8; 32]>::try_from(key)
        {
            self.remove(StoreKey(key))?;
        }
        Ok(())
    }

    /// Removes up to [`BITE`] records that are over at `now`; says how many.
    fn sweep(&mut self, now: u64) -> Result<usize, redb::Error> {
        let mut swept = 0;
        while swept < BITE {
            let first = self.ends.first()?.map(|(place, _)| *place.value());
            let Some(first) = first else { break };
            let Some((end, key)) = first.split_first_chunk::<8>() else { break };
            if u64::from_be_bytes(*end) > now {
                break;
            }
            let Ok(key) = <[u8; 32]>::try_from(key) else { break };
            self.ends.remove(&first)?;
            self.records.remove(&key)?;
            self.changed = true;
            swept += 1;
        }
        Ok(swept)
    }
}
