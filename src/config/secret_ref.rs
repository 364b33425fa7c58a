//! Secrets: a file, an environment variable, or (with a warning) the text itself.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::secret::SecretString;

/// A secret as a file of settings names it.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum SecretRef {
    /// The secret itself.
    Literal(String),
    /// Where it is; the walker has made sure that exactly one is there.
    Elsewhere {
        /// A file.
        file: Option<String>,
        /// An environment variable.
        env: Option<String>,
    },
}

/// Where a secret came from, for `check` to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable of this name.
    Env(String),
    /// A file of this path.
    File(String),
    /// The text of the settings file itself.
    Literal,
}

/// Why a secret cannot be had. The words are complete; none holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The file or the variable is empty: probably a mount or a template that failed.
    #[error("{0} is empty")]
    Empty(SecretSource),
    /// The file is larger than any secret.
    #[error("{0} is larger than 64KiB; a secret is a few dozen characters")]
    Large(SecretSource),
    /// The variable is not set, or the file is not there.
    #[error("{0} does not exist")]
    Missing(SecretSource),
    /// The secret has more than one line, or signs that are no text.
    #[error("{0} holds more than one line of text")]
    NotOneLine(SecretSource),
    /// The file is there, and we may not read it.
    #[error("{0} cannot be read: {1}")]
    Unreadable(SecretSource, String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::Env(name) => write!(f, "environment variable {name}"),
            SecretSource::File(path) => write!(f, "file {path}"),
            SecretSource::Literal => f.write_str("the text"),
        }
    }
}

/// What was read from a secret file.
#[derive(Clone)]
pub struct SecretFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether every user of the machine may read it.
    pub world_readable: bool,
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret file)")
    }
}

/// A secret that was found.
pub(crate) struct Found {
    pub(crate) secret: SecretString,
    pub(crate) source: SecretSource,
    pub(crate) world_readable: bool,
}

/// Fetches what `reference` names; relative paths begin at `base`.
///
/// Q02, CVE-2026-54762. A secret that cannot be had is a fault, never an empty secret: an empty client secret or
/// session key would still "work", for everybody.
pub(crate) fn fetch(
    reference: &SecretRef,
    base: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    read: &dyn Fn(&Path) -> io::Result<SecretFile>,
) -> Result<Found, SecretError> {
    let (source, bytes, world_readable) = match reference {
        SecretRef::Literal(text) => (SecretSource::Literal, text.clone().into_bytes(), false),
        SecretRef::Elsewhere { file: Some(path), .. } => {
            let source = SecretSource::File(path.clone());
            match read(&base.join(path)) {
                Ok(file) => (source, file.bytes, file.world_readable),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SecretError::Missing(source)),
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(SecretError::Large(source)),
                Err(error) => return Err(SecretError::Unreadable(source, error.kind().to_string())),
            }
        }
        SecretRef::Elsewhere { file: None, env: name } => {
            let name = name.clone().unwrap_or_default();
            let value = env(&name);
            let source = SecretSource::Env(name);
            match value {
                Some(text) => (source, text.into_bytes(), false),
                None => return Err(SecretError::Missing(source)),
            }
        }
    };
    let bytes = zeroize::Zeroizing::new(bytes);
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(SecretError::NotOneLine(source));
    };
    // Editors and `echo` end a file with a line break that is no part of the secret.
    let text = text.strip_suffix('\n').map_or(text, |rest| rest.strip_suffix('\r').unwrap_or(rest));
    if text.trim().is_empty() {
        return Err(SecretError::Empty(source));
    }
    if text.chars().any(char::is_control) {
        return Err(SecretError::NotOneLine(source));
    }
    Ok(Found { secret: SecretString::new(text), source, world_readable })
}

/// Reads a secret file of this machine.
pub(crate) fn read_file(path: &Path) -> io::Result<SecretFile> {
    use std::io::Read as _;
    const LARGEST: u64 = 64 << 10;
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    #[cfg(unix)]
    let world_readable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o004 != 0;
    #[cfg(not(unix))]
    let world_readable = false;
    Ok(SecretFile { bytes, world_readable })
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A secret: `{ file: … }`, `{ env: … }`, or (with a warning) the text itself.",
            "format": "secret",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1,
                    "properties": {
                        "file": { "type": "string", "description": "A file with the secret; one line break at its end is ignored." },
                        "env": { "type": "string", "description": "An environment variable with the secret." }
                    }
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> SecretRef {
        SecretRef::Elsewhere { file: Some(path.to_owned()), env: None }
    }

    fn fetch_from(reference: &SecretRef, base: &Path) -> Result<Found, SecretError> {
        fetch(reference, base, &|name| (name == "SET").then(|| "canary".to_owned()), &read_file)
    }

    #[test]
    fn a_secret_that_cannot_be_had_is_an_error_and_never_an_empty_secret() {
        // Q02
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("good"), "canary\n").unwrap();
        std::fs::write(dir.path().join("dos"), "canary\r\n").unwrap();
        std::fs::write(dir.path().join("empty"), "").unwrap();
        std::fs::write(dir.path().join("blank"), " \n").unwrap();
        std::fs::write(dir.path().join("lines"), "canary\nmore\n").unwrap();
        std::fs::write(dir.path().join("binary"), [0xff, 0xfe]).unwrap();
        std::fs::write(dir.path().join("large"), "x".repeat(70_000)).unwrap();
        let get = |name: &str| fetch_from(&file(name), dir.path()).map(|found| found.secret);
        assert_eq!(get("good").unwrap().expose(), "canary");
        assert_eq!(get("dos").unwrap().expose(), "canary");
        assert!(matches!(get("missing"), Err(SecretError::Missing(_))));
        assert!(matches!(get("empty"), Err(SecretError::Empty(_))));
        assert!(matches!(get("blank"), Err(SecretError::Empty(_))));
        assert!(matches!(get("lines"), Err(SecretError::NotOneLine(_))));
        assert!(matches!(get("binary"), Err(SecretError::NotOneLine(_))));
        assert!(matches!(get("large"), Err(SecretError::Large(_))));
        assert!(matches!(get("."), Err(SecretError::Unreadable(..))));
        let env = |name: &str| SecretRef::Elsewhere { file: None, env: Some(name.to_owned()) };
        assert_eq!(fetch_from(&env("SET"), dir.path()).unwrap().secret.expose(), "canary");
        assert!(matches!(fetch_from(&env("UNSET"), dir.path()), Err(SecretError::Missing(_))));
        assert!(matches!(fetch_from(&SecretRef::Literal(String::new()), dir.path()), Err(SecretError::Empty(_))));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_everybody_can_read_is_noticed() {
        // Q02
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "canary").unwrap();
        for (mode, world) in [(0o644, true), (0o604, true), (0o640, false), (0o400, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_file(&path).unwrap().world_readable, world, "{mode:o}");
        }
    }
}
