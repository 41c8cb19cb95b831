//! Snapshots of each output that a policy author sees, with its exit code.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::path::{Path, PathBuf};

use sublet_cli::{DENIED, FAULTS, OK, USAGE};

/// A temporary folder for a bundle. It is removed when the test ends.
struct Bundle(PathBuf);

impl Bundle {
    /// Writes the bundle of `notes` with the kernel schema. The given files are added or replace
    /// files of the bundle.
    fn new(name: &str, overlay: &[(&str, &str)]) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = std::env::temp_dir().join(format!("sublet-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("tests")).expect("a folder");
        std::fs::copy(
            here.join("../policies/sublet.cedarschema"),
            folder.join("sublet.cedarschema"),
        )
        .expect("the kernel schema");
        for part in ["", "tests"] {
            for entry in std::fs::read_dir(here.join("tests/notes").join(part))
                .expect("a folder")
                .flatten()
                .filter(|entry| entry.path().is_file())
            {
                std::fs::copy(entry.path(), folder.join(part).join(entry.file_name()))
                    .expect("a file");
            }
        }
        for (file, text) in overlay {
            std::fs::write(folder.join(file), text).expect("a file");
        }
        Self(folder)
    }

    fn path(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the command. Returns its exit code and output, with the folder and the fingerprint replaced
/// by names.
fn sublet(bundle: &Bundle, arguments: &[&str]) -> (i32, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let path = bundle.path();
    let arguments = arguments
        .iter()
        .map(|argument| argument.replace("BUNDLE", &path));
    let code = sublet_cli::run(
        std::iter::once("sublet".to_owned())
            .chain(arguments)
            .map(Into::into),
        &mut out,
        &mut err,
    );
    let (out, err) = (
        String::from_utf8(out).expect("text"),
        String::from_utf8(err).expect("text"),
    );
    assert!(out.is_empty() || err.is_empty(), "both streams: {out}{err}");
    let kind = if err.is_empty() { "stdout" } else { "stderr" };
    let fingerprint = sublet::Engine::open(sublet::Options {
        policies: sublet::PolicySource::Folder(bundle.0.clone()),
        ..sublet::Options::default()
    });
    let mut text = format!("{kind}, exit {code}\n{out}{err}").replace(&path, "BUNDLE");
    if let Ok(engine) = fingerprint {
        text = text.replace(engine.bundle().fingerprint.as_str(), "FINGERPRINT");
    }
    (code, text)
}

const SYNTAX: &str = "permit (principal, action resource);\nforbid (principal, action, resource) when { resource.sécret };\n";
const NAMES: &str = "@id(\"x\") @code(\"x\")\nforbid (principal, action == Action::\"note.read\", resource)\nwhen { resource.secrets };\n";

#[test]
fn check_prints_bundle_or_diagnostics() {
    let sound = Bundle::new("sound", &[]);
    for (name, arguments) in [
        ("check", vec!["check", "BUNDLE", "--verbose"]),
        ("check_json", vec!["check", "BUNDLE", "--format", "json"]),
    ] {
        let (code, text) = sublet(&sound, &arguments);
        assert_eq!(code, OK, "{text}");
        insta::assert_snapshot!(name, text);
    }
    // The policy needs more registers than a program can have. This is the only limit that it
    // exceeds, so Cedar evaluates it.
    let numbers: Vec<String> = (0..66_000).map(|number| number.to_string()).collect();
    let large = format!(
        "@id(\"many-numbers\") @code(\"many_numbers\") forbid (principal, action, resource)\nwhen {{ context.facts has amount && [context.facts.amount, {}].contains(7) }};\n",
        numbers.join(", ")
    );
    let beyond = Bundle::new("beyond", &[("20-more.cedar", &large)]);
    for (name, arguments) in [
        ("check_beyond", vec!["check", "BUNDLE"]),
        ("check_beyond_verbose", vec!["check", "BUNDLE", "--verbose"]),
    ] {
        let (code, text) = sublet(&beyond, &arguments);
        assert_eq!(code, OK, "{text}");
        insta::assert_snapshot!(name, text);
    }
    let urgent = "@id(\"x\") @code(\"x\") forbid (principal, action == Action::\"note.write\", resource) when { context has urgent && context.urgent };\n";
    let open = Bundle::new("open", &[("20-more.cedar", urgent)]);
    let (code, text) = sublet(&open, &["check", "BUNDLE"]);
    assert_eq!(code, OK, "{text}");
    insta::assert_snapshot!("check_left_out", text);
    assert_eq!(
        sublet(&open, &["check", "BUNDLE", "--deny-warnings"]),
        (FAULTS, text.replace("exit 0", "exit 1"))
    );
    let deep = format!(
        "@id(\"x\") @code(\"x\") forbid (principal, action, resource) when {{ {}true{} }};",
        "(".repeat(90),
        ")".repeat(90)
    );
    for (name, file, faulty) in [
        ("syntax", "20-more.cedar", SYNTAX),
        ("names", "20-more.cedar", NAMES),
        ("deep", "20-more.cedar", deep.as_str()),
        (
            "schema",
            "more.cedarschema",
            "entity Note = { account: Account };\n",
        ),
        (
            "catalog",
            "catalog.json",
            "{\"packages\": [], \"p\\u0061ckages\": []}",
        ),
        (
            "packages",
            "catalog.json",
            "{\"packages\": [{\"id\": \"plain\", \"features\": [\"rockets\"], \"whitelabel\": false}]}",
        ),
    ] {
        let bundle = Bundle::new(name, &[(file, faulty)]);
        let (code, text) = sublet(&bundle, &["check", "BUNDLE"]);
        assert_eq!(code, FAULTS, "{text}");
        insta::assert_snapshot!(format!("check_{name}"), text);
        let (code, text) = sublet(&bundle, &["--format", "json", "check", "BUNDLE"]);
        assert_eq!(code, FAULTS, "{text}");
        let found: serde_json::Value =
            serde_json::from_str(text.split_once('\n').expect("two lines").1).expect("JSON");
        insta::assert_snapshot!(
            format!("check_{name}_json"),
            serde_json::to_string_pretty(&found).expect("JSON")
        );
    }
}

#[test]
fn test_prints_failed_case_and_answer() {
    let sound = Bundle::new("cases", &[]);
    for (name, arguments) in [
        ("test", vec!["test", "BUNDLE"]),
        ("test_verbose", vec!["test", "BUNDLE", "-v"]),
        ("test_json", vec!["test", "BUNDLE", "--format=json"]),
    ] {
        let (code, text) = sublet(&sound, &arguments);
        assert_eq!(code, OK, "{text}");
        insta::assert_snapshot!(name, text);
    }
    let cases = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/notes/tests/notes.json"),
    )
    .expect("the cases");
    let wrong = Bundle::new(
        "wrong",
        &[(
            "tests/notes.json",
            &cases.replace("\"note_secret\"", "\"other_account\""),
        )],
    );
    for (name, arguments) in [
        ("test_failed", vec!["test", "BUNDLE"]),
        ("test_failed_json", vec!["test", "BUNDLE", "--format=json"]),
    ] {
        let (code, text) = sublet(&wrong, &arguments);
        assert_eq!(code, FAULTS, "{text}");
        insta::assert_snapshot!(name, text);
    }
    let strict = sublet(&sound, &["test", "BUNDLE", "--strict"]);
    assert_eq!(strict.0, FAULTS, "{}", strict.1);
    for (name, from, to) in [
        ("error", "note.read", "note.fly"),
        ("field", "\"action\"", "\"hots\": 1, \"action\""),
        ("call", "\"action\"", "\"call\": \"fly\", \"action\""),
        (
            "answer",
            "{ \"allowed\": true, \"code\": \"ok\", \"policies\": [\"allow-notes\"] }",
            "{}",
        ),
    ] {
        let wrong = Bundle::new(name, &[("tests/notes.json", &cases.replacen(from, to, 1))]);
        let (code, text) = sublet(&wrong, &["test", "BUNDLE"]);
        assert_eq!(code, FAULTS, "{text}");
        insta::assert_snapshot!(format!("test_wrong_{name}"), text);
    }
    for (name, overlay) in [
        ("no_cases", ("tests/notes.json", "{\"cases\": []}")),
        ("bad_cases", ("tests/notes.json", "[]")),
    ] {
        let (code, text) = sublet(&Bundle::new(name, &[overlay]), &["test", "BUNDLE"]);
        assert_eq!(code, USAGE, "{text}");
        insta::assert_snapshot!(format!("test_{name}"), text);
    }
}

#[test]
fn explain_prints_the_reason() {
    let bundle = Bundle::new("explain", &[]);
    let request = |secret: bool| {
        format!(
            "{{\"principal\":[\"TeamMember\",\"ann\"],\"action\":\"note.read\",\"resource\":{{\"type\":\"Note\",\"id\":\"n\",\"account\":\"acme\",\"attributes\":{{\"secret\":{secret}}}}}}}"
        )
    };
    for (name, secret, format, wanted) in [
        ("explain_allowed", false, "human", OK),
        ("explain_denied", true, "human", DENIED),
        ("explain_denied_verbose", true, "human", DENIED),
        ("explain_denied_json", true, "json", DENIED),
    ] {
        let request = request(secret);
        let mut arguments = vec![
            "explain",
            "--format",
            format,
            "--bundle",
            "BUNDLE",
            "--directory",
            "BUNDLE/tests/acme.jsonl",
            &request,
        ];
        if name.ends_with("verbose") {
            arguments.push("--verbose");
        }
        let (code, text) = sublet(&bundle, &arguments);
        assert_eq!(code, wanted, "{text}");
        insta::assert_snapshot!(name, text);
    }
    for (name, directory, request) in [
        ("explain_no_directory", "BUNDLE/none.jsonl", request(true)),
        ("explain_no_json", "BUNDLE/tests/acme.jsonl", "{".to_owned()),
        (
            "explain_no_action",
            "BUNDLE/tests/acme.jsonl",
            request(true).replace("note.read", "note.fly"),
        ),
    ] {
        let (code, text) = sublet(
            &bundle,
            &[
                "explain",
                "--bundle",
                "BUNDLE",
                "--directory",
                directory,
                &request,
            ],
        );
        assert_eq!(code, USAGE, "{text}");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn help_and_usage_errors_are_printed() {
    let bundle = Bundle::new("help", &[]);
    for (name, arguments, wanted) in [
        ("help", vec!["--help"], OK),
        ("no_command", vec![], USAGE),
        ("wrong_command", vec!["fly"], USAGE),
        (
            "wrong_option",
            vec!["check", "--validation", "loose"],
            USAGE,
        ),
        ("no_bundle", vec!["check", "/no/such/folder"], FAULTS),
    ] {
        let (code, text) = sublet(&bundle, &arguments);
        assert_eq!(code, wanted, "{text}");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn schema_has_every_command_and_record() {
    for (shapes, tag, names) in [
        ("commands", "do", sublet::Command::NAMES),
        ("records", "type", sublet::Record::TYPES.as_slice()),
    ] {
        let (code, text) = plain(&["schema", shapes]);
        assert_eq!(code, OK, "{text}");
        let schema: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let shapes = schema["oneOf"].as_array().expect("a union");
        let found: Vec<&str> = shapes
            .iter()
            .filter_map(|shape| shape["properties"][tag]["const"].as_str())
            .collect();
        assert_eq!(found, names);
        for shape in shapes {
            assert!(shape["description"].is_string(), "{shape:#}");
            assert_eq!(shape["additionalProperties"], false, "{shape:#}");
            for (name, field) in shape["properties"].as_object().expect("fields") {
                assert!(
                    name == tag || field["description"].is_string(),
                    "{name}: {field:#}"
                );
            }
        }
    }
}

/// Returns the output of the command, with the bundle's folder replaced by a name.
fn plain(arguments: &[&str]) -> (i32, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = sublet_cli::run(
        std::iter::once("sublet")
            .chain(arguments.iter().copied())
            .map(Into::into),
        &mut out,
        &mut err,
    );
    (code, String::from_utf8([out, err].concat()).expect("text"))
}

#[test]
fn mistyped_store_is_not_created() {
    let path = std::env::temp_dir().join(format!("sublet-none-{}.db", std::process::id()));
    let store = format!("sqlite:{}", path.display());
    for verb in [
        vec!["inspect", &store],
        vec!["verify", &store],
        vec!["usage", &store, "acme"],
        vec!["accept-clock", &store],
        vec!["export", &store],
    ] {
        let (code, said) = plain(&verb);
        assert!(
            code == USAGE && said.contains("store.unreachable") && said.contains("no such file"),
            "{verb:?}: {said}"
        );
    }
    assert!(!path.exists());
}

/// Fills, inspects, verifies and exports a store.
#[test]
fn store_commands_cover_one_life_of_a_store() {
    let folder = std::env::temp_dir().join(format!("sublet-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let store = format!("sqlite:{}", folder.join("sublet.db").display());
    let agency = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../policies/tests/agency.jsonl"
    );
    let (code, said) = plain(&["import", &store, agency]);
    assert!(code == OK && said.contains("records, revision 1"), "{said}");
    let engine = sublet::Engine::open(sublet::Options {
        store: store.clone(),
        ..sublet::Options::default()
    })
    .expect("opens");
    let question = sublet::RequestRef::new(("Account", "acme"), "campaign.send", ("Campaign", "k"))
        .account("acme")
        .host("dash.marketingmaster.example");
    assert!(
        engine
            .consume(
                question,
                &sublet::ConsumeOptions::new(7).idempotency_key("k")
            )
            .expect("an answer")
            .allowed
    );
    // The engine still has the store open.
    let (code, said) = plain(&["inspect", &store, "acme"]);
    assert!(
        code == OK
            && said.contains("1 operations, 1 idempotency keys, 0 reservations")
            && said.contains("directory at revision 1"),
        "{said}"
    );
    let json = |arguments: &[&str]| {
        let (code, said) = plain(&[arguments, &["--format", "json"]].concat());
        (
            code,
            serde_json::from_str::<serde_json::Value>(&said).expect("JSON"),
        )
    };
    let (code, found) = json(&["inspect", &store, "acme"]);
    assert_eq!(
        (
            code,
            &found["store"]["counts"][0]["used"],
            &found["store"]["counts"][0]["meter"]
        ),
        (OK, &7.into(), &"emails".into()),
        "{found}"
    );
    let (code, found) = json(&["usage", &store, "acme", "--meter", "emails"]);
    assert_eq!(
        (
            code,
            &found["usage"][0]["used"],
            &found["usage"][0]["source"]
        ),
        (OK, &7.into(), &"package".into()),
        "{found}"
    );
    let (code, said) = plain(&["usage", &store, "acme"]);
    assert!(
        code == OK
            && said
                .lines()
                .any(|line| line.starts_with("emails ") && line.ends_with("package")),
        "{said}"
    );
    let (code, said) = plain(&["usage", &store, "nobody"]);
    assert!(
        code == USAGE && said.contains("directory.unknown_account"),
        "{said}"
    );
    assert_eq!(
        plain(&["verify", &store]),
        (
            OK,
            "1 counts compared with 1 operations: 0 faults\n".to_owned()
        )
    );
    let (code, said) = plain(&["accept-clock", &store]);
    assert!(
        code == OK && said.starts_with("counting goes on at 2"),
        "{said}"
    );
    let (code, lines) = plain(&["export", &store]);
    let mut exported = Vec::new();
    engine.export(&mut exported).expect("exports");
    assert_eq!((code, lines.into_bytes()), (OK, exported.clone()));
    let to = folder.join("out.jsonl");
    assert_eq!(
        plain(&["export", &store, "--to", &to.to_string_lossy()]).0,
        OK
    );
    assert_eq!(std::fs::read(to).expect("a file"), exported);
    let _ = std::fs::remove_dir_all(&folder);
}

/// A store has its own counts, which decide over a limit.
#[test]
fn explain_reads_the_counts_of_a_store() {
    let folder = std::env::temp_dir().join(format!("sublet-explain-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let store = format!("sqlite:{}", folder.join("sublet.db").display());
    let agency = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../policies/tests/agency.jsonl"
    );
    assert_eq!(plain(&["import", &store, agency]).0, OK);
    let engine = sublet::Engine::open(sublet::Options {
        store: store.clone(),
        ..sublet::Options::default()
    })
    .expect("opens");
    engine
        .carry_over("acme", None, "emails", 7, None)
        .expect("counts");
    let ask = |amount: u32, more: &str| {
        let request = format!(
            r#"{{"principal":["Account","acme"],"action":"campaign.send","resource":{{"type":"Campaign","id":"k","account":"acme"}},"host":"dash.marketingmaster.example","amount":{amount}{more}}}"#
        );
        plain(&["explain", "--store", &store, &request])
    };
    let (code, said) = ask(499_994, "");
    assert!(
        code == DENIED
            && said.starts_with("denied: quota_exceeded\n")
            && said.contains("\n  quota.account.used = 7\n"),
        "{said}"
    );
    assert_eq!(ask(499_993, "").0, OK);
    let (code, said) = ask(1, ",\"usage\":[]");
    assert!(
        code == USAGE && said.contains("`usage` needs `--directory`"),
        "{said}"
    );
    for arguments in [
        vec!["explain", "{}"],
        vec!["explain", "--store", &store, "--directory", agency, "{}"],
    ] {
        assert_eq!(plain(&arguments).0, USAGE, "{arguments:?}");
    }
    let _ = std::fs::remove_dir_all(&folder);
}
