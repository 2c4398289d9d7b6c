//! JSON objects whose values are all strings (RFC 8259).

use std::collections::BTreeMap;

/// Reads such an object. Of a name that stands there twice, the last value counts.
pub fn texts(json: &str) -> Option<BTreeMap<String, String>> {
    let mut map = BTreeMap::new();
    let mut rest = blank(blank(json).strip_prefix('{')?);
    if let Some(after) = rest.strip_prefix('}') {
        return blank(after).is_empty().then_some(map);
    }
    loop {
        let (name, after) = string(rest)?;
        let (value, after) = string(blank(blank(after).strip_prefix(':')?))?;
        map.insert(name, value);
        match blank(after).split_at_checked(1)? {
            (",", more) => rest = blank(more),
            ("}", end) => return blank(end).is_empty().then_some(map),
            _ => return None,
        }
    }
}

fn string(json: &str) -> Option<(String, &str)> {
    let mut units = Vec::new();
    let mut characters = json.strip_prefix('"')?.chars();
    loop {
        let character = match characters.next()? {
            '"' => return Some((String::from_utf16(&units).ok()?, characters.as_str())),
            '\\' => match characters.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let (digits, after) = characters.as_str().split_at_checked(4)?;
                    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                    units.push(is_hex.then(|| u16::from_str_radix(digits, 16).ok())??);
                    characters = after.chars();
                    continue;
                }
                plain @ ('"' | '\\' | '/') => plain,
                _ => return None,
            },
            '\0'..' ' => return None,
            plain => plain,
        };
        units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
    }
}

fn blank(json: &str) -> &str {
    json.trim_start_matches([' ', '\t', '\n', '\r'])
}
