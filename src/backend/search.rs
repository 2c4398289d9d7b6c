//! The order in which a search finds keys: that of the text that it searches. A store with an index of this order reads no more keys than a
//! page has; nothing is read here.

// Layer 3 of 10: storage.

use super::KeyFilter;
use crate::key::KeyId;
use crate::record::Record;

/// The characters of a name, or of a hint, by which keys are ordered: an index has an upper bound.
const ORDERED: usize = 60;

/// The place of a key among those that a [search](super::KeyStore::search) finds.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::backend::{KeyChange, KeyFilter, KeyStore};
/// use tower_api_key::digest::Digester;
/// use tower_api_key::{KeyId, MemoryStore, Owner, Record};
///
/// let store = MemoryStore::new();
/// for (id, name) in [("key_1", "Reports"), ("key_2", "Build server 2"), ("key_3", "build server 1")] {
///     let digest = Digester::sha256().digest(id.as_bytes());
///     let mut record = Record::imported(KeyId::new(id)?, digest, Owner::organization("acme"));
///     record.name = name.into();
///     store.change(KeyChange::insert(record)).await?;
/// }
/// let builds = KeyFilter::of_organization("acme").name_starts_with("build");
/// let first = store.search(&builds, None, 1).await?.remove(0);
/// assert_eq!(&*first.name, "build server 1");
/// let rest = store.search(&builds, Some(&builds.position(&first)), 9).await?;
/// assert_eq!(rest.iter().map(|key| &*key.name).collect::<Vec<_>>(), ["Build server 2"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SearchPosition {
    text: Box<str>,
    id: KeyId,
}

/// What a search orders keys by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ordered {
    Name,
    Hint,
}

impl SearchPosition {
    /// Returns the place of a text and an id, such as those of a position that was written down.
    pub fn new(text: impl Into<Box<str>>, id: KeyId) -> Self {
        Self { text: text.into(), id }
    }

    /// Returns the start of the name or the hint.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the id of the key.
    pub fn id(&self) -> &KeyId {
        &self.id
    }
}

impl KeyFilter {
    /// Returns the place of a key among those that a [search](super::KeyStore::search) by this filter finds, such as of the last one of a page.
    pub fn position(&self, record: &Record) -> SearchPosition {
        let text = match self.ordered() {
            Ordered::Name => ordered_text(&record.name).to_ascii_lowercase(),
            Ordered::Hint => ordered_text(&record.hint),
        };
        SearchPosition::new(text, record.id.clone())
    }

    pub(super) fn ordered(&self) -> Ordered {
        if self.starts_with.is_some() { Ordered::Hint } else { Ordered::Name }
    }

    /// Returns the least text that keys of the search are ordered by, and the least above all of them.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn ordered_range(&self) -> (String, Option<String>) {
        let start = match self.ordered() {
            Ordered::Name => {
                ordered_text(self.name_starts_with.as_deref().unwrap_or_default()).to_ascii_lowercase()
            }
            Ordered::Hint => ordered_text(self.starts_with.as_deref().unwrap_or_default()),
        };
        let end = end_of(&start);
        (start, end)
    }

    /// Returns the filter without the start that the [range](Self::ordered_range) says in full.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn without_ordered_start(&self) -> Self {
        let mut rest = self.clone();
        let start = match self.ordered() {
            Ordered::Name => &mut rest.name_starts_with,
            Ordered::Hint => &mut rest.starts_with,
        };
        start.take_if(|start| ordered_text(start).len() == start.len());
        rest
    }
}

/// Returns the start of a text that keys are ordered by. SQLite ends a text at a zero byte.
fn ordered_text(text: &str) -> String {
    text.chars().take(ORDERED).take_while(|character| *character != '\0').collect()
}

/// Returns the least text that is greater than all texts with a start; `None` if there is none.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn end_of(start: &str) -> Option<String> {
    let mut characters: Vec<char> = start.chars().collect();
    while let Some(last) = characters.pop() {
        // Between two characters there may be numbers of none.
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(all(test, any(feature = "sqlite", feature = "postgres")))]
mod tests {
    use super::*;

    #[test]
    fn a_start_ends_at_the_next_text() {
        for (start, expected) in [
            ("", None),
            ("a", Some("b")),
            ("az", Some("a{")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}\u{10ffff}", None),
        ] {
            assert_eq!(end_of(start).as_deref(), expected, "{start:?}");
        }
    }
}
