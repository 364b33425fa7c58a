//! Text → every room's own settings, with all faults at once.
//!
//! `yaml` reads YAML and remembers places; `schema` is generated from the types in `file`; `validate` judges the tree by
//! the schema and keeps what is sound; `resolve` judges the sound part as a whole and fetches secrets.
//! Faults of all of them are reported together. No other room reads this one but `app`.

#![allow(
    clippy::disallowed_methods,
    reason = "a configuration is read from files and the environment, before anything is served"
)]

mod advice;
pub mod effective;
pub mod fault;
mod file;
mod form;
mod human;
mod oauth2_proxy;
pub mod reference;
mod resolve;
pub mod schema;
pub mod secret_ref;
pub mod settings;
mod validate;
mod yaml;

use std::io;
use std::path::Path;

pub use effective::effective;
pub use fault::{Faults, Place, Remark, Warning};
pub use schema::json_schema;
pub use settings::{
    Config, LimitSettings, Origin, SessionSettings, Setting, ShutdownSettings, SignInProvider, SignInSettings,
    StoreChoice,
};

use secret_ref::SecretFile;

/// No configuration is larger: 4 MiB.
const LARGEST: u64 = 4 << 20;

/// What a configuration needs from the machine it is read on; an argument, so that a test can own it.
pub trait Surroundings {
    /// The value of an environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// Reads a secret file, or one whose being there is to be checked.
    ///
    /// # Errors
    /// As [`std::fs::File::open`] and reading have them; `FileTooLarge` beyond 64 KiB.
    fn read(&self, path: &Path) -> io::Result<SecretFile>;
}

/// This machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Surroundings for System {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<SecretFile> {
        secret_ref::read_file(path)
    }
}

/// This machine with another environment.
struct WithEnv<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Surroundings for WithEnv<'_> {
    fn env(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    fn read(&self, path: &Path) -> io::Result<SecretFile> {
        System.read(path)
    }
}

impl Config {
    /// Reads the file at `path`. Blocks: reads secret files.
    ///
    /// # Errors
    /// Every fault of the file, sorted by place.
    pub fn load(path: &Path) -> Result<(Self, Vec<Warning>), Faults> {
        let name = path.display().to_string();
        let whole =
            |text: String| Faults::new(&name, vec![Remark { place: Place::default(), key: String::new(), text }]);
        let bytes = read_bounded(path).map_err(|error| whole(format!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| whole("is not UTF-8 text".to_owned()))?;
        Self::parse_in(&text, &name, &System)
    }

    /// Reads `text` as if it stood in `file_name` (relative paths begin in that file's directory), with `env` for the
    /// environment and this machine for all else.
    ///
    /// # Errors
    /// Every fault of the text, sorted by place.
    pub fn parse(
        text: &str,
        file_name: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<Warning>), Faults> {
        Self::parse_in(text, file_name, &WithEnv(env))
    }

    /// Reads `text` as if it stood in `file_name`, in the given surroundings.
    ///
    /// # Errors
    /// Every fault of the text, sorted by place.
    pub fn parse_in(
        text: &str,
        file_name: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<(Self, Vec<Warning>), Faults> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (root, mut faults) = yaml::read(text);
        let Some(root) = root else {
            if faults.is_empty() {
                faults.push(remark(Place::default(), "is empty; expected at least public_url, provider and routes"));
            }
            return Err(Faults::new(file_name, faults));
        };
        // Q13. A file that is cut in the middle of a line can still be a valid one: `:3000` becomes `:300`.
        if !text.ends_with('\n') {
            let line = text.lines().count();
            let column = text.lines().last().map_or(1, |last| last.chars().count() + 1);
            let text = "the last line does not end with a line break: the file may have been cut short; add one";
            faults.push(remark(Place { line, column }, text));
        }
        let (validation, json) = validate::validate(&root);
        faults.extend(validation.faults.iter().cloned());
        let file = serde_json::from_value(json);
        match file {
            Ok(file) => resolve::resolve(&file, validation, faults, file_name, surroundings),
            Err(_) => {
                // The walker has judged every value by the schema of the very same types.
                faults.push(remark(Place::default(), "cannot be read any further"));
                Err(Faults::new(file_name, faults))
            }
        }
    }
}

fn remark(place: Place, text: &str) -> Remark {
    Remark { place, key: String::new(), text: text.to_owned() }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
