//! Pages of records.

use serde::{Deserialize, Serialize};

use crate::model::record::Record;
use crate::util::error::Error;

/// The default of the `limit` of [`Engine::list_records`](crate::Engine::list_records).
pub const DEFAULT_LIST_LIMIT: usize = 100;

/// The records of an account that can be listed (C13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListKind {
    /// The clients of an owner, closed ones included.
    Clients,
    /// The members of an account, invited ones included, without service accounts.
    Members,
    /// The service accounts of an account (I7).
    ServiceAccounts,
    /// The access levels of an owner, without the built-in ones.
    Levels,
    /// The domains of an owner, in any state.
    Domains,
}

impl ListKind {
    /// Returns the kind with this name.
    ///
    /// # Errors
    /// Fails with [`Error::ListKind`] for any other name.
    pub fn from_name(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "clients" => Self::Clients,
            "members" => Self::Members,
            "service_accounts" => Self::ServiceAccounts,
            "levels" => Self::Levels,
            "domains" => Self::Domains,
            _ => {
                return Err(Error::ListKind {
                    kind: crate::util::text::short(name),
                });
            }
        })
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordPage {
    /// The records, by id. A page may have fewer than the limit, even none, before the list ends.
    pub records: Vec<Record>,
    /// The id to pass as `after` for the next page. `None` after the last page.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::ListKind;

    #[test]
    fn other_kinds_are_refused() {
        for name in [
            "clients",
            "members",
            "service_accounts",
            "levels",
            "domains",
        ] {
            let kind = ListKind::from_name(name).expect("a kind");
            assert_eq!(serde_json::to_value(kind).expect("JSON"), name);
        }
        let refused = ListKind::from_name("tickets").map_err(|error| error.code());
        assert_eq!(refused, Err("input.list_kind"));
    }
}
