//! `Basic`: the content of pairs, and the single spelling of each pair in each encoding.

#![no_main]

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::{Corpus, fuzz_target};
use tower_api_key::credential::{Source, Sources};
use tower_api_key_fuzz::base64;
use tower_api_key_fuzz::credential::{Pair, pair};
use tower_api_key_fuzz::edit::Edit;

static SOURCES: LazyLock<Sources> =
    LazyLock::new(|| Sources::new([Source::basic().empty_user()]).expect("one place"));

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((edit, bytes)) = Edit::take(data) else { return Corpus::Reject };
    let spelling = base64::encode(bytes);
    assert_eq!(extract(&spelling), pair(bytes).filter(|_| spelling.len() <= 512), "{:?}", text(&spelling));
    for other in other_spellings(&spelling) {
        assert_eq!(extract(&other), None, "{:?}", text(&other));
    }

    let edited = edit.apply(&spelling);
    if let Some(Pair { user, secret }) = extract(&edited) {
        let user = user.expect("a user, if only an empty one");
        let secret = String::from_utf8(secret).expect("UTF-8");
        let pair = format!("{user}:{secret}");
        let latin1: Option<Vec<u8>> = pair.chars().map(|symbol| u8::try_from(symbol).ok()).collect();
        let canonical =
            [Some(pair.into_bytes()), latin1].map(|pair| pair.map(|bytes| text(&base64::encode(&bytes))));
        // Whitespace around a value is ignored.
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let end = edited.iter().rposition(|byte| !blank(byte)).map_or(0, |last| last + 1);
        let start = edited.iter().position(|&byte| byte != b' ').unwrap_or(end);
        assert!(canonical.contains(&Some(text(&edited[start..end]))), "{canonical:?}");
    }
    Corpus::Keep
});

/// Returns spellings that lenient decoders accept for the same bytes.
fn other_spellings(spelling: &[u8]) -> Vec<Vec<u8>> {
    let mut others = base64::with_stray_bits(spelling);
    others.extend([&b"="[..], b"===="].map(|more| [spelling, more].concat()));
    if let [fewer @ .., b'='] = spelling {
        others.push(fewer.to_vec());
    }
    let middle = spelling.len() / 2;
    if middle > 0 {
        let (before, after) = spelling.split_at(middle);
        others.extend([b" ", b"\t", b"=", b","].map(|between| [before, between, after].concat()));
    }
    if spelling.iter().any(|byte| matches!(byte, b'+' | b'/')) {
        let url_safe = |&byte: &u8| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
        others.push(spelling.iter().map(url_safe).collect());
    }
    others
}

fn extract(spelling: &[u8]) -> Option<Pair> {
    let value = HeaderValue::from_bytes(&[b"Basic ", spelling].concat()).ok()?;
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    let read = |credential: tower_api_key::credential::Credential<'_>| Pair {
        user: credential.user().map(str::to_owned),
        secret: credential.expose_secret().to_vec(),
    };
    SOURCES.extract(&headers, read).ok().flatten()
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
