//! The text of a credential: what the cache has of it, and whether its source accepts it. A lookup marks the entry that it finds as used; a check
//! adds the source to the entry, and the checksum to `checksums`: atomics, without a lock.

// Layer 8 of 10: decision.

use std::sync::Arc;

use super::checksums::Checksums;
use crate::cache::{Cache, Entry, Fact};
use crate::credential::{Credential, CredentialError, Presented, Sources};
use crate::digest::{Digest, Digester};

/// A text that its source accepts.
pub(super) enum CachedText<'c> {
    /// The source has accepted it before, and its key is in the cache.
    Known(Arc<Entry>),
    /// It was checked now. The cache may have a fact of it.
    Checked(Credential<'c>, Digest, Option<Fact>),
}

/// Looks a text up, and checks it.
#[derive(Clone, Copy)]
pub(super) struct TextLookup<'a> {
    pub(super) sources: &'a Sources,
    pub(super) checksums: &'a Checksums,
    pub(super) digester: &'a Digester,
    pub(super) cache: &'a Cache,
}

impl TextLookup<'_> {
    /// Returns what the cache has of a credential. A key that its source has accepted before needs no further check of its text: by the digest, it
    /// is the same.
    ///
    /// # Errors
    ///
    /// When the source does not accept the text.
    #[inline(always)]
    pub(super) fn look_up<'c>(&self, presented: Presented<'c>) -> Result<CachedText<'c>, CredentialError> {
        let found = self.text_to_digest_first(&presented).map(|text| self.find(text));
        match found {
            Some((_, Some(Fact::Known(entry)))) if entry.is_accepted_by(presented.source()) => {
                Ok(CachedText::Known(entry))
            }
            found => self.check(presented, found),
        }
    }

    /// Returns the text of a credential that is digested before it is checked. A text that is too long for a credential is not, and one with a
    /// checksum only if a key with this checksum was admitted before.
    fn text_to_digest_first<'c>(&self, presented: &Presented<'c>) -> Option<&'c [u8]> {
        let text = presented.bounded_secret()?;
        (!self.sources.require_checksum(presented) || self.checksums.may_contain(text)).then_some(text)
    }

    /// Checks a text. `found` is what the cache has of it, if that is known already.
    #[inline(never)]
    fn check<'c>(
        &self,
        presented: Presented<'c>,
        found: Option<(Digest, Option<Fact>)>,
    ) -> Result<CachedText<'c>, CredentialError> {
        let credential = self.sources.check(presented)?;
        let (digest, fact) = found.unwrap_or_else(|| self.find(credential.expose_secret()));
        if let Some(Fact::Known(entry)) = &fact {
            entry.set_accepted_by(credential.source());
            if self.sources.require_checksum(&presented) {
                self.checksums.add(credential.expose_secret());
            }
        }
        Ok(CachedText::Checked(credential, digest, fact))
    }

    #[inline]
    fn find(&self, text: &[u8]) -> (Digest, Option<Fact>) {
        let digest = self.digester.digest(text);
        (digest, self.cache.get(&digest))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::CachedText;
    use crate::Authenticator;
    use crate::backend::{KeyChange, KeyStore, KeyUpdate, MemoryStore};
    use crate::credential::Source;
    use crate::digest::Digester;
    use crate::environment::Environment;
    use crate::key::{KeyFormat, KeyId};
    use crate::owner::Owner;
    use crate::record::Record;

    #[tokio::test]
    async fn a_text_is_checked_once_for_an_entry_and_a_source() {
        let (store, format) = (MemoryStore::new(), KeyFormat::new("demo").unwrap());
        let key = format.mint(Environment::Live).unwrap();
        let id = KeyId::new("key").unwrap();
        let record = Record::new(id.clone(), &key, &Digester::sha256(), Owner::organization("acme"));
        store.change(KeyChange::insert(record)).await.unwrap();
        let sources = [Source::bearer().format(format.clone()), Source::x_api_key().format(format)];
        let authenticator = Authenticator::builder(store.clone()).sources(sources).build().unwrap();
        let key = key.reveal();
        let headers = [("authorization", "Bearer "), ("x-api-key", "")].map(|(name, scheme)| {
            HeaderMap::from_iter([(
                name.parse().unwrap(),
                format!("{scheme}{}", key.as_str()).parse().unwrap(),
            )])
        });
        let is_checked = |headers: &HeaderMap| {
            let mut buffer = None;
            let presented = authenticator.0.sources.find(headers.iter(), &mut buffer).unwrap().unwrap();
            matches!(authenticator.text_lookup().look_up(presented), Ok(CachedText::Checked(..)))
        };
        for _ in 0..2 {
            authenticator.authenticate(&headers[0]).await.unwrap();
            for headers in &headers {
                assert!(is_checked(headers));
                assert!(!is_checked(headers));
            }
            // A change of the key removes the entry.
            store.change(KeyChange::update(&id, KeyUpdate::new().name("other"))).await.unwrap();
        }
    }

    #[test]
    fn a_text_is_digested_first_unless_it_is_too_long_or_has_an_unknown_checksum() {
        let format = KeyFormat::new("demo").unwrap();
        let sources = [Source::bearer().format(format.clone()), Source::header("device-key").unwrap()];
        let authenticator = Authenticator::builder(MemoryStore::new()).sources(sources).build().unwrap();
        let is_first = |name: &'static str, value: String| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let mut buffer = None;
            let presented = authenticator.0.sources.find(headers.iter(), &mut buffer).unwrap().unwrap();
            authenticator.text_lookup().text_to_digest_first(&presented).is_some()
        };
        for (length, expected) in [(0, true), (51, true), (512, true), (513, false), (60_000, false)] {
            assert_eq!(is_first("device-key", "k".repeat(length)), expected, "{length}");
        }
        let [known, other] = [(); 2].map(|()| format.mint(Environment::Live).unwrap().reveal());
        authenticator.0.checksums.add(known.as_str().as_bytes());
        assert!(is_first("authorization", format!("Bearer {}", known.as_str())));
        assert!(!is_first("authorization", format!("Bearer {}", other.as_str())));
        let long = format!("{}{}", "k".repeat(512), known.as_str());
        assert!(!is_first("authorization", format!("Bearer {long}")));
    }
}
