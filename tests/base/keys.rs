//! The texts of keys: minting, parsing, mistyped keys.

use std::collections::HashSet;

use proptest::prelude::*;
use tower_api_key::Environment;
use tower_api_key::key::{KeyFormat, ParseKeyErrorKind};

fn format() -> KeyFormat {
    KeyFormat::new("demo").unwrap()
}

fn mint(environment: Environment) -> String {
    format().mint(environment).unwrap().reveal().as_str().to_owned()
}

#[test]
fn a_minted_key_has_its_format() {
    for environment in [Environment::Live, Environment::Test] {
        let text = mint(environment);
        assert_eq!(text.len(), "demo_live_".len() + 38);
        assert_eq!(format().parse(text.as_bytes()).unwrap(), environment);
        assert!(text.len() <= 55, "it fits one block of SHA-256");
    }
}

#[test]
fn a_hint_shows_six_characters_of_the_secret() {
    let key = format().mint(Environment::Test).unwrap();
    let hint = key.hint().to_owned();
    let text = key.reveal();
    let shown = hint.strip_suffix("...").unwrap();
    assert_eq!(shown.len(), "demo_test_".len() + 6);
    assert!(text.as_str().starts_with(shown));
}

#[test]
fn keys_never_repeat_and_their_characters_are_evenly_distributed() {
    const KEYS: usize = 100_000;
    let mut seen = HashSet::with_capacity(KEYS);
    let mut counts = [0_u32; 256];
    for _ in 0..KEYS {
        let text = mint(Environment::Live);
        let random = &text[10..42];
        for byte in random.bytes() {
            counts[usize::from(byte)] += 1;
        }
        assert!(seen.insert(random.to_owned()));
    }
    let expected = (KEYS * 32) as f64 / 62.0;
    let used = counts.iter().filter(|&&count| count > 0);
    assert_eq!(used.clone().count(), 62);
    let chi_square: f64 = used.map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    // With 61 degrees of freedom, chance exceeds this once in a million runs.
    assert!(chi_square < 127.0, "{chi_square}");
}

#[test]
fn each_part_of_a_text_is_checked() {
    use ParseKeyErrorKind::{Alphabet, Checksum, Environment as Label, Length, Prefix};
    let text = mint(Environment::Live);
    let kind = |text: &str| format().parse(text.as_bytes()).unwrap_err().kind();
    assert_eq!(kind(""), Prefix);
    assert_eq!(kind("demo"), Prefix);
    assert_eq!(kind(&text.replace("demo_", "memo_")), Prefix);
    assert_eq!(kind(&text.replace("_live_", "_LIVE_")), Label);
    assert_eq!(kind(&text.replace("_live_", "_prod_")), Label);
    assert_eq!(kind("demo_live"), Label);
    assert_eq!(kind(&text[..text.len() - 1]), Length);
    assert_eq!(kind(&format!("{text}0")), Length);
    assert_eq!(kind(&format!("demo_live__{}", &text[11..])), Alphabet);
    assert_eq!(kind(&format!("{}_", &text[..text.len() - 1])), Checksum);
    assert_eq!(kind(&text.replace("_live_", "_test_")), Checksum, "the checksum covers the environment");
}

proptest! {
    #[test]
    fn any_single_mistyped_character_is_noticed(position in 10_usize..48, other in "[0-9A-Za-z]") {
        let text = mint(Environment::Live);
        let mut mistyped = text.clone();
        mistyped.replace_range(position..=position, &other);
        prop_assert_eq!(format().parse(mistyped.as_bytes()).is_ok(), mistyped == text);
    }

    #[test]
    fn no_strict_prefix_and_no_extension_of_a_key_is_a_key(end in 0_usize..48, tail in proptest::collection::vec(any::<u8>(), 1..20)) {
        let text = mint(Environment::Live).into_bytes();
        prop_assert!(format().parse(&text[..end]).is_err());
        prop_assert!(format().parse(&[text, tail].concat()).is_err());
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = format().parse(&text);
        let _ = format().parse(&[b"demo_live_", &text[..]].concat());
    }
}
