//! Policies as conditions over a session's bits: when together they allow. Exact, errors included: a path that leads
//! nowhere makes the policy err where it would be read. What is no single bit is asked of its own small program.

use super::bits::{self as bit};
use super::known::Asked;
use super::words::{self, ACCOUNT_OF, CLOSED, CONFIRMED, DISABLED, FEATURES, GRANTS, LEVEL_OF, OWNER, PACKAGE_OF, PLATFORM_OF, STATE_OF, WHITELABEL, root};
use crate::directory::{account_bit as account, domain_bit as domain};
use crate::eval::{ALWAYS, Compare, Diagram, Diagrams, NEVER, Plan, TooLarge, Unary, Value};
use crate::policy::Role;
use crate::policy::compile::Node;

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
    Resource,
    ResourcesAccount,
    ResourcesOwner,
}

type Made<T> = Result<T, TooLarge>;

/// The conditions of one kind of session's requests.
pub(super) struct Conditions<'a, 'b> {
    pub(super) asked: &'a Asked<'b>,
    pub(super) client: bool,
    /// What has to be asked of a program, each once: variables 64 + 2k (holds) and 65 + 2k (errs).
    pub(super) others: Vec<Node>,
    diagrams: Diagrams,
}

/// When `permits` and `forbids` together allow.
pub(super) struct Allowing {
    pub(super) plan: Plan,
    /// What has to be asked on the way.
    pub(super) others: Vec<Node>,
    /// The bits that the policies depend on, each for itself; nothing if that is not all.
    pub(super) reads: Option<u64>,
}

/// When the policies together allow.
pub(super) fn allow<'n>(asked: &Asked<'_>, client: bool, policies: impl Iterator<Item = (Role, &'n Node)>) -> Made<Allowing> {
    let mut conditions = Conditions { asked, client, others: Vec::new(), diagrams: Diagrams::default() };
    let (mut permitted, mut refused) = (NEVER, NEVER);
    let mut reads = 0;
    for (role, node) in policies {
        let truth = conditions.truth(node)?;
        let diagrams = &mut conditions.diagrams;
        let variables = diagrams.support(truth.yes).into_iter().chain(diagrams.support(truth.errs));
        reads = variables.fold(reads, |reads, variable| reads | 1_u64.checked_shl(u32::from(variable)).unwrap_or(0));
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
    let reads = if conditions.others.is_empty() { Some(reads) } else { None };
    Ok(Allowing { plan, others: conditions.others, reads })
}

impl Conditions<'_, '_> {
    fn bit(&mut self, bit: u32) -> Made<Diagram> {
        self.diagrams.variable(u16::try_from(bit).map_err(|_| TooLarge)?)
    }

    fn both(&mut self, left: Diagram, right: Diagram) -> Made<Diagram> {
        self.diagrams.and(left, right)
    }

    /// What may be read only where `readable`.
    fn read(&mut self, readable: Diagram, yes: Diagram) -> Made<Truth> {
        Ok(Truth { yes: self.both(readable, yes)?, errs: self.diagrams.not(readable)? })
    }

    /// As deep as the node.
    fn truth(&mut self, node: &Node) -> Made<Truth> {
        match node {
            Node::Value(Value::Bool(true)) => Ok(Truth { yes: ALWAYS, errs: NEVER }),
            Node::Value(Value::Bool(false)) => Ok(Truth { yes: NEVER, errs: NEVER }),
            Node::Value(_) | Node::Fails => Ok(Truth { yes: NEVER, errs: ALWAYS }),
            Node::Not(of) => {
                let of = self.truth(of)?;
                Ok(Truth { yes: self.no(of)?, errs: of.errs })
            }
            Node::And(left, right) => {
                let left = self.truth(left)?;
                if left.yes == NEVER {
                    return Ok(left);
                }
                let right = self.truth(right)?;
                self.then(left, left.yes, Truth { yes: NEVER, errs: NEVER }, right)
            }
            Node::Or(left, right) => {
                let (left, right) = (self.truth(left)?, self.truth(right)?);
                let no = self.no(left)?;
                self.then(left, no, Truth { yes: left.yes, errs: NEVER }, right)
            }
            Node::If(cond, yes, no) => {
                let (cond, yes, no) = (self.truth(cond)?, self.truth(yes)?, self.truth(no)?);
                let otherwise = self.no(cond)?;
                let (yes_yes, no_yes) = (self.both(cond.yes, yes.yes)?, self.both(otherwise, no.yes)?);
                let (yes_errs, no_errs) = (self.both(cond.yes, yes.errs)?, self.both(otherwise, no.errs)?);
                let errs = self.diagrams.or(yes_errs, no_errs)?;
                Ok(Truth { yes: self.diagrams.or(yes_yes, no_yes)?, errs: self.diagrams.or(cond.errs, errs)? })
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
    fn then(&mut self, first: Truth, goes_on: Diagram, so_far: Truth, second: Truth) -> Made<Truth> {
        let (yes, errs) = (self.both(goes_on, second.yes)?, self.both(goes_on, second.errs)?);
        Ok(Truth { yes: self.diagrams.or(so_far.yes, yes)?, errs: self.diagrams.or(first.errs, errs)? })
    }

    fn other(&mut self, node: &Node) -> Made<Truth> {
        let at = self.others.iter().position(|known| known == node).unwrap_or_else(|| {
            self.others.push(node.clone());
            self.others.len().saturating_sub(1)
        });
        let first = u16::try_from(at).ok().and_then(|at| at.checked_mul(2)?.checked_add(64)).ok_or(TooLarge)?;
        let (yes, errs) = (self.diagrams.variable(first)?, self.diagrams.variable(first.saturating_add(1))?);
        // A program that errs does not hold.
        let fine = self.diagrams.not(errs)?;
        Ok(Truth { yes: self.both(fine, yes)?, errs })
    }

    fn leaf(&mut self, node: &Node) -> Made<Option<Truth>> {
        match node {
            Node::HasPath(from, names) => self.has(*from, names),
            Node::Path(from, names) => {
                let Some((name, rest)) = names.split_last() else { return Ok(None) };
                let Some((place, readable)) = self.place(*from, rest)? else { return Ok(None) };
                if (place, *name) == (Place::Domain, PLATFORM_OF) {
                    // A domain is the platform's exactly where it has no owner: one bit for both.
                    let owned = self.bit(bit::DOMAIN + domain::HAS_OWNER)?;
                    let platform = self.diagrams.not(owned)?;
                    return self.read(readable, platform).map(Some);
                }
                let Some((exists, bit)) = self.flag(place, *name) else { return Ok(None) };
                let (exists, bit) = (self.bit(exists)?, self.bit(bit)?);
                let readable = self.both(readable, exists)?;
                self.read(readable, bit).map(Some)
            }
            Node::Compare(Compare::Contains, set, item) => match (set.as_ref(), item.as_ref()) {
                (Node::Path(from, names), Node::Value(Value::Entity(item))) => self.contains(*from, names, *item),
                _ => Ok(None),
            },
            Node::Compare(Compare::Equal | Compare::In, left, right) => match (left.as_ref(), right.as_ref()) {
                (Node::Path(one, names), Node::Path(other, more)) => self.same(*one, names, *other, more),
                (Node::Path(from, names), Node::Value(Value::Entity(value))) | (Node::Value(Value::Entity(value)), Node::Path(from, names)) => {
                    self.state(*from, names, *value)
                }
                _ => Ok(None),
            },
            Node::Apply(Unary::IsEmpty, of) => match of.as_ref() {
                Node::Path(from, names) => self.no_reason(*from, names),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
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
            return Some((base.saturating_add(account::EXISTS), base.saturating_add(at)));
        }
        match (place, name) {
            (Place::Member, CONFIRMED) => Some((bit::MEMBER_EXISTS, bit::MEMBER_CONFIRMED)),
            (Place::Package, WHITELABEL) => Some((bit::PACKAGE_EXISTS, bit::WHITELABEL)),
            _ => None,
        }
    }

    /// The record at a path, and when it can be read so far.
    fn place(&mut self, from: u8, names: &[u32]) -> Made<Option<(Place, Diagram)>> {
        let member = self.asked.principal == words::MEMBER;
        let mut place = match from {
            root::PRINCIPAL if self.asked.principal == words::ACCOUNT => Place::Account,
            root::PRINCIPAL | root::LOGIN_MEMBER if member => Place::Member,
            root::ACCOUNT if self.asked.principal != words::OPERATOR => Place::Account,
            root::DOMAIN => Place::Domain,
            root::RESOURCE => Place::Resource,
            _ => return Ok(None),
        };
        let mut readable = ALWAYS;
        for name in names {
            let Some((next, needs)) = self.step(place, *name) else { return Ok(None) };
            for bit in needs.into_iter().flatten() {
                let bit = self.bit(bit)?;
                readable = self.both(readable, bit)?;
            }
            place = next;
        }
        Ok(Some((place, readable)))
    }

    /// The record that an attribute names, and the bits without which it names none.
    fn step(&self, place: Place, name: u32) -> Option<(Place, [Option<u32>; 2])> {
        let of = |base: u32, has: u32| [Some(base.saturating_add(account::EXISTS)), Some(base.saturating_add(has))];
        let resource = self.asked.resource;
        Some(match (place, name) {
            (Place::Account, OWNER) => (Place::Owner, of(bit::ACCOUNT, account::HAS_OWNER)),
            (Place::Account, PACKAGE_OF) if !self.client => (Place::Package, of(bit::ACCOUNT, account::HAS_PACKAGE)),
            (Place::Account, LEVEL_OF) if self.client => (Place::Level, of(bit::ACCOUNT, account::HAS_LEVEL)),
            (Place::Owner, PACKAGE_OF) if self.client => (Place::Package, of(bit::OWNER, account::HAS_PACKAGE)),
            (Place::Member, ACCOUNT_OF) => (Place::Account, [Some(bit::MEMBER_EXISTS), None]),
            (Place::Domain, OWNER) => (Place::DomainOwner, [Some(bit::DOMAIN + domain::HAS_OWNER), None]),
            (Place::Resource, OWNER) if matches!(resource, "Account" | "AccessLevel" | "Domain") => {
                (Place::ResourcesOwner, of(bit::RESOURCE, account::HAS_OWNER))
            }
            (Place::Resource, ACCOUNT_OF) if resource == "TeamMember" => (Place::ResourcesAccount, [Some(bit::RESOURCE + account::EXISTS), None]),
            (Place::Resource, ACCOUNT_OF) if self.asked.owned => (Place::ResourcesAccount, [None, None]),
            _ => return None,
        })
    }

    /// Whether a path leads to something.
    fn has(&mut self, from: u8, names: &[u32]) -> Made<Option<Truth>> {
        if from == root::CONTEXT {
            // A request with fields of its own takes another way.
            return Ok(if names.len() == 1 { Some(Truth { yes: NEVER, errs: NEVER }) } else { None });
        }
        let Some((name, rest)) = names.split_last() else {
            return Ok(self.place(from, names)?.map(|_| Truth { yes: ALWAYS, errs: NEVER }));
        };
        let Some((place, readable)) = self.place(from, rest)? else { return Ok(None) };
        let there: &[u32] = match (place, *name) {
            (Place::Domain, OWNER) => &[bit::DOMAIN + domain::HAS_OWNER],
            (Place::Domain, PLATFORM_OF | STATE_OF) => &[],
            (Place::Package, FEATURES | WHITELABEL) => &[bit::PACKAGE_EXISTS],
            (Place::Level, FEATURES) => &[bit::LEVEL_EXISTS],
            (Place::Member, ACCOUNT_OF | CONFIRMED | GRANTS) => &[bit::MEMBER_EXISTS],
            (Place::Resource, ACCOUNT_OF) if self.asked.owned => &[],
            (Place::Resource, OWNER) if matches!(self.asked.resource, "AccessLevel" | "Domain") => &[bit::RESOURCE + account::HAS_OWNER],
            (Place::Account | Place::Owner | Place::Resource, CONFIRMED | CLOSED | DISABLED | OWNER | PACKAGE_OF | LEVEL_OF) => match self.base(place) {
                Some(base) => return self.account_has(readable, base, *name).map(Some),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let mut yes = ALWAYS;
        for bit in there {
            let bit = self.bit(*bit)?;
            yes = self.both(yes, bit)?;
        }
        self.read(readable, yes).map(Some)
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
        let Some((name, rest)) = names.split_last() else { return Ok(None) };
        let Some((place, readable)) = self.place(from, rest)? else { return Ok(None) };
        let (kind, at) = words::parts(item);
        let feature = self.asked.feature == Some(item) && at < 64;
        let (exists, bit) = match (place, *name) {
            (_, DISABLED) if kind == words::REASON && at < 4 => match self.base(place) {
                Some(base) => (base.saturating_add(account::EXISTS), base.saturating_add(account::DISABLED).saturating_add(at)),
                None => return Ok(None),
            },
            (Place::Package, FEATURES) if feature => (bit::PACKAGE_EXISTS, bit::PACKAGE_FEATURE),
            (Place::Level, FEATURES) if feature => (bit::LEVEL_EXISTS, bit::LEVEL_FEATURE),
            (Place::Member, GRANTS) if feature => (bit::MEMBER_EXISTS, bit::MEMBER_FEATURE),
            _ => return Ok(None),
        };
        let (exists, bit) = (self.bit(exists)?, self.bit(bit)?);
        let readable = self.both(readable, exists)?;
        self.read(readable, bit).map(Some)
    }

    /// Whether two paths lead to the same record. No record of the directory is in another.
    fn same(&mut self, one: u8, names: &[u32], other: u8, more: &[u32]) -> Made<Option<Truth>> {
        let (Some((left, first)), Some((right, second))) = (self.place(one, names)?, self.place(other, more)?) else { return Ok(None) };
        let readable = self.both(first, second)?;
        let bit = match (left, right) {
            _ if left == right => None,
            (Place::DomainOwner, Place::Account) | (Place::Account, Place::DomainOwner) => Some(bit::DOMAIN_OWNER_IS_ACCOUNT),
            (Place::DomainOwner, Place::Owner) | (Place::Owner, Place::DomainOwner) => Some(bit::DOMAIN_OWNER_IS_OWNER),
            (Place::Resource, Place::Account) | (Place::Account, Place::Resource) if self.kind_is("Account") => Some(bit::RESOURCE_IS_ACCOUNT),
            (Place::Resource, Place::Member) | (Place::Member, Place::Resource) if self.kind_is("TeamMember") => Some(bit::RESOURCE_IS_MEMBER),
            (Place::ResourcesAccount, Place::Account) | (Place::Account, Place::ResourcesAccount) => Some(bit::RESOURCES_ACCOUNT_IS_ACCOUNT),
            (Place::ResourcesOwner, Place::Account) | (Place::Account, Place::ResourcesOwner) => Some(bit::RESOURCES_OWNER_IS_ACCOUNT),
            _ => return Ok(None),
        };
        let yes = self.maybe(bit)?;
        self.read(readable, yes).map(Some)
    }

    fn state(&mut self, from: u8, names: &[u32], value: u32) -> Made<Option<Truth>> {
        let (kind, at) = words::parts(value);
        let [rest @ .., STATE_OF] = names else { return Ok(None) };
        match self.place(from, rest)? {
            Some((Place::Domain, readable)) if kind == words::STATE && at < 3 => {
                let bit = self.bit((bit::DOMAIN + domain::STATE).saturating_add(at))?;
                self.read(readable, bit).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn no_reason(&mut self, from: u8, names: &[u32]) -> Made<Option<Truth>> {
        let [rest @ .., DISABLED] = names else { return Ok(None) };
        let Some((place, readable)) = self.place(from, rest)? else { return Ok(None) };
        let Some(base) = self.base(place) else { return Ok(None) };
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
