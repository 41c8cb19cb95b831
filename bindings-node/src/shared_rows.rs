//! A request as `fast_call.js` writes it: numbers of handles, and the lengths of ids.

use sublet::{
    AccountRef, Action, ActionRef, Host, HostRef, Principal, PrincipalRef, RequestRef, ResourceRef,
    ResourceType, ResourceTypeRef,
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
    /// A request as `fast_call.js` writes it: numbers of handles and lengths of ids. The bytes of
    /// the ids are stored elsewhere, in order.
    SharedRow {
        principal,
        principal_type,
        principal_id,
        action,
        resource_type,
        pub(crate) resource_id,
        account,
        account_id,
        host,
        /// 1 if the request comes as JSON instead.
        pub(crate) text,
    }
}

/// The ids of a request, in order.
pub(crate) struct Ids<'a> {
    pub(crate) principal: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) account: &'a str,
}

impl SharedRow {
    /// Returns whether the row has an id of the principal, and one of the account.
    pub(crate) fn has(&self) -> (bool, bool) {
        (self.principal == 0, self.account_id != 0)
    }

    /// Returns the lengths of the ids of principal and account.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        let (named, owned) = self.has();
        (
            if named { self.principal_id as usize } else { 0 },
            if owned {
                self.account_id.saturating_sub(1) as usize
            } else {
                0
            },
        )
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
