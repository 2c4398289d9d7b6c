//! The crate reads from its words up to its rim: its layers, and the files inside them, import downwards only.

mod arrows;
mod heights;
mod made_up;
mod rules;
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use arrows::{Arrows, arrows, split_impls, unresolved};
use heights::misstated;
use rules::{Layers, circles, describe, foreign_impls, misplaced, module, upward};
use tree::{Sources, Tree};

/// What words do not use.
const NOT_IN_WORDS: [&str; 8] =
    ["tokio", "tower_", "async ", ".await", "std::fs", "std::net", "sqlx", "moka"];

/// The most lines of code in a file, without its tests.
const LINES: usize = 400;

fn sources() -> Sources {
    fn read(root: &Path, folder: &Path, found: &mut Sources) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(root, &path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Sources::new();
    read(&root, &root, &mut found);
    assert!(found.len() > 40, "only {} files found: is this the right folder?", found.len());
    found
}

fn all_arrows() -> Arrows {
    arrows(&Tree::read(&sources()))
}

fn layers() -> Layers {
    Layers::read(&fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md")).unwrap())
}

/// Returns the lines of code of a file.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

#[test]
fn each_path_leads_to_a_file() {
    assert_eq!(unresolved(&Tree::read(&sources())), BTreeSet::new(), "no arrow is seen for these");
}

#[test]
fn the_table_of_layers_names_each_module_once() {
    assert_eq!(misplaced(&layers(), sources().keys()), Vec::<String>::new());
}

#[test]
fn imports_point_down_only() {
    let found = upward(&layers(), &all_arrows());
    assert!(found.is_empty(), "these arrows point up the layers of CONTRIBUTING.md:\n{}", found.join("\n"));
}

#[test]
fn files_import_each_other_in_no_circle() {
    let all = all_arrows();
    let found: Vec<_> = circles(&all).iter().map(|circle| describe(circle, &all)).collect();
    assert!(found.is_empty(), "move what these share to a file below them:\n\n{}", found.join("\n\n"));
}

#[test]
fn the_comment_of_a_folder_gives_its_height_and_the_order_of_its_files() {
    let found = misstated(&layers(), &sources(), &all_arrows());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn methods_stand_beside_their_type_or_below_it() {
    let impls = split_impls(&Tree::read(&sources()));
    let found: BTreeSet<_> =
        foreign_impls(&impls).into_iter().map(|found| (&*found.file, &*found.type_file)).collect();
    assert_eq!(found, BTreeSet::new(), "from the file of the impl to that of the type");
}

#[test]
fn words_know_nothing_of_async_tower_or_io() {
    let layers = layers();
    for (file, text) in sources().iter().filter(|(file, _)| layers.is_word(module(file))) {
        for forbidden in NOT_IN_WORDS {
            let found = code(text).find(|line| line.contains(forbidden));
            assert_eq!(found, None, "{file}: a word uses {forbidden}");
        }
    }
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    for (file, text) in sources() {
        let lines = code(&text).take_while(|line| *line != "#[cfg(test)]").count();
        assert!(lines <= LINES, "{file} has {lines} lines without its tests");
    }
}

/// A file is often read alone, as in a search or a review.
#[test]
fn each_file_names_its_layer() {
    let layers = layers();
    for (file, text) in sources().iter().filter(|(file, _)| *file != "lib.rs") {
        let line = layers.line_of(module(file)).unwrap_or_default();
        let found = text.lines().filter(|line| line.starts_with("// Layer ")).collect::<Vec<_>>();
        assert_eq!(found, [&*line], "{file}");
    }
}
