"""Finds the syntax tree of a function in its file."""

from __future__ import annotations

import ast
import linecache
from types import CodeType, FunctionType
from typing import NamedTuple

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Source(NamedTuple):
    """A function's node, and the class around it, by which `__name` is mangled."""

    node: FunctionNode
    class_name: str | None


class _Index(ast.NodeVisitor):
    """All functions of a file by the line that their code objects begin with."""

    def __init__(self) -> None:
        self.functions: dict[int, list[Source]] = {}
        self._class: str | None = None

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802
        for child in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(child)
        before, self._class = self._class, node.name
        for statement in node.body:
            self.visit(statement)
        self._class = before

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, _FUNCTIONS):
            decorators = getattr(node, "decorator_list", [])
            line = min([node.lineno, *(d.lineno for d in decorators)])
            self.functions.setdefault(line, []).append(Source(node, self._class))
        super().generic_visit(node)


_indices: dict[str, tuple[list[str], dict[int, list[Source]]]] = {}


def source_of(function: FunctionType) -> Source | None:
    """Where the function stands; None if its source is not there, or does not say which function it is."""
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        return None
    known = _indices.get(code.co_filename)
    if known is None or known[0] is not lines and known[0] != lines:
        index = _Index()
        try:
            index.visit(ast.parse("".join(lines), code.co_filename))
        except (SyntaxError, ValueError, RecursionError):
            return None
        known = _indices[code.co_filename] = (lines, index.functions)
    found = [s for s in known[1].get(code.co_firstlineno, []) if _fits(s, code)]
    if len(found) > 1:
        found = [s for s in found if _spans(s.node, code)] or found
        found = found[-1:] if _nested(found) else found
    return found[0] if len(found) == 1 else None


def _fits(source: Source, code: CodeType) -> bool:
    node = source.node
    if getattr(node, "name", "<lambda>") != code.co_name:
        return False
    a = node.args
    names = [p.arg for p in [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg] if p is not None]
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    return [mangle(n, source.class_name) for n in names] == list(code.co_varnames[:count])


def _spans(node: FunctionNode, code: CodeType) -> bool:
    """Whether all instructions that know their place lie within the node (Python 3.11 and later)."""
    if not hasattr(code, "co_positions"):
        return False
    first, last = (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
    for start, end, column, end_column in code.co_positions():
        if start is None or end is None or column is None or end_column is None:
            continue
        if (start, column) == (end, end_column):
            continue  # the beginning of a function
        if (start, column) < first or (end, end_column) > last:
            return False
    return True


def _nested(found: list[Source]) -> bool:
    """Whether each node lies in the one before it; then the last is the nearest."""
    return all(b.node in ast.walk(a.node) for a, b in zip(found, found[1:]))


def mangle(name: str, class_name: str | None) -> str:
    """The name that a class's code has for `__name`."""
    if class_name is None or not name.startswith("__") or name.endswith("__") or "." in name:
        return name
    owner = class_name.lstrip("_")
    return f"_{owner}{name}" if owner else name
