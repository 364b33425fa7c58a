//! The report: where and how, what has become of the aims, and what each part found.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::aims::{self, Aim};
use crate::gate;
use crate::peers::{PROGRAMS, Program};
use crate::place::find;
use crate::scene::Scene;

/// The text as it grows.
pub(crate) struct Report {
    head: String,
    /// What has become of them so far.
    pub(crate) aims: Vec<Aim>,
    /// What each part found.
    pub(crate) sections: String,
}

impl Report {
    /// The head: where and how.
    pub(crate) fn new(title: &str, scene: &Scene, how: &str, aims: Vec<Aim>) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = match &scene.cores {
            Some((proxies, others)) => format!("proxies and their helpers on core {proxies}, load and app on {others}"),
            None => format!("NOT PINNED, everybody shares {threads} cores"),
        };
        let loads = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(", ");
        let (model, kernel) = (model.unwrap_or("unknown processor"), read("/proc/sys/kernel/osrelease"));
        let kernel = kernel.trim();
        let head = format!("# {title}\n\n{model}; kernel {kernel}; {cores}.\n{how}\nLoad average before: {loads}.\n");
        Self { head, aims, sections: String::new() }
    }

    /// Says what each program says about itself.
    pub(crate) fn name_programs(&mut self) {
        let other = std::env::var_os(gate::GIVEN).map(|_| format!(", another build ({})", gate::GIVEN));
        let own = format!("- zengate: {}{}\n", env!("CARGO_PKG_VERSION"), other.unwrap_or_default());
        let framework = "- pingora: as in Cargo.lock, same profile and allocator as zengate\n".to_owned();
        let peers = PROGRAMS.iter().map(|Program { name, version, .. }| (*name, *version));
        let asked = peers.chain([("redis-server", "--version")]).map(|(name, flag)| {
            let peer = PROGRAMS.iter().find(|program| program.name == name);
            let path = peer.map_or_else(|| find(name, None), |peer| peer.find());
            let said = path.and_then(|path| {
                let said = Command::new(&path).arg(flag).output().ok()?;
                let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
                let line = said.lines().find(|line| line.bytes().any(|byte| byte.is_ascii_digit()))?;
                // Some say where they lie, which is nobody's business.
                Some(line.replace(&path.display().to_string(), name).trim().to_owned())
            });
            format!("- {name}: {}\n", said.unwrap_or_else(|| "NOT INSTALLED".to_owned()))
        });
        self.head.extend([own, framework].into_iter().chain(asked));
    }

    /// The whole text.
    pub(crate) fn text(&self) -> String {
        format!("{}{}{}", self.head, aims::text(&self.aims), self.sections)
    }

    /// Writes what there is so far.
    pub(crate) fn write(&self, path: Option<&Path>) -> Result<(), String> {
        path.map_or(Ok(()), |path| write(path, &self.text()))
    }
}

/// Writes a file, and the directory it lies in.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
}
