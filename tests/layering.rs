//! The crate reads from its words up to its rim, and imports point down only.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the lowest to the highest. A module may import those before it.
const ORDER: [&[&str]; 12] = [
    // Words: no async, no tower, no I/O.
    &["ascii", "error", "health", "random"],
    &[
        "clock",
        "environment",
        "scope",
        "digest",
        "key",
        "credential",
        "password_hash",
        "owner",
        "record",
        "principal",
    ],
    // What is done while waiting.
    &["race"],
    // What is told of keys, and to whom.
    &["audit"],
    // The seam: where keys are kept.
    &["backend"],
    &["password"],
    &["metrics", "path", "trace"],
    &["cache"],
    &["usage"],
    // Outcomes, the decision, and two thin Tower skins.
    &["reject"],
    &["authenticator", "authenticate", "require_scope"],
    // The rim: knows frameworks, and nothing imports it.
    &["axum", "manage", "tonic", "test_util", "_guide"],
];

const WORDS: std::ops::Range<usize> = 0..2;
const RIM: usize = ORDER.len() - 1;

fn rank(module: &str) -> usize {
    let rank = ORDER.iter().position(|row| row.contains(&module));
    rank.unwrap_or_else(|| panic!("module {module} has no place in the order: add it to this test"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The module that a file belongs to, with the lines of its code.
fn files() -> Vec<(PathBuf, String, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let module = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    let code = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        lines.map(str::to_owned).collect()
    };
    let files: Vec<_> = paths
        .into_iter()
        .map(|path| (path.clone(), module(&path), code(&path)))
        .filter(|(_, module, _)| module != "lib")
        .collect();
    assert!(files.len() > 40, "only {} files found: is this the right folder?", files.len());
    files
}

/// The modules of this crate that a line names.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[test]
fn imports_point_down_only() {
    for (path, module, code) in files() {
        for imported in code.iter().flat_map(|line| imports(line)) {
            let (own, other) = (rank(&module), rank(imported));
            let within_rim = own == RIM && imported != module;
            assert!(own >= other, "{}: {module} imports {imported}, which lies above it", path.display());
            assert!(other < RIM || !within_rim, "{}: {module} imports {imported}, its peer", path.display());
        }
    }
}

#[test]
fn the_words_know_nothing_of_async_tower_or_io() {
    for (path, module, code) in files() {
        if WORDS.contains(&rank(&module)) {
            for forbidden in ["tokio", "tower_", "async ", ".await", "std::fs", "std::net", "sqlx", "moka"] {
                let found = code.iter().find(|line| line.contains(forbidden));
                assert_eq!(found, None, "{}: a word uses {forbidden}", path.display());
            }
        }
    }
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    for (path, _, code) in files() {
        let tests = code.iter().position(|line| line == "#[cfg(test)]").unwrap_or(code.len());
        assert!(tests <= 400, "{} has {tests} lines without its tests", path.display());
    }
}
