//! Whether the file that is open is still the one under its name.
//!
//! A file that was removed can be read and written for as long as it is open, and is gone with the process: a restart
//! would sign everybody out, and a second gateway could start under the same name. So it is looked at from time to time.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How often it is looked at, at most.
const EVERY: Duration = Duration::from_secs(1);

/// What lies under the name instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strange {
    /// Another file.
    Another,
    /// Nothing.
    Nothing,
}

/// A name, and which file was opened under it.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    device_and_inode: (u64, u64),
    next: Instant,
}

impl Place {
    /// `file` was opened at `path`.
    pub(super) fn new(path: &Path, file: &fs::File) -> io::Result<Self> {
        let state = State { device_and_inode: identity(&file.metadata()?), next: Instant::now() };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// As [`Place::look_now`], but says what was found a moment ago without looking.
    pub(super) fn look(&self) -> Result<(), Strange> {
        let now = Instant::now();
        {
            let mut state = self.state.lock();
            if now < state.next {
                return Ok(());
            }
            state.next = now + EVERY;
        }
        self.look_now()
    }

    /// Looks whether the file is there. A directory that cannot be looked into says nothing about it.
    pub(super) fn look_now(&self) -> Result<(), Strange> {
        let ours = self.state.lock().device_and_inode;
        match fs::symlink_metadata(&self.path).and_then(|_| fs::metadata(&self.path)) {
            Ok(found) if identity(&found) == ours => Ok(()),
            Ok(_) => Err(Strange::Another),
            Err(fault) if fault.kind() == ErrorKind::NotFound => Err(Strange::Nothing),
            Err(_) => Ok(()),
        }
    }

    /// Another file of ours lies there from now on.
    pub(super) fn now_holds(&self, file: &fs::File) -> io::Result<()> {
        self.state.lock().device_and_inode = identity(&file.metadata()?);
        Ok(())
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
