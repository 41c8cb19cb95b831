//! `list_records`: the records of an account in pages, as far as a login may read them (C13).

use super::{Engine, Snapshot};
use crate::api::record_page::{ListKind, RecordPage};
use crate::api::request::{Environment, Resource};
use crate::directory::{RecordKey, RecordKind};
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// The greatest number of records that one call of `list_records` examines.
const MAX_LIST_LIMIT: usize = 1_000;

/// The verb that `@asks` names on the actions that read a listed record.
const VERB: &str = "list";

/// The login that reads a list, and its environment.
type ListReader<'a> = (&'a EntityRef, &'a Environment);

impl Engine {
    /// Returns one page of the clients, members, service accounts, access levels or domains of an
    /// account, by id.
    ///
    /// With a `reader`, the page contains only the records that this login may read: each record is
    /// asked of the policies, with the action that the schema marks with `@asks("list")` for the
    /// types of the login and of the record. Without a reader, the host itself reads.
    ///
    /// One call examines at most `limit` records, and at most 1,000. If more follow,
    /// [`RecordPage::next`] is the id to pass as `after`.
    ///
    /// # Errors
    /// Fails with `directory.unknown_account`, with [`Error::NotAsked`] if no action is marked for
    /// the reader, and with the `input.*` codes of [`Engine::authorize`].
    ///
    /// # Example: the clients of an owner
    /// ```
    /// use sublet::{Engine, ListKind, Options};
    /// let engine = Engine::open(Options::default())?;
    /// engine.import(
    ///     br#"{"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": true}
    /// {"type": "Account", "id": "bakery", "email": "hello@bakery.example", "owner": "acme", "confirmed": true}
    /// {"type": "Account", "id": "cafe", "email": "hello@cafe.example", "owner": "acme", "confirmed": true}
    /// "#.as_slice(),
    ///     None, None,
    /// )?;
    /// let page = engine.list_records(ListKind::Clients, "acme", None, None, 1)?;
    /// assert_eq!((page.records[0].id(), page.next.as_deref()), ("bakery", Some("bakery")));
    /// let page = engine.list_records(ListKind::Clients, "acme", None, page.next.as_deref(), 1)?;
    /// assert_eq!((page.records[0].id(), page.next), ("cafe", None));
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn list_records(
        &self,
        kind: ListKind,
        account: &str,
        reader: Option<(&EntityRef, &Environment)>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<RecordPage, Error> {
        let page = catch_panic(|| {
            let limit = limit.clamp(1, MAX_LIST_LIMIT);
            self.current()?
                .list(kind, account, reader, (after.unwrap_or_default(), limit))
        });
        self.count_error(VERB, page)
    }
}

impl Snapshot {
    fn list(
        &self,
        kind: ListKind,
        account: &str,
        reader: Option<ListReader<'_>>,
        (after, limit): (&str, usize),
    ) -> Result<RecordPage, Error> {
        let bundle = self.tenancy(VERB)?;
        let number =
            self.directory
                .account_number(account)
                .ok_or_else(|| Error::UnknownAccount {
                    account: crate::util::text::short(account),
                })?;
        let is_service = |key: RecordKey| self.directory.is_service(key.number());
        let is_listed = |key: RecordKey| match (kind, key.kind()) {
            (ListKind::Clients, RecordKind::Account)
            | (ListKind::Levels, RecordKind::AccessLevel)
            | (ListKind::Domains, RecordKind::Domain) => true,
            (ListKind::Members, RecordKind::TeamMember) => !is_service(key),
            (ListKind::ServiceAccounts, RecordKind::TeamMember) => is_service(key),
            _ => false,
        };
        let most = limit.saturating_add(1);
        let mut keys = self.directory.page_of(number, is_listed, after, most);
        let has_more = keys.len() > limit;
        keys.truncate(limit);
        let references = keys.into_iter().map(|key| self.directory.reference(key));
        let mut next = None;
        let mut records = Vec::new();
        for reference in references {
            next = Some(reference.id().to_owned());
            if self.may_read(reader, &reference)? {
                records.extend(self.directory.record(&reference, &bundle.catalog));
            }
        }
        Ok(RecordPage {
            records,
            next: next.filter(|_| has_more),
        })
    }

    fn may_read(
        &self,
        reader: Option<ListReader<'_>>,
        reference: &EntityRef,
    ) -> Result<bool, Error> {
        let Some((principal, environment)) = reader else {
            return Ok(true);
        };
        let resource = Resource::from(reference.clone());
        let decision = self.authorize_first_permitted(VERB, principal, &resource, environment)?;
        Ok(decision.allowed)
    }
}
