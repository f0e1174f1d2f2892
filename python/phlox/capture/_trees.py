"""Making and looking at syntax trees. Trees are never changed in place: what was read from a file stays as it was."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from ._source import mangle

Node = TypeVar("Node", bound=ast.AST)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
LOOPS = (ast.For, ast.AsyncFor, ast.While)

#: The name by which converted code reaches its `Unit`; names with a dot cannot be the program's.
UNIT = ".px"
#: Each function of `Unit` that the code uses is a variable of its closure: that is how Python finds it fastest.
HELPER = ".px."


def load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def store(name: str) -> ast.Name:
    return ast.Name(name, ast.Store())


def walrus(name: str, value: ast.expr) -> ast.NamedExpr:
    return ast.NamedExpr(store(name), value)


def constant(value: Any) -> ast.Constant:
    return ast.Constant(value)


def pair(first: ast.expr, second: ast.expr) -> ast.Tuple:
    return ast.Tuple([first, second], ast.Load())


def helper(name: str) -> ast.Name:
    return load(HELPER + name)


def ask(name: str, *arguments: ast.expr) -> ast.Call:
    """A call of one of the functions of `Unit`."""
    return ast.Call(helper(name), list(arguments), [])


def thunk(body: ast.expr) -> ast.Lambda:
    none = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.Lambda(none, body)


_PLACE = ("lineno", "col_offset", "end_lineno", "end_col_offset")


def located(node: Node, like: ast.AST) -> Node:
    """Gives the parts of a new tree that have no place yet that of another node; a part that has one is complete."""
    place = [getattr(like, key) for key in _PLACE]
    parts: list[Any] = [node]
    while parts:
        part = parts.pop()
        if "lineno" in part._attributes:
            if hasattr(part, "lineno"):
                continue
            part.lineno, part.col_offset, part.end_lineno, part.end_col_offset = place
        for name in part._fields:
            value = getattr(part, name, None)
            if isinstance(value, list):
                parts += [v for v in value if isinstance(v, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                parts.append(value)
    return node


def rebuilt(node: Node, fields: dict[str, Any]) -> Node:
    """A copy of the node with other fields."""
    made = type(node)(**fields)
    return ast.copy_location(made, node) if "lineno" in node._attributes else made


class Copier:
    """Makes a new tree; subclasses define `visit_X(node) -> node`."""

    def visit(self, node: Any) -> Any:
        method = getattr(self, f"visit_{type(node).__name__}", None)
        return method(node) if method else self.copy(node)

    def copy(self, node: Node) -> Node:
        return rebuilt(node, {name: self.part(value) for name, value in ast.iter_fields(node)})

    def part(self, value: Any) -> Any:
        if isinstance(value, ast.AST):
            return self.visit(value)
        if isinstance(value, list):
            return [self.part(v) for v in value]
        return value


class Normalizer(Copier):
    """Writes out what depends on where a function stands: mangled names, and super() without arguments."""

    def __init__(self, class_name: str | None) -> None:
        self._class = class_name
        self._in_class = False  # directly in the body of a class
        self._first: list[str | None] = []

    def _name(self, name: str | None) -> Any:
        return name and mangle(name, self._class)

    def visit_Name(self, node: ast.Name) -> ast.Name:  # noqa: N802
        return rebuilt(node, {"id": self._name(node.id), "ctx": node.ctx})

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:  # noqa: N802
        fields = {"value": self.visit(node.value), "attr": self._name(node.attr), "ctx": node.ctx}
        return rebuilt(node, fields)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return rebuilt(node, {"arg": self._name(node.arg), "annotation": self.part(node.annotation)})

    def visit_Global(self, node: ast.Global) -> ast.Global:  # noqa: N802
        return rebuilt(node, {"names": [self._name(n) for n in node.names]})

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.Nonlocal:  # noqa: N802
        return rebuilt(node, {"names": [self._name(n) for n in node.names]})

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:  # noqa: N802
        made = self.copy(node)
        made.name = self._name(node.name)
        return made

    def visit_alias(self, node: ast.alias) -> ast.alias:
        made = self.copy(node)
        if node.asname or "." not in node.name:
            bound = self._name(node.asname or node.name)
            made.asname = bound if bound != node.name else node.asname
        return made

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:  # noqa: N802
        made = self.copy(rebuilt(node, {**dict(ast.iter_fields(node)), "body": []}))
        if not self._in_class:
            made.name = self._name(node.name)
        before = self._class, self._in_class
        self._class, self._in_class = node.name, True  # the compiler mangles what the body defines
        made.body = self.part(node.body)
        self._class, self._in_class = before
        return made

    def _function(self, node: Any) -> Any:
        parameters = [*node.args.posonlyargs, *node.args.args]
        first = parameters[0].arg if parameters else None
        inner = rebuilt(node, {**dict(ast.iter_fields(node)), "body": []})
        made = self.copy(inner)
        if hasattr(node, "name") and not self._in_class:
            made.name = self._name(node.name)
        before, self._in_class = self._in_class, False
        self._first.append(self._name(first))
        made.body = self.part(node.body)
        self._first.pop()
        self._in_class = before
        return made

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function  # noqa: N815

    def visit_Call(self, node: ast.Call) -> ast.Call:  # noqa: N802
        made = self.copy(node)
        plain = (
            isinstance(node.func, ast.Name) and node.func.id == "super" and not (node.args or node.keywords)
        )
        if plain and self._first and self._first[-1]:
            made.args = [load("__class__"), load(self._first[-1])]
            for argument in made.args:
                located(argument, node.func)
        return made


class _Names(ast.NodeVisitor):
    """The names that statements bind in their function, without what nested functions bind in theirs."""

    def __init__(self) -> None:
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self._comprehensions = 0

    def visit_Name(self, node: ast.Name) -> None:  # noqa: N802
        if not isinstance(node.ctx, ast.Load) and not self._comprehensions:
            self.bound.add(node.id)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:  # noqa: N802
        self.bound.add(node.target.id)
        self.visit(node.value)

    def _function(self, node: Any) -> None:
        outside = [*getattr(node, "decorator_list", []), *node.args.defaults, *node.args.kw_defaults]
        for part in outside:
            if part is not None:
                self.visit(part)
        if hasattr(node, "name"):
            self.bound.add(node.name)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802
        self.bound.add(node.name)
        for part in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(part)

    def _comprehension(self, node: Any) -> None:
        self._comprehensions += 1
        self.generic_visit(node)
        self._comprehensions -= 1

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815

    def visit_alias(self, node: ast.alias) -> None:
        self.bound.add(node.asname or node.name.split(".")[0])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:  # noqa: N802
        if node.name:
            self.bound.add(node.name)
        self.generic_visit(node)

    def _pattern(self, node: Any) -> None:
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name:
            self.bound.add(name)
        self.generic_visit(node)

    visit_MatchAs = visit_MatchStar = visit_MatchMapping = _pattern  # noqa: N815

    def visit_Global(self, node: ast.Global) -> None:  # noqa: N802
        self.globals.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:  # noqa: N802
        self.nonlocals.update(node.names)


def names_of(nodes: Iterable[ast.AST]) -> _Names:
    """`bound`, `globals` and `nonlocals` of statements or expressions."""
    names = _Names()
    for node in nodes:
        names.visit(node)
    return names


def mentioned(nodes: Iterable[ast.AST]) -> set[str]:
    """All names that occur, bound or read, nested functions included."""
    found: set[str] = set()
    for node in nodes:
        known = getattr(node, "_mentioned", None)
        if known is None:
            known = names_of([node]).bound
            for part in ast.walk(node):
                if isinstance(part, ast.Name):
                    known.add(part.id)
                elif isinstance(part, (ast.Global, ast.Nonlocal)):
                    known.update(part.names)
            node._mentioned = known  # type: ignore[attr-defined]
        found |= known
    return found


def nonlocals_within(node: ast.AST) -> frozenset[str]:
    """The variables that functions within the node change without owning them."""
    return frozenset(name for part in ast.walk(node) if isinstance(part, ast.Nonlocal) for name in part.names)


def calls(nodes: Iterable[ast.AST]) -> bool:
    """Whether anything is called."""
    return any(isinstance(part, ast.Call) for node in nodes for part in ast.walk(node))


CHANGING = frozenset(
    "append extend insert pop remove clear sort reverse add update discard setdefault popitem "
    "appendleft extendleft popleft rotate move_to_end subtract byteswap frombytes fromlist "
    "difference_update intersection_update symmetric_difference_update".split()
)


def changed_in_place(nodes: Iterable[ast.AST]) -> set[str]:
    """Variables whose object may be changed: `out.append(x)`, `out[i] = x`, `out += x`."""
    found = set()
    for node in nodes:
        for part in ast.walk(node):
            owner: ast.AST | None = None
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
                owner = part.func.value if part.func.attr in CHANGING else None
            elif isinstance(part, ast.Subscript) and not isinstance(part.ctx, ast.Load):
                owner = part.value
            elif isinstance(part, ast.AugAssign):
                owner = part.target.value if isinstance(part.target, ast.Subscript) else part.target
            if isinstance(owner, ast.Name):
                found.add(owner.id)
    return found


def leaves(statements: Iterable[ast.AST]) -> frozenset[str]:
    """How statements may end what is around them: of "return", "break", "continue"."""
    return frozenset(_leaves(statements, False))


def _leaves(nodes: Iterable[ast.AST], in_loop: bool) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Return):
            yield "return"
        elif isinstance(node, ast.Break) and not in_loop:
            yield "break"
        elif isinstance(node, ast.Continue) and not in_loop:
            yield "continue"
        elif isinstance(node, LOOPS):
            yield from _leaves(node.body, True)
            yield from _leaves(node.orelse, in_loop)
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.expr)):
            continue
        else:
            yield from _leaves(ast.iter_child_nodes(node), in_loop)


def always_leaves(statements: list[ast.stmt]) -> bool:
    """Whether what follows the statements is never reached."""
    for statement in statements:
        if isinstance(statement, (ast.Return, ast.Break, ast.Continue, ast.Raise)):
            return True
        if isinstance(statement, ast.If):
            if always_leaves(statement.body) and always_leaves(statement.orelse):
                return True
    return False
