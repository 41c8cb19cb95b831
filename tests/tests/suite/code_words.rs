//! The words of codes in several languages (E8).

use std::path::{Path, PathBuf};

use sublet::{Diagnostic, Engine, Options, PolicySource, Request, Resource};
use sublet_tests::{open_agency, shipped_files};

const HOST: &str = "dash.marketingmaster.example";

/// Returns the warnings about policies. Policies that a test adds to the shipped bundle bring codes
/// without words.
pub(crate) fn policy_warnings(engine: &Engine) -> Vec<Diagnostic> {
    let mut warnings = engine.bundle().warnings;
    let of_words = ["bundle.unworded_code", "bundle.unused_words"];
    warnings.retain(|warning| !of_words.contains(&warning.code));
    warnings
}

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

/// Returns the files of the shipped bundle, with one text of the catalog replaced.
fn files(from: &str, to: &str) -> PolicySource {
    let mut files = shipped_files();
    let (_, catalog) = files
        .iter_mut()
        .find(|(name, _)| name == "catalog.json")
        .expect("the catalog");
    assert!(catalog.contains(from), "{from}");
    *catalog = catalog.replacen(from, to, 1);
    PolicySource::Files(files)
}

fn open(policies: PolicySource) -> Result<Engine, sublet::Error> {
    open_agency(Options {
        policies,
        ..Options::default()
    })
}

/// Returns the words of a denial with the code `other_account`, and those of a policy behind it.
fn words(engine: &Engine, language: Option<&str>) -> (String, Option<String>) {
    let automation = Resource::new("Automation", "k").account("cafe");
    let request = Request::new(("Account", "solo"), "automation.read", automation).host(HOST);
    let explanation = engine
        .explain_in(&request, language)
        .expect("an explanation");
    assert_eq!(&*explanation.decision.code, "other_account");
    let also = explanation
        .also
        .iter()
        .find(|policy| &*policy.policy == "feature-not-in-package");
    let also = also.expect("a further policy").words.as_deref();
    (explanation.words.to_string(), also.map(str::to_owned))
}

/// The language falls back from `de-AT` to `de`, and from one that is not there to the default one.
#[test]
fn words_follow_the_language() {
    let engine = open(PolicySource::Shipped).expect("a bundle");
    let (english, german) = ("This belongs to another account.", "Das gehört einem");
    let feature = ["The package does not include", "Das Paket enthält"];
    for (language, begin, feature) in [
        (None, english, feature[0]),
        (Some("en"), english, feature[0]),
        (Some("de"), german, feature[1]),
        (Some("DE"), german, feature[1]),
        (Some("de-AT"), german, feature[1]),
        (Some("de-Latn-AT"), german, feature[1]),
        (Some("fr"), english, feature[0]),
        (Some("deu"), english, feature[0]),
        (Some(""), english, feature[0]),
        (Some("-"), english, feature[0]),
        (Some("\0"), english, feature[0]),
    ] {
        let (found, also) = words(&engine, language);
        assert!(found.starts_with(begin), "{language:?}: {found}");
        let also = also.expect("words");
        assert!(also.starts_with(feature), "{language:?}: {also}");
    }
}

/// Another default language, and a code with words in that language only.
#[test]
fn catalog_names_the_default_language() {
    let from = "{\n \"codes\": {";
    let to = "{\n \"default_language\": \"de\",\n \"codes\": {";
    let engine = open(files(from, to)).expect("a bundle");
    let begins = |language: Option<&str>, begin: &str| {
        let (found, _) = words(&engine, language);
        assert!(found.starts_with(begin), "{language:?}: {found}");
    };
    begins(None, "Das gehört");
    begins(Some("fr"), "Das gehört");
    begins(Some("en"), "This belongs");
}

#[test]
fn every_shipped_code_has_words() {
    let bundle = open(PolicySource::Shipped).expect("a bundle").bundle();
    assert!(bundle.warnings.is_empty(), "{:?}", bundle.warnings);
    assert!(bundle.codes.len() > 80);
    for (code, words) in &bundle.codes {
        let languages: Vec<&str> = words.keys().map(|language| &**language).collect();
        assert_eq!(languages, ["de", "en"], "{code}");
        // A clerk reads them aloud: one or two short sentences, without code.
        for text in words.values() {
            let ends = text.ends_with('.');
            assert!(ends && text.chars().count() <= 130, "{code}: {text}");
            assert!(
                !text.contains(['`', '_', ':', '"']) || text.contains(": "),
                "{code}: {text}"
            );
        }
    }
}

/// The code of a fault, its message, and its line and column.
type FoundFault<'d> = (&'d str, &'d str, Option<(usize, usize)>);

fn found(diagnostics: &[Diagnostic]) -> Vec<FoundFault<'_>> {
    let found = diagnostics.iter();
    found
        .map(|found| {
            let place = found.place.as_ref();
            let place = place.map(|place| (place.line as usize, place.column as usize));
            (found.code, found.message.as_str(), place)
        })
        .collect()
}

/// A fault of the words has its place in `catalog.json`.
#[test]
fn words_are_checked_at_load() {
    let from =
        "  \"ok\": {\n   \"en\": \"This is allowed.\",\n   \"de\": \"Das ist erlaubt.\"\n  }";
    let catalog = std::fs::read_to_string(policies().join("catalog.json")).expect("a file");
    let line = 1 + catalog[..catalog.find(from).expect("the code")]
        .matches('\n')
        .count();
    for (to, message, place) in [
        (
            r#"  "ok": {"de": "Ja."}"#,
            "code `ok` has no words in the default language `en`",
            (line, 3),
        ),
        (
            r#"  "ok": {}"#,
            "code `ok` has no words in the default language `en`",
            (line, 3),
        ),
        (
            r#"  "ok": {"en": "Yes.", "de ": "Ja."}"#,
            "`de ` is no language tag",
            (line, 24),
        ),
        (
            r#"  "ok": {"en": "Yes.", "german_de": "Ja."}"#,
            "`german_de` is no language tag",
            (line, 24),
        ),
        (
            r#"  "ok": {"en": "Yes.", "de": " "}"#,
            "the words of code `ok` are blank, or have a control character",
            (line, 24),
        ),
        (
            r#"  "ok": "\u001b[31m""#,
            "the words of code `ok` are blank, or have a control character",
            (line, 3),
        ),
    ] {
        let error = open(files(from, to)).expect_err(to);
        assert_eq!(
            found(error.faults()),
            [("bundle.words", message, Some(place))],
            "{to}"
        );
    }
    for to in [r#"  "ok": 5"#, r#"  "ok": {"en": null}"#] {
        let error = open(files(from, to)).expect_err(to);
        let fault = &error.faults()[0];
        let place = fault.place.as_ref().expect("a place");
        assert_eq!(
            (fault.code, place.line as usize),
            ("bundle.json", line),
            "{to}"
        );
    }
    let to = "{\n \"default_language\": \"e\",\n \"codes\": {";
    let error = open(files("{\n \"codes\": {", to)).expect_err("a language");
    let first = found(error.faults())[0];
    assert_eq!(
        first,
        ("bundle.words", "`e` is no language tag", Some((2, 2)))
    );
}

/// A bundle that brings words brings them for each code, in each of its languages.
#[test]
fn code_without_words_warns() {
    let from =
        "  \"ok\": {\n   \"en\": \"This is allowed.\",\n   \"de\": \"Das ist erlaubt.\"\n  }";
    for (to, message) in [
        (r#"  "ok": "Yes.""#, "code `ok` has no words in `de`"),
        (
            r#"  "ok": {"en": "Yes."}"#,
            "code `ok` has no words in `de`",
        ),
    ] {
        let engine = open(files(from, to)).expect("a bundle");
        let warnings = engine.bundle().warnings;
        let [(code, text, place)] = found(&warnings)[..] else {
            panic!("{warnings:?}");
        };
        assert_eq!((code, text), ("bundle.unworded_code", message));
        assert!(place.is_some());
    }
    let engine = open(files(&format!("{from},\n"), "")).expect("a bundle");
    let warnings = engine.bundle().warnings;
    let [(code, text, place)] = found(&warnings)[..] else {
        panic!("{warnings:?}");
    };
    let wanted = (
        "bundle.unworded_code",
        "code `ok` has no words in `de`, `en`",
    );
    assert_eq!((code, text), wanted);
    assert_eq!(place, Some((2, 2)));
    // Without any words, the comments of the policies take their place.
    let catalog = std::fs::read_to_string(policies().join("catalog.json")).expect("a file");
    let (start, end) = (
        catalog.find(" \"codes\": {").expect("the codes"),
        catalog.find(" \"features\"").expect("the features"),
    );
    let engine = open(files(&catalog[start..end], "")).expect("a bundle");
    assert!(engine.bundle().warnings.is_empty());
    assert!(words(&engine, Some("de")).0.starts_with("Refuses access"));
}
