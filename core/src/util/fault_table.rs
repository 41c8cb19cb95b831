//! Codes of problems in a bundle.

/// The codes, each with its help.
pub(super) const FAULT_TABLE: &[(&str, &str)] = &[
    (
        "bundle.not_found",
        "the bundle is a folder with `sublet.cedarschema`, or a set of texts",
    ),
    (
        "bundle.unreadable",
        "bundle files are regular files of UTF-8 text",
    ),
    (
        "bundle.outside",
        "put the file itself into the bundle's folder, or link to a file of the folder",
    ),
    (
        "bundle.too_large",
        "split the file, or raise the cap at `open`",
    ),
    (
        "bundle.too_deep",
        "take the expression apart, or raise the cap at `open`",
    ),
    ("bundle.syntax", "see the Cedar language reference"),
    (
        "bundle.json",
        "the file must be one JSON value with the documented shape",
    ),
    ("bundle.duplicate_key", "keep one of the keys"),
    ("bundle.missing_id", "give each policy an `@id(\"...\")`"),
    ("bundle.duplicate_id", "policy ids are unique in a bundle"),
    (
        "bundle.missing_code",
        "give each `forbid` a `@code(\"...\")`: it names the denial",
    ),
    (
        "bundle.warns",
        "put `@warns` on a `forbid` without `@code`: such a policy warns instead of refusing",
    ),
    (
        "bundle.permit_code",
        "take `@code` away: a `permit` denies nothing, so nobody would see the code",
    ),
    (
        "bundle.annotation",
        "policies have `@id`, `@code`, `@advice` and `@warns`; actions have `@feature`, `@meter`, `@frees`, `@asks`, `@requires` and `@desk`; your own begin with `@x_`",
    ),
    (
        "bundle.code_form",
        "codes are lower-case words joined by `_`",
    ),
    (
        "bundle.kind",
        "make each action a member of exactly one kind group",
    ),
    (
        "bundle.facts",
        "the context of each action holds `facts: Facts`",
    ),
    (
        "bundle.unknown_name",
        "features and meters are closed lists in `app.cedarschema`",
    ),
    ("bundle.schema", "see the Cedar schema reference"),
    ("bundle.validation", "see the Cedar validation reference"),
    (
        "bundle.warning",
        "warnings are refused: correct the policy, or open with `validation = \"errors\"`",
    ),
    (
        "bundle.requires",
        "`@requires` names attributes of the action's resources, as the schema declares them",
    ),
    (
        "bundle.left_out",
        "let `@requires` of the action name the attribute, make it required in the schema, or refuse where it is absent",
    ),
    (
        "bundle.unknown_attribute",
        "a test for what nothing declares is always false: correct the name, or declare it in the schema",
    ),
    (
        "bundle.absent_field",
        "declare the field in the context of each such action, or name fewer actions in the policy",
    ),
    (
        "bundle.silent_package",
        "state a limit for each meter: 0 if the package includes none of it",
    ),
    (
        "bundle.unworded_level",
        "add `leaves_out` to the level in `catalog.json`",
    ),
    (
        "bundle.words",
        "give each code in `codes` of `catalog.json` words in the default language, and name languages by tags such as `de` or `pt-BR`",
    ),
    (
        "bundle.unworded_code",
        "add the words to `codes` in `catalog.json`",
    ),
    (
        "bundle.unused_words",
        "correct the code in `codes` of `catalog.json`, or remove its words",
    ),
    (
        "bundle.link",
        "a link names a template of the program and fills all its slots",
    ),
    (
        "bundle.entities",
        "entities are a JSON list of Cedar entities that fit the schema",
    ),
    (
        "bundle.in_use",
        "keep the declarations that the directory uses, or change its records first",
    ),
];

/// Returns the help of a problem's code.
pub(crate) fn fault_help(code: &str) -> Option<String> {
    FAULT_TABLE
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, help)| (*help).to_owned())
}
