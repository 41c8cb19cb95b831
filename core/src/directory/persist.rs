//! The directory as a store holds it: each record as JSON, and the changes of each revision.

use super::jsonl::JsonlLoader;
use super::used_ids::REMOVED;
use super::{Change, Directory};
use crate::model::catalog::{Catalog, SchemaVocabulary};
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Passes records to a callback, each as one JSON text.
pub(crate) type RecordFeed<'f> =
    &'f mut dyn FnMut(&mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Error>;

/// Receives a record's type, its id, and its JSON unless it was removed.
pub(crate) type RecordSink<'e> = &'e mut dyn FnMut(&str, &str, Option<&str>) -> Result<(), Error>;

/// A change as it is stored for processes that follow the directory.
#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChangeJson {
    Put(serde_json::Value),
    Remove(String, String),
}

fn json_of(record: &Record) -> Result<String, Error> {
    serde_json::to_string(record).map_err(|error| Error::Stream {
        reason: error.to_string(),
    })
}

impl Directory {
    /// Returns a directory of exactly the records that `feed` passes, at this revision.
    pub(crate) fn of_records(
        revision: u64,
        catalog: &Catalog,
        names: &impl SchemaVocabulary,
        feed: RecordFeed<'_>,
    ) -> Result<Self, Error> {
        let mut loading = JsonlLoader::new(revision, catalog, names)?;
        feed(&mut |text| loading.stored(text))?;
        loading.done(catalog)
    }

    /// Returns the directory with another revision.
    pub(crate) fn at(self, revision: u64) -> Self {
        Self { revision, ..self }
    }

    /// Passes every record to `each`, with its type, id and JSON.
    pub(crate) fn each_record(&self, each: RecordSink<'_>) -> Result<(), Error> {
        for record in self.records() {
            each(record.kind(), record.id(), Some(&json_of(&record)?))?;
        }
        self.used_ids
            .each(&mut |id, line| each(REMOVED, id, Some(line)))
    }

    /// Passes the present state of the changed records to `each`. Returns the changes as JSON, for
    /// processes that follow the directory.
    pub(crate) fn changes_json(
        &self,
        references: &[EntityRef],
        each: RecordSink<'_>,
    ) -> Result<String, Error> {
        let mut notes = Vec::with_capacity(references.len());
        for reference in references {
            let record = self
                .key(reference)
                .filter(|key| self.hot.is_own(*key))
                .and_then(|key| self.own_record(key));
            let Some(record) = record else {
                each(reference.kind(), reference.id(), None)?;
                if let Some((id, line)) = self.removed_row(reference)? {
                    each(REMOVED, &id, Some(&line))?;
                }
                notes.push(serde_json::json!({ "remove": [reference.kind(), reference.id()] }));
                continue;
            };
            each(record.kind(), record.id(), Some(&json_of(&record)?))?;
            notes.push(serde_json::json!({ "put": record }));
        }
        Ok(serde_json::Value::Array(notes).to_string())
    }

    /// Parses changes that [`Self::changes_json`] wrote.
    pub(crate) fn changes_of(notes: &str) -> Result<Vec<Change>, Error> {
        let fault = |reason: String| Error::Record { line: 1, reason };
        let notes: Vec<ChangeJson> =
            serde_json::from_str(notes).map_err(|error| fault(error.to_string()))?;
        notes
            .into_iter()
            .map(|note| match note {
                ChangeJson::Put(record) => {
                    Record::from_value(record).map(|record| Change::Put(record.naming_all()))
                }
                ChangeJson::Remove(kind, id) => Ok(Change::Remove(EntityRef::new(kind, id))),
            })
            .collect()
    }

    /// Returns the records that the changes concern, under the ids that this directory uses.
    pub(crate) fn references(&self, changes: &[Change]) -> Vec<EntityRef> {
        let named = |reference: &EntityRef| {
            self.key(reference)
                .map_or_else(|| reference.clone(), |key| self.reference(key))
        };
        let of = |change: &Change| match change {
            Change::Put(record) => Some(record.reference()),
            Change::Merge(patch) => Some(named(patch.reference())),
            Change::Remove(reference) => Some(named(reference)),
            Change::Resume(_) => None,
        };
        changes.iter().filter_map(of).collect()
    }
}
