//! A new pepper, which some nodes of a fleet have: the digests of keys, and the digesters of nodes.

use fastrand::Rng;
use tower_api_key::AuthenticatorBuilder;
use tower_api_key::digest::{Digest, Digester};

/// The digests under which the store has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Old,
    /// The old one is that of its record, as the new one was added.
    Both,
    New,
}

/// The digests of the text of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digests {
    old: Digest,
    new: Digest,
}

fn old() -> Digester {
    Digester::sha256()
}

fn new() -> Digester {
    Digester::hmac_sha256(b"a pepper of 32 random bytes here").unwrap()
}

impl Digests {
    pub(crate) fn of(text: &str) -> Self {
        Self { old: old().digest(text.as_bytes()), new: new().digest(text.as_bytes()) }
    }

    /// Returns those that the store has, that of the record first.
    pub(crate) fn held(self, held: Held) -> impl Iterator<Item = Digest> {
        let old = (held != Held::New).then_some(self.old);
        old.into_iter().chain((held != Held::Old).then_some(self.new))
    }
}

/// The nodes that have the new pepper, by their number. The others have the old one alone.
#[derive(Debug)]
pub(crate) struct Deployment(Vec<bool>);

impl Deployment {
    /// Draws a fleet before, during or after the deployment.
    pub(crate) fn draw(rng: &mut Rng, nodes: usize) -> Self {
        let phase = rng.u32(0..3);
        let has_new = |rng: &mut Rng| match phase {
            0 => false,
            1 => rng.bool(),
            _ => true,
        };
        Self((0..nodes).map(|_| has_new(rng)).collect())
    }

    /// Returns whether a node can add digests.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.contains(&true)
    }

    /// Returns whether every node knows the new digests, so that keys may be under these alone.
    pub(crate) fn is_complete(&self) -> bool {
        !self.0.contains(&false)
    }

    pub(crate) fn configure(&self, node: usize, builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
        match self.0[node] {
            true => builder.digester(new()).former_digester(old()),
            false => builder.digester(old()),
        }
    }
}
