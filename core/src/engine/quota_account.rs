//! The account whose meters a request consumes, with its limits from the bundle and the directory.

use super::Snapshot;
use crate::api::request_ref::PrincipalRef;
use crate::cedar::bundle::Bundle;
use crate::model::catalog::WindowKind;
use crate::quota::{MeterRequest, QuotaSubject};
use crate::util::error::Error;

/// The account that pays, as the directory describes it.
pub(super) struct QuotaAccount<'s> {
    state: &'s Snapshot,
    pub(super) bundle: &'s Bundle,
    pub(super) account: &'s str,
    number: u32,
    member: Option<RecordRef<'s>>,
    pub(super) actor: Option<String>,
}

impl<'s> QuotaAccount<'s> {
    pub(super) fn new(
        state: &'s Snapshot,
        verb: &str,
        account: &'s str,
        member: Option<&'s str>,
    ) -> Result<Self, Error> {
        state.tenancy(verb)?;
        let number =
            state
                .directory
                .account_number(account)
                .ok_or_else(|| Error::UnknownAccount {
                    account: crate::util::text::short(account),
                })?;
        let known = |id| {
            state
                .directory
                .member_number(id)
                .filter(|(_, of)| *of == number)
                .map(|(member, _)| (member, id))
        };
        let unknown = |id| Error::UnknownRecord {
            record: format!(
                "TeamMember `{}` of account `{}`",
                crate::util::text::short(id),
                crate::util::text::short(account)
            ),
        };
        let member = member
            .map(|id| known(id).ok_or_else(|| unknown(id)))
            .transpose()?;
        Self::of_known(state, (number, account), member)
    }

    /// Builds the value from an account and a member whose numbers are known.
    pub(super) fn of_known(
        state: &'s Snapshot,
        (number, account): RecordRef<'s>,
        member: Option<RecordRef<'s>>,
    ) -> Result<Self, Error> {
        Ok(Self {
            state,
            bundle: state.tenancy("count")?,
            account,
            number,
            member,
            actor: None,
        })
    }

    pub(super) fn subject(&self) -> QuotaSubject<'_> {
        let calendar = self.state.directory.calendar(self.number);
        QuotaSubject {
            account: self.account,
            member: self.member.map(|(_, id)| id),
            actor: self.actor.as_deref(),
            calendar,
        }
    }

    pub(super) fn line(&self, meter: &str, amount: i64) -> Result<MeterRequest<'s>, Error> {
        Ok(MeterRequest {
            amount,
            ..self.line_for(self.member.map(|(number, _)| number), meter)?
        })
    }

    pub(super) fn line_for_member(
        &self,
        member: Option<&str>,
        meter: &str,
    ) -> Result<MeterRequest<'s>, Error> {
        self.line_for(
            member
                .and_then(|id| self.state.directory.member_number(id))
                .map(|(number, _)| number),
            meter,
        )
    }

    fn line_for(&self, member: Option<u32>, meter: &str) -> Result<MeterRequest<'s>, Error> {
        let catalog = &self.bundle.catalog;
        let (meter, declared) = catalog.named_meter(meter).ok_or_else(|| Error::NoMeter {
            meter: crate::util::text::short(meter),
        })?;
        let directory = &self.state.directory;
        Ok(MeterRequest {
            meter,
            kind: declared.kind,
            window: declared.window.unwrap_or(WindowKind::Lifetime),
            decreases: false,
            amount: 0,
            allowance: directory.allowance(self.number, meter, catalog),
            sub_limit: member.and_then(|member| directory.sub_limit(member, meter)),
            counted: directory.counted_records(self.number, declared.counts),
        })
    }
}

/// A record's number and id.
pub(super) type RecordRef<'s> = (u32, &'s str);

impl Snapshot {
    /// Returns the account that pays, and the member that makes the request.
    pub(super) fn paying_account<'s>(
        &'s self,
        principal: PrincipalRef<'s>,
    ) -> Option<(RecordRef<'s>, Option<RecordRef<'s>>)> {
        let (kind, id) = principal.name();
        match kind {
            "Account" => self
                .directory
                .account_number(id)
                .map(|number| ((number, id), None)),
            "TeamMember" => {
                let (member, account) = self.directory.member_number(id)?;
                Some((
                    (account, self.directory.account_id(account)?),
                    Some((member, id)),
                ))
            }
            _ => None,
        }
    }
}
