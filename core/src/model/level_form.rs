//! The JSON form of a client's access level, which tells null from an absent field.

use serde::{Deserialize, Serialize};

/// The level in an account's JSON. A client without a level is written with `null`, so that reading
/// it back leaves it without one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Option<String>", into = "Option<String>")]
pub(super) enum LevelForm {
    #[default]
    Absent,
    None,
    Of(String),
}

impl LevelForm {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl From<Option<String>> for LevelForm {
    fn from(level: Option<String>) -> Self {
        level.map_or(Self::None, Self::Of)
    }
}

impl From<LevelForm> for Option<String> {
    fn from(level: LevelForm) -> Self {
        if let LevelForm::Of(level) = level {
            Some(level)
        } else {
            None
        }
    }
}
