//! The peer: the rules that the workload meets, written by hand over interned facts, to win.
//! Strings are looked up once for each request; the rest is integers and bits. It allocates
//! nothing and knows nothing that the requests do not need.
//!
//! [`HandWrittenRules::decide`] returns the code, as plainly as it can be written.
//! [`HandWrittenRules::check`] returns the allow bit, as fast as possible: all that depends on one
//! account alone is computed when the facts are interned.
//!
//! Both have a second form, `…_with_authors`, which also asks the rules of the workload "authors".

mod authors;
mod check;
mod decide;
mod intern;

use crate::key_table::Table;

const NONE: u32 = u32::MAX;
const CLOSED: u8 = 1;
const ABUSE: u8 = 2;
const BY_OWNER: u8 = 4;
const OVERAGE: u8 = 8;
const UNPAID: u8 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Login = 1,
    Read = 2,
    Write = 4,
    Ticket = 8,
}

/// A condition of some actions only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Special {
    Nothing,
    OnClient,
    ToOwner,
    ToPlatform,
}

#[derive(Debug, Clone, Copy)]
struct Action {
    kind: Kind,
    special: Special,
    /// The bit of the feature, or 0.
    feature: u64,
    /// The type of the resource.
    resource: &'static str,
    /// The authors' rules that concern the action.
    rules: u16,
}

#[derive(Debug, Clone, Copy)]
struct Account {
    owner: u32,
    /// The account whose domains admit its logins: the owner, or the account itself.
    realm: u32,
    /// The features of the package (main account) or of the level (client).
    features: u64,
    /// The features in force: the owner of a client must have them too.
    in_force: u64,
    whitelabel: bool,
    confirmed: bool,
    status: u8,
    /// The kinds of action on its own resources that its status, or that of its owner, forbids.
    blocked: u8,
    /// Whether the owner of a client is disabled or closed: the platform takes its tickets.
    owner_away: bool,
    /// The authors' rules that concern the account.
    rules: u16,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    account: u32,
    grants: u64,
    confirmed: bool,
    /// The authors' rules that concern the member, but not the account as a whole.
    rules: u16,
}

#[derive(Debug, Clone, Copy)]
struct Domain {
    owner: u32,
    verified: bool,
}

/// The rules by hand, over interned facts.
#[derive(Debug)]
pub struct HandWrittenRules {
    accounts: Table<Account>,
    members: Table<Member>,
    domains: Table<Domain>,
    actions: Table<Action>,
}
