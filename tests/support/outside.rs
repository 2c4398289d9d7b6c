//! Programs that were not written here, which a machine has or has not.

use std::env;

/// Tells whether something is absent that a test cannot do without, and says so by the name of the test. `CI` does not let
/// tests skip.
pub(crate) fn is_absent(what: &str, there: bool) -> bool {
    assert!(there || env::var_os("CI").is_none(), "{}: there is no {what}", test());
    if !there {
        skip(what);
    }
    !there
}

/// Says by the name of the test that it is skipped, for want of something that packages do not have everywhere.
#[allow(clippy::print_stderr, reason = "shown to the person who runs the tests")]
pub(crate) fn skip(what: &str) {
    eprintln!("skipped: {} (there is no {what})", test());
}

fn test() -> String {
    std::thread::current().name().unwrap_or("a test").to_owned()
}

/// Tells whether there is a program of this name.
pub(crate) fn is_program(name: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}
