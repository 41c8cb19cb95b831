//! Options of an engine as JSON.

use serde::Deserialize;
use sublet::{CedarProgram, Clock, Error, Options, ParseLimits, PolicySource};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ParseLimitsJson {
    file_bytes: Option<usize>,
    entities_bytes: Option<usize>,
    record_bytes: Option<usize>,
    nesting: Option<usize>,
    chain: Option<usize>,
    depth: Option<usize>,
    value_nesting: Option<usize>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct OptionsJson {
    folder: Option<String>,
    files: Option<Vec<(String, String)>>,
    cedar: Option<CedarJson>,
    store: Option<String>,
    validation: Option<String>,
    #[serde(default)]
    caps: ParseLimitsJson,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CedarJson {
    policies: String,
    schema: Option<String>,
    links: Option<String>,
    entities: Option<String>,
    validate_requests: Option<bool>,
}

impl OptionsJson {
    pub(crate) fn source(&mut self) -> PolicySource {
        if let Some(CedarJson {
            policies,
            schema,
            links,
            entities,
            validate_requests,
        }) = self.cedar.take()
        {
            return PolicySource::Cedar(CedarProgram {
                policies,
                schema,
                links,
                entities,
                validate_requests,
            });
        }
        match (self.folder.take(), self.files.take()) {
            (Some(folder), _) => PolicySource::Folder(folder.into()),
            (None, Some(files)) => PolicySource::Files(files),
            (None, None) => PolicySource::Shipped,
        }
    }

    pub(crate) fn options(mut self, clock: Clock) -> std::result::Result<Options, Error> {
        let policies = self.source();
        let mut options = Options {
            policies,
            clock,
            ..Options::default()
        };
        options.store = self.store.unwrap_or(options.store);
        if let Some(validation) = self.validation {
            options.validation = validation.parse()?;
        }
        let ParseLimits {
            file_bytes,
            entities_bytes,
            record_bytes,
            nesting,
            chain,
            depth,
            value_nesting,
        } = options.caps;
        let caps = self.caps;
        options.caps = ParseLimits {
            file_bytes: caps.file_bytes.unwrap_or(file_bytes),
            entities_bytes: caps.entities_bytes.unwrap_or(entities_bytes),
            record_bytes: caps.record_bytes.unwrap_or(record_bytes),
            nesting: caps.nesting.unwrap_or(nesting),
            chain: caps.chain.unwrap_or(chain),
            depth: caps.depth.unwrap_or(depth),
            value_nesting: caps.value_nesting.unwrap_or(value_nesting),
        };
        Ok(options)
    }
}
