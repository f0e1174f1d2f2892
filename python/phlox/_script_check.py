"""Looks at a script when it is defined: its constructs, the names that it uses, and the functions of the program that it mentions."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NoReturn

from ._jit import Jitted
from ._phlox import Module
from .capture._conversion import is_users
from .capture._refusals import refuse
from .capture._scopes import Scope, comprehension_scope, function_scope
from .capture._source import source_of
from .capture._trees import COMPREHENSIONS, Normalizer, located, names_of

_UNKNOWN: Any = object()
_FRAME_ACCESS = {getattr(builtins, name) for name in ("locals", "globals", "vars", "eval", "exec", "input")}
# Constructs that are in no script, and what to write instead.
_CONSTRUCTS = {
    ast.AsyncFunctionDef: ("an `async` function", "an ordinary function"),
    ast.AsyncFor: ("`async for`", "`for`"),
    ast.AsyncWith: ("`async with`", "`with`"),
    ast.Await: ("`await`", "await outside of the script"),
    ast.Yield: ("`yield`", "append to a list and return it"),
    ast.YieldFrom: ("`yield from`", "append to a list and return it"),
    ast.Try: (
        "`try`",
        "test what may fail with `if` beforehand, or catch what the call of the script raises",
    ),
    ast.ClassDef: ("`class`", "define the class before the script"),
    ast.Global: ("`global`", "return the value"),
    ast.Nonlocal: ("`nonlocal`", "return the value"),
    ast.Import: ("`import`", "import before the script"),
    ast.ImportFrom: ("`import`", "import before the script"),
    ast.Match: ("`match`", "if/elif/else"),
    ast.Delete: ("`del`", "leave the variable as it is"),
}
for _name in ("TryStar", "TypeAlias"):  # Python 3.11, 3.12
    if hasattr(ast, _name):
        _CONSTRUCTS[getattr(ast, _name)] = (f"`{'try' if _name == 'TryStar' else 'type'}`", "leave it out")


def check(function: Any) -> None:
    """Raises GraphError (E1002), with the line, for what cannot be in a script; for a module also in the modules it has."""
    _use(function, set())


def refuse_at(refusal: str, file: str, node: ast.AST, **words: object) -> NoReturn:
    """refuse() with the line of a node as the place."""
    call = located(ast.Expr(ast.Call(ast.Name("refuse", ast.Load()), [], [])), node)
    space = {"refuse": functools.partial(refuse, refusal, **words)}
    exec(compile(ast.Module([call], []), file, "exec"), space)
    raise AssertionError("refuse() always raises")


def node_of(function: FunctionType) -> ast.FunctionDef | ast.Lambda:
    """The syntax tree of a function that has one."""
    source = source_of(function)
    if source is None:
        code = function.__code__
        place = ast.Pass(
            lineno=code.co_firstlineno, col_offset=0, end_lineno=code.co_firstlineno, end_col_offset=0
        )
        refuse_at("script_source", code.co_filename, place, function=function.__name__)
    return Normalizer(source.class_name).visit(source.node)


def _use(value: Any, seen: set[tuple[CodeType, int]]) -> None:
    """Checks what a name stands for, if it is the program's own code."""
    owner = None
    if isinstance(value, (Jitted, functools.partial)):
        return _use(value.__wrapped__ if isinstance(value, Jitted) else value.func, seen)
    if isinstance(value, Module):
        for part in value.modules():
            _use_function(type(part).forward, part, seen)
        return None
    if isinstance(value, type):
        value = value.__dict__.get("__init__")
    if isinstance(value, MethodType):
        owner, value = value.__self__, value.__func__
    _use_function(value, owner, seen)
    return None


def _use_function(function: Any, owner: Any, seen: set[tuple[CodeType, int]]) -> None:
    if not isinstance(function, FunctionType) or not is_users(function):
        return
    key = (function.__code__, id(owner))
    if key not in seen:
        seen.add(key)
        _Checker(function, owner, seen).check()


class _Checker(ast.NodeVisitor):
    """One function of the program."""

    def __init__(self, function: FunctionType, owner: Any, seen: set[tuple[CodeType, int]]) -> None:
        self._function, self._seen = function, seen
        self._file = function.__code__.co_filename
        self._cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
        self._node = node_of(function)
        self._scope = function_scope(self._node, None)
        self._scope.frees = frozenset(self._cells)
        parameters = [*self._node.args.posonlyargs, *self._node.args.args]
        self._self = parameters[0].arg if owner is not None and parameters else None
        self._owner = owner
        self._made = {  # attributes that the function gives its object itself
            part.attr
            for part in ast.walk(self._node)
            if isinstance(part, ast.Attribute) and not isinstance(part.ctx, ast.Load)
        }

    def check(self) -> None:
        if isinstance(self._node, ast.AsyncFunctionDef):
            self._refuse_construct(self._node)
        body = self._node.body
        for part in [body] if isinstance(body, ast.expr) else body:
            self.visit(part)

    def _refuse(self, refusal: str, node: ast.AST, **words: object) -> NoReturn:
        refuse_at(refusal, self._file, node, function=self._function.__name__, **words)

    def _refuse_construct(self, node: ast.AST) -> NoReturn:
        construct, cure = _CONSTRUCTS[type(node)]
        self._refuse("script_construct", node, construct=construct, cure=cure)

    def visit(self, node: ast.AST) -> None:
        if type(node) in _CONSTRUCTS:
            self._refuse_construct(node)
        if isinstance(node, COMPREHENSIONS):
            self._inside(comprehension_scope(node, self._scope), list(ast.iter_child_nodes(node)))
            return
        super().visit(node)

    def _inside(self, scope: Scope, parts: list[Any]) -> None:
        before, self._scope = self._scope, scope
        for part in parts:
            self.visit(part)
        self._scope = before

    def _inner_function(self, node: Any) -> None:
        for part in [*getattr(node, "decorator_list", []), *node.args.defaults, *node.args.kw_defaults]:
            if part is not None:
                self.visit(part)
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        self._inside(function_scope(node, self._scope), body)

    visit_FunctionDef = visit_Lambda = _inner_function  # noqa: N815

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802
        for part in (node.target, node.value):
            if part is not None:
                self.visit(part)

    # --- names

    def visit_Name(self, node: ast.Name) -> None:  # noqa: N802
        if isinstance(node.ctx, ast.Load):
            self._found(self._value(node), node)

    def visit_Attribute(self, node: ast.Attribute) -> None:  # noqa: N802
        self.visit(node.value)
        self._found(self._value(node), node)

    def _found(self, value: Any, node: ast.expr) -> None:
        if value is _UNKNOWN:
            return
        if isinstance(value, type(builtins.locals)) and value in _FRAME_ACCESS:
            name = value.__name__
            cure = "pass the value to the script" if name == "input" else "write out what it does"
            self._refuse("script_construct", node, construct=f"{name}()", cure=cure)
        _use(value, self._seen)

    def _value(self, node: ast.expr) -> Any:
        """What a name, or an attribute of a module or of `self`, stands for now; refuses what does not exist."""
        if isinstance(node, ast.Name):
            return self._value_of_name(node)
        if not isinstance(node, ast.Attribute):
            return _UNKNOWN
        owner = self._value(node.value)
        if owner is _UNKNOWN or not (isinstance(owner, (ModuleType, type)) or owner is self._owner):
            return _UNKNOWN
        if isinstance(inspect.getattr_static(type(owner), node.attr, None), property):
            return _UNKNOWN
        try:
            return getattr(owner, node.attr)
        except AttributeError as error:
            if owner is self._owner and node.attr in self._made:
                return _UNKNOWN
            cure = "give it a value before the script is made"
            if isinstance(owner, ModuleType):
                asked = str(error).partition("; did you mean ")[2].rstrip("?")
                cure = asked or f"a name that {owner.__name__} has"
            self._refuse("script_attribute", node, name=ast.unparse(node), cure=cure)

    def _value_of_name(self, node: ast.Name) -> Any:
        name, kind = node.id, self._scope.kind(node.id)
        if kind == "local":
            mine = name == self._self and self._scope.owner(name) is not None
            return self._owner if mine and not self._rebound(name) else _UNKNOWN
        if name in ("__class__", "__debug__") or name == self._function.__name__:
            return _UNKNOWN  # a function that calls itself has no name yet
        if kind == "free":
            try:
                return self._cells[name].cell_contents
            except ValueError:
                self._refuse("script_name", node, name=name)
        module = self._function.__globals__
        if name in module:
            return module[name]
        if hasattr(builtins, name):
            return getattr(builtins, name)
        self._refuse("script_name", node, name=name)

    def _rebound(self, name: str) -> bool:
        body = self._node.body
        return name in names_of([body] if isinstance(body, ast.expr) else body).bound
