//! What the service is about, as small as it can be: memories of an organization, live and test ones apart.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::RwLock;
use tower_api_key::{ConfigError, Environment, Principal};

use crate::access::may;
use crate::detail::{Body, Id, Refusal, Text};

/// How many memories are kept.
const MOST: usize = 1000;

pub(crate) fn routes() -> Result<Router, ConfigError> {
    let one = "/memories/{id}";
    Ok(Router::new()
        .route("/memories", get(list).route_layer(may("memory.read")?))
        .route("/memories", post(create).route_layer(may("memory.write")?))
        .route(one, get(show).route_layer(may("memory.read")?))
        .route(one, put(update).route_layer(may("memory.write")?))
        .route(one, delete(forget).route_layer(may("memory.delete")?))
        .with_state(Memories::default()))
}

/// The last memories, in memory.
type Memories = Arc<RwLock<Kept>>;

#[derive(Default)]
struct Kept {
    made: u64,
    last: VecDeque<Memory>,
}

#[derive(Serialize, Clone)]
struct Memory {
    id: String,
    #[serde(skip)]
    space: Space,
    #[serde(flatten)]
    content: Content,
}

#[derive(Deserialize, Serialize, Clone)]
#[serde(deny_unknown_fields)]
struct Content {
    content: Text<10_000>,
}

/// Whose memories these are.
#[derive(Clone, PartialEq, Eq)]
struct Space(String, Environment);

impl Space {
    fn of(principal: &Principal) -> Self {
        Self(principal.owner().to_string(), principal.environment())
    }
}

impl Kept {
    fn find(&mut self, id: &str, space: &Space) -> Result<&mut Memory, Refusal> {
        let position = self.position(id, space)?;
        self.last.get_mut(position).ok_or_else(Refusal::not_found)
    }

    /// A memory of another space is not found, as if there were none.
    fn position(&self, id: &str, space: &Space) -> Result<usize, Refusal> {
        let found = self.last.iter().position(|memory| memory.id == id && memory.space == *space);
        found.ok_or_else(Refusal::not_found)
    }
}

async fn list(State(memories): State<Memories>, principal: Principal) -> Json<Value> {
    let space = Space::of(&principal);
    let kept = memories.read().await;
    let own: Vec<_> = kept.last.iter().filter(|memory| memory.space == space).collect();
    Json(json!({ "memories": own }))
}

async fn create(
    State(memories): State<Memories>,
    principal: Principal,
    Body(content): Body<Content>,
) -> (StatusCode, Json<Memory>) {
    let mut kept = memories.write().await;
    kept.made += 1;
    let memory = Memory { id: format!("mem_{}", kept.made), space: Space::of(&principal), content };
    if kept.last.len() == MOST {
        kept.last.pop_front();
    }
    kept.last.push_back(memory.clone());
    (StatusCode::CREATED, Json(memory))
}

async fn show(
    State(memories): State<Memories>,
    principal: Principal,
    Id(id): Id,
) -> Result<Json<Memory>, Refusal> {
    let mut kept = memories.write().await;
    kept.find(&id, &Space::of(&principal)).cloned().map(Json)
}

async fn update(
    State(memories): State<Memories>,
    principal: Principal,
    Id(id): Id,
    Body(content): Body<Content>,
) -> Result<Json<Memory>, Refusal> {
    let mut kept = memories.write().await;
    let memory = kept.find(&id, &Space::of(&principal))?;
    memory.content = content;
    Ok(Json(memory.clone()))
}

async fn forget(
    State(memories): State<Memories>,
    principal: Principal,
    Id(id): Id,
) -> Result<StatusCode, Refusal> {
    let mut kept = memories.write().await;
    let position = kept.position(&id, &Space::of(&principal))?;
    kept.last.remove(position);
    Ok(StatusCode::NO_CONTENT)
}
