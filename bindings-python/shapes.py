"""Writes the shapes of commands and records, in Python and in Node.

python bindings-python/shapes.py           writes the files
python bindings-python/shapes.py --check   fails if a file is not what the script would write

The source is what `sublet schema` prints: names, types and texts of the Rust structs. The command
is `target/release/sublet`, or that of the installed package if the first is not built.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from texts import (
    NODE,
    PYTHON,
    ROOT,
    docstring,
    jsdoc,
    literals,
    node_names,
    node_text,
    wrapped,
    write,
)

NOTE = "Written by `bindings-python/shapes.py`."
# Enums that have a name in the bindings, with that of Python. The words of others stand in place.
NAMED_ENUMS = {"DisableReason": "Reason"}
PYTHON_TYPES = {"string": "str", "boolean": "bool", "integer": "int", "any": "Any", **NAMED_ENUMS}
NODE_TYPES = {"integer": "number | bigint", "any": "unknown"}
TAG_TEXTS = {"do": "The name of the command.", "type": "The type of the record."}

# ---- Shapes that no type of Rust has

PATCH_TEXT = """
Fields of a record that change; the others stay.

`None` removes an optional field. In {maps} the named entries change, and `None` removes an entry.
Lists are replaced."""

NODE_PATCH = """
/** A part of a map of a patch: `null` removes an entry. */
type Entries<Value> = Value extends {{ readonly [name: string]: infer Entry }}
  ? {{ readonly [name: string]: Entry | null }}
  : never;
/** The fields of a record that a patch may have. */
type Patch<Of> = Of extends {{ readonly type: infer Type; readonly id: string }}
  ? {{ readonly type: Type; readonly id: string }} & {{
      readonly [Field in Exclude<keyof Of, 'type' | 'id'>]?:
        | Of[Field]
        | (Field extends {maps} ? Entries<NonNullable<Of[Field]>> : never)
        | (Field extends {removable} ? null : never);
    }}
  : never;

{text}
export type RecordPatch = Patch<Record>;

/** Changes of the directory, made all or none. */
export interface Changes {{
  /** Records that are created, or that replace those with the same type and id. */
  readonly put?: readonly Record[];
  /** Records of which some fields change. */
  readonly merge?: readonly RecordPatch[];
  /** Records that are removed. */
  readonly remove?: readonly PrincipalRef[];
  /** The expected revision. Fails with `directory.revision` at any other. */
  readonly expectedRevision?: CountInput | null;
}}
"""

# ---- Schemas


@dataclass(frozen=True)
class Kind:
    """The type of a field: a JSON type, `list` or `map` of an inner one, `words`, or a name."""

    name: str
    inner: Kind | None = None
    words: tuple[str, ...] = ()
    nullable: bool = False


@dataclass(frozen=True)
class Field:
    name: str
    kind: Kind
    required: bool
    text: str


@dataclass(frozen=True)
class Shape:
    name: str
    text: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Schema:
    """What `sublet schema` prints: the shapes of a union, and those that they refer to."""

    text: str
    union: tuple[Shape, ...]
    parts: tuple[Shape, ...]
    enums: dict[str, tuple[Kind, str]]


def words_of(schema: dict[str, Any]) -> tuple[str, ...]:
    """The words of an enum, or nothing if the schema is none."""
    if "const" in schema:
        return (schema["const"],)
    cases = [{"const": word} for word in schema.get("enum", [])] or schema.get("oneOf", [])
    return tuple(case["const"] for case in cases) if all("const" in case for case in cases) else ()


def kind_of(schema: dict[str, Any] | bool, definitions: dict[str, Any]) -> Kind:
    if schema is True or not isinstance(schema, dict):
        return Kind("any")
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        words = words_of(definitions[name])
        return Kind("words", words=words) if words and name not in NAMED_ENUMS else Kind(name)
    if "anyOf" in schema:
        [inner] = [case for case in schema["anyOf"] if case != {"type": "null"}]
        return replace(kind_of(inner, definitions), nullable=True)
    if isinstance(schema.get("type"), list):
        [name] = [name for name in schema["type"] if name != "null"]
        return replace(kind_of({**schema, "type": name}, definitions), nullable=True)
    if words := words_of(schema):
        return Kind("words", words=words)
    if schema["type"] == "array":
        return Kind("list", kind_of(schema["items"], definitions))
    if schema["type"] == "object":
        return Kind("map", kind_of(schema["additionalProperties"], definitions))
    return Kind(schema["type"])


def shape_of(name: str, schema: dict[str, Any], definitions: dict[str, Any]) -> Shape:
    fields = []
    for field, found in schema["properties"].items():
        kind, required = kind_of(found, definitions), field in schema.get("required", [])
        fields.append(Field(field, kind, required, found.get("description", TAG_TEXTS.get(field))))
    return Shape(name, schema["description"], tuple(fields))


def schema_of(shapes: str) -> Schema:
    built = ROOT / "target" / "release" / "sublet"
    command = [str(built)] if built.exists() else [sys.executable, "-m", "sublet"]
    done = subprocess.run([*command, "schema", shapes], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    definitions: dict[str, Any] = found.get("$defs", {})
    union = []
    for schema in found["oneOf"]:
        tag = next(iter(schema["properties"].values()))["const"]
        union.append(shape_of(class_name(tag), schema, definitions))
    parts = [
        shape_of(name, schema, definitions)
        for name, schema in definitions.items()
        if "properties" in schema
    ]
    enums = {
        name: (Kind("words", words=words_of(schema)), schema["description"])
        for name, schema in definitions.items()
        if name in NAMED_ENUMS
    }
    return Schema(found["description"], tuple(union), tuple(parts), enums)


def class_name(tag: str) -> str:
    """The name of a class: `create_client` is `CreateClient`; a record's type stays."""
    return "".join(word[0].upper() + word[1:] for word in tag.split("_"))


def without_null(shape: Shape) -> Shape:
    """A command leaves an absent field out, though it may write `null`."""
    fields = [replace(field, kind=replace(field.kind, nullable=False)) for field in shape.fields]
    return replace(shape, fields=tuple(fields))


# ---- Patches


def patch_fields(records: tuple[Shape, ...]) -> Iterator[Field]:
    """The fields that a patch may have: of each record, with `null` where it removes the field."""
    found: dict[str, list[tuple[str, Field]]] = {}
    for record in records:
        for field in record.fields[1:]:
            found.setdefault(field.name, []).append((record.name, field))
    for name, places in found.items():
        kinds = {replace(field.kind, nullable=False) for _, field in places}
        if len(kinds) > 1:
            sys.exit(f"shapes.py: the types of `{name}` differ: {kinds}")
        nullable = any(field.kind.nullable or is_removable(field) for _, field in places)
        kind = replace(kinds.pop(), nullable=nullable)
        if kind.name == "map" and kind.inner is not None:
            kind = replace(kind, inner=replace(kind.inner, nullable=True))
        owners = [f"`{record}`" for record, _ in places]
        several = f"{', '.join(owners[:-1])} and {owners[-1]}" if owners[1:] else owners[0]
        text = places[0][1].text if name == "id" else f"A field of {several}."
        yield Field(name, kind, name == "id", text)


def is_removable(field: Field) -> bool:
    """Whether `null` removes the field. Bits have a value in any case."""
    return not field.required and field.kind.name != "boolean"


def patch_of(records: tuple[Shape, ...]) -> Shape:
    fields = tuple(patch_fields(records))
    names = Kind("words", words=tuple(record.name for record in records))
    tag = Field("type", names, True, TAG_TEXTS["type"])
    maps = [f"`{field.name}`" for field in fields if field.kind.name == "map"]
    text = PATCH_TEXT.format(maps=f"{', '.join(maps[:-1])} and {maps[-1]}")
    return Shape("RecordPatch", text, (tag, *fields))


# ---- Python


def python_type(kind: Kind) -> str:
    if kind.inner is not None:
        inner = python_type(kind.inner)
        text = f"list[{inner}]" if kind.name == "list" else f"Mapping[str, {inner}]"
    elif kind.words:
        text = "Literal[" + ", ".join(literals(kind.words, '"')) + "]"
    else:
        text = PYTHON_TYPES.get(kind.name, kind.name)
    return f"{text} | None" if kind.nullable and text != "Any" else text


def python_text(text: str, indent: str) -> str:
    words = {"null": "None", "true": "True", "false": "False"}
    named = re.sub(r"`(\w+)`", lambda found: f"`{words.get(found[1], found[1])}`", text)
    return docstring(wrapped(named), indent)


def python_class(shape: Shape) -> str:
    """The classes of a shape. Fields that must be there stand in a base of their own."""

    def fields(required: bool) -> str:
        return "".join(
            f"    {field.name}: {python_type(field.kind)}\n{python_text(field.text, '    ')}\n"
            for field in shape.fields
            if field.required is required
        )

    head, text = shape.name, python_text(shape.text, "    ")
    if not fields(False):
        return f"class {head}(TypedDict):\n{text}\n\n{fields(True)}"
    base = f"class _{head}(TypedDict):\n{fields(True)}"
    return f"{base}\n\nclass {head}(_{head}, total=False):\n{text}\n\n{fields(False)}"


def python_union(name: str, shapes: tuple[Shape, ...], text: str) -> str:
    names = "".join(f"    {shape.name},\n" for shape in shapes)
    return f"{name}: TypeAlias = Union[\n{names}]\n{python_text(text, '')}\n"


def python_file(head: str, imports: str, parts: list[str]) -> str:
    lines = [
        f'"""{head}\n\n{NOTE}\n"""\n',
        "from __future__ import annotations\n",
        "from collections.abc import Mapping",
        "from typing import Any, Literal, TypeAlias, TypedDict, Union\n",
        imports,
    ]
    space = "\n\n" if parts[0].startswith("class") else "\n"
    return "\n".join(lines) + space + "\n\n".join(parts)


def python_commands(schema: Schema) -> str:
    aliases = [
        f"{NAMED_ENUMS[name]}: TypeAlias = {python_type(kind)}\n{python_text(text, '')}\n"
        for name, (kind, text) in schema.enums.items()
    ]
    shapes = tuple(map(without_null, schema.union))
    parts = [*aliases, *map(python_class, shapes), python_union("Command", shapes, schema.text)]
    return python_file("The commands of `Engine.perform`.", "from .types import Limit\n", parts)


def python_records(schema: Schema) -> str:
    parts = [
        *map(python_class, (*schema.parts, *schema.union)),
        python_union("Record", schema.union, schema.text),
        python_class(patch_of(schema.union)),
    ]
    head = "The records of the directory, as `apply_changes` and `import_lines` take them."
    return python_file(head, "from .commands import Reason\nfrom .types import Limit\n", parts)


# ---- Node


def node_type(kind: Kind) -> str:
    if kind.inner is not None:
        inner, key = node_type(kind.inner), "meter" if kind.inner.name == "Limit" else "name"
        is_list = kind.name == "list"
        item = f"({inner})" if " | " in inner else inner
        text = f"readonly {item}[]" if is_list else f"{{ readonly [{key}: string]: {inner} }}"
    elif kind.words:
        text = " | ".join(literals(kind.words, "'"))
    else:
        text = NODE_TYPES.get(kind.name, kind.name)
    return f"{text} | null" if kind.nullable else text


def node_interface(shape: Shape, written: Callable[[str], list[str]]) -> str:
    lines = [jsdoc(written(shape.text), ""), f"export interface {shape.name} {{"]
    for field in shape.fields:
        mark = "" if field.required else "?"
        lines.append(jsdoc(written(field.text), "  "))
        lines.append(f"  readonly {field.name}{mark}: {node_type(field.kind)};")
    return "\n".join([*lines, "}\n"])


def node_union(name: str, shapes: tuple[Shape, ...], text: str) -> str:
    names = "".join(f"\n  | {shape.name}" for shape in shapes)
    return f"/** {text} */\nexport type {name} ={names};\n"


def node_commands(schema: Schema, written: Callable[[str], list[str]]) -> str:
    shapes = tuple(map(without_null, schema.union))
    aliases = [
        f"{jsdoc(written(text), '')}\nexport type {name} = {node_type(kind)};\n"
        for name, (kind, text) in schema.enums.items()
    ]
    parts = [
        "// The commands of `perform`. `index.d.ts` exports these types.",
        f"// {NOTE}\n",
        "import type { Limit } from './quota.js';\n",
        *aliases,
        *(node_interface(shape, written) for shape in shapes),
        node_union("Command", shapes, schema.text),
    ]
    return "\n".join(parts)


def node_records(schema: Schema, written: Callable[[str], list[str]]) -> str:
    patch = patch_of(schema.union)
    maps = [field.name for field in patch.fields if field.kind.name == "map"]
    present = {
        field.name: None
        for record in schema.union
        for field in record.fields
        if is_removable(field) and not field.kind.nullable
    }
    limits = node_type(Kind("map", Kind("Limit")))
    parts = [
        "// The records of the directory, as `applyChanges` and `importLines` take them.",
        f"// {NOTE}\n",
        "import type { DisableReason } from './commands.js';",
        "import type { PrincipalRef } from './index.js';",
        "import type { CountInput, Limit } from './quota.js';\n",
        f"/** Limits by meter. */\nexport type Limits = {limits};\n",
        *(node_interface(shape, written) for shape in (*schema.parts, *schema.union)),
        node_union("Record", schema.union, schema.text).rstrip("\n"),
        NODE_PATCH.format(
            maps=" | ".join(literals(maps, "'")),
            removable=" | ".join(literals(present, "'")),
            text=jsdoc(written(patch.text), ""),
        ),
    ]
    return "\n".join(parts).replace(f": {limits}", ": Limits")


# ---- All files


def files() -> Iterator[tuple[Path, str]]:
    """Each file with the text that it must have."""
    commands, records = schema_of("commands"), schema_of("records")
    names = node_names()

    def written(text: str) -> list[str]:
        return wrapped(node_text(text, names))

    yield PYTHON / "commands.py", python_commands(commands)
    yield PYTHON / "records.py", python_records(records)
    yield NODE / "commands.d.ts", node_commands(commands, written)
    yield NODE / "records.d.ts", node_records(records, written)


if __name__ == "__main__":
    sys.exit(write(files(), "shapes.py"))
