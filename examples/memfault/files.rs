//! The files of projects, in memory: what is on its way, and the last that arrived.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::RwLock;
use tower_api_key::digest::Digest;
use tower_api_key::{Principal, Timestamp};

use crate::last::keep_last;
use crate::place::Place;

/// Bytes of one file.
pub(crate) const FILE: usize = 16 * 1024 * 1024;
/// Files of a project that are on their way at a time.
const PREPARED: usize = 32;
/// Files of a project that are kept, and their bytes.
const KEPT: (usize, usize) = (1000, 256 * 1024 * 1024);

pub(crate) type Files = Arc<RwLock<Kept>>;

pub(crate) struct Kept {
    /// How long a file may take to arrive.
    pub(crate) patience: Duration,
    made: u64,
    prepared: VecDeque<Prepared>,
    files: VecDeque<File>,
}

/// A file that was announced.
pub(crate) struct Prepared {
    /// Of the secret in the URL: what is kept lets nobody upload.
    pub(crate) url: Digest,
    pub(crate) token: Digest,
    pub(crate) place: Place,
    pub(crate) kind: String,
    pub(crate) size: usize,
    pub(crate) until: Timestamp,
    /// Who announced it.
    pub(crate) by: Principal,
    pub(crate) bytes: Option<Bytes>,
}

/// A file that has arrived.
#[derive(Serialize, Clone)]
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    /// What else was said of it.
    pub(crate) details: Map<String, Value>,
    /// The id of the key that it came with.
    pub(crate) by: String,
    #[serde(skip)]
    pub(crate) place: Place,
    #[serde(skip)]
    pub(crate) bytes: Bytes,
}

impl Kept {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, made: 0, prepared: VecDeque::new(), files: VecDeque::new() }
    }

    /// Expects a file. The oldest of those that are expected of the project gives way.
    pub(crate) fn prepare(&mut self, prepared: Prepared) {
        keep_last(&mut self.prepared, prepared, PREPARED, |one, other| one.place == other.place);
    }

    /// Finds a file that is expected at a URL.
    pub(crate) fn expected_at(&mut self, url: &Digest, now: Timestamp) -> Option<&mut Prepared> {
        self.prepared.iter_mut().find(|prepared| prepared.url == *url && now < prepared.until)
    }

    /// Takes out a file that is expected of a project. The token of another project's file is the token of none.
    pub(crate) fn take(
        &mut self,
        token: &Digest,
        place: &Place,
        fits: impl Fn(&Prepared) -> bool,
    ) -> Option<Prepared> {
        let is_it =
            |prepared: &Prepared| prepared.token == *token && prepared.place == *place && fits(prepared);
        self.prepared.remove(self.prepared.iter().position(is_it)?)
    }

    /// Keeps a file under an id of its own. The oldest ones of the project give way.
    pub(crate) fn keep(&mut self, file: File) -> String {
        self.made += 1;
        let id = format!("file_{}", self.made);
        let place = file.place.clone();
        keep_last(&mut self.files, File { id: id.clone(), ..file }, KEPT.0, |one, other| {
            one.place == other.place
        });
        while self.of(&place).map(|file| file.bytes.len()).sum::<usize>() > KEPT.1
            && let Some(oldest) = self.files.iter().position(|file| file.place == place)
        {
            self.files.remove(oldest);
        }
        id
    }

    pub(crate) fn of<'k>(&'k self, place: &'k Place) -> impl Iterator<Item = &'k File> {
        self.files.iter().filter(move |file| file.place == *place)
    }
}
