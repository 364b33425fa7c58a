//! The recipes of `docs/providers/`: each block is a whole configuration, and the gateway accepts it.

use std::fs;
use std::path::Path;

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
    fs::write(folder.path().join("secrets/client"), "a-secret-of-more-than-thirty-two-signs\n").unwrap();
    folder
}

#[test]
fn every_block_of_a_recipe_is_a_configuration_that_check_accepts() {
    let secrets = secrets();
    let pages = pages();
    assert!(pages.len() >= 13, "{}", pages.len());
    for (name, page) in &pages {
        let blocks = blocks(page);
        assert!(!blocks.is_empty(), "{name} has no block");
        for block in blocks {
            let file = secrets.path().join("zengate.yaml");
            fs::write(&file, block).unwrap();
            Config::load(&file).unwrap_or_else(|faults| panic!("{name}: {faults}\n{block}"));
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
