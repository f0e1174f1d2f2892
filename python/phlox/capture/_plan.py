"""What the conversion of one function remembers: its constructs, as trees, for the time that one meets a tensor."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from ._scopes import Scope


@dataclass(frozen=True, eq=False)
class Rest:
    """The statements after a construct in its block."""

    statements: tuple[ast.stmt, ...]


@dataclass(frozen=True, eq=False)
class Turn:
    """The end of the body of a loop."""

    site: Site


@dataclass(frozen=True, eq=False)
class Barrier:
    """The end of a `with` or `try` block, which Python itself must leave."""

    kind: str


Frame = Rest | Turn | Barrier
Chain = tuple[Frame, ...]  # what comes after a construct, from the inside out, up to the end of its function


@dataclass(eq=False)
class Site:
    """An `if`, a loop, or an operator that may meet a symbolic value."""

    node: Any
    scope: Scope
    function: FunctionPlan
    chain: Chain = ()
    leaves: frozenset[str] = frozenset()
    in_region: bool = False
    own: frozenset[str] = frozenset()  # variables that its function does not share with the one around it
    turn: list[ast.stmt] | None = None  # of a `for`: its body, after the element is stored
    regions: dict[Any, CodeType] = field(default_factory=dict)


@dataclass(eq=False)
class FunctionPlan:
    """One function of the program, nested ones have their own."""

    name: str
    place: ast.AST


@dataclass(eq=False)
class Plan:
    """One conversion; `globals` are those of the module that the function stands in."""

    filename: str
    qualname: str
    flags: int
    globals: dict[str, Any]
    sites: list[Site] = field(default_factory=list)
    shared: frozenset[str] = frozenset()  # variables that nested functions change, so that any call may

    def add(self, site: Site) -> int:
        self.sites.append(site)
        return len(self.sites) - 1
