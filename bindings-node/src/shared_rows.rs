//! A call as `fast_call.js` and `sheet.js` write it: numbers of handles, the lengths of ids, and the
//! amount and the idempotency key of a call that takes them.

use sublet::{
    AccountRef, Action, ActionRef, ConsumeOptions, Environment, Host, HostRef, Principal,
    PrincipalRef, RequestRef, ResourceRef, ResourceType, ResourceTypeRef,
};

use crate::handle_slots::HandleSlots;

/// Declares a row, and reads it from its numbers in order.
macro_rules! row {
    ($(#[$about:meta])* $row:ident {$($(#[$note:meta])* $seen:vis $field:ident),* $(,)?}) => {
        /// Numbers in a row.
        pub(crate) const ROW: usize = [$(stringify!($field)),*].len();

        $(#[$about])*
        #[derive(Clone, Copy)]
        pub(crate) struct $row {
            $($(#[$note])* $seen $field: u32),*
        }

        impl From<[u32; ROW]> for $row {
            fn from([$($field),*]: [u32; ROW]) -> Self {
                Self { $($field),* }
            }
        }
    };
}

row! {
    /// The numbers of a call, in order. The bytes of its ids and of its key are stored elsewhere, in
    /// order.
    SharedRow {
        principal,
        principal_type,
        principal_id,
        action,
        resource_type,
        resource_id,
        account,
        /// One more than the length, or 0 for none.
        account_id,
        host,
        /// One more than the length of the idempotency key, or 0 for none.
        key,
        amount_low,
        amount_high,
        flags,
    }
}

/// Flag of a row whose request comes as JSON instead.
const TEXT: u32 = 1;
/// Flag of a row with an amount.
const AMOUNT: u32 = 2;
/// Flag of a row that takes what is left.
const PARTIAL: u32 = 4;

/// Joins the halves of an integer.
pub(crate) fn joined(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// The ids of a request, in order, and its idempotency key.
pub(crate) struct Ids<'a> {
    pub(crate) principal: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) account: &'a str,
    pub(crate) key: &'a str,
}

/// The parts of a row beside its request.
#[derive(Clone, Copy, Default)]
pub(crate) struct RowOptions<'a> {
    pub(crate) amount: Option<i64>,
    pub(crate) key: Option<&'a str>,
    allow_partial: bool,
}

impl<'a> RowOptions<'a> {
    /// Returns the options of a method that consumes. The engine refuses them without an amount.
    #[inline]
    pub(crate) fn consume(self) -> ConsumeOptions<'a> {
        ConsumeOptions {
            amount: self.amount.unwrap_or(-1),
            amounts: Vec::new(),
            idempotency_key: self.key,
            allow_partial: self.allow_partial,
        }
    }

    /// Returns the environment of a question about an amount.
    #[inline]
    pub(crate) fn environment(self) -> Option<Environment> {
        self.amount.map(|amount| Environment {
            amount: Some(amount),
            ..Environment::default()
        })
    }
}

impl SharedRow {
    /// Returns whether the request comes as JSON.
    pub(crate) fn is_text(&self) -> bool {
        self.flags & TEXT != 0
    }

    /// Returns whether the row has an id of the principal, one of the account, and a key.
    #[inline]
    pub(crate) fn has(&self) -> (bool, bool, bool) {
        (self.principal == 0, self.account_id != 0, self.key != 0)
    }

    /// Returns the lengths of the ids of principal, resource and account, and of the key.
    pub(crate) fn lengths(&self) -> [usize; 4] {
        [
            if self.principal == 0 {
                self.principal_id
            } else {
                0
            },
            self.resource_id,
            self.account_id.saturating_sub(1),
            self.key.saturating_sub(1),
        ]
        .map(|length| length as usize)
    }

    /// Returns what the row says beside its request. An amount beyond 63 bits reads as -1, which
    /// the engine refuses.
    #[inline]
    pub(crate) fn options<'a>(&self, key: &'a str) -> RowOptions<'a> {
        let amount = joined(self.amount_low, self.amount_high);
        RowOptions {
            amount: (self.flags & AMOUNT != 0).then(|| i64::try_from(amount).unwrap_or(-1)),
            key: (self.key != 0).then_some(key),
            allow_partial: self.flags & PARTIAL != 0,
        }
    }

    /// Looks up the handles of the row.
    #[inline]
    pub(crate) fn resolve<'a>(
        &self,
        slots: &'a HandleSlots,
    ) -> Result<ResolvedRow<'a>, &'static str> {
        Ok(ResolvedRow {
            login: if self.principal == 0 {
                RowPrincipal::Of(slots.resource_type(self.principal_type)?)
            } else {
                RowPrincipal::Is(slots.principal(self.principal)?)
            },
            account: match (self.account, self.account_id) {
                (0, 0) => RowAccount::None,
                (0, _) => RowAccount::Named,
                (handle, _) => RowAccount::Is(slots.principal(handle)?),
            },
            action: slots.action(self.action)?,
            kind: slots.resource_type(self.resource_type)?,
            host: if self.host == 0 {
                None
            } else {
                Some(slots.host(self.host)?)
            },
        })
    }
}

/// A principal by its handle, or its type.
enum RowPrincipal<'a> {
    Is(&'a Principal),
    Of(&'a ResourceType),
}

enum RowAccount<'a> {
    None,
    Is(&'a Principal),
    Named,
}

/// A request without its ids.
pub(crate) struct ResolvedRow<'a> {
    login: RowPrincipal<'a>,
    account: RowAccount<'a>,
    action: &'a Action,
    kind: &'a ResourceType,
    host: Option<&'a Host>,
}

impl<'a> ResolvedRow<'a> {
    /// Returns the request with these ids; ids that the row does not have are ignored.
    #[inline]
    pub(crate) fn request(&self, ids: &Ids<'a>) -> RequestRef<'a> {
        let account = match self.account {
            RowAccount::None => None,
            RowAccount::Is(handle) => Some(AccountRef::Handle(handle)),
            RowAccount::Named => Some(AccountRef::Name(ids.account)),
        };
        RequestRef {
            principal: match self.login {
                RowPrincipal::Is(handle) => PrincipalRef::Handle(handle),
                RowPrincipal::Of(kind) => PrincipalRef::Name(kind.name(), ids.principal),
            },
            action: ActionRef::Handle(self.action),
            resource: ResourceRef {
                kind: ResourceTypeRef::Handle(self.kind),
                id: ids.resource,
                account,
                more: None,
            },
            host: self.host.map(HostRef::Handle),
            environment: None,
        }
    }
}
