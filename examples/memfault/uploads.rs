//! Uploads in the three steps of the client: announce a file, put it to a URL of its own, and submit its attributes.

use std::time::Duration;

use axum::Json;
use axum::body::{Body as Stream, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::digest::{Digest, Digester};
use tower_api_key::key::OpaqueFormat;
use tower_api_key::{Environment, Principal};

use crate::again::{UPLOAD, still_may};
use crate::api_error::{ApiError, At, Body};
use crate::app::App;
use crate::files::{FILE, File, Prepared};
use crate::place::{OfKey, OfPath, Place};
use crate::text::Text;

/// The routes that complete an upload, and their kinds of file.
pub(crate) const KINDS: [(&str, &str); 5] = [
    ("coredumps", "COREDUMP"),
    ("symbols", "SYMBOL_FILE"),
    ("releases/ota_payload", "OTA_PAYLOAD"),
    ("mar", "MAR"),
    ("sboms", "SBOM"),
];
/// The same routes for devices.
pub(crate) const KINDS_OF_DEVICES: [(&str, &str); 2] = [("coredump", "COREDUMP"), ("mar", "MAR")];

/// Most time for the arrival of a file, and of a chunk from a device with a slow connection.
const FILE_TIME: Duration = Duration::from_secs(300);
const CHUNK_TIME: Duration = Duration::from_secs(60);
/// Most bytes of one chunk, or of several in one message.
const CHUNK: usize = 2 * 1024 * 1024;

#[derive(Deserialize)]
pub(crate) struct Announced {
    kind: Text,
    size: usize,
}

#[derive(Deserialize)]
pub(crate) struct Arrived {
    file: Named,
    #[serde(flatten)]
    details: Map<String, Value>,
}

#[derive(Deserialize)]
struct Named {
    token: String,
    name: Text,
}

/// Returns the URL for an upload. It admits any client, so it contains a secret and expires soon.
pub(crate) async fn prepare<P: Into<Place>>(
    State(app): State<App>,
    caller: Principal,
    place: P,
    Body(Announced { kind, size }): Body<Announced>,
) -> Result<Json<Value>, ApiError> {
    if !KINDS.iter().any(|(_, known)| *known == kind.as_ref()) {
        return Err(ApiError::bad("Unknown kind of file"));
    }
    if size > FILE {
        return Err(ApiError::bad(format!(
            "Uploaded file is too big: must have at most {FILE} bytes, got {size}"
        )));
    }
    let (url, token, place) = (secret()?, secret()?, place.into());
    still_may(&caller, &UPLOAD, &place).await?;
    let mut files = app.files.write().await;
    let until = SystemClock::new().wall().saturating_add(files.patience);
    files.prepare(Prepared {
        url: digest(&url),
        token: digest(&token),
        place,
        kind: kind.as_ref().to_owned(),
        size,
        until,
        by: caller,
        arrived: None,
    });
    Ok(Json(json!({ "data": { "upload_url": format!("{}/uploads/{url}", app.address), "token": token } })))
}

pub(crate) async fn put(
    State(app): State<App>,
    At(url): At<String>,
    body: Stream,
) -> Result<StatusCode, ApiError> {
    let (url, clock) = (digest(&url), SystemClock::new());
    // Clients without the secret are rejected before their body is read.
    let (size, by, place, until) = {
        let mut files = app.files.write().await;
        let expected = files.expected_at(&url, clock.wall()).ok_or_else(ApiError::not_found)?;
        (expected.size, expected.by.clone(), expected.place.clone(), expected.until)
    };
    let room = app.budget.take(&place, size)?;
    // A file that arrives after the deadline of the upload would be dropped.
    let bytes = room.read(body, FILE_TIME.min(until.saturating_since(clock.wall()))).await?;
    let wrong_length = |length: &str| ApiError::bad(format!("The file must have {size} bytes, got {length}"));
    let bytes = bytes.ok_or_else(|| wrong_length("more"))?;
    if bytes.len() < size {
        return Err(wrong_length(&bytes.len().to_string()));
    }
    // The URL is valid only while the caller that received it may upload.
    still_may(&by, &UPLOAD, &place).await?;
    let mut files = app.files.write().await;
    files.expected_at(&url, clock.wall()).ok_or_else(ApiError::not_found)?.arrived = Some((bytes, room));
    Ok(StatusCode::OK)
}

/// Completes the upload of a file of this kind.
pub(crate) async fn finish(
    kind: &str,
    app: App,
    caller: Principal,
    place: Place,
    Body(Arrived { file: Named { token, name }, details }): Body<Arrived>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    still_may(&caller, &UPLOAD, &place).await?;
    let mut files = app.files.write().await;
    let has_arrived = |prepared: &Prepared| prepared.kind == kind && prepared.arrived.is_some();
    let prepared = files.take(&digest(&token), &place, has_arrived);
    let arrived = prepared.and_then(|prepared| prepared.arrived);
    let (bytes, _room) = arrived.ok_or_else(|| ApiError::bad("Unknown token of an upload"))?;
    let id = files.keep(File {
        id: String::new(),
        kind: kind.to_owned(),
        name: name.as_ref().to_owned(),
        details: Value::Object(details).to_string(),
        by: caller.key_id().to_string(),
        place,
        bytes,
    });
    Ok((StatusCode::CREATED, Json(json!({ "data": { "id": id } }))))
}

/// Receives one chunk from a device, or several in a multipart message.
pub(crate) async fn chunk(
    State(app): State<App>,
    caller: Principal,
    OfKey(place): OfKey,
    At(serial): At<Text>,
    headers: HeaderMap,
    body: Stream,
) -> Result<StatusCode, ApiError> {
    let too_large = || ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large");
    let announced = body.size_hint().exact().map_or(Ok(CHUNK), usize::try_from);
    let size = announced.ok().filter(|size| *size <= CHUNK).ok_or_else(too_large)?;
    let room = app.budget.take(&place, size)?;
    let bytes = room.read(body, CHUNK_TIME).await?.ok_or_else(too_large)?;
    if bytes.is_empty() {
        return Err(ApiError::bad("The chunk must not be empty"));
    }
    still_may(&caller, &UPLOAD, &place).await?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    app.files.write().await.keep(File {
        id: String::new(),
        kind: "CHUNK".to_owned(),
        name: serial.as_ref().to_owned(),
        details: json!({ "content_type": content_type }).to_string(),
        by: caller.key_id().to_string(),
        place,
        bytes,
    });
    Ok(StatusCode::ACCEPTED)
}

pub(crate) async fn list(State(app): State<App>, OfPath(place): OfPath) -> Json<Value> {
    Json(json!({ "data": app.files.read().await.of(&place).collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
pub(crate) struct OfFile {
    id: String,
}

/// Returns an uploaded file.
pub(crate) async fn show(
    State(app): State<App>,
    OfPath(place): OfPath,
    At(OfFile { id }): At<OfFile>,
) -> Result<Bytes, ApiError> {
    let files = app.files.read().await;
    let found = files.of(&place).find(|file| file.id == id);
    found.map(|file| file.bytes.clone()).ok_or_else(ApiError::not_found)
}

/// Returns whether the symbols of a build were uploaded, by its GNU build id, which is in a note of the ELF file.
pub(crate) async fn find_symbols(
    State(app): State<App>,
    OfPath(place): OfPath,
    At(OfFile { id }): At<OfFile>,
) -> Result<StatusCode, ApiError> {
    let id = bytes_of(&id).ok_or_else(ApiError::not_found)?;
    let note = [&b"GNU\0"[..], &id].concat();
    let files = app.files.read().await;
    let mut symbols = files.of(&place).filter(|file| file.kind == "SYMBOL_FILE");
    let found = symbols.any(|file| file.bytes.windows(note.len()).any(|window| window == note));
    found.then_some(StatusCode::OK).ok_or_else(ApiError::not_found)
}

/// Reads a build id: 8 to 64 bytes in hexadecimal.
fn bytes_of(id: &str) -> Option<Vec<u8>> {
    let digits = id.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<_>>>()?;
    let pairs = digits.chunks_exact(2);
    let whole = pairs.remainder().is_empty() && (8..=64).contains(&pairs.len());
    whole.then(|| pairs.filter_map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect())
}

fn secret() -> Result<String, ApiError> {
    let minted = OpaqueFormat::base62(43)?.mint(Environment::Live);
    let unavailable = |_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable");
    Ok(minted.map_err(unavailable)?.reveal().as_str().to_owned())
}

fn digest(secret: &str) -> Digest {
    Digester::sha256().digest(secret.as_bytes())
}
