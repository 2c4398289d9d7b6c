//! The resource of the service, reduced to the minimum: memories of an organization, live and test ones apart.

use std::cmp::Reverse;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tokio::sync::RwLock;
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::{Environment, Principal};

use crate::again::{Needed, again, scope};
use crate::api_error::{ApiError, success};
use crate::fields::{Fields, text};
use crate::heaviest::heaviest;
use crate::last::keep_last;
use crate::time::written;

/// Most memories that are kept of each owner.
const MOST: usize = 1000;
/// Most bytes of the memories of all owners, as sign-up is open.
const BYTES: usize = 64 * 1024 * 1024;
/// Results of a query: default and maximum.
const FOUND: (u64, u64) = (5, 100);
const A_TEXT: &str = "a text of 1 to 50000 characters without control characters but line breaks and tabs";

pub(crate) static READ: Needed = LazyLock::new(|| scope("read"));
pub(crate) static WRITE: Needed = LazyLock::new(|| scope("write"));

/// The latest memories, in memory.
pub(crate) type Memories = Arc<RwLock<Kept>>;
type Id = Result<Path<String>, PathRejection>;

#[derive(Default)]
pub(crate) struct Kept {
    made: u64,
    last: VecDeque<Memory>,
}

#[derive(Serialize, Clone)]
struct Memory {
    id: String,
    #[serde(skip)]
    space: Space,
    text: String,
    /// A JSON object as text: parsed, it could take a hundred times the memory.
    #[serde(serialize_with = "as_json")]
    metadata: String,
    created_at: Option<String>,
    updated_at: Option<String>,
}

/// The owner and environment of memories.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Space(String, Environment);

impl Space {
    fn of(principal: &Principal) -> Self {
        Self(principal.owner().to_string(), principal.environment())
    }
}

impl Memory {
    fn size(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.metadata.len()
    }
}

fn as_json<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<Value>(text).map_err(S::Error::custom)?.serialize(serializer)
}

impl Kept {
    /// Drops the oldest memories of the largest owner until all fit.
    fn fit(&mut self) {
        while self.last.iter().map(Memory::size).sum::<usize>() > BYTES
            && let Some(space) = heaviest(self.last.iter().map(|memory| (&memory.space, memory.size())))
            && let Some(oldest) = self.last.iter().position(|memory| memory.space == *space)
        {
            self.last.remove(oldest);
        }
    }

    fn of(&self, caller: &Principal) -> impl Iterator<Item = &Memory> {
        let space = Space::of(caller);
        self.last.iter().filter(move |memory| memory.space == space)
    }

    /// A memory of another space is reported as not found.
    fn position(&self, id: Id, caller: &Principal) -> Result<usize, ApiError> {
        let none = || ApiError::new(StatusCode::NOT_FOUND, "MEMORY_NOT_FOUND", "Memory not found");
        let (Path(id), space) = (id.map_err(|_| none())?, Space::of(caller));
        let found = self.last.iter().position(|memory| memory.id == id && memory.space == space);
        found.ok_or_else(none)
    }
}

pub(crate) async fn list(State(memories): State<Memories>, caller: Principal) -> Json<Value> {
    success(memories.read().await.of(&caller).collect::<Vec<_>>())
}

pub(crate) async fn create(
    State(memories): State<Memories>,
    caller: Principal,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let text = fields.required("text", A_TEXT, memory_text);
    let metadata = fields.optional("metadata", "an object", object).unwrap_or_else(|| "{}".to_owned());
    fields.finish()?;
    let caller = again(&caller, &WRITE).await?;

    let mut kept = memories.write().await;
    kept.made += 1;
    let (id, now) = (format!("mem_{}", kept.made), written(SystemClock::new().wall()));
    let memory =
        Memory { id, space: Space::of(&caller), text, metadata, created_at: now.clone(), updated_at: now };
    keep_last(&mut kept.last, memory.clone(), MOST, |one, other| one.space == other.space);
    kept.fit();
    Ok((StatusCode::CREATED, success(memory)))
}

pub(crate) async fn show(
    State(memories): State<Memories>,
    caller: Principal,
    id: Id,
) -> Result<Json<Value>, ApiError> {
    let kept = memories.read().await;
    Ok(success(&kept.last[kept.position(id, &caller)?]))
}

pub(crate) async fn update(
    State(memories): State<Memories>,
    caller: Principal,
    id: Id,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let text = fields.optional("text", A_TEXT, memory_text);
    let metadata = fields.optional("metadata", "an object", object);
    fields.finish()?;
    let caller = again(&caller, &WRITE).await?;

    let mut kept = memories.write().await;
    let position = kept.position(id, &caller)?;
    let memory = &mut kept.last[position];
    memory.text = text.unwrap_or_else(|| memory.text.clone());
    memory.metadata = metadata.unwrap_or_else(|| memory.metadata.clone());
    memory.updated_at = written(SystemClock::new().wall());
    let changed = success(&*memory);
    kept.fit();
    Ok(changed)
}

pub(crate) async fn forget(
    State(memories): State<Memories>,
    caller: Principal,
    id: Id,
) -> Result<Json<Value>, ApiError> {
    let mut kept = memories.write().await;
    let position = kept.position(id, &caller)?;
    let forgotten = kept.last.remove(position).map(|memory| memory.id);
    Ok(success(json!({ "id": forgotten, "deleted": true })))
}

/// Returns the memories that share words with a context, ordered by the number of these.
pub(crate) async fn query(
    State(memories): State<Memories>,
    caller: Principal,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let (usual, most) = FOUND;
    let context = fields.required("context", A_TEXT, memory_text);
    let wanted = |value: &Value| value.as_u64().filter(|wanted| (1..=most).contains(wanted));
    let wanted = fields.or("max_memories", usual).required("max_memories", "a number from 1 to 100", wanted);
    fields.finish()?;
    let caller = again(&caller, &READ).await?;

    let (kept, context) = (memories.read().await, words(&context));
    let shared = |memory: &Memory| words(&memory.text).intersection(&context).count();
    let mut found: Vec<_> = kept.of(&caller).map(|memory| (shared(memory), memory)).collect();
    found.retain(|(shared, _)| *shared > 0);
    found.sort_by_key(|(shared, _)| Reverse(*shared));
    let found = found.into_iter().map(|(_, memory)| memory).zip(0..wanted).map(|(memory, _)| memory);
    Ok(success(json!({ "memories": found.collect::<Vec<_>>() })))
}

fn memory_text(value: &Value) -> Option<String> {
    text(value, 50_000, |symbol| symbol.is_control() && !matches!(symbol, '\n' | '\r' | '\t'))
}

fn object(value: &Value) -> Option<String> {
    value.is_object().then(|| value.to_string())
}

fn words(text: &str) -> HashSet<String> {
    let words = text.split(|symbol: char| !symbol.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}
