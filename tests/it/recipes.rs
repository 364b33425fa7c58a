//! The recipes of `docs/providers/`: each block is a whole configuration, and the gateway accepts it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use zengate::config::Config;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/providers")
}

/// Every page but the index, by its name.
fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .filter(|(name, _)| name != "README.md")
        .collect();
    pages.sort();
    pages
}

/// The blocks of a page that are configurations.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The files of secrets that the blocks name, in a folder of their own.
fn secrets() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("secrets")).unwrap();
    let secret = |name: &str, text: &str| {
        let path = folder.path().join("secrets").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    secret("client", "a-secret-of-more-than-thirty-two-signs\n");
    secret("sessions", "n6qXQjmmVqfzVhBVBoOrea6htPO7RCmuKlMeEtONMdU=\n");
    let key = folder.path().join("secrets/client.pem");
    let keys = ["keys", "--algorithm", "RS256", "--out", key.to_str().unwrap()];
    assert!(Command::new(env!("CARGO_BIN_EXE_zengate")).args(keys).output().unwrap().status.success());
    folder
}

#[test]
fn every_block_of_a_recipe_is_a_configuration_that_check_accepts() {
    let secrets = secrets();
    let pages = pages();
    assert!(pages.len() >= 16, "{}", pages.len());
    for (name, page) in &pages {
        let blocks = blocks(page);
        assert!(!blocks.is_empty(), "{name} has no block");
        for block in blocks {
            let file = secrets.path().join("zengate.yaml");
            fs::write(&file, block).unwrap();
            let (_, warnings) = Config::load(&file).unwrap_or_else(|faults| panic!("{name}: {faults}\n{block}"));
            assert!(warnings.is_empty(), "{name}: {warnings:?}");
        }
    }
}

#[test]
fn every_recipe_is_in_the_index_and_says_whether_it_was_run() {
    let index = fs::read_to_string(folder().join("README.md")).unwrap();
    for (name, page) in pages() {
        let row = index.lines().find(|line| line.contains(&format!("]({name})"))).unwrap_or_else(|| panic!("{name}"));
        let run = page.lines().nth(2).unwrap().starts_with("*Run*");
        assert!(run || page.lines().nth(2).unwrap().starts_with("*From its documents*"), "{name}");
        assert_eq!(row.ends_with("| run |"), run, "{name}");
    }
}
