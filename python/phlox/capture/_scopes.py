"""Which variable a name is: of the function, of a function around it, or global."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable
from typing import Any

from ._trees import names_of

_CONSTRUCTS = (ast.If, ast.While, ast.For)


class Scope:
    """The names of one function, lambda or comprehension; `outer` is the one around it."""

    def __init__(self, bound: Iterable[str], declared: Any = None, outer: Scope | None = None) -> None:
        self.globals: set[str] = set(declared.globals) if declared else set()
        self.nonlocals: set[str] = set(declared.nonlocals) if declared else set()
        self.bound = set(bound) - self.globals - self.nonlocals
        self.outer = outer
        self.frees: frozenset[str] = frozenset()  # of the outermost function: its closure
        self.unsure: frozenset[str] = frozenset()  # variables that may have a value on some paths only

    def owner(self, name: str) -> Scope | None:
        """The scope in which the name is bound; None for globals and the closure of the outermost function."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.globals:
                return None
            if name in scope.bound:
                return scope
            scope = scope.outer
        return None

    def kind(self, name: str) -> str:
        """ "local", "free" or "global"."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.globals:
                return "global"
            if name in scope.bound:
                return "local"
            if name in scope.frees:
                return "free"
            scope = scope.outer
        return "global"

    def is_unsure(self, name: str) -> bool:
        owner = self.owner(name)
        return owner is not None and name in owner.unsure


def function_scope(node: Any, outer: Scope | None) -> Scope:
    a = node.args
    parameters = {p.arg for p in [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg] if p is not None}
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    names = names_of(body)
    scope = Scope(parameters | names.bound, names, outer)
    scope.unsure = _unsure(body, parameters) & scope.bound
    return scope


def comprehension_scope(node: Any, outer: Scope) -> Scope:
    targets = names_of([generator.target for generator in node.generators])
    return Scope(targets.bound, None, outer)


def is_builtin(name: str, module: dict[str, Any]) -> bool:
    return name not in module and hasattr(builtins, name)


def _unsure(body: list[Any], parameters: set[str]) -> frozenset[str]:
    """Variables that get values in branches and loops and are not surely set before the first of these."""
    sure, unsure = set(parameters), set[str]()
    for statement in body:
        simple = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef, ast.Import))
        for part in ast.walk(statement):
            if isinstance(part, ast.Delete):
                sure -= names_of([part]).bound
            if isinstance(part, ast.NamedExpr):
                unsure |= {part.target.id} - sure
            if isinstance(part, _CONSTRUCTS):
                unsure |= names_of([part]).bound - sure
        if simple and not (isinstance(statement, ast.AnnAssign) and statement.value is None):
            targets = getattr(statement, "targets", None) or [getattr(statement, "target", statement)]
            sure |= names_of(targets).bound - unsure
    return frozenset(unsure | _deleted(body))


def _deleted(body: list[Any]) -> set[str]:
    deletes = [part for statement in body for part in ast.walk(statement) if isinstance(part, ast.Delete)]
    return names_of(deletes).bound
