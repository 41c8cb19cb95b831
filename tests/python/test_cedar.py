"""Plain Cedar programs, without the tenancy kernel."""

import json

import pytest
import sublet

SCHEMA = """
entity User in [Group] { level: Long };
entity Group;
entity Photo in [Album] tags String;
entity Album;
action view, edit appliesTo { principal: [User], resource: [Photo], context: { ip?: ipaddr } };
"""
POLICIES = """
permit (principal in Group::"staff", action == Action::"view", resource);
forbid (principal, action, resource) when { context has ip && context.ip.isLoopback() };
permit (principal == ?principal, action == Action::"edit", resource in ?resource);
forbid (principal, action == Action::"edit", resource) when { principal.level + 1 > 9223372036854775807 };
"""
ENTITIES = [
    {"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 3}, "parents": [{"type": "Group", "id": "staff"}]},
    {"uid": {"type": "User", "id": "max"}, "attrs": {"level": 2**63 - 1}, "parents": []},
    {"uid": {"type": "Group", "id": "staff"}, "attrs": {}, "parents": []},
    {"uid": {"type": "Photo", "id": "p"}, "attrs": {}, "parents": [{"type": "Album", "id": "a"}]},
    {"uid": {"type": "Album", "id": "a"}, "attrs": {}, "parents": []},
]
LINKS = [
    {"templateId": "policy2", "newId": "edit-ann", "values": {"?principal": {"type": "User", "id": "ann"}, "?resource": {"type": "Album", "id": "a"}}},
    {"templateId": "policy2", "newId": "edit-max", "values": {"?principal": {"type": "User", "id": "max"}, "?resource": {"type": "Album", "id": "a"}}},
]


def open_program(**more: object) -> sublet.Engine:
    return sublet.Engine.cedar(POLICIES, SCHEMA, entities=ENTITIES, links=LINKS, **more)  # type: ignore[arg-type]


def test_decisions_and_policies_equal_cedars() -> None:
    engine = open_program()
    ask = engine.authorize
    allowed = ask(("User", "ann"), "view", ("Photo", "p"))
    assert (allowed.allowed, allowed.code, allowed.policies) == (True, "ok", ("policy0",))
    denied = ask(("User", "ann"), "view", ("Photo", "p"), context={"ip": "127.0.0.1"})
    assert (denied.allowed, denied.code, denied.policies) == (False, "forbidden", ("policy1",))
    linked = ask(("User", "ann"), "edit", ("Photo", "p"))
    assert (linked.allowed, linked.policies) == (True, ("edit-ann",))
    erring = ask(("User", "max"), "edit", ("Photo", "p"))
    assert (erring.allowed, erring.code, erring.policies) == (False, "policy_error", ("edit-max",))
    assert [error["policy"] for error in erring.errors] == ["policy3"]


def test_missing_principal_is_left_to_cedar() -> None:
    decision = open_program().authorize(("User", "nobody"), "view", ("Photo", "p"))
    assert decision.code == "not_permitted"


def test_json_forms_are_the_same_program() -> None:
    schema = {"": {"entityTypes": {"U": {}}, "actions": {"a": {"appliesTo": {"principalTypes": ["U"], "resourceTypes": ["U"]}}}}}
    policies = {"staticPolicies": {"p": {"effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"}, "conditions": []}}, "templates": {}, "templateLinks": []}
    engine = sublet.Engine.cedar(policies, schema)
    assert engine.authorize(("U", "x"), "a", ("U", "y")).policies == ("p",)
    assert sublet.Engine.cedar(json.dumps(policies)).check(("U", "x"), "a", ("U", "y"))


def test_validation_is_strict_by_default() -> None:
    bad = "permit (principal, action, resource) when { principal.nothing };"
    with pytest.raises(sublet.BundleError) as raised:
        sublet.Engine.cedar(bad, SCHEMA)
    assert raised.value.code == "bundle.validation"
    decision = sublet.Engine.cedar(bad, SCHEMA, entities=ENTITIES, validation="off").authorize(("User", "ann"), "view", ("Photo", "p"))
    assert (decision.code, len(decision.errors)) == ("not_permitted", 1)
    with pytest.raises(sublet.InputError) as refused:
        sublet.Engine.cedar(bad, validation="loose")  # type: ignore[arg-type]
    assert refused.value.code == "input.option"


def test_requests_fit_the_schema_by_default() -> None:
    with pytest.raises(sublet.InputError):
        open_program().check(("Group", "staff"), "view", ("Photo", "p"))
    assert not open_program(validate_requests=False).check(("Group", "nobody"), "view", ("Photo", "p"))


def test_invalid_entities_and_links_are_refused() -> None:
    for entities in ['[{"uid": {"type": "User", "id": "a"}, "attrs": {"level": 1, "l\\u0065vel": 2}, "parents": []}]', "[", '[{"uid": 1}]']:
        with pytest.raises(sublet.SubletError):
            sublet.Engine.cedar(POLICIES, SCHEMA, entities=entities)
    bad_links: list[list[dict[str, object]]] = [[{"templateId": "policy9", "newId": "x", "values": {}}], [{"templateId": "policy2", "newId": "x", "values": {}}], [{}]]
    for links in bad_links:
        with pytest.raises(sublet.BundleError) as raised:
            sublet.Engine.cedar(POLICIES, SCHEMA, links=links)
        assert raised.value.code == "bundle.link"


def test_kernel_methods_name_what_they_need() -> None:
    engine = open_program()
    for ask in (lambda: engine.login("x", "y"), lambda: engine.apply_changes([]), lambda: engine.check(("User", "ann"), "view", ("Photo", "p"), host="x")):
        with pytest.raises(sublet.InputError) as raised:
            ask()
        assert raised.value.code == "input.not_tenancy"


def test_explain_names_the_clause_that_failed() -> None:
    explanation = open_program().explain(("User", "ann"), "view", ("Photo", "p"), context={"ip": "10.0.0.1"})
    forbid = next(found for found in explanation.policies if found["policy"] == "policy1")
    assert (forbid["outcome"], forbid["failed_clause"]) == ("not_applied", 1)
    assert "isLoopback" in forbid["clauses"][0]["because"]
    assert {fact["path"] for fact in forbid["facts"]} == {"context.ip"}
    assert "policy1" in explanation.verbose()
    assert len(str(explanation).splitlines()) <= 25
