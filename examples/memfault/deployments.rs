//! Deployments of releases to devices.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::RwLock;
use tower_api_key::Principal;

use crate::again::{DEPLOY, still_may};
use crate::api_error::{ApiError, Body};
use crate::app::App;
use crate::last::keep_last;
use crate::place::{OfPath, Place};
use crate::text::Text;

/// Most deployments that are kept of each project.
const MOST: usize = 1000;

/// The latest deployments, in memory.
pub(crate) type Deployments = Arc<RwLock<VecDeque<(Place, Deployment)>>>;

#[derive(Deserialize, Serialize, Clone)]
pub(crate) struct Deployment {
    #[serde(rename = "type")]
    kind: Kind,
    release: Release,
    cohort: Text,
    #[serde(default = "everyone")]
    rollout_percent: u8,
}

#[derive(Deserialize, Serialize, Clone)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Normal,
    StagedRollout,
}

/// A version, or the two versions of a delta release.
#[derive(Deserialize, Serialize, Clone)]
#[serde(untagged)]
enum Release {
    Full(Text),
    Delta(Text, Text),
}

fn everyone() -> u8 {
    100
}

pub(crate) async fn create(
    State(app): State<App>,
    caller: Principal,
    OfPath(place): OfPath,
    Body(deployment): Body<Deployment>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    if deployment.rollout_percent > 100 {
        return Err(ApiError::bad("The rollout must be at most 100 percent"));
    }
    still_may(&caller, &DEPLOY, &place).await?;
    let shown = json!({ "data": deployment });
    let mut kept = app.deployments.write().await;
    keep_last(&mut kept, (place, deployment), MOST, |(one, _), (other, _)| one == other);
    Ok((StatusCode::CREATED, Json(shown)))
}

pub(crate) async fn list(State(app): State<App>, OfPath(place): OfPath) -> Json<Value> {
    let kept = app.deployments.read().await;
    let own: Vec<_> = kept.iter().filter(|(of, _)| *of == place).map(|(_, deployment)| deployment).collect();
    Json(json!({ "data": own }))
}
