//! Memory for uploads: bounded for the process, each organization and each project, and reserved before a body is read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::api_error::ApiError;
use crate::place::Place;

const MIB: usize = 1024 * 1024;
/// Most bytes of uploads in memory. A project at its limit leaves room for other projects, and an organization for other organizations.
const PROCESS: usize = 96 * MIB;
const ORGANIZATION: usize = 48 * MIB;
const PROJECT: usize = 32 * MIB;

/// The reserved bytes of each project. A project without any has no entry.
#[derive(Clone, Default)]
pub(crate) struct Budget(Arc<Mutex<HashMap<Place, usize>>>);

/// Reserved bytes, which are released on drop.
pub(crate) struct Room {
    budget: Budget,
    place: Place,
    bytes: usize,
}

impl Budget {
    /// Reserves bytes for a project, or fails if none are free.
    pub(crate) fn take(&self, place: &Place, bytes: usize) -> Result<Room, ApiError> {
        let mut taken = self.lock();
        let fits = |limit: usize, counts: &dyn Fn(&Place) -> bool| {
            let sum: usize = taken.iter().filter(|(other, _)| counts(other)).map(|(_, bytes)| bytes).sum();
            bytes <= limit.saturating_sub(sum)
        };
        let has_room = fits(PROCESS, &|_| true)
            && fits(ORGANIZATION, &|other| other.organization == place.organization)
            && fits(PROJECT, &|other| other == place);
        if !has_room {
            let message = "Too many uploads are under way: finish some, or try again later";
            return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message));
        }
        *taken.entry(place.clone()).or_default() += bytes;
        Ok(Room { budget: self.clone(), place: place.clone(), bytes })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Reads a body of at most the reserved bytes. Returns `None` if it is longer.
    pub(crate) async fn read(&self, body: Body, within: Duration) -> Result<Option<Bytes>, ApiError> {
        let late = |_| ApiError::new(StatusCode::REQUEST_TIMEOUT, "The body took too long");
        timeout(within, copy(body, self.bytes)).await.map_err(late)?
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut taken = self.budget.lock();
        if let Some(bytes) = taken.get_mut(&self.place) {
            *bytes -= self.bytes;
            if *bytes == 0 {
                taken.remove(&self.place);
            }
        }
    }
}

/// Copies a body into one buffer. The received frames would keep the larger buffers of the connection alive.
async fn copy(mut body: Body, most: usize) -> Result<Option<Bytes>, ApiError> {
    // The operating system allocates the memory of a large buffer as it is written.
    let mut bytes = Vec::with_capacity(most);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::bad("The body is incomplete"))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > most - bytes.len() {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    bytes.shrink_to_fit();
    Ok(Some(bytes.into()))
}
