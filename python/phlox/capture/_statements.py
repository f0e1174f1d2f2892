"""Rewrites statements: each construct keeps its Python form, beside a call for the case that its condition is symbolic.

    if a: b                     if .px.symbolic(.t := a): .px.if_(.t, 0, lambda: (names...))
                                elif .t: b

What the call needs, the trees of `b` and of all that follows, stays in the `Plan`; it is rewritten as a function of its
own when that happens for the first time. A construct that may end its loop or function goes on *in the call* up to the
end of the loop or function, as only there it is known what comes next; the plain code then breaks or returns.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from typing import Any

from ._expressions import Expressions, assigned
from ._plan import Barrier, Chain, Frame, FunctionPlan, Plan, Rest, Site, Turn
from ._scopes import Scope, function_scope
from ._trees import (
    LOOPS,
    Copier,
    ask,
    constant,
    helper,
    leaves,
    load,
    located,
    rebuilt,
    store,
    thunk,
    walrus,
)

_T, _SYMBOLIC, _VALUE, _KEY, _OUTCOME, _OWNER = ".t", ".s", ".v", ".k", ".o", ".a"


class Statements(Expressions):
    """One function's statements, or in a `region` those of a block of it that became a function of its own."""

    def __init__(self, plan: Plan, scope: Scope, function: FunctionPlan, region: bool) -> None:
        super().__init__(plan, scope, function, region)
        self._chain: Chain = ()
        self._loops = 0
        self._tries = 0
        self._iterators: list[str | None] = []  # of the loops around, the innermost last
        self._temporaries = 0

    def block(self, statements: Iterable[ast.stmt], *frames: Frame) -> list[ast.stmt]:
        """Rewrites a block; `frames` are what comes after it, before what comes after its statement."""
        statements = list(statements)
        before = self._chain
        made = list[ast.stmt]()
        for i, statement in enumerate(statements):
            rest = (Rest(tuple(statements[i + 1 :])),) if i + 1 < len(statements) else ()
            self._chain = (*rest, *frames, *before)
            result = self.visit(statement)
            made += result if isinstance(result, list) else [result]
        self._chain = before
        return made

    def _new_name(self, letter: str) -> str:
        self._temporaries += 1
        return f".{letter}{self._temporaries}"

    # --- if

    def visit_If(self, node: ast.If) -> list[ast.stmt]:  # noqa: N802
        leaving = leaves([*node.body, *node.orelse])
        test = located(self.symbolic(self.visit(node.test)), node.test)
        handled = self._construct("if_", node, leaving, [*node.body, *node.orelse])
        plain = ast.If(located(load(_T), node.test), self.block(node.body), self.block(node.orelse))
        return [located(ast.If(test, handled, [located(plain, node)]), node)]

    def _construct(
        self, name: str, node: Any, leaving: frozenset[str], parts: list[Any], value: str = _T
    ) -> list[ast.stmt]:
        """The call for a symbolic construct, and how its function goes on."""
        chain = self._chain
        site = self.site(node, chain, leaving)
        if not leaving:
            call = ask(name, load(value), site, self.cells(parts))
            return [located(ast.Expr(call), node)]
        following = [s for f in chain for s in (f.statements if isinstance(f, Rest) else _loop_of(f))]
        iterators: list[ast.expr] = [load(n) if n else constant(None) for n in reversed(self._iterators)]
        given = ast.Tuple(iterators, ast.Load())
        call = ask(f"{name}leaving", load(value), site, self.cells([*parts, *following]), given)
        made = [assigned(_OUTCOME, call, node)]
        result = load(_OUTCOME) if self.region else ask("result", load(_OUTCOME))
        go_on: ast.stmt = located(ast.Return(result), node)
        finished = ast.Compare(load(_OUTCOME), [ast.Is()], [helper("FINISHED")])
        if name == "if_" and self._loops:
            made.append(located(ast.If(finished, [ast.Break()], []), node))
        elif name != "if_":
            go_on = located(ast.If(finished, [ast.Pass()], [go_on]), node)
        return [*made, go_on]

    # --- loops

    def visit_While(self, node: ast.While) -> list[ast.stmt]:  # noqa: N802
        leaving = leaves([node]) & {"return"}
        handled = self._construct("while_", node, leaving, [node])
        handled.append(located(ast.Break(), node))
        symbolic = located(walrus(_SYMBOLIC, self.symbolic(self.visit(node.test))), node.test)
        test = located(ast.BoolOp(ast.Or(), [symbolic, load(_T)]), node.test)
        check = located(ast.If(load(_SYMBOLIC), handled, []), node.test)
        body = [check, *self._loop_body(node, None)]
        return [located(ast.While(test, body, self.block(node.orelse)), node)]

    def visit_For(self, node: ast.For) -> list[ast.stmt]:  # noqa: N802
        inside = leaves(node.body)
        iterable = located(walrus(_T, ast.List([self.visit(node.iter)], ast.Load())), node.iter)
        test = located(ask("symbolic_iterable", iterable), node.iter)
        handled = self._construct("for_", node, leaves([node]) & {"return"}, [node])
        taken: ast.expr = ast.Call(ast.Attribute(load(_T), "pop", ast.Load()), [], [])
        name = None
        if inside and any(isinstance(part, (ast.If, *LOOPS)) for s in node.body for part in ast.walk(s)):
            name = self._new_name("i")
            taken = walrus(name, ask("again", ast.Call(helper("iter"), [taken], [])))
        target, first = self._outer_target(node.target)
        body = [*first, *self._loop_body(node, name)]
        loop = ast.For(target, located(taken, node.iter), body, self.block(node.orelse))
        plain: list[ast.stmt] = [located(loop, node)]
        if name:  # a generator that is left ends now
            plain.append(assigned(name, constant(None), node))
        return [located(ast.If(test, handled, plain), node)]

    def _loop_body(self, node: Any, iterator: str | None) -> list[ast.stmt]:
        turn = Site(node, self.scope, self.function, (), leaves(node.body), self.region)
        self._loops += 1
        self._iterators.append(iterator)
        body = self.block(node.body, Turn(turn))
        self._iterators.pop()
        self._loops -= 1
        return body

    def _outer_target(self, target: ast.expr) -> tuple[ast.expr, list[ast.stmt]]:
        """A target of `for` or `with`: what is not a local variable is stored by a statement of its own."""
        if self._is_local(target):
            return target, []
        name = self._new_name("d")
        return located(store(name), target), self._stores(target, located(load(name), target))

    def visit_Break(self, node: ast.Break) -> ast.stmt:  # noqa: N802
        return node if self._loops else located(ast.Return(helper("BROKE")), node)

    def visit_Continue(self, node: ast.Continue) -> ast.stmt:  # noqa: N802
        return node if self._loops else located(ast.Return(helper("CONTINUED")), node)

    def visit_Return(self, node: ast.Return) -> ast.stmt:  # noqa: N802
        if not self.region:
            return self.copy(node)
        value = self.visit(node.value) if node.value else constant(None)
        return located(ast.Return(ask("returned", value)), node)

    def visit_AsyncFor(self, node: Any) -> Any:  # noqa: N802
        return self.visit_Await(node)

    visit_AsyncWith = visit_AsyncFor  # noqa: N815

    # --- blocks that Python leaves itself

    def visit_With(self, node: ast.With) -> ast.stmt:  # noqa: N802
        items, first = [], list[ast.stmt]()
        for item in node.items:
            target = item.optional_vars
            if target is not None:
                target, stores = self._outer_target(target)
                first += stores
            items.append(ast.withitem(self.visit(item.context_expr), target))
        body = [*first, *self.block(node.body, Barrier("with"))]
        return rebuilt(node, {"items": items, "body": body})

    def visit_Try(self, node: Any) -> ast.stmt:  # noqa: N802
        barrier = Barrier("try")
        self._tries += 1
        fields = {name: self.block(getattr(node, name), barrier) for name in ("body", "orelse", "finalbody")}
        handlers = []
        if node.handlers and isinstance(node, ast.Try):
            # What leaves a branch or loop of the graph is no exception that every run raises.
            again = [ast.Expr(ask("caught")), ast.Raise()]
            guard = ast.ExceptHandler(type=ask("not_to_catch"), name=None, body=again)
            handlers.append(located(guard, node.handlers[0]))
        for handler in node.handlers:
            type_ = self.visit(handler.type) if handler.type else None
            body = self.block(handler.body, barrier)
            handlers.append(rebuilt(handler, {"type": type_, "name": handler.name, "body": body}))
        self._tries -= 1
        return rebuilt(node, {**fields, "handlers": handlers})

    visit_TryStar = visit_Try  # noqa: N815

    def visit_Match(self, node: ast.Match) -> ast.stmt:  # noqa: N802
        subject = located(ask("match_subject", self.visit(node.subject)), node.subject)
        cases = []
        for case in node.cases:
            guard = located(ask("plain_guard", self.visit(case.guard)), case.guard) if case.guard else None
            cases.append(ast.match_case(case.pattern, guard, self.block(case.body)))
        return rebuilt(node, {"subject": subject, "cases": cases})

    def visit_Raise(self, node: ast.Raise) -> list[ast.stmt]:  # noqa: N802
        made = self.copy(node)
        if not self.region or self._tries:
            return [made]
        return [located(ast.Expr(ask("check_raise")), node), made]

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:  # noqa: N802
        test = located(self.symbolic(self.visit(node.test)), node.test)
        source = constant(ast.unparse(node.test))
        message = self.visit(node.msg) if node.msg else None
        shown = self.visit(_Naming().visit(node.msg)) if node.msg else None
        call = ask("assert_", load(_T), source, thunk(shown) if shown else constant(None))
        plain = located(ast.Assert(located(load(_T), node.test), message), _failing_part(node))
        both = located(ast.If(test, [ast.Expr(call)], [plain]), node)
        return located(ast.If(load("__debug__"), [both], []), node)

    # --- stores

    def _is_local(self, target: ast.expr) -> bool:
        """Whether only local variables are assigned."""
        parts = [p for p in ast.walk(target) if isinstance(p, (ast.Name, ast.Attribute, ast.Subscript))]
        return all(
            isinstance(p, ast.Name) and ("." in p.id or self.scope.kind(p.id) == "local") for p in parts
        )

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:  # noqa: N802
        value = self.visit(node.value)
        if all(self._is_local(target) for target in node.targets):
            return [rebuilt(node, {"targets": node.targets, "value": value})]
        made = [assigned(_VALUE, value, node)]
        for target in node.targets:
            made += self._stores(target, located(load(_VALUE), node))
        return made

    def _stores(self, target: ast.expr, value: ast.expr) -> list[ast.stmt]:
        """`target = value`, with what belongs to the host reported; the value is a variable."""
        if isinstance(target, ast.Name):
            return [located(ast.Assign([target], self.stored(target.id, value, target)), target)]
        if isinstance(target, ast.Attribute):
            return [located(ast.Assign([self._attribute_target(target, value)], value), target)]
        if isinstance(target, ast.Subscript):
            both = assigned(_KEY, self.owner_and_key(target), target)
            return [both, located(ast.Assign([self._item_target(target, value)], value), target)]
        if isinstance(target, ast.Starred):
            return self._stores(target.value, value)
        if self._is_local(target):
            return [located(ast.Assign([target], value), target)]
        names, stores = list[ast.expr](), list[ast.stmt]()
        for part in target.elts:  # type: ignore[attr-defined]
            name = self._new_name("d")
            stored: ast.expr = located(store(name), part)
            names.append(ast.Starred(stored, ast.Store()) if isinstance(part, ast.Starred) else stored)
            stores += self._stores(part, located(load(name), part))
        unpacked = located(ast.Assign([ast.Tuple(names, ast.Store())], value), target)
        return [unpacked, *stores]

    def _attribute_target(self, target: ast.Attribute, value: ast.expr) -> ast.expr:
        owner = ask("attribute_owner", self.visit(target.value), constant(target.attr), value)
        fields = {"value": located(owner, target), "attr": target.attr, "ctx": target.ctx}
        return rebuilt(target, fields)

    def _item_target(self, target: ast.Subscript, value: ast.expr) -> ast.expr:
        owner = located(ask("item_owner", load(_KEY), value), target)
        key = located(ast.Subscript(load(_KEY), constant(1), ast.Load()), target)
        return rebuilt(target, {"value": owner, "slice": key, "ctx": target.ctx})

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[ast.stmt]:  # noqa: N802
        if node.value is None:
            return [node]
        if self._is_local(node.target):
            return [rebuilt(node, {**dict(ast.iter_fields(node)), "value": self.visit(node.value)})]
        return self.visit_Assign(located(ast.Assign([node.target], node.value), node))

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:  # noqa: N802
        target = node.target
        if isinstance(target, ast.Name) and self._is_local(target):
            changing = located(ast.Expr(ask("changing", self.visit_Name(_loaded(target)))), target)
            plain = rebuilt(node, {"target": target, "op": node.op, "value": self.visit(node.value)})
            return [changing, plain]
        made = list[ast.stmt]()
        value = self._new_name("v")
        if isinstance(target, ast.Name):
            made.append(assigned(value, self.visit_Name(_loaded(target)), target))
        elif isinstance(target, ast.Attribute):
            owner = self._new_name("a")
            made.append(assigned(owner, self.visit(target.value), target))
            kept = located(load(owner), target)
            target = rebuilt(target, {"value": kept, "attr": target.attr, "ctx": target.ctx})
            made.append(assigned(value, self.visit_Attribute(_loaded(target)), target))
        else:
            key = self._new_name("k")
            made.append(assigned(key, self.owner_and_key(target), target))
            both = [located(ast.Subscript(load(key), constant(i), ast.Load()), target) for i in (0, 1)]
            read = located(ast.Subscript(both[0], both[1], ast.Load()), target)
            made.append(assigned(value, ask("item_to_change", load(key), read), target))
        changed = rebuilt(
            node, {"target": located(store(value), node), "op": node.op, "value": self.visit(node.value)}
        )
        made.append(changed)
        result = located(load(value), node)
        if isinstance(target, ast.Subscript):
            made.append(assigned(_KEY, load(key), target))
            made.append(located(ast.Assign([self._item_target(target, result)], result), target))
        else:
            made += self._stores(target, result)
        return made

    def visit_Delete(self, node: ast.Delete) -> list[ast.stmt]:  # noqa: N802
        made = list[ast.stmt]()
        deleted = located(helper("DELETED"), node)
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                made.append(assigned(_KEY, self.owner_and_key(target), target))
                made.append(located(ast.Delete([self._item_target(target, deleted)]), node))
            elif isinstance(target, ast.Attribute):
                made.append(located(ast.Delete([self._attribute_target(target, deleted)]), node))
            elif isinstance(target, (ast.Tuple, ast.List)):
                made += self.visit_Delete(located(ast.Delete(target.elts), node))
            else:
                if isinstance(target, ast.Name) and not self._is_local(target):
                    made.append(located(ast.Expr(self.stored(target.id, deleted, target)), node))
                made.append(located(ast.Delete([target]), node))
        return made

    # --- functions and classes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> list[ast.stmt]:  # noqa: N802
        decorators = [located(ask("callee", self.visit(d)), d) for d in node.decorator_list]
        made = self.function_def(node, self.parameters(node.args), decorators)
        if self.scope.kind(node.name) == "local":
            return [made]
        return [made, *self._stores(store_at(node), load_at(node))]

    def function_def(self, node: ast.FunctionDef, parameters: ast.arguments, decorators: Any) -> ast.stmt:
        scope = function_scope(node, self.scope)
        inner = Statements(self.plan, scope, FunctionPlan(node.name, node), False)
        body = inner.block(node.body)
        fields = {
            **dict(ast.iter_fields(node)),
            "args": parameters,
            "body": body,
            "decorator_list": decorators,
        }
        return rebuilt(node, fields)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.stmt:  # noqa: N802
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:  # noqa: N802
        body = [
            self.function_def(s, s.args, s.decorator_list) if isinstance(s, ast.FunctionDef) else s
            for s in node.body
        ]
        decorators = [located(ask("callee", self.visit(d)), d) for d in node.decorator_list]
        fields = {**dict(ast.iter_fields(node)), "body": body, "decorator_list": decorators}
        return rebuilt(node, {**fields, "bases": self.part(node.bases), "keywords": self.part(node.keywords)})

    def _declaration(self, node: Any) -> Any:
        return located(ast.Pass(), node) if self.region else node  # a region declares its names itself

    visit_Global = visit_Nonlocal = _declaration  # noqa: N815

    def _unchanged(self, node: Any) -> Any:
        return node

    visit_Import = visit_ImportFrom = visit_TypeAlias = _unchanged  # noqa: N815


class _Naming(Copier):
    """The message of an assertion on a tensor, which is made when it is captured: values that are not known yet are named."""

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.FormattedValue:  # noqa: N802
        value = located(ask("shown", node.value, constant(ast.unparse(node.value))), node.value)
        return rebuilt(node, {"value": value, "conversion": node.conversion, "format_spec": node.format_spec})


def _failing_part(node: ast.Assert) -> ast.AST:
    """Where Python says that an assertion failed: in a comparison, if that is what its condition ends with."""
    test: ast.expr = node.test
    if sys.version_info[:2] == (3, 12):
        return node
    while isinstance(test, (ast.BoolOp, ast.UnaryOp)):
        test = test.values[-1] if isinstance(test, ast.BoolOp) else test.operand
    return test if isinstance(test, ast.Compare) else node


def _loaded(target: Any) -> Any:
    return rebuilt(target, {**dict(ast.iter_fields(target)), "ctx": ast.Load()})


def store_at(node: Any) -> ast.expr:
    return located(store(node.name), node)


def load_at(node: Any) -> ast.expr:
    return located(load(node.name), node)


def _loop_of(frame: Frame) -> list[ast.AST]:
    return [frame.site.node] if isinstance(frame, Turn) else []
