//! Policies as conditions over a session's bits: when together they allow. Exact, errors included: a path that leads
//! nowhere makes the policy err where it would be read. What is no single bit is asked of its own small program.

use super::atoms::{OwnLiteral, PathStart, RecordFact, RecordPath, RecordRead, reference_kind};
use super::bits as bit;
use super::specialize::Asked;
use super::symbols::{
    self, ACCOUNT_OF, ATTRIBUTES, CLOSED, CONFIRMED, DISABLED, FEATURES, GRANTS, LEVEL_OF, OWNER,
    PACKAGE_OF, PLATFORM_OF, STATE_OF, WHITELABEL, root,
};
use crate::cedar::policy_list::Role;
use crate::compiler::Node;
use crate::directory::{account_bit as account, domain_bit as domain};
use crate::vm::{ALWAYS, Compare, Diagram, Diagrams, NEVER, Plan, Pool, TooLarge, Unary, Value};

/// When a condition holds, and when it errs.
#[derive(Clone, Copy)]
struct Truth {
    yes: Diagram,
    errs: Diagram,
}

/// A record that a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
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
    /// Another record, by the number of its path: its facts are no bits of the session.
    Further(u16),
}

type Made<T> = Result<T, TooLarge>;

/// The first variable that a fact of a record stands for, and the first of a program.
pub(crate) const FIRST_READ: u16 = 64;
pub(crate) const FIRST_PROGRAM: u16 = 128;

/// The conditions of one kind of session's requests.
pub(crate) struct Conditions<'a, 'b> {
    pub(crate) asked: &'a Asked<'b>,
    pub(crate) client: bool,
    /// The texts of policies.
    pub(crate) pool: &'a Pool,
    /// Facts of records that are no bits of the session, each once: variables from 64 on.
    pub(crate) reads: Vec<RecordRead>,
    /// What has to be asked of a program, each once: two variables (holds, errs) from [`FIRST_PROGRAM`] on.
    pub(crate) others: Vec<Node>,
    paths: Vec<RecordPath>,
    diagrams: Diagrams,
}

/// When `permits` and `forbids` together allow.
pub(crate) struct Allowing {
    pub(crate) plan: Plan,
    /// The facts of records, and the conditions, that have to be asked on the way.
    pub(crate) reads: Vec<RecordRead>,
    pub(crate) others: Vec<Node>,
    /// The bits that the policies depend on, each for itself.
    pub(crate) bits: u64,
    /// The further variables that they depend on, in order.
    pub(crate) asks: Vec<u16>,
}

/// When the policies together allow.
pub(crate) fn allow<'n>(
    asked: &Asked<'_>,
    client: bool,
    pool: &Pool,
    policies: impl Iterator<Item = (Role, &'n Node)>,
) -> Made<Allowing> {
    let mut conditions = Conditions {
        asked,
        client,
        pool,
        reads: Vec::new(),
        others: Vec::new(),
        paths: Vec::new(),
        diagrams: Diagrams::default(),
    };
    let (mut permitted, mut refused) = (NEVER, NEVER);
    let mut variables = std::collections::BTreeSet::new();
    for (role, node) in policies {
        let truth = conditions.truth(node)?;
        let diagrams = &mut conditions.diagrams;
        variables.extend(
            diagrams
                .support(truth.yes)
                .into_iter()
                .chain(diagrams.support(truth.errs)),
        );
        refused = diagrams.or(refused, truth.errs)?;
        let side = match role {
            Role::Permit => &mut permitted,
            Role::Forbid => &mut refused,
            Role::Warning => continue,
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
    Ok(Allowing {
        plan,
        reads: conditions.reads,
        others: conditions.others,
        bits,
        asks,
    })
}

impl Conditions<'_, '_> {
    fn bit(&mut self, bit: u32) -> Made<Diagram> {
        self.diagrams
            .variable(u16::try_from(bit).map_err(|_| TooLarge)?)
    }

    fn both(&mut self, left: Diagram, right: Diagram) -> Made<Diagram> {
        self.diagrams.and(left, right)
    }

    /// The variable of a fact of the record at a place; nothing where no path says which record that is.
    fn fact(&mut self, place: Place, fact: RecordFact) -> Made<Option<Diagram>> {
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

    /// A fact that may be read only where `readable`, and where there is a record.
    fn fact_read(
        &mut self,
        place: Place,
        readable: Diagram,
        fact: RecordFact,
    ) -> Made<Option<Truth>> {
        let (Some(exists), Some(yes)) = (
            self.fact(place, RecordFact::Exists)?,
            self.fact(place, fact)?,
        ) else {
            return Ok(None);
        };
        let readable = self.both(readable, exists)?;
        self.read(readable, yes).map(Some)
    }

    /// What may be read only where `readable`.
    fn read(&mut self, readable: Diagram, yes: Diagram) -> Made<Truth> {
        Ok(Truth {
            yes: self.both(readable, yes)?,
            errs: self.diagrams.not(readable)?,
        })
    }

    /// As deep as the node.
    fn truth(&mut self, node: &Node) -> Made<Truth> {
        match node {
            Node::Value(Value::Bool(true)) => Ok(Truth {
                yes: ALWAYS,
                errs: NEVER,
            }),
            Node::Value(Value::Bool(false)) => Ok(Truth {
                yes: NEVER,
                errs: NEVER,
            }),
            Node::Value(_) | Node::Fails => Ok(Truth {
                yes: NEVER,
                errs: ALWAYS,
            }),
            Node::Not(of) => {
                let of = self.truth(of)?;
                Ok(Truth {
                    yes: self.no(of)?,
                    errs: of.errs,
                })
            }
            Node::And(left, right) => {
                let left = self.truth(left)?;
                if left.yes == NEVER {
                    return Ok(left);
                }
                let right = self.truth(right)?;
                self.then(
                    left,
                    left.yes,
                    Truth {
                        yes: NEVER,
                        errs: NEVER,
                    },
                    right,
                )
            }
            Node::Or(left, right) => {
                let (left, right) = (self.truth(left)?, self.truth(right)?);
                let no = self.no(left)?;
                self.then(
                    left,
                    no,
                    Truth {
                        yes: left.yes,
                        errs: NEVER,
                    },
                    right,
                )
            }
            Node::If(cond, yes, no) => {
                let (cond, yes, no) = (self.truth(cond)?, self.truth(yes)?, self.truth(no)?);
                let otherwise = self.no(cond)?;
                let (yes_yes, no_yes) =
                    (self.both(cond.yes, yes.yes)?, self.both(otherwise, no.yes)?);
                let (yes_errs, no_errs) = (
                    self.both(cond.yes, yes.errs)?,
                    self.both(otherwise, no.errs)?,
                );
                let errs = self.diagrams.or(yes_errs, no_errs)?;
                Ok(Truth {
                    yes: self.diagrams.or(yes_yes, no_yes)?,
                    errs: self.diagrams.or(cond.errs, errs)?,
                })
            }
            leaf => match self.leaf(leaf)? {
                Some(truth) => Ok(truth),
                None => self.other(leaf),
            },
        }
    }

    fn no(&mut self, of: Truth) -> Made<Diagram> {
        let either = self.diagrams.or(of.yes, of.errs)?;
        self.diagrams.not(either)
    }

    /// `first`, and where `goes_on` what `second` says beside `else_yes`.
    fn then(
        &mut self,
        first: Truth,
        goes_on: Diagram,
        so_far: Truth,
        second: Truth,
    ) -> Made<Truth> {
        let (yes, errs) = (
            self.both(goes_on, second.yes)?,
            self.both(goes_on, second.errs)?,
        );
        Ok(Truth {
            yes: self.diagrams.or(so_far.yes, yes)?,
            errs: self.diagrams.or(first.errs, errs)?,
        })
    }

    fn other(&mut self, node: &Node) -> Made<Truth> {
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
        // A program that errs does not hold.
        let fine = self.diagrams.not(errs)?;
        Ok(Truth {
            yes: self.both(fine, yes)?,
            errs,
        })
    }

    /// Whether it is a path to what such a request does not bring: of its own context nothing, of an inline resource but its
    /// account nothing.
    fn is_absent(&self, node: &Node) -> bool {
        match node {
            Node::Path(root::CONTEXT, names) => !names.is_empty(),
            Node::Path(root::RESOURCE, names) => {
                self.asked.owned && names.first().is_some_and(|name| *name != ACCOUNT_OF)
            }
            _ => false,
        }
    }

    fn leaf(&mut self, node: &Node) -> Made<Option<Truth>> {
        let reads = match node {
            Node::Compare(_, left, right) | Node::Compute(_, left, right) => {
                [Some(left.as_ref()), Some(right.as_ref())]
            }
            Node::Apply(_, of)
            | Node::Like(of, _)
            | Node::Is(of, _)
            | Node::Has(of, _)
            | Node::Attribute(of, _) => [Some(of.as_ref()), None],
            _ => [Some(node), None],
        };
        if reads.into_iter().flatten().any(|node| self.is_absent(node)) {
            return Ok(Some(Truth {
                yes: NEVER,
                errs: ALWAYS,
            }));
        }
        match node {
            Node::HasPath(from, names) => self.has(*from, names),
            Node::Path(from, names) => self.flag_at(*from, names),
            Node::Compare(Compare::Contains, set, item) => match (set.as_ref(), item.as_ref()) {
                (Node::Path(from, names), Node::Value(Value::Entity(item))) => {
                    self.contains(*from, names, *item)
                }
                (Node::Value(set), Node::Path(from, names)) => self.one_of(*from, names, *set),
                _ => Ok(None),
            },
            Node::Compare(what @ (Compare::ContainsAny | Compare::ContainsAll), set, items) => {
                match (set.as_ref(), items.as_ref()) {
                    (Node::Path(from, names), Node::Value(items)) => {
                        self.contains_many(*from, names, *items, *what == Compare::ContainsAll)
                    }
                    _ => Ok(None),
                }
            }
            Node::Compare(what @ (Compare::Equal | Compare::In), left, right) => {
                match (left.as_ref(), right.as_ref()) {
                    (Node::Path(one, names), Node::Path(other, more)) => {
                        self.same(*one, names, *other, more)
                    }
                    (
                        Node::Path(from, names),
                        Node::Value(set @ (Value::Set(_) | Value::Flags(..))),
                    ) if *what == Compare::In => self.one_of(*from, names, *set),
                    (Node::Path(from, names), Node::Value(value))
                    | (Node::Value(value), Node::Path(from, names)) => {
                        self.is_value(*from, names, *value)
                    }
                    _ => Ok(None),
                }
            }
            Node::Apply(Unary::IsEmpty, of) => match of.as_ref() {
                Node::Path(from, names) => self.is_empty(*from, names),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Whether the boolean attribute at a path is true.
    fn flag_at(&mut self, from: u8, names: &[u32]) -> Made<Option<Truth>> {
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
        if (place, *name) == (Place::Domain, PLATFORM_OF) {
            // A domain is the platform's exactly where it has no owner: one bit for both.
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

    /// An attribute of the host's own at a path: the record that has it, when that record can be read, and the attribute's name.
    fn own(&mut self, from: u8, names: &[u32]) -> Made<Option<(Place, Diagram, Box<str>)>> {
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

    fn maybe(&mut self, bit: Option<u32>) -> Made<Diagram> {
        bit.map_or(Ok(ALWAYS), |bit| self.bit(bit))
    }

    fn kind_is(&self, kind: &str) -> bool {
        self.asked.resource == kind
    }

    /// Where the bits of an account are, if the place is one.
    fn base(&self, place: Place) -> Option<u32> {
        match place {
            Place::Account => Some(bit::ACCOUNT),
            Place::Owner => Some(bit::OWNER),
            Place::DomainOwner => Some(bit::DOMAIN_OWNER),
            Place::Resource if self.kind_is("Account") => Some(bit::RESOURCE),
            _ => None,
        }
    }

    /// A flag of a record: the bit that there is a record, and the flag's own.
    fn flag(&self, place: Place, name: u32) -> Option<(u32, u32)> {
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
            (Place::Member, CONFIRMED) => Some((bit::MEMBER_EXISTS, bit::MEMBER_CONFIRMED)),
            (Place::Package, WHITELABEL) => Some((bit::PACKAGE_EXISTS, bit::WHITELABEL)),
            (Place::DomainOwnersPackage, WHITELABEL) => Some((
                bit::DOMAIN_OWNERS_PACKAGE_EXISTS,
                bit::DOMAIN_OWNERS_WHITELABEL,
            )),
            _ => None,
        }
    }

    /// The record at a path, and when it can be read so far.
    fn place(&mut self, from: u8, names: &[u32]) -> Made<Option<(Place, Diagram)>> {
        let member = self.asked.principal == symbols::MEMBER;
        let mut place = match from {
            root::PRINCIPAL if self.asked.principal == symbols::ACCOUNT => Place::Account,
            root::PRINCIPAL | root::LOGIN_MEMBER if member => Place::Member,
            root::ACCOUNT if self.asked.principal != symbols::OPERATOR => Place::Account,
            root::DOMAIN => Place::Domain,
            root::RESOURCE => Place::Resource,
            _ => return Ok(None),
        };
        let mut readable = ALWAYS;
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

    /// The record that an attribute names, where that is none of the session's.
    fn step_further(&mut self, place: Place, name: u32) -> Made<Option<Place>> {
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
        Ok(Some(Place::Further(
            u16::try_from(at).map_err(|_| TooLarge)?,
        )))
    }

    /// The path of a place; nothing for a resource that is no record.
    fn path_of(&self, place: Place) -> Option<RecordPath> {
        let path = |start, names: &[u32], kind| {
            Some(RecordPath {
                start,
                names: names.to_vec(),
                kind,
            })
        };
        match place {
            Place::Account => path(PathStart::Account, &[], symbols::ACCOUNT),
            Place::Owner => path(PathStart::Account, &[OWNER], symbols::ACCOUNT),
            Place::Package if self.client => {
                path(PathStart::Account, &[OWNER, PACKAGE_OF], symbols::PACKAGE)
            }
            Place::Package => path(PathStart::Account, &[PACKAGE_OF], symbols::PACKAGE),
            Place::Level => path(PathStart::Account, &[LEVEL_OF], symbols::LEVEL),
            Place::Member => path(PathStart::Member, &[], symbols::MEMBER),
            Place::Domain => path(PathStart::Domain, &[], symbols::DOMAIN),
            Place::DomainOwner => path(PathStart::Domain, &[OWNER], symbols::ACCOUNT),
            Place::DomainOwnersPackage => {
                path(PathStart::Domain, &[OWNER, PACKAGE_OF], symbols::PACKAGE)
            }
            Place::Resource => path(PathStart::Resource, &[], self.resource_kind()?),
            Place::ResourcesAccount if self.asked.owned => {
                path(PathStart::ResourcesAccount, &[], symbols::ACCOUNT)
            }
            Place::ResourcesAccount => path(PathStart::Resource, &[ACCOUNT_OF], symbols::ACCOUNT),
            Place::ResourcesOwner => path(PathStart::Resource, &[OWNER], symbols::ACCOUNT),
            Place::Further(at) => self.paths.get(usize::from(at)).cloned(),
        }
    }

    /// The kind of record of the resource; nothing where the host brings it.
    fn resource_kind(&self) -> Option<u32> {
        let at = symbols::TYPES
            .iter()
            .position(|known| *known == self.asked.resource)?;
        u32::try_from(at).ok()
    }

    /// The kind of record at a place.
    fn kind_of(&self, place: Place) -> Option<u32> {
        self.path_of(place).map(|path| path.kind)
    }

    /// The record that an attribute names, and the bits without which it names none.
    fn step(&self, place: Place, name: u32) -> Option<(Place, [Option<u32>; 2])> {
        let of = |base: u32, has: u32| {
            [
                Some(base.saturating_add(account::EXISTS)),
                Some(base.saturating_add(has)),
            ]
        };
        let resource = self.asked.resource;
        Some(match (place, name) {
            (Place::Account, OWNER) => (Place::Owner, of(bit::ACCOUNT, account::HAS_OWNER)),
            (Place::Account, PACKAGE_OF) if !self.client => {
                (Place::Package, of(bit::ACCOUNT, account::HAS_PACKAGE))
            }
            (Place::Account, LEVEL_OF) if self.client => {
                (Place::Level, of(bit::ACCOUNT, account::HAS_LEVEL))
            }
            (Place::Owner, PACKAGE_OF) if self.client => {
                (Place::Package, of(bit::OWNER, account::HAS_PACKAGE))
            }
            (Place::Member, ACCOUNT_OF) => (Place::Account, [Some(bit::MEMBER_EXISTS), None]),
            (Place::Domain, OWNER) => (
                Place::DomainOwner,
                [Some(bit::DOMAIN + domain::HAS_OWNER), None],
            ),
            (Place::DomainOwner, PACKAGE_OF) => (
                Place::DomainOwnersPackage,
                of(bit::DOMAIN_OWNER, account::HAS_PACKAGE),
            ),
            (Place::Resource, OWNER)
                if matches!(resource, "Account" | "AccessLevel" | "Domain") =>
            {
                (Place::ResourcesOwner, of(bit::RESOURCE, account::HAS_OWNER))
            }
            (Place::Resource, ACCOUNT_OF) if resource == "TeamMember" => (
                Place::ResourcesAccount,
                [Some(bit::RESOURCE + account::EXISTS), None],
            ),
            (Place::Resource, ACCOUNT_OF) if self.asked.owned => {
                (Place::ResourcesAccount, [None, None])
            }
            _ => return None,
        })
    }

    /// Whether a path leads to something.
    fn has(&mut self, from: u8, names: &[u32]) -> Made<Option<Truth>> {
        if from == root::CONTEXT {
            // A request with fields of its own takes another way.
            return Ok(if names.len() == 1 {
                Some(Truth {
                    yes: NEVER,
                    errs: NEVER,
                })
            } else {
                None
            });
        }
        if let (root::RESOURCE, true, [name, deeper @ ..]) = (from, self.asked.owned, names)
            && *name != ACCOUNT_OF
        {
            // The host brings an account with it and nothing else.
            return Ok(Some(Truth {
                yes: NEVER,
                errs: if deeper.is_empty() { NEVER } else { ALWAYS },
            }));
        }
        if let Some((place, readable, name)) = self.own(from, names)? {
            let Some(has) = self.fact(place, RecordFact::HasOwn(name))? else {
                return Ok(None);
            };
            return self.read(readable, has).map(Some);
        }
        let Some((name, rest)) = names.split_last() else {
            return Ok(self.place(from, names)?.map(|_| Truth {
                yes: ALWAYS,
                errs: NEVER,
            }));
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        let there: &[u32] = match (place, *name) {
            (Place::Domain, OWNER) => &[bit::DOMAIN + domain::HAS_OWNER],
            (Place::Domain, PLATFORM_OF | STATE_OF) => &[],
            (Place::Package, FEATURES | WHITELABEL) => &[bit::PACKAGE_EXISTS],
            (Place::DomainOwnersPackage, FEATURES | WHITELABEL) => {
                &[bit::DOMAIN_OWNERS_PACKAGE_EXISTS]
            }
            (Place::Level, FEATURES) => &[bit::LEVEL_EXISTS],
            (Place::Member, ACCOUNT_OF | CONFIRMED | GRANTS) => &[bit::MEMBER_EXISTS],
            (Place::Resource, ACCOUNT_OF) if self.asked.owned => &[],
            (Place::Resource, OWNER) if matches!(self.asked.resource, "AccessLevel" | "Domain") => {
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
        let mut yes = ALWAYS;
        for bit in there {
            let bit = self.bit(*bit)?;
            yes = self.both(yes, bit)?;
        }
        self.read(readable, yes).map(Some)
    }

    /// Whether a record has an attribute that is no bit of the session.
    fn has_further(&mut self, place: Place, readable: Diagram, name: u32) -> Made<Option<Truth>> {
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

    fn account_has(&mut self, readable: Diagram, base: u32, name: u32) -> Made<Truth> {
        let exists = self.bit(base.saturating_add(account::EXISTS))?;
        let own = match name {
            OWNER => self.bit(base.saturating_add(account::HAS_OWNER))?,
            PACKAGE_OF => self.bit(base.saturating_add(account::HAS_PACKAGE))?,
            LEVEL_OF => self.bit(base.saturating_add(account::HAS_LEVEL))?,
            _ => ALWAYS,
        };
        let yes = self.both(exists, own)?;
        self.read(readable, yes)
    }

    fn contains(&mut self, from: u8, names: &[u32], item: u32) -> Made<Option<Truth>> {
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
            (Place::Package, FEATURES) if feature => {
                Some((bit::PACKAGE_EXISTS, bit::PACKAGE_FEATURE))
            }
            (Place::DomainOwnersPackage, FEATURES) if feature => Some((
                bit::DOMAIN_OWNERS_PACKAGE_EXISTS,
                bit::DOMAIN_OWNERS_PACKAGE_FEATURE,
            )),
            (Place::Level, FEATURES) if feature => Some((bit::LEVEL_EXISTS, bit::LEVEL_FEATURE)),
            (Place::Member, GRANTS) if feature => Some((bit::MEMBER_EXISTS, bit::MEMBER_FEATURE)),
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

    /// Whether a set has all of these items, or any.
    fn contains_many(
        &mut self,
        from: u8,
        names: &[u32],
        items: Value,
        all: bool,
    ) -> Made<Option<Truth>> {
        let Some(items) = self.pool.set_items(items).filter(|items| !items.is_empty()) else {
            return Ok(None);
        };
        let mut whole: Option<Truth> = None;
        for item in items {
            let Some(item) = item.entity() else {
                return Ok(None);
            };
            let Some(truth) = self.contains(from, names, item)? else {
                return Ok(None);
            };
            // Each errs where the others err: where there is no such set.
            whole = Some(match whole {
                None => truth,
                Some(so_far) if all => Truth {
                    yes: self.both(so_far.yes, truth.yes)?,
                    errs: truth.errs,
                },
                Some(so_far) => Truth {
                    yes: self.diagrams.or(so_far.yes, truth.yes)?,
                    errs: truth.errs,
                },
            });
        }
        Ok(whole)
    }

    /// Whether the record at a path is one of a set's. No record of the directory is in another.
    fn one_of(&mut self, from: u8, names: &[u32], set: Value) -> Made<Option<Truth>> {
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

    /// Whether two paths lead to the same record. No record of the directory is in another.
    fn same(&mut self, one: u8, names: &[u32], other: u8, more: &[u32]) -> Made<Option<Truth>> {
        let (Some((left, first)), Some((right, second))) =
            (self.place(one, names)?, self.place(other, more)?)
        else {
            return Ok(None);
        };
        let readable = self.both(first, second)?;
        let bit = match (left, right) {
            _ if left == right => None,
            (Place::DomainOwner, Place::Account) | (Place::Account, Place::DomainOwner) => {
                Some(bit::DOMAIN_OWNER_IS_ACCOUNT)
            }
            (Place::DomainOwner, Place::Owner) | (Place::Owner, Place::DomainOwner) => {
                Some(bit::DOMAIN_OWNER_IS_OWNER)
            }
            (Place::Resource, Place::Account) | (Place::Account, Place::Resource)
                if self.kind_is("Account") =>
            {
                Some(bit::RESOURCE_IS_ACCOUNT)
            }
            (Place::Resource, Place::Member) | (Place::Member, Place::Resource)
                if self.kind_is("TeamMember") =>
            {
                Some(bit::RESOURCE_IS_MEMBER)
            }
            (Place::ResourcesAccount, Place::Account)
            | (Place::Account, Place::ResourcesAccount) => Some(bit::RESOURCES_ACCOUNT_IS_ACCOUNT),
            (Place::ResourcesOwner, Place::Account) | (Place::Account, Place::ResourcesOwner) => {
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
        let yes = self.maybe(bit)?;
        self.read(readable, yes).map(Some)
    }

    /// Whether what is at a path is this value: a domain's state, a record, or an attribute of the host's own.
    fn is_value(&mut self, from: u8, names: &[u32], value: Value) -> Made<Option<Truth>> {
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
                (Value::Bool(false), Some(truth)) => Ok(Some(Truth {
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

    fn is_entity(&mut self, from: u8, names: &[u32], value: u32) -> Made<Option<Truth>> {
        let (kind, at) = symbols::parts(value);
        if let [rest @ .., STATE_OF] = names {
            return match self.place(from, rest)? {
                Some((Place::Domain, readable)) if kind == symbols::STATE && at < 3 => {
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

    fn is_empty(&mut self, from: u8, names: &[u32]) -> Made<Option<Truth>> {
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
        let (readable, mut some) = (self.both(readable, exists)?, NEVER);
        for at in 0..4 {
            let bit = self.bit(base.saturating_add(account::DISABLED).saturating_add(at))?;
            some = self.diagrams.or(some, bit)?;
        }
        let none = self.diagrams.not(some)?;
        self.read(readable, none).map(Some)
    }
}

/// The kind of what is in a record's set of that name.
fn set_kind(of: u32, name: u32) -> Option<u32> {
    match (of, name) {
        (symbols::ACCOUNT, DISABLED) => Some(symbols::REASON),
        (symbols::PACKAGE | symbols::LEVEL, FEATURES) | (symbols::MEMBER, GRANTS) => {
            Some(symbols::FEATURE)
        }
        _ => None,
    }
}
