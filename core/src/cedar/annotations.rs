//! Checks the names of annotations. Cedar accepts any name, so that a misspelled one would do
//! nothing and nobody would notice.

use super::policy_list::{ParsedPolicy, PolicyBody};
use super::source::File;
use super::source_scan::{Declaration, PolicyOutline, SchemaAnnotation, schema_annotations};
use crate::util::error::Diagnostic;
use crate::util::spelling::closest;

/// Annotations of policies.
const OF_POLICIES: [&str; 4] = ["id", "code", "advice", "warns"];
/// Annotations of actions in the schema.
const OF_ACTIONS: [&str; 6] = ["feature", "meter", "frees", "asks", "requires", "desk"];
/// Annotations of anything, which the engine does not read.
const FREE: [&str; 1] = ["doc"];
/// Prefix of the annotations that hosts choose for their own tools.
const HOST_PREFIX: &str = "x_";

fn is_free(name: &str) -> bool {
    FREE.contains(&name)
        || name
            .strip_prefix(HOST_PREFIX)
            .is_some_and(|rest| !rest.is_empty())
}

/// Returns a fault for each unknown annotation of a policy.
pub(super) fn policy_faults(part: &ParsedPolicy, file: &File) -> Vec<Diagnostic> {
    let names: Vec<&str> = match &part.body {
        PolicyBody::Static(policy) => policy.annotations().map(|(name, _)| name).collect(),
        PolicyBody::Template(template) => template.annotations().map(|(name, _)| name).collect(),
    };
    let unknown = |name: &&str| !OF_POLICIES.contains(name) && !is_free(name);
    let mut unknown = names.into_iter().filter(unknown).peekable();
    if unknown.peek().is_none() {
        return Vec::new();
    }
    let outline = PolicyOutline::new(part.text(file));
    let id = part.body.annotation("id").unwrap_or_default();
    let fault = |name: &str| {
        let (start, len) = part.place(outline.annotation(name));
        let message = format!("policy `{id}` has `@{name}`, which is no annotation of policies");
        helped(
            file.fault("bundle.annotation", message, start, len),
            name,
            &OF_POLICIES,
        )
    };
    unknown.map(fault).collect()
}

/// Returns a fault for each annotation of a schema file that has no effect where it stands.
pub(super) fn schema_faults(file: &File) -> Vec<Diagnostic> {
    let found = schema_annotations(&file.text).into_iter();
    found.filter_map(|one| schema_fault(file, &one)).collect()
}

fn schema_fault(file: &File, one: &SchemaAnnotation<'_>) -> Option<Diagnostic> {
    let is_known = OF_ACTIONS.contains(&one.name);
    if is_free(one.name) || is_known && one.before == Declaration::Action {
        return None;
    }
    let (name, owner) = (one.name, one.owner);
    let message = match one.before {
        Declaration::Action => {
            format!("action `{owner}` has `@{name}`, which is no annotation of actions")
        }
        Declaration::ActionGroup if is_known => {
            format!("`@{name}` has no effect on `{owner}`, because it is a group of actions")
        }
        _ if is_known => {
            format!("`@{name}` has no effect on `{owner}`, because only actions can have it")
        }
        _ => format!("`{owner}` has `@{name}`, which is no annotation"),
    };
    let (start, len) = one.place;
    let fault = file.fault("bundle.annotation", message, start, len);
    Some(match one.before {
        Declaration::Action => helped(fault, name, &OF_ACTIONS),
        _ if is_known => {
            fault.with_help(Some("put it before each action that needs it".to_owned()))
        }
        _ => helped(fault, name, &FREE),
    })
}

/// Adds the known name that was most likely meant.
fn helped(fault: Diagnostic, name: &str, known: &[&'static str]) -> Diagnostic {
    let names = known.iter().chain(&FREE).copied();
    fault.with_help(closest(name, names).map(|meant| format!("did you mean `@{meant}`?")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, Option<String>, u32, u32)> {
        let file = File {
            name: "x.cedarschema".to_owned(),
            text: text.to_owned(),
        };
        schema_faults(&file)
            .into_iter()
            .map(|fault| {
                assert_eq!(fault.code, "bundle.annotation");
                let place = fault.place.expect("a place");
                (fault.message, fault.help, place.line, place.column)
            })
            .collect()
    }

    #[test]
    fn schema_annotations_that_do_nothing() {
        let action = "action \"a\" in [read] appliesTo { principal: [X], resource: [X] };";
        assert_eq!(
            found(&format!(
                "@doc(\"d\") @x_team(\"t\") @feature(\"f\") {action}"
            )),
            []
        );
        assert_eq!(found(&format!("// @features(\"f\")\n{action}")), []);
        let one = |text: &str| match &found(text)[..] {
            [(message, help, line, column)] => (
                message.clone(),
                help.clone().unwrap_or_default(),
                (*line, *column),
            ),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(
            one(&format!("\n @features(\"f\")\n{action}")),
            (
                "action `a` has `@features`, which is no annotation of actions".to_owned(),
                "did you mean `@feature`?".to_owned(),
                (2, 2)
            )
        );
        let (message, help, _) = one(&format!("@rocket {action}"));
        assert!(
            message.contains("`@rocket`") && help.contains("`@x_`"),
            "{help}"
        );
        let (message, help, _) = one("@requires(\"a\") entity X = { a?: Long };");
        assert!(message.contains("only actions can have it"), "{message}");
        assert!(help.contains("before each action"), "{help}");
        let (message, ..) = one("@feature(\"f\") action g;");
        assert!(message.contains("a group of actions"), "{message}");
        assert_eq!(
            one("entity X = { @docs(\"a\") a: Long };").1,
            "did you mean `@doc`?"
        );
        assert_eq!(one(&format!("@x_ {action}")).0.matches("@x_").count(), 1);
    }
}
