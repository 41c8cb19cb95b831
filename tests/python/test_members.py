"""The texts of the public members: present, equal in stubs and at run time, plain, and runnable."""

import ast
import doctest
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import sublet
from conftest import ROOT
from sublet import billing, codes, commands, opentelemetry, prometheus, records, types

STUB = ROOT / "bindings-python" / "python" / "sublet" / "_sublet.pyi"
CLASSES = [
    value
    for name, value in vars(sublet).items()
    if isinstance(value, type) and name in sublet.__all__
]
MODULES = [sublet, billing, codes, commands, opentelemetry, prometheus, records, types]


def members(owner: type) -> Iterator[tuple[str, object]]:
    """The public members of a class, without those of the classes that it extends."""
    for name, value in vars(owner).items():
        if not name.startswith("_") and not inspect.ismemberdescriptor(value):
            yield name, getattr(owner, name) if isinstance(value, staticmethod) else value


def is_own(owner: type, name: str) -> bool:
    # Attributes of exceptions are values: Python has no documentation for them.
    return not (issubclass(owner, sublet.SubletError) and name in {"code", "help", "faults"})


@pytest.mark.parametrize("owner", CLASSES, ids=lambda owner: str(owner.__name__))
def test_each_class_and_member_has_a_text(owner: type) -> None:
    assert owner.__doc__
    for name, value in members(owner):
        if is_own(owner, name):
            assert inspect.getdoc(value), f"{owner.__name__}.{name}"


def test_functions_and_modules_have_texts() -> None:
    for function in (sublet.error_codes, sublet.normalise_host, opentelemetry.instrument):
        assert function.__doc__, function.__name__
    for module in MODULES:
        assert module.__doc__, module.__name__


@pytest.mark.parametrize("module", [billing, commands, records, types], ids=repr)
def test_typed_dictionary_fields_have_texts(module: ModuleType) -> None:
    found = 0
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        assert node.name.startswith("_") or ast.get_docstring(node), node.name
        for field, after in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign):
                assert isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant), (
                    f"{node.name}.{ast.unparse(field.target)}"
                )
                found += 1
    assert found > 10


def stub_texts() -> Iterator[tuple[str, str, str | None]]:
    """Each public class and member of the stub with its docstring."""
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield "", node.name, ast.get_docstring(node)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, "", ast.get_docstring(node)
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                    yield node.name, member.name, ast.get_docstring(member)


def test_the_stub_has_the_texts_of_the_run_time() -> None:
    texts = list(stub_texts())
    assert len(texts) > 100
    for owner, name, text in texts:
        holder: object = getattr(sublet, owner) if owner else sublet._sublet
        value = getattr(holder, name) if name else holder
        assert text and inspect.cleandoc(str(value.__doc__)) == text, f"{owner}.{name}"


def test_awaited_methods_have_the_same_texts() -> None:
    for name, value in members(sublet.AsyncEngine):
        method = inspect.getdoc(getattr(sublet.Engine, name))
        assert inspect.getdoc(value) == f"`Engine.{name}`, awaited.\n\n{method}", name


@pytest.mark.parametrize("script", ["stubs.py", "shapes.py"])
def test_files_are_those_the_script_writes(script: str) -> None:
    done = subprocess.run(
        [sys.executable, f"bindings-python/{script}", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_named_codes_are_codes_of_the_engine() -> None:
    known, found = sublet.error_codes(), 0
    for owner, name, text in stub_texts():
        raised = re.search(r"Raises a `SubletError` with (.*?)\.(?:\n\n|$)", text or "", re.DOTALL)
        for code in re.findall(r"`([a-z]+\.[a-z_]+)`", raised[1] if raised else ""):
            assert code in known, f"{owner}.{name}: {code}"
            found += 1
    assert found > 50


def test_the_literal_types_have_all_codes() -> None:
    assert set(codes.ErrorCode.__args__) == set(sublet.error_codes())  # type: ignore[attr-defined]



@pytest.mark.parametrize(
    "name", "open check authorize consume reserve perform apply_changes login subscribe statement".split()
)
def test_main_methods_have_an_example_that_runs(name: str) -> None:
    text = inspect.getdoc(getattr(sublet.Engine, name)) or ""
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    assert example.examples
    failures, _ = doctest.DocTestRunner().run(example)
    assert failures == 0


def test_the_texts_are_plain() -> None:
    for owner, name, text in stub_texts():
        prose = re.sub(r"\n\nExample:.*", "", text or "", flags=re.DOTALL)
        for paragraph in prose.split("\n\n"):
            if paragraph.startswith("Raises a "):
                continue
            words = re.sub(r"`[^`]*`", "Code", " ".join(paragraph.split()))
            assert not re.match(r"(What|PrincipalRef|Whose|That|The same|Of|As)\b", words), words
            assert not re.search(r"\b(he|his|him)\b", words), words
            for sentence in re.split(r"(?<=[.?!:;])\s+", words):
                assert len(sentence.split()) <= 25, f"{owner}.{name}: {sentence}"
