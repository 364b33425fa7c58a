//! How many sign-ins are under way, whatever the store: one that expires records by itself has no bound of its own.
//!
//! Counted by this process, in slots of time: what began and was not finished here is forgotten when its record is over
//! in the store. A sign-in that is finished on another replica is counted here for that long, and there as one less.

use std::time::Duration;

use parking_lot::Mutex;

const SLOTS: usize = 64;

/// Sign-ins of one slot of time.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Which slot of time since 1970.
    number: u64,
    count: u64,
}

/// A ring of counters, as long as records are kept.
#[derive(Debug)]
pub(in crate::auth) struct UnderWay {
    most: u64,
    slot_ms: u64,
    slots: Mutex<[Slot; SLOTS]>,
}

impl UnderWay {
    /// At most `most` sign-ins, of which each is remembered for `keep`.
    pub(in crate::auth) fn new(most: u64, keep: Duration) -> Self {
        let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        // One slot less than there are, because the one at hand has only begun.
        let slot_ms = keep.div_ceil(SLOTS as u64 - 1).max(1);
        Self { most, slot_ms, slots: Mutex::new([Slot::default(); SLOTS]) }
    }

    /// Counts a sign-in that begins now, if there is room for it.
    pub(in crate::auth) fn begin(&self, now_ms: u64) -> bool {
        let mut slots = self.slots.lock();
        let now = now_ms / self.slot_ms;
        // A clock that was set back counts on: what began "later" is still under way.
        let live = slots.iter().filter(|slot| now.saturating_sub(slot.number) < SLOTS as u64);
        if live.map(|slot| slot.count).fold(0, u64::saturating_add) >= self.most {
            return false;
        }
        if let Some(slot) = Self::slot(&mut slots, now, true) {
            slot.count += 1;
        }
        true
    }

    /// A sign-in that began at `created_ms` goes on: it was finished a moment ago, and another leg has begun.
    pub(in crate::auth) fn resume(&self, created_ms: u64) {
        let mut slots = self.slots.lock();
        if let Some(slot) = Self::slot(&mut slots, created_ms / self.slot_ms, true) {
            slot.count += 1;
        }
    }

    /// A sign-in that began at `created_ms` is over.
    pub(in crate::auth) fn end(&self, created_ms: u64) {
        let mut slots = self.slots.lock();
        if let Some(slot) = Self::slot(&mut slots, created_ms / self.slot_ms, false) {
            slot.count = slot.count.saturating_sub(1);
        }
    }

    /// The slot with `number`. An older one in its place makes room for it if `claim` says so; a newer one does not.
    fn slot(slots: &mut [Slot; SLOTS], number: u64, claim: bool) -> Option<&mut Slot> {
        let place = usize::try_from(number % SLOTS as u64).ok()?;
        let slot = slots.get_mut(place)?;
        if claim && slot.number < number {
            *slot = Slot { number, count: 0 };
        }
        (slot.number == number).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(1200);
    const AT: u64 = 1_790_000_000_123;

    fn begun(under_way: &UnderWay, tries: usize, at: u64) -> usize {
        (0..tries).filter(|_| under_way.begin(at)).count()
    }

    // L13
    #[test]
    fn there_is_room_for_so_many_until_they_are_over() {
        let under_way = UnderWay::new(10, KEEP);
        assert_eq!(begun(&under_way, 6, AT), 6);
        assert_eq!(begun(&under_way, 50, AT + 600_000), 4);
        assert_eq!(begun(&under_way, 50, AT + 1_199_999), 0, "every one of them is still in the store");
        assert_eq!(begun(&under_way, 50, AT + 1_240_000), 6, "the first six are not");
        assert_eq!(begun(&under_way, 50, AT + 1_840_000), 4);
    }

    #[test]
    fn one_that_is_finished_makes_room_and_one_that_goes_on_does_not() {
        let under_way = UnderWay::new(10, KEEP);
        assert_eq!(begun(&under_way, 50, AT), 10);
        under_way.end(AT);
        under_way.resume(AT);
        assert_eq!(begun(&under_way, 50, AT + 60_000), 0);
        under_way.end(AT);
        assert_eq!(begun(&under_way, 50, AT + 60_000), 1);
        for _ in 0..100 {
            under_way.end(AT);
        }
        assert_eq!(begun(&under_way, 50, AT + 60_000), 9, "no more than had begun");
    }

    #[test]
    fn what_ended_long_ago_takes_nothing_from_what_is_under_way() {
        let under_way = UnderWay::new(10, KEEP);
        assert_eq!(begun(&under_way, 50, AT), 10);
        under_way.end(AT - 64 * under_way.slot_ms);
        under_way.end(AT + 64 * under_way.slot_ms);
        assert_eq!(begun(&under_way, 50, AT), 0);
    }

    #[test]
    fn a_clock_set_back_opens_no_second_house() {
        let under_way = UnderWay::new(10, KEEP);
        assert_eq!(begun(&under_way, 50, AT), 10);
        assert_eq!(begun(&under_way, 50, AT - 600_000), 0);
    }
}
