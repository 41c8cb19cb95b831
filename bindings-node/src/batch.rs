//! Evaluates batches of requests, on the caller's thread or on a thread of the pool.

use napi::bindgen_prelude::{Uint8Array, Uint32Array};
use napi_derive::napi;
use sublet::{Decision, Engine, Error};

use crate::decision_codec::{StringTable, expiry};
use crate::errors::guarded;
use crate::json::{exact_text, read};
use crate::quota::ConsumeOptionsJson;
use crate::row_batch::{DecodedRows, RequestRows};

/// The answers of a batch: bits, or decisions as numbers of `strings`.
#[napi(object)]
pub struct NativeBatchReply {
    pub bits: Uint8Array,
    pub words: Uint32Array,
    pub strings: Vec<String>,
    /// Decisions that numbers cannot encode, as JSON. In `words` each of them is a 2.
    pub texts: Vec<String>,
}

/// The answers of a batch before they are converted to JavaScript values.
#[derive(Default)]
pub struct BatchReply {
    bits: Vec<u8>,
    words: Vec<u32>,
    strings: Vec<String>,
    texts: Vec<String>,
}

impl From<BatchReply> for NativeBatchReply {
    fn from(
        BatchReply {
            bits,
            words,
            strings,
            texts,
        }: BatchReply,
    ) -> Self {
        Self {
            bits: bits.into(),
            words: words.into(),
            strings,
            texts,
        }
    }
}

pub(crate) fn evaluate(
    engine: &Engine,
    rows: &RequestRows,
    bits: bool,
) -> Result<BatchReply, Error> {
    let batch = DecodedRows::new(rows)?;
    let requests = batch.requests();
    if bits {
        let bits = batch
            .check_rows(engine.check_many(&requests))?
            .into_iter()
            .map(u8::from)
            .collect();
        return Ok(BatchReply {
            bits,
            ..BatchReply::default()
        });
    }
    let decisions = batch.check_rows(engine.authorize_many(&requests))?;
    encoded(decisions.iter().map(|decision| (decision, None)))
}

/// Encodes decisions, each with the id of its principal if JavaScript knows it.
fn encoded<'a>(
    decisions: impl Iterator<Item = (&'a Decision, Option<&'a str>)>,
) -> Result<BatchReply, Error> {
    let (mut strings, mut words, mut texts) = (StringTable::default(), Vec::new(), Vec::new());
    for (decision, principal_id) in decisions {
        if expiry(decision).is_some() || !strings.encode(decision, principal_id, &mut words) {
            words.push(2);
            texts.push(exact_text(decision)?);
        }
    }
    Ok(BatchReply {
        bits: Vec::new(),
        words,
        strings: strings
            .take_new_strings()
            .iter()
            .map(ToString::to_string)
            .collect(),
        texts,
    })
}

/// Consumes all items or none. `forms` has the options of the requests that came as JSON.
pub(crate) fn consume_sync(
    engine: &Engine,
    rows: &RequestRows,
    forms: &str,
) -> Result<NativeBatchReply, Error> {
    let batch = DecodedRows::new(rows)?;
    let forms: Vec<ConsumeOptionsJson> = read("batch", forms)?;
    let rows = batch.items(&forms)?;
    let (names, items): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .map(|row| (row.principal_id, (row.request, row.options)))
        .unzip();
    let decisions = engine.batch(&items)?;
    encoded(decisions.iter().zip(names)).map(Into::into)
}

pub(crate) fn evaluate_sync(
    engine: &Engine,
    rows: &RequestRows,
    bits: bool,
) -> Result<NativeBatchReply, Error> {
    evaluate(engine, rows, bits).map(Into::into)
}

/// Returns the number of rows of columns with these lengths, in the order of `Engine.checkMany`. A
/// column without a length has one value for all rows.
#[napi]
pub fn rows(lengths: Vec<Option<u32>>) -> napi::Result<u32> {
    const NAMES: [&str; 10] = [
        "principals",
        "actions",
        "resources",
        "hosts",
        "actors",
        "channels",
        "realms",
        "sessionStarts",
        "amounts",
        "contexts",
    ];
    guarded(|| {
        let columns: Vec<_> = NAMES
            .iter()
            .zip(&lengths)
            .map(|(name, length)| (*name, length.map(|length| length as usize)))
            .collect();
        Ok(u32::try_from(sublet::batch_row_count(&columns)?).unwrap_or(u32::MAX))
    })
}
