//! What goes over the wires in a few whole stories, byte for byte, held against a record.
//!
//! A change that moves code changes no byte of these. One that means to change a byte records anew, and the difference
//! is part of the change: `ZENGATE_RECORD=1 cargo test --test it traces::`. Only random values and times are written as
//! names; the same value has the same name all through a story.

mod names;
mod recorder;
mod stories;
mod wire;

use std::path::PathBuf;

/// Compares a story with its record, or records it if the environment says so.
#[track_caller]
fn holds(name: &str, told: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/traces").join(format!("{name}.txt"));
    if std::env::var_os("ZENGATE_RECORD").is_some() {
        std::fs::write(&path, told).unwrap();
        return;
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    if recorded == told {
        return;
    }
    let at = recorded.lines().zip(told.lines()).take_while(|(recorded, told)| recorded == told).count();
    let around = |text: &str| text.lines().skip(at.saturating_sub(8)).take(16).collect::<Vec<_>>().join("\n");
    panic!(
        "{name}: line {} is not as recorded.\n--- recorded\n{}\n--- now\n{}\n--- If this is meant, record anew with \
         ZENGATE_RECORD=1 and name the difference in the change.",
        at + 1,
        around(&recorded),
        around(told)
    );
}
