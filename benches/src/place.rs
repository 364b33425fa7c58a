//! Directories, ports and programs of contenders, and the templates of their configurations.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A contender's own directory.
pub(crate) struct Place {
    /// Where it is.
    pub(crate) dir: PathBuf,
}

impl Place {
    /// Makes it. Servers that were started by root read their files as somebody else, so it is open to all.
    pub(crate) fn new(dir: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
        Ok(Self { dir })
    }

    /// Writes the template `name`, filled, and returns the file's path.
    pub(crate) fn configure(&self, name: &str, flags: &[&str], values: &[(&str, String)]) -> Result<String, String> {
        let path = self.dir.join(name);
        let text = filled(name, flags, values)?;
        fs::write(&path, text).map_err(|error| error.to_string())?;
        Ok(path.display().to_string())
    }

    /// The last lines that a server said here, for whoever wonders why it did not start.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(self.dir.join("output.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join(" / ")
    }
}

/// The template `name` of benches/contenders, filled.
pub(crate) fn filled(name: &str, flags: &[&str], values: &[(&str, String)]) -> Result<String, String> {
    let template = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("contenders").join(name));
    let template = template.map_err(|error| error.to_string());
    template.and_then(|template| fill(&template, flags, values)).map_err(|why| format!("{name}: {why}"))
}

/// A template with its values. `{{name}}` is a value; lines from `{{?flag}}` to `{{/}}` stay only if the flag is set.
fn fill(template: &str, flags: &[&str], values: &[(&str, String)]) -> Result<String, String> {
    let mut kept = true;
    let mut text = String::new();
    for line in template.lines() {
        match line.strip_prefix("{{?").and_then(|flag| flag.strip_suffix("}}")) {
            Some(flag) => kept = flags.contains(&flag),
            None if line == "{{/}}" => kept = true,
            None if kept => text.extend([line, "\n"]),
            None => {}
        }
    }
    let mut filled = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("a value without an end")?;
        let (_, value) =
            values.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("no value for {name}"))?;
        filled.extend([before, value]);
        rest = after;
    }
    Ok(filled + rest)
}

/// A port that was free a moment ago, for servers that cannot say which one the kernel chose.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| error.to_string())
}

/// A program by name: in a variable, among what install.sh has put below target/peers (`peer`), or on the usual paths.
pub(crate) fn find(name: &str, peer: Option<&str>) -> Option<PathBuf> {
    let variable = format!("{}_BIN", name.to_uppercase().replace('-', "_"));
    let given = std::env::var_os(variable).map(PathBuf::from);
    let target = std::env::current_exe().ok().and_then(|own| own.ancestors().nth(3).map(Path::to_owned));
    let peer = peer.zip(target).map(|(peer, target)| target.join("peers").join(peer));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::env::split_paths(&paths).chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    let paths: Vec<_> = paths.map(|path| path.join(name)).collect();
    given.into_iter().chain(peer).chain(paths).find(|path| path.is_file())
}
