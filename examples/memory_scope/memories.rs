//! The resource of the service, reduced to the minimum: memories of an organization about its users.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::ser::Error;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use tokio::sync::RwLock;
use tower_api_key::Principal;

use crate::api_error::{ApiError, At, Body};
use crate::last::keep_last;
use crate::text::Text;

/// Most memories that are kept of each owner.
const MOST: usize = 1000;

/// The latest memories, in memory.
pub(crate) type Memories = Arc<RwLock<Kept>>;

#[derive(Default)]
pub(crate) struct Kept {
    made: u64,
    last: VecDeque<Memory>,
}

#[derive(Deserialize, Serialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMemory {
    user_id: Text,
    scope: Category,
    domain: Option<Text>,
    source: Text,
    value_json: Object,
}

/// A JSON object as text: parsed, it could take a hundred times the memory.
#[derive(Deserialize, Clone)]
#[serde(from = "Map<String, Value>")]
struct Object(String);

impl From<Map<String, Value>> for Object {
    fn from(object: Map<String, Value>) -> Self {
        Self(Value::Object(object).to_string())
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<Value>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[derive(Deserialize, Serialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Category {
    Preferences,
    Constraints,
    Communication,
    Accessibility,
    Schedule,
    Attention,
}

#[derive(Serialize, Clone)]
pub(crate) struct Memory {
    id: String,
    #[serde(skip)]
    owner: String,
    #[serde(flatten)]
    content: NewMemory,
}

pub(crate) async fn remember(
    State(memories): State<Memories>,
    principal: Principal,
    Body(content): Body<NewMemory>,
) -> Result<(StatusCode, Json<Memory>), ApiError> {
    // The body may have arrived long after the key was checked.
    let principal = principal.recheck().await?;
    let mut kept = memories.write().await;
    kept.made += 1;
    let memory = Memory { id: format!("mem_{}", kept.made), owner: principal.owner().to_string(), content };
    keep_last(&mut kept.last, memory.clone(), MOST, |one, other| one.owner == other.owner);
    Ok((StatusCode::CREATED, Json(memory)))
}

/// Memories of another organization are reported as not found.
pub(crate) async fn recall(
    State(memories): State<Memories>,
    principal: Principal,
    At(id): At<String>,
) -> Result<Json<Memory>, ApiError> {
    let owner = principal.owner().to_string();
    let kept = memories.read().await;
    let found = kept.last.iter().find(|memory| memory.id == id && memory.owner == owner);
    found.cloned().map(Json).ok_or_else(ApiError::not_found)
}
