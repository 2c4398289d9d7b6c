//! Files in three steps, as the client sends them: announce one, put it to a URL of its own, and say what it is.

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
use crate::app::App;
use crate::files::{FILE, File, Prepared};
use crate::place::{OfKey, OfPath, Place};
use crate::refusal::{At, Body, Refusal};
use crate::text::Text;

/// Routes that end an upload, and the kind of file that they take.
pub(crate) const KINDS: [(&str, &str); 5] = [
    ("coredumps", "COREDUMP"),
    ("symbols", "SYMBOL_FILE"),
    ("releases/ota_payload", "OTA_PAYLOAD"),
    ("mar", "MAR"),
    ("sboms", "SBOM"),
];
/// The same for devices.
pub(crate) const KINDS_OF_DEVICES: [(&str, &str); 2] = [("coredump", "COREDUMP"), ("mar", "MAR")];

/// How long a file may take to arrive, and a chunk from a device on a slow line.
const FILE_TIME: Duration = Duration::from_secs(300);
const CHUNK_TIME: Duration = Duration::from_secs(60);
/// Bytes of one chunk, or of several in one message.
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

/// Answers with a URL that anyone may put the file to who knows it: so nobody can guess it, and it soon ends.
pub(crate) async fn prepare<P: Into<Place>>(
    State(app): State<App>,
    caller: Principal,
    place: P,
    Body(Announced { kind, size }): Body<Announced>,
) -> Result<Json<Value>, Refusal> {
    if !KINDS.iter().any(|(_, known)| *known == kind.as_ref()) {
        return Err(Refusal::bad("Expected a kind of file that there is, found another one"));
    }
    if size > FILE {
        return Err(Refusal::bad(format!(
            "Uploaded file is too big: expected at most {FILE} bytes, found {size}"
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
) -> Result<StatusCode, Refusal> {
    let (url, clock) = (digest(&url), SystemClock::new());
    // Strangers are refused before anything of theirs is read.
    let (size, by, place, until) = {
        let mut files = app.files.write().await;
        let expected = files.expected_at(&url, clock.wall()).ok_or_else(Refusal::not_found)?;
        (expected.size, expected.by.clone(), expected.place.clone(), expected.until)
    };
    let room = app.budget.take(&place, size)?;
    // What arrives after the deadline of the upload would be dropped.
    let bytes = room.read(body, FILE_TIME.min(until.saturating_since(clock.wall()))).await?;
    let found = |found: &str| Refusal::bad(format!("Expected {size} bytes, found {found}"));
    let bytes = bytes.ok_or_else(|| found("more"))?;
    if bytes.len() < size {
        return Err(found(&bytes.len().to_string()));
    }
    // The URL is good for as long as the caller who was given it may upload.
    still_may(&by, &UPLOAD, &place).await?;
    let mut files = app.files.write().await;
    files.expected_at(&url, clock.wall()).ok_or_else(Refusal::not_found)?.arrived = Some((bytes, room));
    Ok(StatusCode::OK)
}

/// Ends the upload of a file of this kind.
pub(crate) async fn finish(
    kind: &str,
    app: App,
    caller: Principal,
    place: Place,
    Body(Arrived { file: Named { token, name }, details }): Body<Arrived>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    still_may(&caller, &UPLOAD, &place).await?;
    let mut files = app.files.write().await;
    let has_arrived = |prepared: &Prepared| prepared.kind == kind && prepared.arrived.is_some();
    let prepared = files.take(&digest(&token), &place, has_arrived);
    let arrived = prepared.and_then(|prepared| prepared.arrived);
    let (bytes, _room) = arrived.ok_or_else(|| {
        Refusal::bad("Expected the token of such a file that was uploaded, found another one")
    })?;
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

/// Takes what a device says, be it one chunk or several in a message of parts.
pub(crate) async fn chunk(
    State(app): State<App>,
    caller: Principal,
    OfKey(place): OfKey,
    At(serial): At<Text>,
    headers: HeaderMap,
    body: Stream,
) -> Result<StatusCode, Refusal> {
    let too_large = || Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large");
    let announced = body.size_hint().exact().map_or(Ok(CHUNK), usize::try_from);
    let size = announced.ok().filter(|size| *size <= CHUNK).ok_or_else(too_large)?;
    let room = app.budget.take(&place, size)?;
    let bytes = room.read(body, CHUNK_TIME).await?.ok_or_else(too_large)?;
    if bytes.is_empty() {
        return Err(Refusal::bad("Expected a chunk, found nothing"));
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

/// Gives back what was uploaded.
pub(crate) async fn show(
    State(app): State<App>,
    OfPath(place): OfPath,
    At(OfFile { id }): At<OfFile>,
) -> Result<Bytes, Refusal> {
    let files = app.files.read().await;
    let found = files.of(&place).find(|file| file.id == id);
    found.map(|file| file.bytes.clone()).ok_or_else(Refusal::not_found)
}

/// Tells whether the symbols of a build are here, by its GNU build id, which stands in a note of the ELF file.
pub(crate) async fn find_symbols(
    State(app): State<App>,
    OfPath(place): OfPath,
    At(OfFile { id }): At<OfFile>,
) -> Result<StatusCode, Refusal> {
    let id = bytes_of(&id).ok_or_else(Refusal::not_found)?;
    let note = [&b"GNU\0"[..], &id].concat();
    let files = app.files.read().await;
    let mut symbols = files.of(&place).filter(|file| file.kind == "SYMBOL_FILE");
    let found = symbols.any(|file| file.bytes.windows(note.len()).any(|window| window == note));
    found.then_some(StatusCode::OK).ok_or_else(Refusal::not_found)
}

/// Reads a build id: 8 to 64 bytes in hexadecimal.
fn bytes_of(id: &str) -> Option<Vec<u8>> {
    let digits = id.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<_>>>()?;
    let pairs = digits.chunks_exact(2);
    let whole = pairs.remainder().is_empty() && (8..=64).contains(&pairs.len());
    whole.then(|| pairs.filter_map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect())
}

fn secret() -> Result<String, Refusal> {
    let minted = OpaqueFormat::base62(43)?.mint(Environment::Live);
    let unavailable = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable");
    Ok(minted.map_err(unavailable)?.reveal().as_str().to_owned())
}

fn digest(secret: &str) -> Digest {
    Digester::sha256().digest(secret.as_bytes())
}
