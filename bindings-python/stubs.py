"""Writes `sublet/aio.pyi`: the verbs of `Engine` in `sublet/_sublet.pyi`, awaited. Run it after a change of that file.

python bindings-python/stubs.py           writes the file
python bindings-python/stubs.py --check   fails if the file is not what it would write
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "python" / "sublet"
SOURCE, TARGET = PACKAGE / "_sublet.pyi", PACKAGE / "aio.pyi"
HEAD = "# Written by `bindings-python/stubs.py` from `_sublet.pyi`: change that file, not this one.\n"
CLASS = '''
class AsyncEngine:
    """An engine whose verbs are awaited. `engine` is the same engine for code that waits."""

    engine: Engine
    def __init__(self, engine: Engine) -> None: ...
    async def __aenter__(self) -> AsyncEngine: ...
    async def __aexit__(self, *_error: object) -> bool: ...
'''


def awaited(verb: ast.FunctionDef) -> ast.AsyncFunctionDef:
    """The verb as a coroutine; a property becomes a method."""
    static = [mark for mark in verb.decorator_list if isinstance(mark, ast.Name) and mark.id != "property"]
    returns = verb.returns
    if isinstance(returns, ast.Name) and returns.id == "Engine":
        returns = ast.Name("AsyncEngine")
    made = ast.AsyncFunctionDef(name=verb.name, args=verb.args, body=verb.body, decorator_list=list(static), returns=returns)
    return ast.fix_missing_locations(ast.copy_location(made, verb))


def written() -> str:
    """The text of `aio.pyi`."""
    module = ast.parse(SOURCE.read_text())
    engine = next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Engine")
    verbs = [awaited(node) for node in engine.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    made = ast.parse(CLASS)
    for node in made.body:
        if isinstance(node, ast.ClassDef):
            node.body.extend(verbs)
    used = {node.id for verb in verbs for node in ast.walk(verb) if isinstance(node, ast.Name)} | {"Engine"}
    imports: list[str] = []
    for node in module.body:
        if isinstance(node, ast.ImportFrom):
            node.names = [each for each in node.names if each.name in used]
            if node.names:
                imports.append(ast.unparse(node))
    own = sorted(node.name for node in module.body if isinstance(node, ast.ClassDef) and node.name in used)
    imports.append(f"from ._sublet import {', '.join(own)}")
    return HEAD + "\n".join(imports) + '\n\n__all__ = ["AsyncEngine"]\n\n' + ast.unparse(made) + "\n"


def main() -> int:
    """Writes the file, or compares it."""
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(written())
        return 0
    # Compared as trees: versions of Python write the same tree with other spaces.
    if TARGET.exists() and ast.dump(ast.parse(TARGET.read_text())) == ast.dump(ast.parse(written())):
        return 0
    print("aio.pyi is not what `python bindings-python/stubs.py` writes", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
