//! The resource of the service, reduced to the minimum: memories of an organization, live and test ones apart.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::RwLock;
use tower_api_key::{Environment, Principal};

use crate::again::{Needed, again, scope};
use crate::api_error::{ApiError, At, Body};
use crate::last::keep_last;

/// Most memories that are kept of each owner.
const MOST: usize = 1000;

pub(crate) static WRITE: Needed = LazyLock::new(|| scope("memory.write"));

/// The latest memories, in memory.
pub(crate) type Memories = Arc<RwLock<Kept>>;

#[derive(Default)]
pub(crate) struct Kept {
    made: u64,
    last: VecDeque<Memory>,
}

#[derive(Serialize, Clone)]
pub(crate) struct Memory {
    id: String,
    #[serde(skip)]
    space: Space,
    #[serde(flatten)]
    content: Content,
}

#[derive(Deserialize, Serialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Content {
    content: Prose,
}

/// A text of 1 to 10,000 characters, without control characters other than line breaks and tabs.
#[derive(Deserialize, Serialize, Clone)]
#[serde(try_from = "String")]
struct Prose(String);

impl TryFrom<String> for Prose {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_odd = |symbol: char| symbol.is_control() && !matches!(symbol, '\n' | '\r' | '\t');
        let fits = (1..=10_000).contains(&text.chars().count()) && !text.chars().any(is_odd);
        if fits { Ok(Self(text)) } else { Err("must have 1 to 10000 characters") }
    }
}

/// The owner and environment of memories.
#[derive(Clone, PartialEq, Eq)]
struct Space(String, Environment);

impl Space {
    fn of(principal: &Principal) -> Self {
        Self(principal.owner().to_string(), principal.environment())
    }
}

impl Kept {
    fn find(&mut self, id: &str, space: &Space) -> Result<&mut Memory, ApiError> {
        let position = self.position(id, space)?;
        self.last.get_mut(position).ok_or_else(ApiError::not_found)
    }

    /// A memory of another space is reported as not found.
    fn position(&self, id: &str, space: &Space) -> Result<usize, ApiError> {
        let found = self.last.iter().position(|memory| memory.id == id && memory.space == *space);
        found.ok_or_else(ApiError::not_found)
    }
}

pub(crate) async fn list(State(memories): State<Memories>, principal: Principal) -> Json<Value> {
    let space = Space::of(&principal);
    let kept = memories.read().await;
    let own: Vec<_> = kept.last.iter().filter(|memory| memory.space == space).collect();
    Json(json!({ "memories": own }))
}

pub(crate) async fn create(
    State(memories): State<Memories>,
    principal: Principal,
    Body(content): Body<Content>,
) -> Result<(StatusCode, Json<Memory>), ApiError> {
    let principal = again(&principal, &WRITE).await?;
    let mut kept = memories.write().await;
    kept.made += 1;
    let memory = Memory { id: format!("mem_{}", kept.made), space: Space::of(&principal), content };
    keep_last(&mut kept.last, memory.clone(), MOST, |one, other| one.space == other.space);
    Ok((StatusCode::CREATED, Json(memory)))
}

pub(crate) async fn show(
    State(memories): State<Memories>,
    principal: Principal,
    At(id): At<String>,
) -> Result<Json<Memory>, ApiError> {
    let mut kept = memories.write().await;
    kept.find(&id, &Space::of(&principal)).cloned().map(Json)
}

pub(crate) async fn update(
    State(memories): State<Memories>,
    principal: Principal,
    At(id): At<String>,
    Body(content): Body<Content>,
) -> Result<Json<Memory>, ApiError> {
    let principal = again(&principal, &WRITE).await?;
    let mut kept = memories.write().await;
    let memory = kept.find(&id, &Space::of(&principal))?;
    memory.content = content;
    Ok(Json(memory.clone()))
}

pub(crate) async fn forget(
    State(memories): State<Memories>,
    principal: Principal,
    At(id): At<String>,
) -> Result<StatusCode, ApiError> {
    let mut kept = memories.write().await;
    let position = kept.position(&id, &Space::of(&principal))?;
    kept.last.remove(position);
    Ok(StatusCode::NO_CONTENT)
}
