//! Many questions at once, on the caller's thread or on one of the pool.

use napi::bindgen_prelude::{Uint8Array, Uint32Array};
use napi_derive::napi;
use sublet::{Engine, Error};

use crate::count::exact_text;
use crate::room::{Batch, Rows};
use crate::said::Strings;

/// Answers in few pieces: bits, or decisions as numbers of `strings`.
#[napi(object)]
pub struct Answered {
    pub bits: Uint8Array,
    pub words: Uint32Array,
    pub strings: Vec<String>,
    /// Decisions that numbers cannot say, as JSON; in `words` a 2 stands for each.
    pub texts: Vec<String>,
}

/// The same, before it is JavaScript's.
#[derive(Default)]
pub struct Answers {
    bits: Vec<u8>,
    words: Vec<u32>,
    strings: Vec<String>,
    texts: Vec<String>,
}

impl From<Answers> for Answered {
    fn from(
        Answers {
            bits,
            words,
            strings,
            texts,
        }: Answers,
    ) -> Self {
        Self {
            bits: bits.into(),
            words: words.into(),
            strings,
            texts,
        }
    }
}

pub(crate) fn answers(
    engine: &Engine,
    rows: &Rows,
    bits: bool,
) -> std::result::Result<Answers, Error> {
    let batch = Batch::new(rows)?;
    let asked = batch.asked();
    if bits {
        let bits = batch
            .sound(engine.check_many(&asked))?
            .into_iter()
            .map(u8::from)
            .collect();
        return Ok(Answers {
            bits,
            ..Answers::default()
        });
    }
    let (mut strings, mut words, mut texts) = (Strings::default(), Vec::new(), Vec::new());
    for decision in batch.sound(engine.authorize_many(&asked))? {
        if !strings.say(&decision, None, &mut words) {
            words.push(2);
            texts.push(exact_text(&decision)?);
        }
    }
    Ok(Answers {
        bits: Vec::new(),
        words,
        strings: strings.learn().iter().map(ToString::to_string).collect(),
        texts,
    })
}

pub(crate) fn answered(
    engine: &Engine,
    rows: &Rows,
    bits: bool,
) -> std::result::Result<Answered, Error> {
    answers(engine, rows, bits).map(Into::into)
}
