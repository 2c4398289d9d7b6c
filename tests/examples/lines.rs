//! Counts the lines of an example about keys.
//!
//! Counts the lines of `access.rs`, and the lines of `app.rs` that add a layer for keys, require a scope or a resource, or create a manager of
//! keys. Does not count blank lines, comments, imports and handlers, nor routes and limits: these belong to the service.

use std::fs;
use std::path::Path;

/// Most lines of an example.
const MOST: usize = 60;

/// The texts that mark a line of `app.rs` as about keys.
const ABOUT_KEYS: [&str; 6] = [
    "access::",
    "AuthenticateLayer",
    "RequireScopeLayer",
    "RequireResourceLayer",
    "Requirement",
    "KeyManager",
];

/// The lines of a file without blank ones, comments and imports.
fn code(example: &str, file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example).join(file);
    let text = fs::read_to_string(path).unwrap();
    let mut in_import = false;
    let is_code = |line: &&str| {
        in_import |= line.starts_with("use ");
        let is_code = !(in_import || line.is_empty() || line.starts_with("//"));
        in_import &= !line.ends_with(';');
        is_code
    };
    text.lines().map(str::trim).filter(is_code).map(str::to_owned).collect()
}

fn about_keys(example: &str) -> Vec<String> {
    let app = code(example, "app.rs").into_iter();
    let around_routes = app.filter(|line| ABOUT_KEYS.iter().any(|word| line.contains(word)));
    code(example, "access.rs").into_iter().chain(around_routes).collect()
}

#[test]
fn the_lines_about_keys_in_an_example_are_few() {
    for example in ["memfault", "memory_api", "memory_scope", "memsolus"] {
        let lines = about_keys(example);
        assert!(lines.len() <= MOST, "{example}: {} lines\n{}", lines.len(), lines.join("\n"));
    }
}

#[test]
fn the_lines_that_are_counted_are_those_about_keys() {
    let lines = about_keys("memory_scope");
    let holds = |text: &str| lines.iter().any(|line| line.contains(text));
    assert!(
        holds("Authenticator::builder(store)") && holds(".layer(AuthenticateLayer::new(authenticator))"),
        "{lines:?}"
    );
    assert!(!holds("use ") && !holds("LimitLayer") && !holds("DefaultBodyLimit"), "{lines:?}");
    let asked = about_keys("memfault")
        .iter()
        .filter(|line| line.contains("route_layer(RequireResourceLayer::"))
        .count();
    assert_eq!(asked, 6);
}
