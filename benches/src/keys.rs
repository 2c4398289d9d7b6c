//! Keys that are the same in every run and process, so that figures are reproducible.

use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::digest::Digester;
use tower_api_key::{KeyFormat, KeyId, MemoryStore, Owner, Record, Scopes};

use crate::numbers::Numbers;

/// The prefix of the keys. A whole key has 51 characters.
pub const PREFIX: &str = "example";

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The scopes of every key.
pub const SCOPES: &str = "bill.read bill.write export.read file.read file.write member.read member.write notes.read \
                          notes.write project.read project.write report.read webhook.read webhook.write";

/// The owner of the keys.
pub const EMAIL: &str = "owner@example.com";

/// The format of the keys.
pub fn format() -> KeyFormat {
    KeyFormat::new(PREFIX).unwrap()
}

/// Creates the text of a key as the crate mints it, but from `numbers`.
pub fn text(numbers: &mut Numbers) -> String {
    let mut text = format!("{PREFIX}_live_");
    for _ in 0..4 {
        push_digits(&mut text, numbers.draw(), 8);
    }
    let checksum = crc32fast::hash(text.as_bytes());
    push_digits(&mut text, checksum.into(), 6);
    text
}

/// Changes the checksum of a key.
pub fn spoilt(mut text: String) -> String {
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    text
}

fn push_digits(text: &mut String, mut value: u64, digits: usize) {
    let mut spelled = [0; 8];
    for digit in spelled[..digits].iter_mut().rev() {
        *digit = BASE62[(value % 62) as usize];
        value /= 62;
    }
    text.extend(spelled[..digits].iter().copied().map(char::from));
}

/// Creates the texts of this many keys.
pub fn texts(keys: usize) -> Vec<String> {
    let mut numbers = Numbers::new(1);
    (0..keys).map(|_| text(&mut numbers)).collect()
}

/// Creates the record of a key, with typical fields.
pub fn record(number: usize, text: &str) -> Record {
    let id = KeyId::new(&format!("key_{number:07}")).unwrap();
    let digest = Digester::sha256().digest(text.as_bytes());
    let mut record = Record::imported(id, digest, Owner::user(EMAIL, []));
    record.hint = text[..PREFIX.len() + 12].into();
    record.name = "Production server".into();
    record.scopes = Scopes::parse(SCOPES).unwrap();
    record
}

/// Inserts the keys into a store.
pub async fn fill(store: &impl KeyStore, texts: &[String]) {
    for (number, text) in texts.iter().enumerate() {
        store.change(KeyChange::insert(record(number, text))).await.unwrap();
    }
}

/// Creates a store in memory with these keys.
pub async fn store(texts: &[String]) -> MemoryStore {
    let store = MemoryStore::new();
    fill(&store, texts).await;
    store
}
