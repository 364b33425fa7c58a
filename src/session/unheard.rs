//! Ends that the store has not heard of when the process ends: kept for the next one.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use super::StoreKey;
use super::revocation::{Reach, Revocation};
use super::seal::Sealer;
use super::sessions::Sessions;
use super::store::Kind;
use crate::ground::state_file;
use crate::ground::time::Timestamp;
use crate::secret::sha256;

/// Names of records in one line of the log.
const NAMES_IN_A_LINE: usize = 50;

/// What is written to the state directory at the end of a process.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Name of the record, how far its end reaches, and until when it matters (milliseconds since 1970).
    revocations: Vec<([u8; 32], Reach, u64)>,
}

/// Name of the file in the state directory.
pub const FILE: &str = "revocations.sealed";

/// The place that the file's content is sealed to.
fn place() -> StoreKey {
    StoreKey(sha256(b"zengate pending revocations v1"))
}

/// The file lies beside us and needs no secret of its own: the operator key seals it.
const SECRET: &[u8; 32] = b"zengate pending revocations v1  ";

impl Sessions {
    /// Keeps what the store has not heard for the next process, sealed, in `directory`; without one, or if that fails, it is
    /// named in the log and counted.
    pub fn keep_unheard(&self, unheard: &BTreeSet<Revocation>, directory: Option<&Path>, now: SystemTime) {
        if unheard.is_empty() {
            self.pending.all_heard();
            return;
        }
        let until = Timestamp::of(now).plus(self.lifetimes.absolute).as_millis();
        let revocations = unheard.iter().map(|end| (end.key.0, end.reach, until)).collect();
        let written = directory.map(|directory| {
            let content = serde_json::to_vec(&Kept { revocations }).unwrap_or_default();
            let sealed = self.sealer.seal(Kind::Ended, place(), SECRET, &content, &*self.entropy);
            state_file::write(&directory.join(FILE), &sealed)
        });
        match written {
            Some(Ok(())) => {
                info!(
                    sessions = unheard.len(),
                    "Sign-outs that the session store did not hear are kept for the next start"
                );
            }
            Some(Err(fault)) => self.lost(unheard, &format!("they could not be written down: {}", fault.kind())),
            None => self.lost(unheard, "there is no state directory to keep them in"),
        }
    }

    fn lost(&self, unheard: &BTreeSet<Revocation>, why: &str) {
        self.metrics.revocations_lost.inc_by(u64::try_from(unheard.len()).unwrap_or(u64::MAX));
        let names: Vec<_> = unheard.iter().map(|end| end.key.to_hex()).collect();
        for some in names.chunks(NAMES_IN_A_LINE) {
            error!(
                sessions = some.len(),
                records = some.join(" "),
                why,
                "The session store never heard of sign-outs; delete these records, or people may still be signed in"
            );
        }
    }

    /// Takes up what an earlier process kept in `directory`. The file stays until the store has heard all of it: a process
    /// that is killed before loses nothing. A file that does not open is left out, and told.
    pub fn take_up_unheard(&self, directory: &Path, now: SystemTime) {
        let path = directory.join(FILE);
        let Ok(Some(sealed)) = state_file::read(&path) else { return };
        match opened(&self.sealer, &sealed) {
            Some(kept) => {
                *self.pending.kept_in.lock() = Some(path);
                for (key, reach, until) in kept.revocations {
                    let until = Timestamp::from_millis(until).to_system_time().unwrap_or(now);
                    let key = StoreKey(key);
                    self.cache.deny(key, until, now);
                    if !self.pending.keep(Revocation { key, reach }, until) {
                        self.lost(&BTreeSet::from([Revocation { key, reach }]), "too many are kept");
                    }
                }
            }
            None => {
                warn!(
                    file = FILE,
                    "The file of kept sign-outs does not open with the keys of this gateway; it is left out"
                );
            }
        }
    }
}

fn opened(sealer: &Sealer, sealed: &[u8]) -> Option<Kept> {
    let content = sealer.open(Kind::Ended, place(), SECRET, sealed).ok()?;
    serde_json::from_slice(&content).ok()
}
