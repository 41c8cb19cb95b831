//! Specializes policies to a kind of request: folds in the facts that are known at compile time,
//! and assigns registers to the others.

use super::entities::{SymbolTable, record};
use super::fact_set::{self, CLIENT, CONTEXT, QUOTA_MEMBER};
use super::request_shape::{RequestShape, has_account};
use super::symbols::{
    self, ACTOR, AMOUNT, CHANNEL_OF, DOMAIN_OF, FACTS, FEATURE_OF, FIRST_TYPE, HELD, HOST,
    HOST_REFUSED, LIMIT, LOGIN, OWNER, PACKAGE_OF, QUOTA, REALM, USED, entity, root,
};
use crate::compiler::{CompileContext, IrExpr, Unsupported};
use crate::directory::Tables;
use crate::vm::{ConstantPool, Value};

/// Compiles policies for one request shape. Numbers the names in them, and provides the facts that
/// the shape implies.
pub(crate) struct Specializer<'a> {
    pub(crate) pool: &'a mut ConstantPool,
    pub(crate) named: &'a mut SymbolTable,
    pub(crate) hot: &'a mut Tables,
    pub(crate) request_shape: RequestShape<'a>,
}

impl Specializer<'_> {
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
        match names {
            [] | [LOGIN | CHANNEL_OF] => return Some(true),
            _ => {}
        }
        let facts = self.request_shape.facts?;
        match names {
            [ACTOR] => Some(facts.actor().is_some()),
            [REALM] => Some(facts.has(fact_set::REALM)),
            [QUOTA] => Some(facts.has(fact_set::QUOTA)),
            [QUOTA, symbols::ACCOUNT_OF] if facts.has(fact_set::QUOTA) => Some(true),
            [QUOTA, symbols::MEMBER_OF] if facts.has(fact_set::QUOTA) => {
                Some(facts.has(QUOTA_MEMBER))
            }
            [symbols::ACCOUNT_OF, name] if has_account(self.request_shape.principal) => {
                self.account_has(*name)
            }
            [LOGIN, symbols::ACCOUNT_OF, name]
                if facts.actor().is_none() && has_account(self.request_shape.principal) =>
            {
                self.account_has(*name)
            }
            _ => {
                let (register, taken) = self.register(names)?;
                match self.request_shape.absent(register) {
                    // A value that is Missing is absent. To read it through something absent is an
                    // error.
                    Some(Value::Missing) if taken == names.len() => Some(false),
                    Some(_) => None,
                    None => (taken == names.len()).then_some(true),
                }
            }
        }
    }

    /// Returns the register of a fact, and the number of names that it covers.
    fn register(&self, names: &[u32]) -> Option<(u8, usize)> {
        let (at, taken) = match names {
            [symbols::ACCOUNT_OF, ..] => (root::ACCOUNT, 1),
            [HOST, ..] => (root::HOST, 1),
            [HOST_REFUSED, ..] => (root::HOST_REFUSED, 1),
            [DOMAIN_OF, ..] => (root::DOMAIN, 1),
            [CHANNEL_OF, ..] => (root::CHANNEL, 1),
            [FEATURE_OF, ..] => (root::FEATURE, 1),
            [AMOUNT, ..] => (root::AMOUNT, 1),
            [symbols::SESSION_START, ..] => (root::SESSION_START, 1),
            [symbols::NOT_BEFORE, ..] => (root::NOT_BEFORE, 1),
            [LOGIN, symbols::ACCOUNT_OF, ..] => (
                if self
                    .request_shape
                    .facts
                    .is_some_and(|facts| facts.actor().is_none())
                {
                    root::ACCOUNT
                } else {
                    root::LOGIN_ACCOUNT
                },
                2,
            ),
            [LOGIN, symbols::MEMBER_OF, ..] => (root::LOGIN_MEMBER, 2),
            [LOGIN, symbols::OPERATOR_OF, ..] => (root::LOGIN_OPERATOR, 2),
            [ACTOR, symbols::ACCOUNT_OF, ..] => (root::ACTOR_ACCOUNT, 2),
            [ACTOR, symbols::MEMBER_OF, ..] => (root::ACTOR_MEMBER, 2),
            [ACTOR, symbols::OPERATOR_OF, ..] => (root::ACTOR_OPERATOR, 2),
            [REALM, OWNER, ..] => (root::REALM_OWNER, 2),
            [QUOTA, rest @ ..] => return quota_register(rest),
            _ => return None,
        };
        Some((at, taken))
    }

    /// Returns the register that a path starts from, and the remaining names. Returns `None` if no
    /// register holds the start.
    fn place(&self, from: u8, names: &[u32]) -> Option<(u8, Vec<u32>)> {
        let (mut from, mut names) = (from, names.to_vec());
        if from == root::CONTEXT {
            match names.as_slice() {
                [] => return Some((root::WHOLE_CONTEXT, names)),
                [FACTS] => return Some((root::WHOLE_FACTS, Vec::new())),
                [FACTS, LOGIN] => return Some((root::WHOLE_LOGIN, Vec::new())),
                [FACTS, ACTOR] => return Some((root::WHOLE_ACTOR, Vec::new())),
                [FACTS, REALM] => return Some((root::WHOLE_REALM, Vec::new())),
                [FACTS, rest @ ..] => {
                    let (at, taken) = self.register(rest).unwrap_or((root::WHOLE_FACTS, 0));
                    names = rest.get(taken..)?.to_vec();
                    from = at;
                }
                _ => {}
            }
        }
        // An account principal is the request's account, and so is the account of a member
        // principal. Each pair of paths shares one register.
        if from == root::ACCOUNT && self.request_shape.principal == symbols::ACCOUNT {
            from = root::PRINCIPAL;
        } else if from == root::PRINCIPAL
            && self.request_shape.principal == symbols::MEMBER
            && names.first() == Some(&symbols::ACCOUNT_OF)
        {
            names.remove(0);
            from = root::ACCOUNT;
        }
        Some((from, names))
    }

    /// Returns the expression with every path at its register.
    ///
    /// # Errors
    /// [`Unsupported`] for a path that has no register.
    pub(crate) fn lower(&self, node: IrExpr) -> Result<IrExpr, Unsupported> {
        let boxed = |node: Box<IrExpr>| self.lower(*node).map(Box::new);
        Ok(match node {
            IrExpr::Path(from, names) => {
                let (from, names) = self.place(from, &names).ok_or(Unsupported)?;
                IrExpr::Path(from, names)
            }
            IrExpr::HasPath(from, names) => match (from, names.as_slice()) {
                (root::CONTEXT, [FACTS, ACTOR]) => IrExpr::HasPath(root::ACTOR, Vec::new()),
                (root::CONTEXT, [FACTS, REALM]) => IrExpr::HasPath(root::REALM, Vec::new()),
                (root::CONTEXT, [FACTS, QUOTA]) => IrExpr::HasPath(root::QUOTA, Vec::new()),
                (root::CONTEXT, [FACTS, QUOTA, symbols::ACCOUNT_OF]) => {
                    IrExpr::HasPath(root::QUOTA_ACCOUNT, Vec::new())
                }
                (root::CONTEXT, [FACTS, QUOTA, symbols::MEMBER_OF]) => {
                    IrExpr::HasPath(root::QUOTA_MEMBER, Vec::new())
                }
                _ => {
                    let (from, names) = self.place(from, &names).ok_or(Unsupported)?;
                    IrExpr::HasPath(from, names)
                }
            },
            IrExpr::Value(_) | IrExpr::Fails => node,
            IrExpr::Has(operand, name) => IrExpr::Has(boxed(operand)?, name),
            IrExpr::Attribute(operand, name) => IrExpr::Attribute(boxed(operand)?, name),
            IrExpr::Not(operand) => IrExpr::Not(boxed(operand)?),
            IrExpr::And(left, right) => IrExpr::And(boxed(left)?, boxed(right)?),
            IrExpr::Or(left, right) => IrExpr::Or(boxed(left)?, boxed(right)?),
            IrExpr::If(cond, yes, no) => IrExpr::If(boxed(cond)?, boxed(yes)?, boxed(no)?),
            IrExpr::Compare(what, left, right) => {
                IrExpr::Compare(what, boxed(left)?, boxed(right)?)
            }
            IrExpr::Compute(what, left, right) => {
                IrExpr::Compute(what, boxed(left)?, boxed(right)?)
            }
            IrExpr::Apply(what, operand) => IrExpr::Apply(what, boxed(operand)?),
            IrExpr::Like(operand, pattern) => IrExpr::Like(boxed(operand)?, pattern),
            IrExpr::Is(operand, kind) => IrExpr::Is(boxed(operand)?, kind),
            IrExpr::Set(items) => {
                let items = items.into_iter().map(|item| self.lower(item));
                IrExpr::Set(items.collect::<Result<_, _>>()?)
            }
            IrExpr::Record(fields) => {
                let lower = |(name, value)| self.lower(value).map(|value| (name, value));
                IrExpr::Record(fields.into_iter().map(lower).collect::<Result<_, _>>()?)
            }
        })
    }
}

/// Returns the register of a part of `quota`, and the number of names that it covers.
fn quota_register(names: &[u32]) -> Option<(u8, usize)> {
    Some(match names {
        [symbols::METER_OF, ..] => (root::QUOTA_METER, 2),
        [AMOUNT, ..] => (root::QUOTA_AMOUNT, 2),
        [symbols::ACCOUNT_OF, USED, ..] => (root::ACCOUNT_USED, 3),
        [symbols::ACCOUNT_OF, HELD, ..] => (root::ACCOUNT_HELD, 3),
        [symbols::ACCOUNT_OF, LIMIT, ..] => (root::ACCOUNT_LIMIT, 3),
        [symbols::MEMBER_OF, USED, ..] => (root::MEMBER_USED, 3),
        [symbols::MEMBER_OF, HELD, ..] => (root::MEMBER_HELD, 3),
        [symbols::MEMBER_OF, LIMIT, ..] => (root::MEMBER_LIMIT, 3),
        _ => return None,
    })
}

impl CompileContext for Specializer<'_> {
    fn entity(&mut self, kind: &str, id: &str) -> u32 {
        let text = self.pool.text(kind);
        self.named.records |= crate::cedar::tenant_facts::is_directory_type(kind);
        if let Some(known) = self
            .named
            .find(self.hot, kind, Some(text), id)
            .or_else(|| record(self.hot, kind, id))
        {
            return known;
        }
        match kind {
            "Account" => entity(symbols::ACCOUNT, self.hot.accounts.name(id)),
            "TeamMember" => entity(symbols::MEMBER, self.hot.members.name(id)),
            "Domain" => entity(symbols::DOMAIN, self.hot.domains.name(id)),
            "AccessLevel" => entity(symbols::LEVEL, self.hot.levels.name(id)),
            "Package" => entity(symbols::PACKAGE, self.hot.packages.name(id)),
            "Operator" => entity(symbols::OPERATOR, self.hot.operators.name(id)),
            "Platform" => entity(symbols::PLATFORM, self.hot.platforms.name(id)),
            _ => entity(symbols::NAMED, self.named.others.keep(text, id)),
        }
    }

    fn pool(&mut self) -> &mut ConstantPool {
        self.pool
    }

    fn path(&mut self, from: u8, names: &[u32]) -> Option<Value> {
        match (from, names) {
            _ if self.request_shape.facts.is_none() => None,
            (root::ACTION, []) => Some(Value::Entity(self.request_shape.action)),
            (root::CONTEXT, [FACTS, FEATURE_OF]) => self.request_shape.feature.map(Value::Entity),
            (root::CONTEXT, [FACTS, CHANNEL_OF]) => {
                let channel = self.request_shape.facts?.channel()?;
                Some(Value::Entity(entity(symbols::CHANNEL, channel)))
            }
            _ => None,
        }
    }

    fn has(&mut self, from: u8, names: &[u32]) -> Option<bool> {
        match (from, names) {
            (root::CONTEXT, [FACTS, rest @ ..]) => self.fact(rest),
            (root::PRINCIPAL, [name]) if self.request_shape.principal == symbols::ACCOUNT => {
                self.account_has(*name)
            }
            (root::CONTEXT, [_]) => self
                .request_shape
                .facts
                .and_then(|facts| (!facts.has(CONTEXT)).then_some(false)),
            (root::RESOURCE, [name]) => {
                let brought = self.request_shape.brings(*name);
                if brought.is_some() {
                    return brought;
                }
                let attributes = self.request_shape.attributes?;
                let required = attributes
                    .iter()
                    .find(|(known, _)| self.pool.find_text(known) == Some(*name))
                    .map(|(_, required)| *required);
                // No entity has an attribute that its type does not declare. Every entity has the
                // attributes that its type requires.
                match required {
                    Some(true) => Some(true),
                    Some(false) => None,
                    None => Some(false),
                }
            }
            _ => None,
        }
    }

    fn type_of(&mut self, from: u8, names: &[u32]) -> Option<u32> {
        match (from, names) {
            _ if self.request_shape.facts.is_none() => None,
            (root::PRINCIPAL, []) => Some(FIRST_TYPE.saturating_add(self.request_shape.principal)),
            (root::RESOURCE, []) => {
                let kind = self.request_shape.resource;
                Some(self.pool.text(kind))
            }
            _ => None,
        }
    }

    fn is_in(&mut self, child: u32, ancestor: u32) -> Option<bool> {
        let (kind, at) = symbols::parts(child);
        let above = self
            .named
            .above
            .get(at as usize)
            .filter(|_| kind == symbols::ACTION)?;
        Some(child == ancestor || above.binary_search(&ancestor).is_ok())
    }
}
