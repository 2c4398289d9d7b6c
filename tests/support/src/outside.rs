//! Programs that a machine may lack.

use std::env;

/// Returns whether a test's requirement is missing, and prints the skipped test's name. With `CI` set, panics instead.
pub fn is_absent(what: &str, there: bool) -> bool {
    assert!(there || env::var_os("CI").is_none(), "{}: {what} is missing", test());
    if !there {
        skip(what);
    }
    !there
}

/// Prints that a test is skipped because of a missing requirement, also with `CI` set.
#[allow(clippy::print_stderr, reason = "shown to the person who runs the tests")]
pub fn skip(what: &str) {
    eprintln!("skipped: {} ({what} is missing)", test());
}

fn test() -> String {
    std::thread::current().name().unwrap_or("a test").to_owned()
}

/// Returns whether the path holds a program of this name.
pub fn is_program(name: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}
