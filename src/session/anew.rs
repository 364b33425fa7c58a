//! People who must authenticate anew before a session of theirs opens: the issuer said that something happened to them, and a
//! sign-in that it grants from memory would only bring back what was ended.
//!
//! A mark is written for a person and never taken away: it says since when, and runs out when no session from before could
//! still be open.

use std::time::{Duration, SystemTime};

use super::StoreKey;
use super::store::{Kind, RecordStore, StoreError};
use crate::secret::sha256_of;

fn place(person: StoreKey) -> StoreKey {
    StoreKey(sha256_of(&[b"zengate authenticate anew v1 ", &person.0]))
}

/// From now on only an authentication after `since` (seconds since 1970) counts for the person whose sets are `persons`, for so
/// long as `keep`. An earlier demand is never weakened by a later word about the past.
///
/// # Errors
/// The store does not answer, and nothing is changed, or the demand holds for some of the sets.
pub async fn demand(
    store: &dyn RecordStore,
    persons: &[StoreKey],
    since: i64,
    keep: Duration,
    now: SystemTime,
) -> Result<(), StoreError> {
    let since = demanded(store, persons, now).await?.map_or(since, |before| before.max(since));
    for person in persons {
        store.put(Kind::Spent, place(*person), &since.to_be_bytes(), keep, now).await?;
    }
    Ok(())
}

/// Since when the person must have authenticated; `None` if nothing is demanded.
///
/// # Errors
/// The store does not answer: it is not known.
pub async fn demanded(
    store: &dyn RecordStore,
    persons: &[StoreKey],
    now: SystemTime,
) -> Result<Option<i64>, StoreError> {
    let mut latest = None;
    for person in persons {
        let mark = store.get(Kind::Spent, place(*person), now).await?;
        let since = mark.and_then(|mark| mark.first_chunk::<8>().map(|since| i64::from_be_bytes(*since)));
        latest = latest.max(since);
    }
    Ok(latest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::memory::MemoryStore;
    use crate::session::store::Limits;

    #[tokio::test]
    async fn a_demand_is_for_one_person_never_weakened_and_runs_out() {
        let store = MemoryStore::new(Limits::default());
        let (maya, noor) = ([StoreKey([1; 32]), StoreKey([2; 32])], [StoreKey([3; 32])]);
        let (now, hour) = (SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000), Duration::from_secs(3600));
        assert_eq!(demanded(&store, &maya, now).await.unwrap(), None);
        demand(&store, &maya, 100, hour, now).await.unwrap();
        demand(&store, &maya, 90, hour, now).await.unwrap();
        assert_eq!(demanded(&store, &maya, now).await.unwrap(), Some(100));
        assert_eq!(demanded(&store, &maya[1..], now).await.unwrap(), Some(100));
        assert_eq!(demanded(&store, &noor, now).await.unwrap(), None);
        assert_eq!(demanded(&store, &maya, now + hour + Duration::from_secs(1)).await.unwrap(), None);
    }
}
