//! The files of projects, in memory: pending uploads, and the latest files.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tokio::sync::RwLock;
use tokio::time::interval;
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::digest::Digest;
use tower_api_key::{Principal, Timestamp};

use crate::budget::Room;
use crate::heaviest::heaviest;
use crate::last::keep_last;
use crate::place::Place;

/// Most bytes of one file.
pub(crate) const FILE: usize = 16 * 1024 * 1024;
/// Most pending uploads of a project.
const PREPARED: usize = 32;
/// Most files that are kept of a project, and their bytes.
const KEPT: (usize, usize) = (1000, 64 * 1024 * 1024);
/// Most bytes of the files of all projects.
const KEPT_OF_ALL: usize = 128 * 1024 * 1024;
/// The interval at which overdue uploads are dropped.
const SWEEP: Duration = Duration::from_secs(1);

pub(crate) type Files = Arc<RwLock<Kept>>;

pub(crate) struct Kept {
    /// Most time for the arrival of a file.
    pub(crate) patience: Duration,
    made: u64,
    prepared: VecDeque<Prepared>,
    files: VecDeque<File>,
}

/// An announced file.
pub(crate) struct Prepared {
    /// The digest of the secret in the URL. The secret itself is not kept.
    pub(crate) url: Digest,
    pub(crate) token: Digest,
    pub(crate) place: Place,
    pub(crate) kind: String,
    pub(crate) size: usize,
    pub(crate) until: Timestamp,
    /// The caller that announced it.
    pub(crate) by: Principal,
    pub(crate) arrived: Option<(Bytes, Room)>,
}

/// An uploaded file.
#[derive(Serialize, Clone)]
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    /// Its attributes, a JSON object as text: parsed, it could take a hundred times the memory.
    #[serde(serialize_with = "as_json")]
    pub(crate) details: String,
    /// The id of the key that uploaded it.
    pub(crate) by: String,
    #[serde(skip)]
    pub(crate) place: Place,
    #[serde(skip)]
    pub(crate) bytes: Bytes,
}

impl File {
    fn size(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.details.len() + self.bytes.len()
    }
}

fn as_json<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<Value>(text).map_err(S::Error::custom)?.serialize(serializer)
}

/// Drops uploads after their deadline, even without further requests.
pub(crate) async fn sweep(files: Files) {
    let mut ticks = interval(SWEEP);
    loop {
        ticks.tick().await;
        let now = SystemClock::new().wall();
        files.write().await.prepared.retain(|prepared| now < prepared.until);
    }
}

impl Kept {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, made: 0, prepared: VecDeque::new(), files: VecDeque::new() }
    }

    /// Adds a pending upload. Beyond the limit, the oldest one of the project is dropped.
    pub(crate) fn prepare(&mut self, prepared: Prepared) {
        keep_last(&mut self.prepared, prepared, PREPARED, |one, other| one.place == other.place);
    }

    /// Returns the pending upload of a URL.
    pub(crate) fn expected_at(&mut self, url: &Digest, now: Timestamp) -> Option<&mut Prepared> {
        self.prepared.iter_mut().find(|prepared| prepared.url == *url && now < prepared.until)
    }

    /// Removes and returns a pending upload of a project. Tokens of other projects' files are unknown.
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

    /// Keeps a file under a new id. Beyond the limit of the project, its oldest files are dropped; beyond that of all projects, the oldest
    /// files of the largest project in the largest organization.
    pub(crate) fn keep(&mut self, file: File) -> String {
        self.made += 1;
        let id = format!("file_{}", self.made);
        let place = file.place.clone();
        keep_last(&mut self.files, File { id: id.clone(), ..file }, KEPT.0, |one, other| {
            one.place == other.place
        });
        while self.of(&place).map(File::size).sum::<usize>() > KEPT.1 {
            self.forget_oldest_of(&place);
        }
        while self.files.iter().map(File::size).sum::<usize>() > KEPT_OF_ALL
            && let Some(place) = self.heaviest().cloned()
        {
            self.forget_oldest_of(&place);
        }
        id
    }

    fn heaviest(&self) -> Option<&Place> {
        let files = || self.files.iter();
        let organization = heaviest(files().map(|file| (&file.place.organization, file.size())))?;
        let own = files().filter(|file| file.place.organization == *organization);
        heaviest(own.map(|file| (&file.place, file.size())))
    }

    fn forget_oldest_of(&mut self, place: &Place) {
        if let Some(oldest) = self.files.iter().position(|file| file.place == *place) {
            self.files.remove(oldest);
        }
    }

    pub(crate) fn of<'k>(&'k self, place: &'k Place) -> impl Iterator<Item = &'k File> {
        self.files.iter().filter(move |file| file.place == *place)
    }
}
