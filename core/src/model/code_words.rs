//! The words of codes, in the languages of a bundle (E8).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::catalog_check::CatalogFault;
use crate::util::json_place::Step;

/// The language of plain words, if the catalog does not name it.
const DEFAULT_LANGUAGE: &str = "en";
/// The greatest length of a language tag in bytes.
const MAX_TAG_BYTES: usize = 35;

/// The words of one code as `catalog.json` has them: a text in the default language, or a text for
/// each language.
#[derive(Debug, Clone)]
pub(super) enum CodeWordsJson {
    Plain(String),
    ByLanguage(BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for CodeWordsJson {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = CodeWordsJson;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("words, or an object with the words in each language")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(CodeWordsJson::Plain(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut words = BTreeMap::new();
                while let Some((language, text)) = map.next_entry()? {
                    words.insert(language, text);
                }
                Ok(CodeWordsJson::ByLanguage(words))
            }
        }
        from.deserialize_any(Words)
    }
}

/// The words of a bundle's codes, by code and language.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CodeWords {
    default_language: Arc<str>,
    by_code: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<str>>>,
}

impl Default for CodeWords {
    fn default() -> Self {
        Self::new(None, BTreeMap::new())
    }
}

impl CodeWords {
    pub(super) fn new(
        default_language: Option<String>,
        codes: BTreeMap<String, CodeWordsJson>,
    ) -> Self {
        let default_language: Arc<str> = match default_language {
            Some(language) => language.into(),
            None => DEFAULT_LANGUAGE.into(),
        };
        let by_code = codes.into_iter().map(|(code, words)| {
            let words = match words {
                CodeWordsJson::Plain(text) => {
                    BTreeMap::from([(Arc::clone(&default_language), text.into())])
                }
                CodeWordsJson::ByLanguage(words) => words
                    .into_iter()
                    .map(|(language, text)| (language.into(), text.into()))
                    .collect(),
            };
            (code.into(), words)
        });
        let by_code = by_code.collect();
        Self {
            default_language,
            by_code,
        }
    }

    /// Returns the codes that have words.
    pub(super) fn codes(&self) -> impl Iterator<Item = &str> {
        self.by_code.keys().map(|code| &**code)
    }

    /// Returns the words of a code by language.
    pub(crate) fn of_code(&self, code: &str) -> Option<&BTreeMap<Arc<str>, Arc<str>>> {
        self.by_code.get(code)
    }

    /// Returns the words of a code in a language. `de-AT` falls back to `de`, and each language to
    /// the default one.
    pub(crate) fn find(&self, code: &str, language: Option<&str>) -> Option<&Arc<str>> {
        let words = self.by_code.get(code)?;
        let in_language = |wanted: &str| {
            let mut words = words.iter();
            words.find_map(|(known, text)| known.eq_ignore_ascii_case(wanted).then_some(text))
        };
        let mut wanted = language;
        while let Some(tag) = wanted {
            if let Some(found) = in_language(tag) {
                return Some(found);
            }
            wanted = tag.rsplit_once('-').map(|(shorter, _)| shorter);
        }
        in_language(&self.default_language)
    }

    /// Returns the languages of the bundle, with the default one.
    fn languages(&self) -> BTreeSet<&str> {
        let languages = self.by_code.values().flat_map(BTreeMap::keys);
        languages
            .chain([&self.default_language])
            .map(|language| &**language)
            .collect()
    }

    /// Returns a fault for each tag that is none, and for words that are blank or lack the default
    /// language.
    pub(crate) fn faults(&self) -> Vec<CatalogFault<'_>> {
        let mut faults = Vec::new();
        if !is_language_tag(&self.default_language) {
            faults.push(CatalogFault {
                message: format!("`{}` is no language tag", self.default_language),
                help: None,
                steps: vec![Step::Key("default_language")],
                name: None,
            });
        }
        for (code, words) in &self.by_code {
            let in_code = vec![Step::Key("codes"), Step::Key(code)];
            if !words.contains_key(&self.default_language) {
                faults.push(CatalogFault {
                    message: format!(
                        "code `{code}` has no words in the default language `{}`",
                        self.default_language
                    ),
                    help: None,
                    steps: in_code.clone(),
                    name: None,
                });
            }
            for (language, text) in words {
                let message = if !is_language_tag(language) {
                    format!("`{language}` is no language tag")
                } else if text.trim().is_empty() || text.chars().any(char::is_control) {
                    format!("the words of code `{code}` are blank, or have a control character")
                } else {
                    continue;
                };
                let mut fault = CatalogFault {
                    message,
                    help: None,
                    steps: in_code.clone(),
                    name: Some(language),
                };
                // Plain words stand at the code itself.
                if words.len() == 1 && *language == self.default_language {
                    fault.name = None;
                }
                faults.push(fault);
            }
        }
        faults
    }

    /// Returns a warning for each code that lacks words in a language of the bundle. A bundle
    /// without any words has none, because the policies' comments take their place.
    pub(crate) fn unworded(&self, given: &BTreeSet<&str>) -> Vec<CatalogFault<'_>> {
        if self.by_code.is_empty() {
            return Vec::new();
        }
        let languages = self.languages();
        let lacking = |code: &str| {
            let words = self.by_code.get(code);
            let lacks = |language: &str| words.is_none_or(|words| !words.contains_key(language));
            let languages = languages.iter().filter(|language| lacks(language));
            let languages: Vec<String> =
                languages.map(|language| format!("`{language}`")).collect();
            languages.join(", ")
        };
        let faults = given.iter().map(|code| (*code, lacking(code)));
        faults
            .filter(|(_, languages)| !languages.is_empty())
            .map(|(code, languages)| {
                let mut steps = vec![Step::Key("codes")];
                let known = self.by_code.get_key_value(code);
                steps.extend(known.map(|(code, _)| Step::Key(code)));
                CatalogFault {
                    message: format!("code `{code}` has no words in {languages}"),
                    help: None,
                    steps,
                    name: None,
                }
            })
            .collect()
    }
}

/// Returns whether a text has the form of a language tag, such as `de` or `pt-BR`.
fn is_language_tag(text: &str) -> bool {
    let is_subtag = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let first = text.split('-').next().unwrap_or_default();
    text.len() <= MAX_TAG_BYTES
        && text.split('-').all(is_subtag)
        && (2..=8).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
}
