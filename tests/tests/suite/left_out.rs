//! A request may leave out an attribute. Policies that then refuse less cause a warning at load,
//! and `@requires` of an action makes it an error.

use sublet::{CedarProgram, Engine, Error, Options, PolicySource, Request, RequestRef, Resource};

use crate::code_words::policy_warnings;

const HOST: &str = "dash.marketingmaster.example";

const SCHEMA: &str = r#"
entity Memo = { account: Account, created_by?: TeamMember, shared?: { until?: Long, with: Account } } tags String;
action "memo.read" in [Action::"read"] appliesTo { principal: [Account, TeamMember], resource: [Memo], context: { facts: Facts, ip?: String } };
@requires("created_by")
action "memo.edit" in [Action::"write"] appliesTo { principal: [Account, TeamMember], resource: [Memo], context: { facts: Facts } };
@asks("create_level")
action "memo.level" in [Action::"write"] appliesTo { principal: [Account], resource: [Account], context: { facts: Facts, level?: AccessLevel, wish?: String } };
"#;

fn open_engine(policies: &str) -> Result<Engine, Error> {
    let mut files = vec![
        ("more.cedarschema".to_owned(), SCHEMA.to_owned()),
        ("77-more.cedar".to_owned(), policies.to_owned()),
    ];
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../policies"))
        .expect("the folder")
        .flatten()
        .filter(|entry| entry.path().is_file())
    {
        files.push((
            entry.file_name().to_string_lossy().into_owned(),
            std::fs::read_to_string(entry.path()).expect("a text"),
        ));
    }
    let engine = Engine::open(Options {
        policies: PolicySource::Files(files),
        ..Options::default()
    })?;
    engine.import(
        include_bytes!("../../../policies/tests/agency.jsonl").as_slice(),
        None,
        None,
    )?;
    Ok(engine)
}

/// Returns the paths that the warnings name, with the first action.
fn warned(policy: &str) -> Vec<String> {
    let text = format!("@id(\"x\") {policy};");
    let engine = open_engine(&text).unwrap_or_else(|error| panic!("{error}"));
    let warnings = policy_warnings(&engine);
    for warning in &warnings {
        assert_eq!(warning.code, "bundle.left_out");
        let place = warning.place.as_ref().expect("a place");
        assert_eq!((place.file.as_str(), place.line), ("77-more.cedar", 1));
        assert!(warning.help.is_some());
    }
    warnings
        .into_iter()
        .map(|warning| {
            warning
                .message
                .split('`')
                .skip(3)
                .step_by(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[test]
fn policies_that_fail_open_are_warned() {
    let forbid = |rest: &str| {
        format!(
            "@code(\"x\") forbid (principal, action in [Action::\"memo.read\", Action::\"memo.edit\"], resource) {rest}"
        )
    };
    let author = "resource.created_by != principal";
    let open = ["resource.created_by memo.read"];
    let cases: Vec<(String, &[&str])> = vec![
        (forbid(&format!("when {{ resource has created_by && {author} }}")), &open),
        (forbid("when { resource has created_by }"), &open),
        (forbid(&format!("unless {{ !(resource has created_by && {author}) }}")), &open),
        (forbid(&format!("when {{ if resource has created_by then {author} else false }}")), &open),
        (forbid(&format!("when {{ principal.confirmed || (resource has created_by && {author}) }}")), &open),
        (forbid(&format!("when {{ principal.confirmed }} when {{ resource is Memo && resource has created_by && {author} }}")), &open),
        (forbid("when { resource.hasTag(\"secret\") }"), &["resource.getTag(\"secret\") memo.edit"]),
        (
            forbid("when { resource has shared && resource.shared has until && resource.shared.until > 1 }"),
            &["resource.shared memo.edit", "resource.shared.until memo.edit"],
        ),
        (forbid("when { resource has shared.until && resource.shared.until > 1 }"), &["resource.shared memo.edit", "resource.shared.until memo.edit"]),
        (
            "@code(\"x\") forbid (principal, action == Action::\"memo.read\", resource) when { context has ip && context.ip like \"10.*\" }".to_owned(),
            &["context.ip memo.read"],
        ),
        ("permit (principal, action == Action::\"memo.read\", resource) unless { resource has created_by }".to_owned(), &open),
        // These policies refuse if the attribute is absent.
        (forbid("when { !(resource has created_by && resource.created_by == principal) }"), &[]),
        (forbid("unless { resource has created_by && resource.created_by == principal }"), &[]),
        (forbid(&format!("when {{ if resource has created_by then {author} else true }}")), &[]),
        ("permit (principal, action == Action::\"memo.read\", resource) when { resource has created_by && resource.created_by == principal }".to_owned(), &[]),
        // The action requires these attributes, or the records of the engine always have them.
        (format!("@code(\"x\") forbid (principal, action == Action::\"memo.edit\", resource) when {{ resource has created_by && {author} }}"), &[]),
        (forbid(&format!("when {{ action == Action::\"memo.edit\" && resource has created_by && {author} }}")), &[]),
        (
            "@code(\"x\") forbid (principal, action, resource is Account) when { resource has package && resource.package == Package::\"agency\" }".to_owned(),
            &[],
        ),
        (forbid("when { resource.account has package && resource.account.package == Package::\"agency\" }"), &[]),
        (forbid("when { context.facts has domain.owner && context.facts.domain.owner.closed }"), &[]),
        // For a command the engine fills some fields, and the caller passes the others.
        (
            "@code(\"x\") forbid (principal, action == Action::\"memo.level\", resource) when { context has wish && context.wish == \"x\" }".to_owned(),
            &["context.wish memo.level"],
        ),
        (
            "@code(\"x\") forbid (principal, action == Action::\"memo.level\", resource) when { context has level && context.level == AccessLevel::\"x\" }".to_owned(),
            &[],
        ),
        // A policy that only warns refuses nothing.
        (forbid("when { resource has created_by }").replace("@code", "@warns"), &[]),
    ];
    for (policy, paths) in cases {
        assert_eq!(warned(&policy), paths, "{policy}");
    }
}

/// `@requires` names attributes of the resource only.
#[test]
fn help_says_what_is_possible() {
    for (condition, action, wanted) in [
        ("resource has created_by", "memo.read", "`@requires`"),
        (
            "context has ip && context.ip == \"x\"",
            "memo.read",
            "`unless { context has ip && ... }`",
        ),
        (
            "resource has shared.until && resource.shared.until > 1",
            "memo.edit",
            "`unless { resource.shared has until && ... }`",
        ),
        (
            "resource.hasTag(\"t\")",
            "memo.edit",
            "`unless { resource.hasTag(\"t\") && ... }`",
        ),
    ] {
        let text = format!(
            "@id(\"x\") @code(\"x\") forbid (principal, action == Action::\"{action}\", resource) when {{ {condition} }};"
        );
        let engine = open_engine(&text).unwrap_or_else(|error| panic!("{error}"));
        let warnings = policy_warnings(&engine);
        let help = warnings.last().and_then(|warning| warning.help.as_deref());
        let help = help.unwrap_or_default();
        assert!(help.contains(wanted), "{condition}: {help}");
        assert_eq!(
            help.contains("@requires"),
            wanted == "`@requires`",
            "{condition}: {help}"
        );
    }
}

#[test]
fn default_bundle_has_no_warnings() {
    assert_eq!(
        Engine::open(Options::default())
            .expect("opens")
            .bundle()
            .warnings,
        []
    );
    let program = CedarProgram {
        policies: "forbid (principal, action, resource) when { resource has secret };".to_owned(),
        ..CedarProgram::default()
    };
    let engine = Engine::open(Options {
        policies: PolicySource::Cedar(program),
        ..Options::default()
    })
    .expect("opens");
    assert_eq!(engine.bundle().warnings, []);
}

/// Every method returns the error.
#[test]
fn missing_required_attribute_is_an_error() {
    let permit = "@id(\"allow-memos\") permit (principal, action in [Action::\"memo.read\", Action::\"memo.edit\"], resource);\n";
    let forbid = "@id(\"x\") @code(\"not_yours\") forbid (principal is TeamMember, action == Action::\"memo.edit\", resource) when { resource has created_by && resource.created_by != principal };";
    let engine =
        open_engine(&format!("{permit}{forbid}")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(policy_warnings(&engine), []);
    let bare = || Resource::new("Memo", "m").account("acme");
    let by = |author: &str| {
        bare().attribute(
            "created_by",
            serde_json::json!({"__entity": {"type": "TeamMember", "id": author}}),
        )
    };
    for (principal, kind) in [("acme", "Account"), ("ann", "TeamMember")] {
        let request = |action: &str, resource: Resource| {
            Request::new((kind, principal), action, resource).host(HOST)
        };
        let forgotten = request("memo.edit", bare());
        let codes = [
            engine
                .authorize(&forgotten)
                .map(|decision| decision.allowed),
            engine.check(&forgotten),
            engine
                .check_many(std::slice::from_ref(&forgotten))
                .map(|_| true),
            engine.explain(&forgotten).map(|_| true),
            engine.check(RequestRef::new((kind, principal), "memo.edit", ("Memo", "m")).host(HOST)),
        ];
        for code in codes {
            let error = code.expect_err("an error");
            let is_item = error.code() == "input.item" && error.to_string().contains("created_by");
            assert!(
                is_item
                    || error.code() == "input.attribute_required"
                    || error.code() == "input.resource",
                "{error}"
            );
        }
        assert!(
            engine
                .check(&request("memo.read", bare()))
                .expect("an answer"),
            "what does not require it"
        );
        for author in ["ann", "eve"] {
            let decision = engine
                .authorize(&request("memo.edit", by(author)))
                .expect("an answer");
            assert_eq!(
                decision.allowed,
                kind == "Account" || author == principal,
                "{author}: {decision:?}"
            );
            assert_eq!(
                engine
                    .check(&request("memo.edit", by(author)))
                    .expect("an answer"),
                decision.allowed
            );
        }
    }
}
