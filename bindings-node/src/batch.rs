//! Evaluates batches of requests, on the caller's thread or on a thread of the pool.

use napi::bindgen_prelude::{Uint8Array, Uint32Array};
use napi_derive::napi;
use sublet::{Engine, Error};

use crate::decision_codec::StringTable;
use crate::quota::exact_text;
use crate::shared_rows::{DecodedRows, RequestRows};

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
) -> std::result::Result<BatchReply, Error> {
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
    let (mut strings, mut words, mut texts) = (StringTable::default(), Vec::new(), Vec::new());
    for decision in batch.check_rows(engine.authorize_many(&requests))? {
        if !strings.encode(&decision, None, &mut words) {
            words.push(2);
            texts.push(exact_text(&decision)?);
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

pub(crate) fn evaluate_sync(
    engine: &Engine,
    rows: &RequestRows,
    bits: bool,
) -> std::result::Result<NativeBatchReply, Error> {
    evaluate(engine, rows, bits).map(Into::into)
}
