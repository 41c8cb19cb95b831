//! Symbolic evaluation of policies over the bits of a session request. The result is a decision
//! diagram of the requests that the policies allow. It is exact, errors included: a path that leads
//! to no record makes the policy fail where Cedar would read it. A condition that is not a single
//! bit is evaluated by a small program of its own.

use super::atoms::{OwnLiteral, PathStart, RecordFact, RecordPath, RecordRead, reference_kind};
use super::bits as bit;
use super::specialize::RequestShape;
use super::symbols::{
    self, ACCOUNT_OF, ATTRIBUTES, CLOSED, CONFIRMED, DISABLED, FEATURES, GRANTS, LEVEL_OF, OWNER,
    PACKAGE_OF, PLATFORM_OF, STATE_OF, WHITELABEL, root,
};
use crate::cedar::policy_list::PolicyEffect;
use crate::compiler::IrExpr;
use crate::directory::{account_bit as account, domain_bit as domain};
use crate::vm::{
    BddManager, BddRef, Compare, CompiledBdd, ConstantPool, FALSE, TRUE, TooLarge, Unary, Value,
};

/// The conditions under which an expression is true, and under which it fails with an error.
#[derive(Clone, Copy)]
struct TriState {
    yes: BddRef,
    errs: BddRef,
}

/// A record that a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathBase {
    Account,
    Owner,
    Package,
    Level,
    Member,
    Domain,
    DomainOwner,
    DomainOwnersPackage,
    Resource,
    ResourcesAccount,
    ResourcesOwner,
    /// Another record, by the number of its path. Its facts are not bits of the session.
    Further(u16),
}

type BddResult<T> = Result<T, TooLarge>;

/// The first variable that stands for a fact of a record, and the first that stands for a program.
pub(crate) const FIRST_READ: u16 = 64;
pub(crate) const FIRST_PROGRAM: u16 = 128;

/// Builds the conditions of one kind of session request.
pub(crate) struct SymbolicEvaluator<'a, 'b> {
    pub(crate) asked: &'a RequestShape<'b>,
    pub(crate) client: bool,
    /// The constants of the policies.
    pub(crate) pool: &'a ConstantPool,
    /// The distinct facts of records that are not bits of the session. Their variables begin at
    /// [`FIRST_READ`].
    pub(crate) reads: Vec<RecordRead>,
    /// The distinct conditions that need a program. Each has two variables (satisfied, error) from
    /// [`FIRST_PROGRAM`] on.
    pub(crate) others: Vec<IrExpr>,
    paths: Vec<RecordPath>,
    diagrams: BddManager,
}

/// The condition under which the permits and forbids together allow a request.
pub(crate) struct AllowCondition {
    pub(crate) plan: CompiledBdd,
    /// The facts of records, and the conditions, that the diagram may need.
    pub(crate) reads: Vec<RecordRead>,
    pub(crate) others: Vec<IrExpr>,
    /// The session bits that the policies depend on, as a mask.
    pub(crate) bits: u64,
    /// The other variables that the policies depend on, in ascending order.
    pub(crate) asks: Vec<u16>,
}

/// Returns the condition under which the policies together allow a request.
pub(crate) fn allow<'n>(
    asked: &RequestShape<'_>,
    client: bool,
    pool: &ConstantPool,
    policies: impl Iterator<Item = (PolicyEffect, &'n IrExpr)>,
) -> BddResult<AllowCondition> {
    let mut conditions = SymbolicEvaluator {
        asked,
        client,
        pool,
        reads: Vec::new(),
        others: Vec::new(),
        paths: Vec::new(),
        diagrams: BddManager::default(),
    };
    let (mut permitted, mut refused) = (FALSE, FALSE);
    let mut variables = std::collections::BTreeSet::new();
    for (role, node) in policies {
        let truth = conditions.eval(node)?;
        let diagrams = &mut conditions.diagrams;
        variables.extend(
            diagrams
                .support(truth.yes)
                .into_iter()
                .chain(diagrams.support(truth.errs)),
        );
        refused = diagrams.or(refused, truth.errs)?;
        let side = match role {
            PolicyEffect::Permit => &mut permitted,
            PolicyEffect::Forbid => &mut refused,
            PolicyEffect::Warning => continue,
        };
        *side = diagrams.or(*side, truth.yes)?;
    }
    let diagrams = &mut conditions.diagrams;
    let free = diagrams.not(refused)?;
    let allowed = diagrams.and(permitted, free)?;
    let plan = diagrams.plan(allowed)?;
    let bits = variables.iter().fold(0, |bits, variable| {
        bits | 1_u64.checked_shl(u32::from(*variable)).unwrap_or(0)
    });
    let asks = variables
        .into_iter()
        .filter(|variable| *variable >= FIRST_READ)
        .collect();
    Ok(AllowCondition {
        plan,
        reads: conditions.reads,
        others: conditions.others,
        bits,
        asks,
    })
}

impl SymbolicEvaluator<'_, '_> {
    fn bit(&mut self, bit: u32) -> BddResult<BddRef> {
        self.diagrams
            .variable(u16::try_from(bit).map_err(|_| TooLarge)?)
    }

    fn both(&mut self, left: BddRef, right: BddRef) -> BddResult<BddRef> {
        self.diagrams.and(left, right)
    }

    /// Returns the variable of a fact of the record at `place`. Returns `None` if no path leads to
    /// that record.
    fn fact(&mut self, place: PathBase, fact: RecordFact) -> BddResult<Option<BddRef>> {
        let Some(path) = self.path_of(place) else {
            return Ok(None);
        };
        let read = RecordRead { path, fact };
        let at = self
            .reads
            .iter()
            .position(|known| *known == read)
            .unwrap_or_else(|| {
                self.reads.push(read);
                self.reads.len().saturating_sub(1)
            });
        let variable = u16::try_from(at)
            .ok()
            .and_then(|at| at.checked_add(FIRST_READ))
            .filter(|variable| *variable < FIRST_PROGRAM)
            .ok_or(TooLarge)?;
        self.diagrams.variable(variable).map(Some)
    }

    /// Returns a fact that fails with an error unless `readable` holds and the record exists.
    fn fact_read(
        &mut self,
        place: PathBase,
        readable: BddRef,
        fact: RecordFact,
    ) -> BddResult<Option<TriState>> {
        let (Some(exists), Some(yes)) = (
            self.fact(place, RecordFact::Exists)?,
            self.fact(place, fact)?,
        ) else {
            return Ok(None);
        };
        let readable = self.both(readable, exists)?;
        self.read(readable, yes).map(Some)
    }

    /// Returns a value that fails with an error unless `readable` holds.
    fn read(&mut self, readable: BddRef, yes: BddRef) -> BddResult<TriState> {
        Ok(TriState {
            yes: self.both(readable, yes)?,
            errs: self.diagrams.not(readable)?,
        })
    }

    /// Evaluates an expression symbolically. Recurses as deep as the expression is nested.
    fn eval(&mut self, node: &IrExpr) -> BddResult<TriState> {
        match node {
            IrExpr::Value(Value::Bool(true)) => Ok(TriState {
                yes: TRUE,
                errs: FALSE,
            }),
            IrExpr::Value(Value::Bool(false)) => Ok(TriState {
                yes: FALSE,
                errs: FALSE,
            }),
            IrExpr::Value(_) | IrExpr::Fails => Ok(TriState {
                yes: FALSE,
                errs: TRUE,
            }),
            IrExpr::Not(of) => {
                let of = self.eval(of)?;
                Ok(TriState {
                    yes: self.no(of)?,
                    errs: of.errs,
                })
            }
            IrExpr::And(left, right) => {
                let left = self.eval(left)?;
                if left.yes == FALSE {
                    return Ok(left);
                }
                let right = self.eval(right)?;
                self.and_then(
                    left,
                    left.yes,
                    TriState {
                        yes: FALSE,
                        errs: FALSE,
                    },
                    right,
                )
            }
            IrExpr::Or(left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                let no = self.no(left)?;
                self.and_then(
                    left,
                    no,
                    TriState {
                        yes: left.yes,
                        errs: FALSE,
                    },
                    right,
                )
            }
            IrExpr::If(cond, yes, no) => {
                let (cond, yes, no) = (self.eval(cond)?, self.eval(yes)?, self.eval(no)?);
                let otherwise = self.no(cond)?;
                let (yes_yes, no_yes) =
                    (self.both(cond.yes, yes.yes)?, self.both(otherwise, no.yes)?);
                let (yes_errs, no_errs) = (
                    self.both(cond.yes, yes.errs)?,
                    self.both(otherwise, no.errs)?,
                );
                let errs = self.diagrams.or(yes_errs, no_errs)?;
                Ok(TriState {
                    yes: self.diagrams.or(yes_yes, no_yes)?,
                    errs: self.diagrams.or(cond.errs, errs)?,
                })
            }
            leaf => match self.eval_leaf(leaf)? {
                Some(truth) => Ok(truth),
                None => self.opaque_bit(leaf),
            },
        }
    }

    fn no(&mut self, of: TriState) -> BddResult<BddRef> {
        let either = self.diagrams.or(of.yes, of.errs)?;
        self.diagrams.not(either)
    }

    /// Joins two expressions. If `goes_on` holds, the result of `second` is added to that of
    /// `first` and `so_far`.
    fn and_then(
        &mut self,
        first: TriState,
        goes_on: BddRef,
        so_far: TriState,
        second: TriState,
    ) -> BddResult<TriState> {
        let (yes, errs) = (
            self.both(goes_on, second.yes)?,
            self.both(goes_on, second.errs)?,
        );
        Ok(TriState {
            yes: self.diagrams.or(so_far.yes, yes)?,
            errs: self.diagrams.or(first.errs, errs)?,
        })
    }

    fn opaque_bit(&mut self, node: &IrExpr) -> BddResult<TriState> {
        let at = self
            .others
            .iter()
            .position(|known| known == node)
            .unwrap_or_else(|| {
                self.others.push(node.clone());
                self.others.len().saturating_sub(1)
            });
        let first = u16::try_from(at)
            .ok()
            .and_then(|at| at.checked_mul(2)?.checked_add(FIRST_PROGRAM))
            .ok_or(TooLarge)?;
        let (yes, errs) = (
            self.diagrams.variable(first)?,
            self.diagrams.variable(first.saturating_add(1))?,
        );
        // A program that fails with an error is not satisfied.
        let fine = self.diagrams.not(errs)?;
        Ok(TriState {
            yes: self.both(fine, yes)?,
            errs,
        })
    }

    /// Returns whether `node` is a path to a value that such a request does not contain. The
    /// request has no context fields of its own, and an inline resource has only its account.
    fn is_absent(&self, node: &IrExpr) -> bool {
        match node {
            IrExpr::Path(root::CONTEXT, names) => !names.is_empty(),
            IrExpr::Path(root::RESOURCE, names) => {
                self.asked.owned && names.first().is_some_and(|name| *name != ACCOUNT_OF)
            }
            _ => false,
        }
    }

    fn eval_leaf(&mut self, node: &IrExpr) -> BddResult<Option<TriState>> {
        let reads = match node {
            IrExpr::Compare(_, left, right) | IrExpr::Compute(_, left, right) => {
                [Some(left.as_ref()), Some(right.as_ref())]
            }
            IrExpr::Apply(_, of)
            | IrExpr::Like(of, _)
            | IrExpr::Is(of, _)
            | IrExpr::Has(of, _)
            | IrExpr::Attribute(of, _) => [Some(of.as_ref()), None],
            _ => [Some(node), None],
        };
        if reads.into_iter().flatten().any(|node| self.is_absent(node)) {
            return Ok(Some(TriState {
                yes: FALSE,
                errs: TRUE,
            }));
        }
        match node {
            IrExpr::HasPath(from, names) => self.has(*from, names),
            IrExpr::Path(from, names) => self.flag_at(*from, names),
            IrExpr::Compare(Compare::Contains, set, item) => match (set.as_ref(), item.as_ref()) {
                (IrExpr::Path(from, names), IrExpr::Value(Value::Entity(item))) => {
                    self.contains(*from, names, *item)
                }
                (IrExpr::Value(set), IrExpr::Path(from, names)) => self.one_of(*from, names, *set),
                _ => Ok(None),
            },
            IrExpr::Compare(what @ (Compare::ContainsAny | Compare::ContainsAll), set, items) => {
                match (set.as_ref(), items.as_ref()) {
                    (IrExpr::Path(from, names), IrExpr::Value(items)) => {
                        self.contains_many(*from, names, *items, *what == Compare::ContainsAll)
                    }
                    _ => Ok(None),
                }
            }
            IrExpr::Compare(what @ (Compare::Equal | Compare::In), left, right) => {
                match (left.as_ref(), right.as_ref()) {
                    (IrExpr::Path(one, names), IrExpr::Path(other, more)) => {
                        self.same(*one, names, *other, more)
                    }
                    (
                        IrExpr::Path(from, names),
                        IrExpr::Value(set @ (Value::Set(_) | Value::Flags(..))),
                    ) if *what == Compare::In => self.one_of(*from, names, *set),
                    (IrExpr::Path(from, names), IrExpr::Value(value))
                    | (IrExpr::Value(value), IrExpr::Path(from, names)) => {
                        self.is_value(*from, names, *value)
                    }
                    _ => Ok(None),
                }
            }
            IrExpr::Apply(Unary::IsEmpty, of) => match of.as_ref() {
                IrExpr::Path(from, names) => self.is_empty(*from, names),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Evaluates the boolean attribute at a path.
    fn flag_at(&mut self, from: u8, names: &[u32]) -> BddResult<Option<TriState>> {
        if let Some((place, readable, name)) = self.own(from, names)? {
            let is = |value| RecordFact::OwnIs(name.clone(), OwnLiteral::Bool(value));
            let (Some(yes), Some(no)) = (self.fact(place, is(true))?, self.fact(place, is(false))?)
            else {
                return Ok(None);
            };
            let either = self.diagrams.or(yes, no)?;
            let readable = self.both(readable, either)?;
            return self.read(readable, yes).map(Some);
        }
        let Some((name, rest)) = names.split_last() else {
            return Ok(None);
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        if (place, *name) == (PathBase::Domain, PLATFORM_OF) {
            // A domain belongs to the platform if and only if it has no owner, so one bit serves
            // both.
            let owned = self.bit(bit::DOMAIN + domain::HAS_OWNER)?;
            let platform = self.diagrams.not(owned)?;
            return self.read(readable, platform).map(Some);
        }
        if let Some((exists, bit)) = self.flag(place, *name) {
            let (exists, bit) = (self.bit(exists)?, self.bit(bit)?);
            let readable = self.both(readable, exists)?;
            return self.read(readable, bit).map(Some);
        }
        match (self.kind_of(place), *name) {
            (Some(symbols::ACCOUNT), CONFIRMED | CLOSED)
            | (Some(symbols::MEMBER), CONFIRMED)
            | (Some(symbols::PACKAGE), WHITELABEL)
            | (Some(symbols::DOMAIN), PLATFORM_OF) => {
                self.fact_read(place, readable, RecordFact::Flag(*name))
            }
            _ => Ok(None),
        }
    }

    /// Resolves a path to an attribute defined by the host. Returns the record that has the
    /// attribute, the condition under which that record can be read, and the attribute's name.
    fn own(&mut self, from: u8, names: &[u32]) -> BddResult<Option<(PathBase, BddRef, Box<str>)>> {
        let [rest @ .., ATTRIBUTES, name] = names else {
            return Ok(None);
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        let (Some(symbols::ACCOUNT | symbols::MEMBER), Some(name)) =
            (self.kind_of(place), self.pool.text_of(*name))
        else {
            return Ok(None);
        };
        let name: Box<str> = name.into();
        let Some(exists) = self.fact(place, RecordFact::Exists)? else {
            return Ok(None);
        };
        let readable = self.both(readable, exists)?;
        Ok(Some((place, readable, name)))
    }

    fn bit_or_true(&mut self, bit: Option<u32>) -> BddResult<BddRef> {
        bit.map_or(Ok(TRUE), |bit| self.bit(bit))
    }

    fn kind_is(&self, kind: &str) -> bool {
        self.asked.resource == kind
    }

    /// Returns the first bit of the account at `place`, if the record there is an account with
    /// bits.
    fn base(&self, place: PathBase) -> Option<u32> {
        match place {
            PathBase::Account => Some(bit::ACCOUNT),
            PathBase::Owner => Some(bit::OWNER),
            PathBase::DomainOwner => Some(bit::DOMAIN_OWNER),
            PathBase::Resource if self.kind_is("Account") => Some(bit::RESOURCE),
            _ => None,
        }
    }

    /// Returns the bits of a flag: the bit for the existence of its record, and the flag itself.
    fn flag(&self, place: PathBase, name: u32) -> Option<(u32, u32)> {
        if let Some(base) = self.base(place) {
            let at = match name {
                CONFIRMED => account::CONFIRMED,
                CLOSED => account::CLOSED,
                _ => return None,
            };
            return Some((
                base.saturating_add(account::EXISTS),
                base.saturating_add(at),
            ));
        }
        match (place, name) {
            (PathBase::Member, CONFIRMED) => Some((bit::MEMBER_EXISTS, bit::MEMBER_CONFIRMED)),
            (PathBase::Package, WHITELABEL) => Some((bit::PACKAGE_EXISTS, bit::WHITELABEL)),
            (PathBase::DomainOwnersPackage, WHITELABEL) => Some((
                bit::DOMAIN_OWNERS_PACKAGE_EXISTS,
                bit::DOMAIN_OWNERS_WHITELABEL,
            )),
            _ => None,
        }
    }

    /// Returns the record at a path, and the condition under which the path can be read.
    fn place(&mut self, from: u8, names: &[u32]) -> BddResult<Option<(PathBase, BddRef)>> {
        let member = self.asked.principal == symbols::MEMBER;
        let mut place = match from {
            root::PRINCIPAL if self.asked.principal == symbols::ACCOUNT => PathBase::Account,
            root::PRINCIPAL | root::LOGIN_MEMBER if member => PathBase::Member,
            root::ACCOUNT if self.asked.principal != symbols::OPERATOR => PathBase::Account,
            root::DOMAIN => PathBase::Domain,
            root::RESOURCE => PathBase::Resource,
            _ => return Ok(None),
        };
        let mut readable = TRUE;
        for name in names {
            if let Some((next, needs)) = self.step(place, *name) {
                for bit in needs.into_iter().flatten() {
                    let bit = self.bit(bit)?;
                    readable = self.both(readable, bit)?;
                }
                place = next;
            } else {
                let Some(next) = self.step_further(place, *name)? else {
                    return Ok(None);
                };
                let Some(names) = self.fact(place, RecordFact::Names(*name))? else {
                    return Ok(None);
                };
                readable = self.both(readable, names)?;
                place = next;
            }
        }
        Ok(Some((place, readable)))
    }

    /// Returns the record that an attribute refers to, if the session has no bits for that record.
    fn step_further(&mut self, place: PathBase, name: u32) -> BddResult<Option<PathBase>> {
        let Some(mut path) = self.path_of(place) else {
            return Ok(None);
        };
        let Some(kind) = reference_kind(path.kind, name) else {
            return Ok(None);
        };
        path.names.push(name);
        path.kind = kind;
        let at = self
            .paths
            .iter()
            .position(|known| *known == path)
            .unwrap_or_else(|| {
                self.paths.push(path);
                self.paths.len().saturating_sub(1)
            });
        Ok(Some(PathBase::Further(
            u16::try_from(at).map_err(|_| TooLarge)?,
        )))
    }

    /// Returns the path to the record at `place`. Returns `None` if the resource is not a record.
    fn path_of(&self, place: PathBase) -> Option<RecordPath> {
        let path = |start, names: &[u32], kind| {
            Some(RecordPath {
                start,
                names: names.to_vec(),
                kind,
            })
        };
        match place {
            PathBase::Account => path(PathStart::Account, &[], symbols::ACCOUNT),
            PathBase::Owner => path(PathStart::Account, &[OWNER], symbols::ACCOUNT),
            PathBase::Package if self.client => {
                path(PathStart::Account, &[OWNER, PACKAGE_OF], symbols::PACKAGE)
            }
            PathBase::Package => path(PathStart::Account, &[PACKAGE_OF], symbols::PACKAGE),
            PathBase::Level => path(PathStart::Account, &[LEVEL_OF], symbols::LEVEL),
            PathBase::Member => path(PathStart::Member, &[], symbols::MEMBER),
            PathBase::Domain => path(PathStart::Domain, &[], symbols::DOMAIN),
            PathBase::DomainOwner => path(PathStart::Domain, &[OWNER], symbols::ACCOUNT),
            PathBase::DomainOwnersPackage => {
                path(PathStart::Domain, &[OWNER, PACKAGE_OF], symbols::PACKAGE)
            }
            PathBase::Resource => path(PathStart::Resource, &[], self.resource_kind()?),
            PathBase::ResourcesAccount if self.asked.owned => {
                path(PathStart::ResourcesAccount, &[], symbols::ACCOUNT)
            }
            PathBase::ResourcesAccount => {
                path(PathStart::Resource, &[ACCOUNT_OF], symbols::ACCOUNT)
            }
            PathBase::ResourcesOwner => path(PathStart::Resource, &[OWNER], symbols::ACCOUNT),
            PathBase::Further(at) => self.paths.get(usize::from(at)).cloned(),
        }
    }

    /// Returns the record type of the resource. Returns `None` if the resource comes inline.
    fn resource_kind(&self) -> Option<u32> {
        let at = symbols::TYPES
            .iter()
            .position(|known| *known == self.asked.resource)?;
        u32::try_from(at).ok()
    }

    /// Returns the type of the record at `place`.
    fn kind_of(&self, place: PathBase) -> Option<u32> {
        self.path_of(place).map(|path| path.kind)
    }

    /// Returns the record that an attribute refers to, and the bits that must be set for the
    /// reference to exist.
    fn step(&self, place: PathBase, name: u32) -> Option<(PathBase, [Option<u32>; 2])> {
        let of = |base: u32, has: u32| {
            [
                Some(base.saturating_add(account::EXISTS)),
                Some(base.saturating_add(has)),
            ]
        };
        let resource = self.asked.resource;
        Some(match (place, name) {
            (PathBase::Account, OWNER) => (PathBase::Owner, of(bit::ACCOUNT, account::HAS_OWNER)),
            (PathBase::Account, PACKAGE_OF) if !self.client => {
                (PathBase::Package, of(bit::ACCOUNT, account::HAS_PACKAGE))
            }
            (PathBase::Account, LEVEL_OF) if self.client => {
                (PathBase::Level, of(bit::ACCOUNT, account::HAS_LEVEL))
            }
            (PathBase::Owner, PACKAGE_OF) if self.client => {
                (PathBase::Package, of(bit::OWNER, account::HAS_PACKAGE))
            }
            (PathBase::Member, ACCOUNT_OF) => (PathBase::Account, [Some(bit::MEMBER_EXISTS), None]),
            (PathBase::Domain, OWNER) => (
                PathBase::DomainOwner,
                [Some(bit::DOMAIN + domain::HAS_OWNER), None],
            ),
            (PathBase::DomainOwner, PACKAGE_OF) => (
                PathBase::DomainOwnersPackage,
                of(bit::DOMAIN_OWNER, account::HAS_PACKAGE),
            ),
            (PathBase::Resource, OWNER)
                if matches!(resource, "Account" | "AccessLevel" | "Domain") =>
            {
                (
                    PathBase::ResourcesOwner,
                    of(bit::RESOURCE, account::HAS_OWNER),
                )
            }
            (PathBase::Resource, ACCOUNT_OF) if resource == "TeamMember" => (
                PathBase::ResourcesAccount,
                [Some(bit::RESOURCE + account::EXISTS), None],
            ),
            (PathBase::Resource, ACCOUNT_OF) if self.asked.owned => {
                (PathBase::ResourcesAccount, [None, None])
            }
            _ => return None,
        })
    }

    /// Evaluates whether a path leads to a value.
    fn has(&mut self, from: u8, names: &[u32]) -> BddResult<Option<TriState>> {
        if from == root::CONTEXT {
            // A request with context fields of its own is not evaluated by a plan.
            return Ok(if names.len() == 1 {
                Some(TriState {
                    yes: FALSE,
                    errs: FALSE,
                })
            } else {
                None
            });
        }
        if let (root::RESOURCE, true, [name, deeper @ ..]) = (from, self.asked.owned, names)
            && *name != ACCOUNT_OF
        {
            // An inline resource has an account and nothing else.
            return Ok(Some(TriState {
                yes: FALSE,
                errs: if deeper.is_empty() { FALSE } else { TRUE },
            }));
        }
        if let Some((place, readable, name)) = self.own(from, names)? {
            let Some(has) = self.fact(place, RecordFact::HasOwn(name))? else {
                return Ok(None);
            };
            return self.read(readable, has).map(Some);
        }
        let Some((name, rest)) = names.split_last() else {
            return Ok(self.place(from, names)?.map(|_| TriState {
                yes: TRUE,
                errs: FALSE,
            }));
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        let there: &[u32] = match (place, *name) {
            (PathBase::Domain, OWNER) => &[bit::DOMAIN + domain::HAS_OWNER],
            (PathBase::Domain, PLATFORM_OF | STATE_OF) => &[],
            (PathBase::Package, FEATURES | WHITELABEL) => &[bit::PACKAGE_EXISTS],
            (PathBase::DomainOwnersPackage, FEATURES | WHITELABEL) => {
                &[bit::DOMAIN_OWNERS_PACKAGE_EXISTS]
            }
            (PathBase::Level, FEATURES) => &[bit::LEVEL_EXISTS],
            (PathBase::Member, ACCOUNT_OF | CONFIRMED | GRANTS) => &[bit::MEMBER_EXISTS],
            (PathBase::Resource, ACCOUNT_OF) if self.asked.owned => &[],
            (PathBase::Resource, OWNER)
                if matches!(self.asked.resource, "AccessLevel" | "Domain") =>
            {
                &[bit::RESOURCE + account::HAS_OWNER]
            }
            (_, CONFIRMED | CLOSED | DISABLED | OWNER | PACKAGE_OF | LEVEL_OF) => {
                match self.base(place) {
                    Some(base) => return self.account_has(readable, base, *name).map(Some),
                    None => return self.has_further(place, readable, *name),
                }
            }
            _ => return self.has_further(place, readable, *name),
        };
        let mut yes = TRUE;
        for bit in there {
            let bit = self.bit(*bit)?;
            yes = self.both(yes, bit)?;
        }
        self.read(readable, yes).map(Some)
    }

    /// Evaluates whether a record has an attribute that is not a bit of the session.
    fn has_further(
        &mut self,
        place: PathBase,
        readable: BddRef,
        name: u32,
    ) -> BddResult<Option<TriState>> {
        let Some(kind) = self.kind_of(place) else {
            return Ok(None);
        };
        let fact = match (kind, name) {
            _ if reference_kind(kind, name).is_some() => RecordFact::Names(name),
            (symbols::ACCOUNT, CONFIRMED | CLOSED | DISABLED | ATTRIBUTES)
            | (symbols::MEMBER, CONFIRMED | GRANTS | ATTRIBUTES)
            | (symbols::PACKAGE, FEATURES | WHITELABEL)
            | (symbols::LEVEL, FEATURES)
            | (symbols::DOMAIN, PLATFORM_OF | STATE_OF) => RecordFact::Exists,
            _ => return Ok(None),
        };
        let Some(has) = self.fact(place, fact)? else {
            return Ok(None);
        };
        self.read(readable, has).map(Some)
    }

    fn account_has(&mut self, readable: BddRef, base: u32, name: u32) -> BddResult<TriState> {
        let exists = self.bit(base.saturating_add(account::EXISTS))?;
        let own = match name {
            OWNER => self.bit(base.saturating_add(account::HAS_OWNER))?,
            PACKAGE_OF => self.bit(base.saturating_add(account::HAS_PACKAGE))?,
            LEVEL_OF => self.bit(base.saturating_add(account::HAS_LEVEL))?,
            _ => TRUE,
        };
        let yes = self.both(exists, own)?;
        self.read(readable, yes)
    }

    fn contains(&mut self, from: u8, names: &[u32], item: u32) -> BddResult<Option<TriState>> {
        let Some((name, rest)) = names.split_last() else {
            return Ok(None);
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        let (kind, at) = symbols::parts(item);
        let feature = self.asked.feature == Some(item) && at < 64;
        let bits = match (place, *name) {
            (_, DISABLED) if kind == symbols::REASON && at < 4 => self.base(place).map(|base| {
                (
                    base.saturating_add(account::EXISTS),
                    base.saturating_add(account::DISABLED).saturating_add(at),
                )
            }),
            (PathBase::Package, FEATURES) if feature => {
                Some((bit::PACKAGE_EXISTS, bit::PACKAGE_FEATURE))
            }
            (PathBase::DomainOwnersPackage, FEATURES) if feature => Some((
                bit::DOMAIN_OWNERS_PACKAGE_EXISTS,
                bit::DOMAIN_OWNERS_PACKAGE_FEATURE,
            )),
            (PathBase::Level, FEATURES) if feature => Some((bit::LEVEL_EXISTS, bit::LEVEL_FEATURE)),
            (PathBase::Member, GRANTS) if feature => {
                Some((bit::MEMBER_EXISTS, bit::MEMBER_FEATURE))
            }
            _ => None,
        };
        if let Some((exists, bit)) = bits {
            let (exists, bit) = (self.bit(exists)?, self.bit(bit)?);
            let readable = self.both(readable, exists)?;
            return self.read(readable, bit).map(Some);
        }
        let fits = self.kind_of(place).and_then(|of| set_kind(of, *name)) == Some(kind);
        if fits {
            self.fact_read(place, readable, RecordFact::Contains(*name, item))
        } else {
            Ok(None)
        }
    }

    /// Evaluates whether a set contains all of the items, or any of them.
    fn contains_many(
        &mut self,
        from: u8,
        names: &[u32],
        items: Value,
        all: bool,
    ) -> BddResult<Option<TriState>> {
        let Some(items) = self.pool.set_items(items).filter(|items| !items.is_empty()) else {
            return Ok(None);
        };
        let mut whole: Option<TriState> = None;
        for item in items {
            let Some(item) = item.entity() else {
                return Ok(None);
            };
            let Some(truth) = self.contains(from, names, item)? else {
                return Ok(None);
            };
            // The items fail together, if the set does not exist.
            whole = Some(match whole {
                None => truth,
                Some(so_far) if all => TriState {
                    yes: self.both(so_far.yes, truth.yes)?,
                    errs: truth.errs,
                },
                Some(so_far) => TriState {
                    yes: self.diagrams.or(so_far.yes, truth.yes)?,
                    errs: truth.errs,
                },
            });
        }
        Ok(whole)
    }

    /// Evaluates whether the record at a path is an element of `set`. Equality is enough, because
    /// directory records have no parents.
    fn one_of(&mut self, from: u8, names: &[u32], set: Value) -> BddResult<Option<TriState>> {
        let Some(items) = self.pool.set_items(set) else {
            return Ok(None);
        };
        let Some(mut entities) = items
            .iter()
            .map(|item| item.entity())
            .collect::<Option<Vec<u32>>>()
        else {
            return Ok(None);
        };
        entities.sort_unstable();
        let Some((place, readable)) = self.place(from, names)? else {
            return Ok(None);
        };
        let Some(is) = self.fact(place, RecordFact::IsOneOf(entities.into()))? else {
            return Ok(None);
        };
        self.read(readable, is).map(Some)
    }

    /// Evaluates whether two paths lead to one record. Equality is enough, because directory
    /// records have no parents.
    fn same(
        &mut self,
        one: u8,
        names: &[u32],
        other: u8,
        more: &[u32],
    ) -> BddResult<Option<TriState>> {
        let (Some((left, first)), Some((right, second))) =
            (self.place(one, names)?, self.place(other, more)?)
        else {
            return Ok(None);
        };
        let readable = self.both(first, second)?;
        let bit = match (left, right) {
            _ if left == right => None,
            (PathBase::DomainOwner, PathBase::Account)
            | (PathBase::Account, PathBase::DomainOwner) => Some(bit::DOMAIN_OWNER_IS_ACCOUNT),
            (PathBase::DomainOwner, PathBase::Owner) | (PathBase::Owner, PathBase::DomainOwner) => {
                Some(bit::DOMAIN_OWNER_IS_OWNER)
            }
            (PathBase::Resource, PathBase::Account) | (PathBase::Account, PathBase::Resource)
                if self.kind_is("Account") =>
            {
                Some(bit::RESOURCE_IS_ACCOUNT)
            }
            (PathBase::Resource, PathBase::Member) | (PathBase::Member, PathBase::Resource)
                if self.kind_is("TeamMember") =>
            {
                Some(bit::RESOURCE_IS_MEMBER)
            }
            (PathBase::ResourcesAccount, PathBase::Account)
            | (PathBase::Account, PathBase::ResourcesAccount) => {
                Some(bit::RESOURCES_ACCOUNT_IS_ACCOUNT)
            }
            (PathBase::ResourcesOwner, PathBase::Account)
            | (PathBase::Account, PathBase::ResourcesOwner) => {
                Some(bit::RESOURCES_OWNER_IS_ACCOUNT)
            }
            _ => {
                let Some(other) = self.path_of(right) else {
                    return Ok(None);
                };
                let Some(yes) = self.fact(left, RecordFact::IsAlso(other))? else {
                    return Ok(None);
                };
                return self.read(readable, yes).map(Some);
            }
        };
        let yes = self.bit_or_true(bit)?;
        self.read(readable, yes).map(Some)
    }

    /// Evaluates whether the value at a path equals `value`. The path may lead to a domain's state,
    /// a record, or an attribute defined by the host.
    fn is_value(&mut self, from: u8, names: &[u32], value: Value) -> BddResult<Option<TriState>> {
        let literal = match value {
            Value::Entity(entity) => return self.is_entity(from, names, entity),
            Value::Bool(value) => OwnLiteral::Bool(value),
            Value::Long(value) => OwnLiteral::Long(value),
            Value::Text(text) => match self.pool.text_of(text) {
                Some(text) => OwnLiteral::Text(text.into()),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let Some((place, readable, name)) = self.own(from, names)? else {
            return match (value, self.flag_at(from, names)?) {
                (Value::Bool(true), truth) => Ok(truth),
                (Value::Bool(false), Some(truth)) => Ok(Some(TriState {
                    yes: self.no(truth)?,
                    errs: truth.errs,
                })),
                _ => Ok(None),
            };
        };
        let Some(has) = self.fact(place, RecordFact::HasOwn(name.clone()))? else {
            return Ok(None);
        };
        let Some(is) = self.fact(place, RecordFact::OwnIs(name, literal))? else {
            return Ok(None);
        };
        let readable = self.both(readable, has)?;
        self.read(readable, is).map(Some)
    }

    fn is_entity(&mut self, from: u8, names: &[u32], value: u32) -> BddResult<Option<TriState>> {
        let (kind, at) = symbols::parts(value);
        if let [rest @ .., STATE_OF] = names {
            return match self.place(from, rest)? {
                Some((PathBase::Domain, readable)) if kind == symbols::STATE && at < 3 => {
                    let bit = self.bit((bit::DOMAIN + domain::STATE).saturating_add(at))?;
                    self.read(readable, bit).map(Some)
                }
                Some((place, readable))
                    if kind == symbols::STATE && self.kind_of(place) == Some(symbols::DOMAIN) =>
                {
                    self.fact_read(place, readable, RecordFact::Contains(STATE_OF, value))
                }
                _ => Ok(None),
            };
        }
        let Some((place, readable)) = self.place(from, names)? else {
            return Ok(None);
        };
        let Some(is) = self.fact(place, RecordFact::IsOneOf([value].into()))? else {
            return Ok(None);
        };
        self.read(readable, is).map(Some)
    }

    fn is_empty(&mut self, from: u8, names: &[u32]) -> BddResult<Option<TriState>> {
        let Some((name, rest)) = names.split_last() else {
            return Ok(None);
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        let Some(base) = self.base(place).filter(|_| *name == DISABLED) else {
            let is_set = self
                .kind_of(place)
                .and_then(|of| set_kind(of, *name))
                .is_some();
            return if is_set {
                self.fact_read(place, readable, RecordFact::IsEmpty(*name))
            } else {
                Ok(None)
            };
        };
        let exists = self.bit(base.saturating_add(account::EXISTS))?;
        let (readable, mut some) = (self.both(readable, exists)?, FALSE);
        for at in 0..4 {
            let bit = self.bit(base.saturating_add(account::DISABLED).saturating_add(at))?;
            some = self.diagrams.or(some, bit)?;
        }
        let none = self.diagrams.not(some)?;
        self.read(readable, none).map(Some)
    }
}

/// Returns the type of the items in a record's set of that name.
fn set_kind(of: u32, name: u32) -> Option<u32> {
    match (of, name) {
        (symbols::ACCOUNT, DISABLED) => Some(symbols::REASON),
        (symbols::PACKAGE | symbols::LEVEL, FEATURES) | (symbols::MEMBER, GRANTS) => {
            Some(symbols::FEATURE)
        }
        _ => None,
    }
}
