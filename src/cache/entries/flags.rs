//! What few records have, of that which is checked for each request.

// Layer 6 of 10: cache.

use crate::record::Record;

/// A set of facts about a record, in a byte: a request with a usual key pays for one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    const REVOKED: Self = Self(1);
    const DISABLED: Self = Self(1 << 1);
    const OWNER_DISABLED: Self = Self(1 << 2);
    const RESTRICTS_SOURCES: Self = Self(1 << 3);
    const SESSION: Self = Self(1 << 4);
    /// Rejects no request by itself.
    const LIMITED: Self = Self(1 << 5);
    /// Of the entry, not of its record. Rejects no request.
    const SEVERAL_DIGESTS: Self = Self(1 << 6);

    pub(super) fn of(record: &Record) -> Self {
        let facts = [
            (Self::REVOKED, record.revoked.is_some()),
            (Self::DISABLED, record.disabled.is_some()),
            (Self::OWNER_DISABLED, record.owner.is_disabled()),
            (Self::RESTRICTS_SOURCES, !record.sources.is_empty()),
            (Self::SESSION, record.session.is_some()),
            (Self::LIMITED, record.all_limits().next().is_some()),
        ];
        facts.into_iter().filter(|(_, is_so)| *is_so).fold(Self(0), |set, (flag, _)| Self(set.0 | flag.0))
    }

    /// Adds that the key was looked up by several digests.
    pub(super) fn with_several_digests(self) -> Self {
        Self(self.0 | Self::SEVERAL_DIGESTS.0)
    }

    /// Returns whether none of these facts may reject a request.
    #[inline]
    pub(crate) fn allow_all(self) -> bool {
        self.0 & !(Self::LIMITED.0 | Self::SEVERAL_DIGESTS.0) == 0
    }

    pub(crate) fn is_revoked(self) -> bool {
        self.has(Self::REVOKED)
    }

    pub(crate) fn is_disabled(self) -> bool {
        self.has(Self::DISABLED)
    }

    pub(crate) fn is_owner_disabled(self) -> bool {
        self.has(Self::OWNER_DISABLED)
    }

    /// Returns whether the record names sources, see [`Record::accepts`].
    pub(crate) fn restrict_sources(self) -> bool {
        self.has(Self::RESTRICTS_SOURCES)
    }

    pub(crate) fn is_session(self) -> bool {
        self.has(Self::SESSION)
    }

    /// Returns whether the record or its plan has limits.
    #[inline]
    pub(crate) fn is_limited(self) -> bool {
        self.has(Self::LIMITED)
    }

    #[inline]
    pub(super) fn has_several_digests(self) -> bool {
        self.has(Self::SEVERAL_DIGESTS)
    }

    fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }
}
