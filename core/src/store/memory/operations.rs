//! Look-ups of the operations and keys of a shard, and their comparison with the buckets.

use std::sync::Arc;

use hashbrown::HashMap;

use super::account_counters::{OperationExtras, StoredOperation};
use super::shard::Shard;
use crate::store::{KEY_REST, KeyLookup, Operation, Verification};

impl Shard {
    pub(super) fn find_key(&mut self, account: &str, key: &str, now: i64) -> KeyLookup {
        let Some(counts) = self.find(account).and_then(|number| self.counts(number)) else {
            return KeyLookup::Unknown;
        };
        match counts.keys.get(key) {
            None => KeyLookup::Unknown,
            Some(known) if known.retain_until.saturating_add(KEY_REST) <= now => KeyLookup::Unknown,
            Some(known) if known.retain_until <= now => KeyLookup::Expired,
            Some(known) => known.answer.as_ref().map_or(KeyLookup::Expired, |answer| {
                KeyLookup::Answered(known.digest, answer.to_bytes())
            }),
        }
    }

    pub(super) fn find_operation(&self, id: u64) -> Option<&StoredOperation> {
        if let Ok(at) = self.tail.binary_search_by_key(&id, |stored| stored.id) {
            return self.tail.get(at);
        }
        let account = self.account_by_operation.get(&id)?;
        self.accounts.get(*account as usize)?.operations.get(&id)
    }

    pub(super) fn find_operation_mut(&mut self, id: u64) -> Option<&mut StoredOperation> {
        if let Ok(at) = self.tail.binary_search_by_key(&id, |stored| stored.id) {
            return self.tail.get_mut(at);
        }
        let account = self.account_by_operation.get(&id)?;
        self.accounts
            .get_mut(*account as usize)?
            .operations
            .get_mut(&id)
    }

    pub(super) fn operation(&self, id: u64) -> Option<Operation> {
        self.find_operation(id)
            .map(|stored| self.to_operation(stored))
    }

    pub(super) fn to_operation(&self, stored: &StoredOperation) -> Operation {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let (nothing, rest) = (OperationExtras::default(), stored.rest.as_deref());
        let rest = rest.unwrap_or(&nothing);
        Operation {
            id: stored.id,
            kind: stored.kind,
            account: self
                .accounts
                .get(stored.account as usize)
                .map(|counts| counts.name.to_string())
                .unwrap_or_default(),
            member: text(&rest.member),
            actor: text(&rest.actor),
            idempotency_key: text(&stored.idempotency_key),
            at: stored.at,
            parent: rest.parent,
            reservation: rest.reservation,
            parts: stored.parts.to_vec(),
        }
    }

    pub(super) fn verify(&self, found: &mut Verification) {
        let mut sums: HashMap<u64, (i64, i64)> = HashMap::new();
        found.operations = found.operations.saturating_add(self.tail.len() as u64);
        for stored in self
            .accounts
            .iter()
            .flat_map(|counts| counts.operations.values())
        {
            found.operations = found.operations.saturating_add(1);
            for part in &stored.parts {
                let sum = sums.entry(part.bucket).or_default();
                *sum = (
                    sum.0.saturating_add(part.used),
                    sum.1.saturating_add(part.top_up),
                );
            }
        }
        for (account, counts) in (0..).zip(&self.accounts) {
            for row in &counts.rows {
                found.buckets = found.buckets.saturating_add(1);
                let (used, top_up) = sums
                    .get(&self.bucket_id(account, row.nth))
                    .copied()
                    .unwrap_or_default();
                let (used, top_up) = (
                    used.saturating_add(row.removed_sums.0),
                    top_up.saturating_add(row.removed_sums.1),
                );
                if (used, top_up) != (row.used, row.top_up) {
                    let member_text = row
                        .member
                        .as_deref()
                        .map(|member| format!(" of member `{member}`"))
                        .unwrap_or_default();
                    found.faults.push(format!(
                        "`{}`{member_text}, meter `{}`: {} used and {} topped up, where the operations sum to {used} and {top_up}",
                        counts.name,
                        self.meters.get(row.meter as usize).map_or("", |meter| meter),
                        row.used,
                        row.top_up
                    ));
                }
            }
        }
    }
}
