//! A random extension of the shipped schema, and the fields of every type of the kernel.

use serde_json::{Map, Value};

use super::kinds::{Field, ValueKind, declarations, field, optional, set, values};
use crate::Random;

/// The attributes, context fields and campaign fields that an author declares.
pub struct AuthorSchema {
    account: Vec<Field>,
    member: Vec<Field>,
    context: Vec<Field>,
    campaign: Vec<Field>,
}

/// Attributes of the shipped schema, which shipped policies read.
fn shipped_attributes() -> Vec<Field> {
    vec![
        optional("country", ValueKind::Text),
        optional("trial", ValueKind::Bool),
        optional("trial_grace", ValueKind::Long),
        optional("transactional_reserve", ValueKind::Long),
        optional("refuse_excess_clients", ValueKind::Bool),
    ]
}

/// Fields that an author may declare. Some have the name of an attribute of the kernel.
fn all_fields() -> Vec<Field> {
    let record = vec![
        field("x", ValueKind::Long),
        optional("y", ValueKind::Text),
        optional("who", ValueKind::Entity("Account")),
    ];
    vec![
        field("flag", ValueKind::Bool),
        field("confirmed", ValueKind::Bool),
        field("n", ValueKind::Long),
        field("owner", ValueKind::Long),
        field("s", ValueKind::Text),
        field("words", set(ValueKind::Text)),
        field("marks", set(ValueKind::Long)),
        field("dec", ValueKind::Decimal),
        field("at", ValueKind::Datetime),
        field("span", ValueKind::Duration),
        field("ip", ValueKind::Ip),
        field("rec", ValueKind::Record(record)),
        field("peer", ValueKind::Entity("Account")),
        field("author", ValueKind::Entity("TeamMember")),
        field("peers", set(ValueKind::Entity("Account"))),
        field("disabled", ValueKind::Entity("DisableReason")),
    ]
}

fn some_fields(random: &mut Random, required: bool) -> Vec<Field> {
    let mut fields = Vec::new();
    for field in all_fields() {
        if !random.once_in(3) {
            let required = required && random.once_in(3);
            fields.push(Field { required, ..field });
        }
    }
    fields
}

fn replace(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "`{old}` in the schema");
    text.replace(old, new)
}

impl AuthorSchema {
    /// Returns a random extension.
    #[must_use]
    pub fn new(random: &mut Random) -> Self {
        let mut account = shipped_attributes();
        account.extend(some_fields(random, true));
        let mut member = vec![optional("department", ValueKind::Text)];
        member.extend(some_fields(random, true));
        // Shipped policies compare `resource.owner` with accounts.
        let mut campaign = some_fields(random, false);
        campaign.retain(|field| field.name != "owner");
        Self {
            account,
            member,
            context: some_fields(random, false),
            campaign,
        }
    }

    /// Returns the shipped `app.cedarschema` with the declarations of this extension.
    ///
    /// # Panics
    /// If the shipped schema has no longer the lines that are replaced.
    #[must_use]
    pub fn apply(&self, app: &str) -> String {
        let from = app.find("type AccountAttributes").expect("the attributes");
        let members = app.find("type MemberAttributes").expect("the attributes");
        let to = members + app[members..].find("};\n").expect("the end of a type") + 3;
        let attributes = format!(
            "type AccountAttributes = {{ {} }};\ntype MemberAttributes = {{ {} }};\n",
            declarations(&self.account),
            declarations(&self.member)
        );
        let app = format!("{}{attributes}{}", &app[..from], &app[to..]);
        let context = format!(
            "type Plain = {{ facts: Facts, {} }};",
            declarations(&self.context)
        );
        let app = replace(&app, "type Plain = {\n  facts: Facts,\n};", &context);
        let campaign = format!(
            "  created_by?: TeamMember, {}\n}}",
            declarations(&self.campaign)
        );
        let tagged = format!("{campaign} tags String;\n");
        let app = replace(&app, "  created_by?: TeamMember,\n};\n", &tagged);
        replace(
            &app,
            "entity Broadcast = { account: Account };",
            "entity Broadcast in [Campaign] = { account: Account };",
        )
    }

    /// Returns random attributes of an account or member.
    #[must_use]
    pub fn attributes(&self, random: &mut Random, kind: &str) -> Map<String, Value> {
        let fields = match kind {
            "Account" => &self.account,
            _ => &self.member,
        };
        values(fields, random)
    }

    /// Returns random context fields of an action with the plain context.
    #[must_use]
    pub fn context(&self, random: &mut Random) -> Map<String, Value> {
        values(&self.context, random)
    }

    /// Returns random attributes of a campaign.
    #[must_use]
    pub fn campaign(&self, random: &mut Random) -> Map<String, Value> {
        values(&self.campaign, random)
    }

    /// Returns the fields of the context of an action.
    pub(super) fn context_fields(&self, action: &str) -> Vec<Field> {
        let mut fields = vec![field("facts", facts())];
        let account = || ValueKind::Entity("Account");
        let reason = || optional("reason", ValueKind::Text);
        let features = || set(ValueKind::Entity("Feature"));
        let stranding = || {
            [
                optional("clients", ValueKind::Long),
                optional("confirmed", ValueKind::Bool),
            ]
        };
        let disable = || optional("disable", ValueKind::Entity("DisableReason"));
        match action {
            "member.invite" => fields.push(optional("grants", features())),
            "member.grant" => {
                fields.push(optional("grants", features()));
                fields.push(optional("changed_grants", features()));
            }
            "member.edit" => {
                let meters = set(ValueKind::Entity("Meter"));
                fields.push(optional("beyond_own_part", meters));
            }
            "client.attach_level" => {
                fields.push(optional("level", ValueKind::Entity("AccessLevel")));
            }
            "client.offer_transfer" => fields.push(optional("to", account())),
            "client.disable" | "client.restore" => fields.push(disable()),
            "operator.disable" | "operator.restore" => fields.extend([disable(), reason()]),
            "domain.remove" | "billing.change_package" => fields.extend(stranding()),
            "operator.change_package" | "operator.quarantine_domain" => {
                fields.extend(stranding());
                fields.push(reason());
            }
            staff if staff.starts_with("operator.") || staff == "billing.charge" => {
                fields.push(reason());
            }
            transfer if transfer.ends_with("_transfer") => fields.extend([
                optional("client", account()),
                optional("offered_to", account()),
                optional("consented", ValueKind::Bool),
                optional("to", account()),
                optional("level", ValueKind::Entity("AccessLevel")),
            ]),
            _ => fields.extend(self.context.iter().cloned()),
        }
        fields
    }

    /// Returns the fields of a record or entity, and nothing for any other value.
    pub(super) fn fields(&self, kind: &ValueKind) -> Vec<Field> {
        let account = || ValueKind::Entity("Account");
        let features = || set(ValueKind::Entity("Feature"));
        let name = match kind {
            ValueKind::Record(fields) => return fields.clone(),
            ValueKind::Entity(name) => *name,
            _ => return Vec::new(),
        };
        match name {
            "Account" => vec![
                field("confirmed", ValueKind::Bool),
                field("closed", ValueKind::Bool),
                field("erased", ValueKind::Bool),
                field("disabled", set(ValueKind::Entity("DisableReason"))),
                optional("owner", account()),
                optional("package", ValueKind::Entity("Package")),
                optional("level", ValueKind::Entity("AccessLevel")),
                field("attributes", ValueKind::Record(self.account.clone())),
            ],
            "TeamMember" => vec![
                field("account", account()),
                field("confirmed", ValueKind::Bool),
                field("service", ValueKind::Bool),
                field("grants", features()),
                field("attributes", ValueKind::Record(self.member.clone())),
            ],
            "Domain" => vec![
                field("platform", ValueKind::Bool),
                optional("owner", account()),
                field("state", ValueKind::Entity("DomainState")),
            ],
            "Package" => vec![
                field("features", features()),
                field("whitelabel", ValueKind::Bool),
                field("self_service", ValueKind::Bool),
            ],
            "AccessLevel" => vec![field("features", features()), optional("owner", account())],
            "Operator" => vec![
                field("email", ValueKind::Text),
                field("roles", set(ValueKind::Entity("Role"))),
            ],
            "Ticket" => vec![
                field("account", account()),
                optional("desk", ValueKind::Text),
            ],
            "Campaign" => {
                let mut fields = vec![
                    field("account", account()),
                    optional("created_by", ValueKind::Entity("TeamMember")),
                ];
                fields.extend(self.campaign.iter().cloned());
                fields
            }
            "Platform" | "Feature" | "Meter" | "DisableReason" | "Channel" | "DomainState"
            | "Role" => Vec::new(),
            _ => vec![field("account", account())],
        }
    }
}

/// Returns the record type of `context.facts`.
fn facts() -> ValueKind {
    let account = || ValueKind::Entity("Account");
    let login = || {
        ValueKind::Record(vec![
            optional("account", account()),
            optional("member", ValueKind::Entity("TeamMember")),
            optional("operator", ValueKind::Entity("Operator")),
        ])
    };
    let count = || {
        ValueKind::Record(vec![
            field("used", ValueKind::Long),
            field("held", ValueKind::Long),
            optional("limit", ValueKind::Long),
        ])
    };
    let quota = ValueKind::Record(vec![
        field("meter", ValueKind::Entity("Meter")),
        field("amount", ValueKind::Long),
        field("account", count()),
        optional("member", count()),
    ]);
    let realm = ValueKind::Record(vec![optional("owner", account())]);
    ValueKind::Record(vec![
        field("login", login()),
        optional("account", account()),
        optional("actor", login()),
        optional("host", ValueKind::Text),
        optional("host_refused", ValueKind::Text),
        optional("domain", ValueKind::Entity("Domain")),
        field("channel", ValueKind::Entity("Channel")),
        optional("realm", realm),
        optional("session_start", ValueKind::Long),
        optional("not_before", ValueKind::Long),
        optional("feature", ValueKind::Entity("Feature")),
        optional("amount", ValueKind::Long),
        optional("quota", quota),
    ])
}
