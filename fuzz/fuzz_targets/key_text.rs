//! The texts of keys: arbitrary ones, and keys with one change.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use tower_api_key::Environment;
use tower_api_key::key::KeyFormat;
use tower_api_key_fuzz::edit::Edit;
use tower_api_key_fuzz::key::{claims, judge, make};

/// Prefixes, some of which start like others or resemble the parts that follow a prefix.
const PREFIXES: [&str; 6] =
    ["demo", "demo_live", "demo_live_test", "d", "0_0", "a_prefix_of_32_characters_in_all"];

static FORMATS: LazyLock<[KeyFormat; 6]> = LazyLock::new(|| {
    let formats = PREFIXES.map(|prefix| KeyFormat::new(prefix).expect("a valid prefix"));
    for (prefix, format) in PREFIXES.into_iter().zip(&formats) {
        for environment in [Environment::Live, Environment::Test] {
            let minted = format.mint(environment).expect("random bytes").reveal();
            assert_eq!(judge(prefix, minted.as_str().as_bytes()), Ok(environment), "{}", minted.as_str());
        }
    }
    formats
});

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((edit, rest)) = Edit::take(data) else { return Corpus::Reject };
    check(rest);

    let Some((&choice, noise)) = rest.split_first() else { return Corpus::Keep };
    let prefix = PREFIXES[usize::from(choice) % PREFIXES.len()];
    let environment = if choice < b'a' { Environment::Live } else { Environment::Test };
    let key = make(prefix, environment, noise);
    let format = &FORMATS[usize::from(choice) % PREFIXES.len()];
    assert_eq!(format.parse(&key), Ok(environment), "{}", key.escape_ascii());
    check(&key);

    let edited = edit.apply(&key);
    check(&edited);
    // A cyclic redundancy check detects every change of a single byte.
    assert!(edited == key || format.parse(&edited).is_err(), "{}", edited.escape_ascii());
    for end in 0..key.len() {
        assert!(format.parse(&key[..end]).is_err());
    }
    let longer = [&key, noise].concat();
    assert!(noise.is_empty() || format.parse(&longer).is_err(), "{}", longer.escape_ascii());
    Corpus::Keep
});

/// Compares all formats with the grammar.
fn check(text: &[u8]) {
    for (prefix, format) in PREFIXES.into_iter().zip(&*FORMATS) {
        let verdict = format.parse(text).map_err(|error| error.kind());
        assert_eq!(verdict, judge(prefix, text), "{prefix}: {}", text.escape_ascii());
        assert_eq!(format.claims(text), claims(prefix, text), "{prefix}: {}", text.escape_ascii());
    }
}
