//! Specializes policies to a kind of request: folds in the facts that are known at compile time,
//! and assigns registers to the others.

use cedar_policy::pst;

use super::entities::SymbolTable;
use super::fact_set::{self, CLIENT, CONTEXT, QUOTA_MEMBER};
use super::request_shape::{RequestShape, has_account};
use super::symbols::{
    self, ACCOUNT_OF, ACTOR, AMOUNT, CHANNEL_OF, DOMAIN_OF, FACTS, FEATURE_OF, FIRST_TYPE, HELD,
    HOST, HOST_REFUSED, LIMIT, LOGIN, MEMBER_OF, METER_OF, NOT_BEFORE, OPERATOR_OF, OWNER,
    PACKAGE_OF, QUOTA, REALM, SESSION_START, USED, entity, root,
};
use crate::cedar::tenant_facts::is_directory_type;
use crate::compiler::{CompileContext, IrExpr, Lowering, Unsupported};
use crate::directory::Tables;
use crate::vm::{ConstantPool, Value};

/// The registers of the facts, by the names that lead to them from `context.facts`.
const REGISTERS: [(&[u32], u8); 24] = [
    (&[ACCOUNT_OF], root::ACCOUNT),
    (&[HOST], root::HOST),
    (&[HOST_REFUSED], root::HOST_REFUSED),
    (&[DOMAIN_OF], root::DOMAIN),
    (&[CHANNEL_OF], root::CHANNEL),
    (&[FEATURE_OF], root::FEATURE),
    (&[AMOUNT], root::AMOUNT),
    (&[SESSION_START], root::SESSION_START),
    (&[NOT_BEFORE], root::NOT_BEFORE),
    (&[LOGIN, ACCOUNT_OF], root::LOGIN_ACCOUNT),
    (&[LOGIN, MEMBER_OF], root::LOGIN_MEMBER),
    (&[LOGIN, OPERATOR_OF], root::LOGIN_OPERATOR),
    (&[ACTOR, ACCOUNT_OF], root::ACTOR_ACCOUNT),
    (&[ACTOR, MEMBER_OF], root::ACTOR_MEMBER),
    (&[ACTOR, OPERATOR_OF], root::ACTOR_OPERATOR),
    (&[REALM, OWNER], root::REALM_OWNER),
    (&[QUOTA, METER_OF], root::QUOTA_METER),
    (&[QUOTA, AMOUNT], root::QUOTA_AMOUNT),
    (&[QUOTA, ACCOUNT_OF, USED], root::ACCOUNT_USED),
    (&[QUOTA, ACCOUNT_OF, HELD], root::ACCOUNT_HELD),
    (&[QUOTA, ACCOUNT_OF, LIMIT], root::ACCOUNT_LIMIT),
    (&[QUOTA, MEMBER_OF, USED], root::MEMBER_USED),
    (&[QUOTA, MEMBER_OF, HELD], root::MEMBER_HELD),
    (&[QUOTA, MEMBER_OF, LIMIT], root::MEMBER_LIMIT),
];

/// Compiles policies for one request shape. Numbers the names in them, and provides the facts that
/// the shape implies.
pub(crate) struct Specializer<'a> {
    pub(crate) pool: &'a mut ConstantPool,
    pub(crate) named: &'a mut SymbolTable,
    pub(crate) hot: &'a mut Tables,
    pub(crate) request_shape: RequestShape<'a>,
}

impl Specializer<'_> {
    /// Returns the condition under which a policy applies, with every path at its register.
    ///
    /// # Errors
    /// [`Unsupported`] for a policy that the compiler does not support.
    pub(crate) fn condition(&mut self, policy: &pst::Template) -> Result<IrExpr, Unsupported> {
        let mut node = Lowering { known: self }.condition(policy, None)?;
        self.assign_registers(&mut node);
        Ok(node)
    }

    /// Returns whether the principal's account has an owner or a package.
    fn account_has(&self, name: u32) -> Option<bool> {
        let client = self.request_shape.facts?.has(CLIENT);
        match name {
            OWNER => Some(client),
            PACKAGE_OF => Some(!client),
            _ => None,
        }
    }

    /// Returns whether a path below `context.facts` has a value.
    fn fact(&self, names: &[u32]) -> Option<bool> {
        if let [] | [LOGIN | CHANNEL_OF] = names {
            return Some(true);
        }
        let shape = &self.request_shape;
        let facts = shape.facts?;
        let (acts, has_quota) = (facts.actor().is_some(), facts.has(fact_set::QUOTA));
        match names {
            [ACTOR] => Some(acts),
            [REALM] => Some(facts.has(fact_set::REALM)),
            [QUOTA] => Some(has_quota),
            [QUOTA, ACCOUNT_OF] if has_quota => Some(true),
            [QUOTA, MEMBER_OF] if has_quota => Some(facts.has(QUOTA_MEMBER)),
            [ACCOUNT_OF, name] if has_account(shape.principal) => self.account_has(*name),
            [LOGIN, ACCOUNT_OF, name] if !acts && has_account(shape.principal) => {
                self.account_has(*name)
            }
            _ => {
                let (register, rest) = self.register(names)?;
                match shape.absent(register) {
                    // A value that is Missing is absent. To read it through something absent is an
                    // error.
                    Some(Value::Missing) if rest.is_empty() => Some(false),
                    Some(_) => None,
                    None => rest.is_empty().then_some(true),
                }
            }
        }
    }

    /// Returns the register of a fact, and the names that lead on from it.
    fn register<'n>(&self, names: &'n [u32]) -> Option<(u8, &'n [u32])> {
        let mut starts = REGISTERS.iter();
        let (at, rest) = starts.find_map(|(path, at)| Some((*at, names.strip_prefix(*path)?)))?;
        // The login of a request without an actor is its principal.
        let facts = self.request_shape.facts;
        let is_principal = || facts.is_some_and(|facts| facts.actor().is_none());
        match at {
            root::LOGIN_ACCOUNT if is_principal() => Some((root::ACCOUNT, rest)),
            _ => Some((at, rest)),
        }
    }

    /// Returns the register that a path starts from, and the remaining names.
    fn place(&self, from: u8, names: &[u32]) -> (u8, Vec<u32>) {
        let (from, names) = match (from, names) {
            (root::CONTEXT, []) => (root::WHOLE_CONTEXT, names),
            (root::CONTEXT, [FACTS, LOGIN]) => (root::WHOLE_LOGIN, &[][..]),
            (root::CONTEXT, [FACTS, ACTOR]) => (root::WHOLE_ACTOR, &[][..]),
            (root::CONTEXT, [FACTS, REALM]) => (root::WHOLE_REALM, &[][..]),
            (root::CONTEXT, [FACTS, rest @ ..]) => {
                self.register(rest).unwrap_or((root::WHOLE_FACTS, rest))
            }
            _ => (from, names),
        };
        // An account principal is the request's account, and so is the account of a member
        // principal. Each pair of paths shares one register.
        let (from, names) = match (from, self.request_shape.principal, names) {
            (root::ACCOUNT, symbols::ACCOUNT, _) => (root::PRINCIPAL, names),
            (root::PRINCIPAL, symbols::MEMBER, [ACCOUNT_OF, rest @ ..]) => (root::ACCOUNT, rest),
            _ => (from, names),
        };
        (from, names.to_vec())
    }

    /// Replaces the start of every path in the expression by its register.
    fn assign_registers(&self, node: &mut IrExpr) {
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            match node {
                IrExpr::Path(from, names) => (*from, *names) = self.place(*from, names),
                IrExpr::HasPath(from, names) => {
                    let presence = presence(*from, names).map(|at| (at, Vec::new()));
                    (*from, *names) = presence.unwrap_or_else(|| self.place(*from, names));
                }
                IrExpr::Value(_) | IrExpr::Fails => {}
                IrExpr::Has(operand, _)
                | IrExpr::Attribute(operand, _)
                | IrExpr::Not(operand)
                | IrExpr::Apply(_, operand)
                | IrExpr::Like(operand, _)
                | IrExpr::Is(operand, _) => todo.push(operand),
                IrExpr::And(left, right)
                | IrExpr::Or(left, right)
                | IrExpr::Compare(_, left, right)
                | IrExpr::Compute(_, left, right) => todo.extend([&mut **left, right]),
                IrExpr::If(cond, yes, no) => todo.extend([&mut **cond, yes, no]),
                IrExpr::Set(items) => todo.extend(items),
                IrExpr::Record(fields) => todo.extend(fields.iter_mut().map(|(_, value)| value)),
            }
        }
    }
}

/// Returns the register that says whether a record of facts exists.
fn presence(from: u8, names: &[u32]) -> Option<u8> {
    match (from, names) {
        (root::CONTEXT, [FACTS, ACTOR]) => Some(root::ACTOR),
        (root::CONTEXT, [FACTS, REALM]) => Some(root::REALM),
        (root::CONTEXT, [FACTS, QUOTA]) => Some(root::QUOTA),
        (root::CONTEXT, [FACTS, QUOTA, ACCOUNT_OF]) => Some(root::QUOTA_ACCOUNT),
        (root::CONTEXT, [FACTS, QUOTA, MEMBER_OF]) => Some(root::QUOTA_MEMBER),
        _ => None,
    }
}

impl CompileContext for Specializer<'_> {
    fn entity(&mut self, kind: &str, id: &str) -> u32 {
        let text = self.pool.text(kind);
        self.named.records |= is_directory_type(kind);
        if let Some(known) = self.named.find(self.hot, kind, Some(text), id) {
            return known;
        }
        let (kind, number) = match kind {
            "Account" => (symbols::ACCOUNT, self.hot.accounts.name(id)),
            "TeamMember" => (symbols::MEMBER, self.hot.members.name(id)),
            "Domain" => (symbols::DOMAIN, self.hot.domains.name(id)),
            "AccessLevel" => (symbols::LEVEL, self.hot.levels.name(id)),
            "Package" => (symbols::PACKAGE, self.hot.packages.name(id)),
            "Operator" => (symbols::OPERATOR, self.hot.operators.name(id)),
            "Platform" => (symbols::PLATFORM, self.hot.platforms.name(id)),
            _ => (symbols::NAMED, self.named.others.keep(text, id)),
        };
        entity(kind, number)
    }

    fn pool(&mut self) -> &mut ConstantPool {
        self.pool
    }

    fn path(&mut self, from: u8, names: &[u32]) -> Option<Value> {
        let facts = self.request_shape.facts?;
        let known = match (from, names) {
            (root::ACTION, []) => self.request_shape.action,
            (root::CONTEXT, [FACTS, FEATURE_OF]) => self.request_shape.feature?,
            (root::CONTEXT, [FACTS, CHANNEL_OF]) => entity(symbols::CHANNEL, facts.channel()?),
            _ => return None,
        };
        Some(Value::Entity(known))
    }

    fn has(&mut self, from: u8, names: &[u32]) -> Option<bool> {
        let shape = &self.request_shape;
        match (from, names) {
            (root::CONTEXT, [FACTS, rest @ ..]) => self.fact(rest),
            (root::PRINCIPAL, [name]) if shape.principal == symbols::ACCOUNT => {
                self.account_has(*name)
            }
            (root::CONTEXT, [_]) => (!shape.facts?.has(CONTEXT)).then_some(false),
            (root::RESOURCE, [name]) => {
                if let Some(brought) = shape.brings(*name) {
                    return Some(brought);
                }
                let is = |(known, _): &(&String, &bool)| self.pool.find_text(known) == Some(*name);
                let declared = shape.attributes?.iter().find(is);
                // No entity has an attribute that its type does not declare. Every entity has the
                // attributes that its type requires.
                match declared.map(|(_, required)| *required) {
                    Some(true) => Some(true),
                    Some(false) => None,
                    None => Some(false),
                }
            }
            _ => None,
        }
    }

    fn type_of(&mut self, from: u8, names: &[u32]) -> Option<u32> {
        self.request_shape.facts?;
        match (from, names) {
            (root::PRINCIPAL, []) => Some(FIRST_TYPE.saturating_add(self.request_shape.principal)),
            (root::RESOURCE, []) => Some(self.pool.text(self.request_shape.resource)),
            _ => None,
        }
    }

    fn is_in(&mut self, child: u32, ancestor: u32) -> Option<bool> {
        let (kind, at) = symbols::parts(child);
        let above = self.named.above.get(at as usize);
        let above = above.filter(|_| kind == symbols::ACTION)?;
        Some(child == ancestor || above.binary_search(&ancestor).is_ok())
    }
}
