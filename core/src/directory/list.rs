//! Lists of the records that belong to an account, in pages (C13).

use super::record_key::{RecordKey, RecordKind};
use super::{Directory, Referent};

impl Directory {
    /// Returns the keys of the first `most` records of a list that belong to an account and whose
    /// ids sort after `after`, by id. `is_listed` says which records the list has. The cost depends
    /// on the records of the account, and not on the size of the directory.
    pub(crate) fn page_of(
        &self,
        account: u32,
        is_listed: impl Fn(RecordKey) -> bool,
        after: &str,
        most: usize,
    ) -> Vec<RecordKey> {
        let referrers = self.referrers.find_referrers(
            Referent::Record(RecordKind::Account.key(account)),
            &self.hot,
        );
        let id = |key: &RecordKey| self.hot.id(*key);
        let mut page: Vec<RecordKey> = referrers
            .into_iter()
            .filter(|key| is_listed(*key) && id(key) > after)
            .collect();
        if page.len() > most {
            page.select_nth_unstable_by(most, |one, other| id(one).cmp(id(other)));
            page.truncate(most);
        }
        page.sort_unstable_by(|one, other| id(one).cmp(id(other)));
        page
    }
}
