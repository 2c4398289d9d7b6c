//! Imports existing keys from lines of JSON. Nothing is imported unless all lines are valid. Messages name the line and the field: a
//! text that may be a key is shown by its first characters at most.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};
use tower_api_key::backend::{KeyStore, PlanStore};
use tower_api_key::digest::Digest;
use tower_api_key::limit::{Limits, Plan};
use tower_api_key::manage::{KeyManager, ManageError, ManageErrorKind, NewKey};
use tower_api_key::{Environment, InvalidValue, KeyFormat, MemoryStore, Record, Scope, Timestamp};

use crate::arguments::{self, ImportArguments, OwnerArguments};
use crate::digesters::Digesters;
use crate::failure::Failure;
use crate::{output, owner};

/// A key of a line, by its text or its digest.
struct Import {
    line: usize,
    secret: Secret,
    new: NewKey,
}

enum Secret {
    Text(String),
    Digest(Digest),
}

impl Import {
    async fn into<S: KeyStore>(&self, manager: &KeyManager<S>) -> Result<Record, ManageError> {
        match &self.secret {
            Secret::Text(text) => manager.import_text(text, self.new.clone()).await,
            Secret::Digest(digest) => manager.import(*digest, self.new.clone()).await,
        }
    }

    /// Returns the digests under which a database may have the key.
    fn digests(&self, digesters: &Digesters) -> Vec<Digest> {
        match &self.secret {
            Secret::Text(text) => digesters.digests(text),
            Secret::Digest(digest) => vec![*digest],
        }
    }
}

/// Imports the keys of a file, or only checks its lines.
pub(crate) async fn run<S: KeyStore + PlanStore>(
    store: &S,
    manager: &KeyManager<S>,
    format: KeyFormat,
    digesters: &Digesters,
    wanted: &ImportArguments,
    as_json: bool,
) -> Result<(), Failure> {
    let (mut imports, mut mistakes) = (Vec::new(), Vec::new());
    for (index, line) in lines(&wanted.file)?.enumerate() {
        let line = line.map_err(|error| unreadable(&wanted.file, &error))?;
        if line.trim().is_empty() {
            continue;
        }
        match parse(index + 1, &line, wanted.allow_weak) {
            Ok(import) => imports.push(import),
            Err(mistake) => mistakes.push((index + 1, mistake)),
        }
    }
    // A store of its own finds invalid values, and keys that the file has twice.
    let trial = KeyManager::new(MemoryStore::new(), format);
    for import in &imports {
        if let Some(plan) = &import.new.plan
            && let Some(plan) = store.plan(plan.name()).await?
        {
            trial.put_plan(&plan).await?;
        }
        if let Err(error) = import.into(&trial).await {
            let is_twice = error.kind() == ManageErrorKind::Conflict;
            let mistake = if is_twice {
                "an earlier line has the same key".to_owned()
            } else {
                error.to_string().replace("`allow_weak`", "--allow-weak")
            };
            mistakes.push((import.line, mistake));
        } else if store.find_any(&import.digests(digesters)).await?.is_some() {
            mistakes.push((import.line, "the database has this key already".to_owned()));
        } else if matches!(import.secret, Secret::Digest(_)) && !digesters.have_sha256() {
            let mistake = "sha256: the key would be unknown: no pepper of the nodes is `sha256`";
            mistakes.push((import.line, mistake.to_owned()));
        }
    }
    if !mistakes.is_empty() {
        mistakes.sort();
        mistakes.iter().for_each(|(line, mistake)| output::tell(&format!("line {line}: {mistake}")));
        return Err(Failure::value(format!(
            "nothing was imported: {} invalid",
            count(mistakes.len(), "line")
        )));
    }
    if wanted.dry_run {
        output::tell(&format!("{} can be imported.", count(imports.len(), "key")));
        return Ok(());
    }
    let mut made = Vec::new();
    let mut failure = None;
    for import in &imports {
        match import.into(manager).await {
            Ok(record) => made.push((import.line, record)),
            Err(error) => {
                let before = format!("{} of the lines before it imported", count(made.len(), "key"));
                failure = Some(Failure::from(error).of_line(import.line, &before));
                break;
            }
        }
    }
    let shown = if as_json {
        let value = |(line, record): &(usize, Record)| json!({ "line": line, "id": record.id.as_str() });
        made.iter().map(value).collect::<Value>().to_string()
    } else {
        made.iter().map(|(_, record)| record.id.to_string()).collect::<Vec<_>>().join("\n")
    };
    if as_json || !made.is_empty() {
        output::show(&shown)?;
    }
    failure.map_or(Ok(()), Err)
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn lines(file: &Path) -> Result<Box<dyn Iterator<Item = io::Result<String>>>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lines()));
    }
    let opened = File::open(file).map_err(|error| unreadable(file, &error))?;
    Ok(Box::new(BufReader::new(opened).lines()))
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    let name = if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() };
    Failure::outside(format!("cannot read {name}: {error}"))
}

const FIELDS: &str =
    "key, sha256, organization, project, user, name, scopes, environment, expires_at, limits, plan";

fn parse(line: usize, text: &str, allow_weak: bool) -> Result<Import, String> {
    let mut fields: Fields = serde_json::from_str(text).map_err(|_| "must be a JSON object".to_owned())?;
    let secret = match (fields.text("key")?, fields.text("sha256")?) {
        (Some(text), None) => Secret::Text(text),
        (None, Some(digits)) => Secret::Digest(digits.parse().map_err(of("sha256"))?),
        _ => return Err("must have either `key`, the text, or `sha256`, its digest".to_owned()),
    };
    let owned_by = OwnerArguments {
        organization: checked("organization", fields.text("organization")?, arguments::name)?,
        project: checked("project", fields.text("project")?, arguments::name)?,
        user: checked("user", fields.text("user")?, arguments::email)?,
    };
    let owner = owner(owned_by).map_err(|_| {
        "must have `organization`, `organization` and `project`, or `user`, and no other owner".to_owned()
    })?;
    let environment = match fields.text("environment")? {
        Some(label) => label.parse().map_err(of("environment"))?,
        None => Environment::Live,
    };
    let new = NewKey::new(owner)
        .name(fields.text("name")?.unwrap_or_default())
        .environment(environment)
        .scopes(fields.scopes()?.into_iter().collect())
        .limits(fields.limits()?);
    let new = match fields.text("plan")? {
        Some(name) => new.plan(Plan::named(&name).map_err(of("plan"))?),
        None => new,
    };
    let mut new = match fields.text("expires_at")? {
        Some(end) => new.expires_at(end.parse::<Timestamp>().map_err(of("expires_at"))?),
        None => new,
    };
    new.allow_weak = allow_weak;
    if fields.0.is_empty() {
        Ok(Import { line, secret, new })
    } else {
        Err(format!("unknown or repeated field; known are {FIELDS}"))
    }
}

fn of(field: &'static str) -> impl Fn(InvalidValue) -> String {
    move |error| format!("{field}: {error}")
}

fn checked(
    field: &str,
    text: Option<String>,
    check: fn(&str) -> Result<String, &'static str>,
) -> Result<Option<String>, String> {
    text.map(|text| check(&text).map_err(|rule| format!("{field}: {rule}"))).transpose()
}

/// The fields of a line that were not read yet. A name that repeats is left over: of two keys, none is meant for certain.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

impl Fields {
    fn take(&mut self, name: &str) -> Option<Value> {
        let found = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.remove(found).1)
    }

    /// Takes a text; null counts as absent.
    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name}: must be a text")),
        }
    }

    fn scopes(&mut self) -> Result<Vec<Scope>, String> {
        self.list("scopes", |text| Scope::new(text))
    }

    fn limits(&mut self) -> Result<Limits, String> {
        Limits::new(self.list("limits", str::parse)?).map_err(of("limits"))
    }

    /// Takes a list of texts; null counts as an empty one.
    fn list<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, InvalidValue>,
    ) -> Result<Vec<T>, String> {
        let wrong = || format!("{name}: must be a list of texts");
        let item = |(index, value): (usize, &Value)| {
            let text = value.as_str().ok_or_else(wrong)?;
            parse(text).map_err(|error| format!("{name}: item {}: {error}", index + 1))
        };
        match self.take(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().enumerate().map(item).collect(),
            Some(_) => Err(wrong()),
        }
    }
}
