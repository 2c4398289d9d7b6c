//! The groups of stacks that are compared.

pub mod admissions;
pub mod limits;
pub mod misses;
pub mod parts;
pub mod rejections;

use std::cell::OnceCell;

use tower_api_key::MemoryStore;

use crate::drive::{Run, runtime};
use crate::keys;

/// Stacks that are measured together. The first one is the baseline of the others.
pub struct Group {
    /// The requests they get.
    pub name: &'static str,
    /// Whether one thread does all the work.
    pub is_one_thread: bool,
    /// The stacks.
    pub subjects: Vec<Subject>,
    fixture: Fixture,
}

/// One of the stacks.
pub struct Subject {
    /// Its name.
    pub name: &'static str,
    /// How many threads do requests at once.
    pub threads: usize,
    build: Box<dyn Fn(&Fixture) -> Run>,
}

/// A service without a layer.
pub const BARE: &str = "bare";
/// The layer of this crate.
pub const CRATE: &str = "this crate";
/// The layer of this crate, counting usage.
pub const METERED: &str = "this crate, with usage";
/// The layer of this crate, with `Cache-Control` and `Vary` in responses.
pub const HEADERS: &str = "this crate, cache headers";
/// The layer of this crate, which puts the principal into responses.
pub const NAMED: &str = "this crate, principal in response";
/// The common hand-written layer.
pub const BY_HAND: &str = "by hand";
/// The same over moka's synchronous half.
pub const BY_HAND_SYNC: &str = "by hand, `moka::sync`";
/// The least that a layer can do.
pub const FLOOR: &str = "floor";
/// The query of a miss.
pub const QUERY: &str = "bare sqlx query";
/// A rejection without the decision.
pub const ANSWER: &str = "its answer alone";

impl Group {
    fn new(name: &'static str, keys: usize) -> Self {
        let fixture = Fixture { keys, made: OnceCell::new() };
        Self { name, is_one_thread: true, subjects: Vec::new(), fixture }
    }

    fn in_several_threads(self) -> Self {
        Self { is_one_thread: false, ..self }
    }

    fn subject(self, name: &'static str, build: impl Fn(&Fixture) -> Run + 'static) -> Self {
        self.threaded(name, 1, build)
    }

    fn threaded(
        mut self,
        name: &'static str,
        threads: usize,
        build: impl Fn(&Fixture) -> Run + 'static,
    ) -> Self {
        self.subjects.push(Subject { name, threads, build: Box::new(build) });
        self
    }

    /// Builds a subject, with warm caches.
    pub fn build(&self, subject: &Subject) -> Run {
        (subject.build)(&self.fixture)
    }

    /// Finds a subject by its name, the one in a single thread first.
    pub fn find(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// Returns whether instructions and allocations can be counted: with one thread, and without minutes of setup.
    pub fn is_countable(&self) -> bool {
        self.is_one_thread && self.keys() <= 2_000
    }

    /// Returns the number of keys.
    pub fn keys(&self) -> usize {
        self.fixture.keys
    }
}

/// Returns all groups, in the order of the table.
pub fn all() -> Vec<Group> {
    let groups = [admissions::all(), limits::all(), rejections::all(), misses::all(), parts::all()];
    groups.into_iter().flatten().collect()
}

/// Finds a group by its name.
pub fn find(name: &str) -> Option<Group> {
    all().into_iter().find(|group| group.name == name)
}

/// The keys of a group and a store with them, created on first use.
struct Fixture {
    keys: usize,
    made: OnceCell<(Vec<String>, MemoryStore)>,
}

impl Fixture {
    fn made(&self) -> &(Vec<String>, MemoryStore) {
        self.made.get_or_init(|| {
            let texts = keys::texts(self.keys);
            let store = runtime().block_on(keys::store(&texts));
            (texts, store)
        })
    }

    fn texts(&self) -> &[String] {
        &self.made().0
    }

    fn store(&self) -> MemoryStore {
        self.made().1.clone()
    }

    /// Returns a capacity that holds all keys without evictions.
    fn room(&self) -> u64 {
        100_000.max(self.keys as u64)
    }
}
