//! Credentials in headers of every shape.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use tower_api_key::Environment;
use tower_api_key::credential::{Credential, CredentialErrorKind, Source, Sources};
use tower_api_key::key::KeyFormat;

fn sources() -> Sources {
    Sources::new([Source::bearer(), Source::basic(), Source::x_api_key()]).unwrap()
}

fn headers(lines: &[(&str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value).unwrap(),
        );
    }
    headers
}

/// The user and the secret, `None`, or the kind of error.
type Extracted = Result<Option<(Option<String>, Vec<u8>)>, CredentialErrorKind>;

fn extract(lines: &[(&str, &[u8])]) -> Extracted {
    let read = |credential: Credential<'_>| {
        (credential.user().map(str::to_owned), credential.expose_secret().to_vec())
    };
    sources().extract(&headers(lines), read).map_err(|error| error.kind())
}

const AMBIGUOUS: Extracted = Err(CredentialErrorKind::Ambiguous);
const MALFORMED: Extracted = Err(CredentialErrorKind::Malformed);

#[test]
fn the_published_basic_pairs_are_decoded() {
    let pair = |user: &str, secret: &str| Ok(Some((Some(user.to_owned()), secret.as_bytes().to_vec())));
    let aladdin = extract(&[("authorization", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")]);
    assert_eq!(aladdin, pair("Aladdin", "open sesame"));
    assert_eq!(extract(&[("authorization", b"Basic dGVzdDoxMjPCow==")]), pair("test", "123\u{a3}"));
}

#[test]
fn a_basic_pair_in_latin_1_is_the_same_as_in_utf_8() {
    let basic =
        |pair: &[u8]| extract(&[("authorization", format!("Basic {}", STANDARD.encode(pair)).as_bytes())]);
    let expected = Ok(Some((Some("j\u{f6}rg".to_owned()), "p\u{e4}ssword\u{ff}".as_bytes().to_vec())));
    assert_eq!(basic(b"j\xf6rg:p\xe4ssword\xff"), expected);
    assert_eq!(basic("j\u{f6}rg:p\u{e4}ssword\u{ff}".as_bytes()), expected);
    // The first and the last symbol of Latin-1, and the control characters next to them.
    for (byte, fits) in [(0x7f, false), (0x80, false), (0x9f, false), (0xa0, true), (0xff, true)] {
        assert_eq!(basic(&[b"u:\xe4", &[byte][..]].concat()).is_ok(), fits, "{byte:#x}");
    }
    for incomplete in [&b"\xe4"[..], b"\xe4:", b":\xe4"] {
        assert_eq!(basic(incomplete), MALFORMED, "{incomplete:?}");
    }
    // A pair that is valid in both encodings is read as UTF-8.
    assert_eq!(basic(b"u:\xc3\xa4"), Ok(Some((Some("u".to_owned()), "\u{e4}".as_bytes().to_vec()))));
    let longest = [b"u:", &[0xe4; 382][..]].concat();
    let secret = basic(&longest).unwrap().unwrap().1;
    assert_eq!(secret, "\u{e4}".repeat(382).as_bytes());
    assert_eq!(basic(&[&longest[..], b"\xe4"].concat()), MALFORMED);
}

#[test]
fn several_credentials_are_ambiguous_even_if_they_are_equal_or_empty() {
    assert_eq!(extract(&[("authorization", b"Bearer a"), ("authorization", b"Bearer a")]), AMBIGUOUS);
    assert_eq!(extract(&[("authorization", b"Bearer a"), ("x-api-key", b"a")]), AMBIGUOUS);
    assert_eq!(extract(&[("authorization", b"Bearer a"), ("x-api-key", b"")]), AMBIGUOUS);
    assert_eq!(extract(&[("x-api-key", b"a"), ("x-api-key", b"b")]), AMBIGUOUS);
    assert_eq!(extract(&[("authorization", b"Digest x"), ("authorization", b"Bearer a")]), AMBIGUOUS);
    assert_eq!(extract(&[("authorization", b"Bearer a"), ("authorization", b"Digest x")]), AMBIGUOUS);
}

#[test]
fn a_foreign_header_is_no_credential() {
    assert_eq!(extract(&[]), Ok(None));
    // As if two lines had been joined.
    for joined in [b"DPoP x, Bearer a".as_slice(), b", Bearer a", b"\xa0Bearer a", b"Digest x\tbearer\ta"] {
        let credential = ("authorization", joined);
        assert_eq!(extract(&[credential]), MALFORMED, "{joined:?}");
        assert_eq!(extract(&[credential, ("x-api-key", b"a")]), AMBIGUOUS, "{joined:?}");
    }
    assert_eq!(extract(&[("authorization", b"Digest username=\"bearer\"")]), Ok(None));
    assert_eq!(extract(&[("authorization", b"Digest username=\"x\"")]), Ok(None));
    assert_eq!(extract(&[("authorization", b"sk_live_abc")]), Ok(None));
    assert_eq!(extract(&[("authorization", b"Bearerabc")]), Ok(None));
    assert_eq!(extract(&[("proxy-authorization", b"Bearer a")]), Ok(None));
    assert_eq!(extract(&[("x_api_key", b"a")]), Ok(None));
}

#[test]
fn a_scheme_that_is_not_enabled_is_ignored() {
    let only = Sources::new([Source::x_api_key()]).unwrap();
    let both = headers(&[("authorization", b"Basic eDp5"), ("x-api-key", b"a")]);
    let secret = |credential: Credential<'_>| credential.expose_secret().to_vec();
    assert_eq!(only.extract(&both, secret).unwrap().unwrap(), b"a");
}

#[test]
fn a_repeated_header_that_no_source_reads_is_ignored() {
    let only = Sources::new([Source::x_api_key()]).unwrap();
    let lines =
        headers(&[("authorization", b"Digest x"), ("authorization", b"Digest y"), ("x-api-key", b"a")]);
    assert!(only.extract(&lines, |_| ()).unwrap().is_some());
}

#[test]
fn a_credential_outside_its_grammar_is_malformed() {
    for value in [
        "Bearer",
        "Bearer ",
        "bearer a b",
        "Bearer a,b",
        "Bearer a\tb",
        "Bearer a!",
        "Bearer =",
        // A scheme ends with its token, and only spaces separate it from the credential.
        "Bearer\tabc",
        "Bearer \tabc",
        "Bearer,abc",
        "Bearer:abc",
        "Bearer/abc",
        "Bearer=abc",
        "bearer\"abc\"",
        "Bearer\u{e9}abc",
    ] {
        assert_eq!(extract(&[("authorization", value.as_bytes())]), MALFORMED, "{value:?}");
    }
    for value in [&b""[..], b"  ", b"a b", b"a,b", b"caf\xc3\xa9", b"abc\xff"] {
        assert_eq!(extract(&[("x-api-key", value)]), MALFORMED, "{value:?}");
    }
    let basic = |pair: &[u8]| format!("Basic {}", STANDARD.encode(pair));
    for pair in [&b"no colon"[..], b"user:", b":key", b"us\ner:key", b"user:k\x7fy", b"us\x85er:k\xe9y"] {
        assert_eq!(extract(&[("authorization", basic(pair).as_bytes())]), MALFORMED, "{pair:?}");
    }
    // "u:k" is dTpr; "u:ke" is dTprZQ==, of which dTprZR== would be another spelling.
    for value in ["Basic", "Basic @@@@", "Basic dTprZQ", "Basic dTprZQ=", "Basic dTprZR==", "Basic dTpr dTpr"]
    {
        assert_eq!(extract(&[("authorization", value.as_bytes())]), MALFORMED, "{value:?}");
    }
    assert!(extract(&[("authorization", b"Basic dTprZQ==")]).unwrap().is_some());
}

#[test]
fn one_format_may_start_like_the_other() {
    let formats = ["mem", "mem_pool"].map(|prefix| KeyFormat::new(prefix).unwrap());
    let texts = formats.each_ref().map(|format| format.mint(Environment::Live).unwrap().reveal());
    for order in [[0, 1], [1, 0]] {
        let source =
            order.iter().fold(Source::x_api_key(), |source, &index| source.format(formats[index].clone()));
        let sources = Sources::new([source]).unwrap();
        for text in &texts {
            let headers = headers(&[("x-api-key", text.as_str().as_bytes())]);
            assert!(sources.extract(&headers, |_| ()).unwrap().is_some(), "{order:?}");
        }
    }
}

#[test]
fn the_longest_credential_has_512_bytes() {
    for (length, fits) in [(512, true), (513, false)] {
        let key = "a".repeat(length);
        assert_eq!(extract(&[("x-api-key", key.as_bytes())]).is_ok(), fits);
        assert_eq!(extract(&[("authorization", format!("Bearer {key}").as_bytes())]).is_ok(), fits);
    }
    for (length, fits) in [(384, true), (385, false)] {
        let pair = format!("u:{}", "k".repeat(length - 2));
        let value = format!("Basic {}", STANDARD.encode(pair));
        assert_eq!(extract(&[("authorization", value.as_bytes())]).is_ok(), fits, "{length}");
    }
}

proptest! {
    #[test]
    fn a_bearer_token_is_found_whatever_the_case_and_the_blanks(
        key in "[A-Za-z0-9._~+/-]{1,60}={0,2}",
        scheme in "[Bb][Ee][Aa][Rr][Ee][Rr]",
        spaces in " {1,5}",
        before in "[ \t]{0,3}",
        after in "[ \t]{0,3}",
    ) {
        let value = format!("{before}{scheme}{spaces}{key}{after}");
        prop_assert_eq!(extract(&[("authorization", value.as_bytes())]), Ok(Some((None, key.into_bytes()))));
    }

    #[test]
    fn a_basic_pair_is_split_at_its_first_colon(user in "[^:\\p{Cc}]{1,20}", secret in "[^\\p{Cc}]{1,40}") {
        let value = format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")));
        prop_assert_eq!(extract(&[("authorization", value.as_bytes())]), Ok(Some((Some(user), secret.into_bytes()))));
    }

    #[test]
    fn no_header_makes_the_extraction_panic_or_invent_a_secret(
        name in prop_oneof![Just("authorization"), Just("x-api-key"), Just("accept")],
        start in prop_oneof![Just(""), Just("Bearer "), Just("Basic ")],
        rest in proptest::collection::vec(prop_oneof![Just(b'\t'), 0x20_u8..0x7f, 0x80_u8..=0xff], 0..600),
    ) {
        let value = [start.as_bytes(), &rest].concat();
        if let Ok(Some((user, secret))) = extract(&[(name, &value)]) {
            prop_assert!(!secret.is_empty() && secret.len() <= 512);
            let found = match user {
                Some(user) => STANDARD.encode([user.as_bytes(), b":", &secret].concat()).into_bytes(),
                None => secret,
            };
            prop_assert!(value.windows(found.len()).any(|window| window == found));
        }
    }

    #[test]
    fn two_lines_of_credentials_never_give_one(first in 0_usize..5, second in 0_usize..5) {
        let lines: [(&str, &[u8]); 5] = [
            ("authorization", b"Bearer a"),
            ("authorization", b"Basic dTpr"),
            ("authorization", b"Bearer"),
            ("x-api-key", b"a"),
            ("x-api-key", b""),
        ];
        prop_assert_eq!(extract(&[lines[first], lines[second]]), AMBIGUOUS);
    }
}
