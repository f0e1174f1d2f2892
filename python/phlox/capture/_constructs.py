"""What converted code calls when a construct has met a symbolic value."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from ._interception import item, length
from ._loops import FINISHED, LoopRunner
from ._plan import Rest, Site
from ._regions import RETURN
from ._scopes import Scope, comprehension_scope
from ._trees import always_leaves, leaves, load, located, store
from ._values import Outcome


def run_if(unit: Any, site: Site, test: Any, cells: Callable, iterators: Iterable[Any]) -> Any:
    runner = LoopRunner(unit, site, cells, iterators)
    first, second = list(site.node.body), list(site.node.orelse)
    if len(first) == 1 and isinstance(first[0], ast.Raise) and first[0].exc and not second:
        negated = runner.backend.logical_not(test)
        source = f"not ({ast.unparse(site.node.test)})"
        runner.backend.assert_(negated, runner.region(first[0].exc), source, runner.place)
        return None
    if not site.leaves:
        runner.both(test, (runner.region(first), runner.region(second)), [*first, *second])
        return None
    runner.check_barriers()
    done = 0
    # What follows a branch that always leaves belongs to the other one.
    if always_leaves(first) or always_leaves(second):
        for frame in site.chain:
            if not isinstance(frame, Rest):
                break
            (second if always_leaves(first) else first).extend(frame.statements)
            done += 1
    at_end = done == len(site.chain) and not site.in_region
    ways = leaves([*first, *second]) | (RETURN if at_end else frozenset())
    outcome = runner.both(
        test, (runner.region(first), runner.region(second)), [*first, *second], ways, at_end
    )
    return runner.follow(outcome, done)


def run_while(unit: Any, site: Site, test: Any, cells: Callable, iterators: Iterable[Any]) -> Any:
    runner = LoopRunner(unit, site, cells, iterators)
    runner.check_barriers()
    return _after_loop(runner, runner.finish_while(site, None, test))


def run_for(unit: Any, site: Site, items: Any, cells: Callable, iterators: Iterable[Any]) -> Any:
    runner = LoopRunner(unit, site, cells, iterators)
    runner.check_barriers()
    return _after_loop(runner, runner.for_loop(site, length(items), lambda index: item(items, index)))


def _after_loop(runner: LoopRunner, outcome: Outcome | None) -> Any:
    return FINISHED if outcome is None else runner.follow(outcome)


def run_and(unit: Any, site: Site, left: Any, cells: Callable) -> Any:
    runner = LoopRunner(unit, site, cells, ())
    right = runner.region(site.node)
    if not runner.assigned([site.node])[0]:
        return runner.backend.logical_and(left, lambda: runner.inside(right), runner.place)
    return _choose(runner, left, right, lambda: left, [site.node])


def run_or(unit: Any, site: Site, left: Any, cells: Callable) -> Any:
    runner = LoopRunner(unit, site, cells, ())
    right = runner.region(site.node)
    if not runner.assigned([site.node])[0]:
        return runner.backend.logical_or(left, lambda: runner.inside(right), runner.place)
    return _choose(runner, left, lambda: left, right, [site.node])


def run_if_expression(unit: Any, site: Site, test: Any, cells: Callable) -> Any:
    runner = LoopRunner(unit, site, cells, ())
    parts = [site.node.body, site.node.orelse]
    return _choose(runner, test, runner.region(parts[0]), runner.region(parts[1]), parts)


def _choose(runner: LoopRunner, test: Any, first: Callable, second: Callable, parts: list[Any]) -> Any:
    runs = (lambda: Outcome(True, value=first()), lambda: Outcome(True, value=second()))
    outcome = runner.both(test, runs, parts, RETURN, label="the value of the expression")
    assert outcome is not None
    return outcome.value


_LIST = "(list)"


def run_list_comprehension(unit: Any, site: Site, items: Any, cells: Callable) -> Any:
    """`[f(x) for x in items if c]` is a list that a `for` loop appends to."""
    if site.turn is None:
        node: ast.ListComp = site.node
        append = ast.Attribute(load(_LIST), "append", ast.Load())
        body: ast.stmt = ast.Expr(ast.Call(append, [node.elt], []))
        for number, generator in reversed(list(enumerate(node.generators))):
            for condition in reversed(generator.ifs):
                body = ast.If(condition, [body], [])
            over = load(".items") if number == 0 else generator.iter
            body = ast.For(generator.target, over, [body], [])
        made = ast.Assign([store(_LIST)], ast.List([], ast.Load()))
        site.turn = [located(s, node) for s in (made, body, ast.Return(load(_LIST)))]
        inner = comprehension_scope(node, site.scope)
        site.scope = Scope(inner.bound | {_LIST}, None, site.scope)
        site.own = frozenset(site.scope.bound)
    runner = LoopRunner(unit, site, cells, ())
    return runner.region(site.turn, (".items",))(items).value
