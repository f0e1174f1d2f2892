"""The functions that converted code calls. On ordinary values each gives back what Python would have used."""

from __future__ import annotations

import builtins
import os
import sys
import threading
from array import array
from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any

from .._contents import contents, holds_objects
from .._phlox import GraphError, Tensor
from .._structures import is_array, is_container
from . import _backend
from . import _constructs as constructs
from ._backend import DELETED, Undefined, current, place
from ._classes import original
from ._impure import check_iterable, check_iterator
from ._interception import is_symbolic_iterable, refuse_frame_access, report_change
from ._libraries import is_left_alone
from ._loops import FINISHED
from ._plan import Plan
from ._refusals import refuse
from ._tracebacks import short
from ._trees import HELPER
from ._values import BROKE, CONTINUED, Outcome

_WITH_ITEMS = (list, dict, deque, array, UserDict, UserList)
_IN_PLACE = frozenset(
    (
        list,
        dict,
        set,
        bytearray,
        deque,
        array,
        OrderedDict,
        defaultdict,
        Counter,
        UserList,
        UserDict,
        memoryview,
    )
)


_slot = threading.local()


class _Named(str):
    def __format__(self, specification: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return str(self)


class Unit:
    """What one converted function, and those nested in it, reach as `.px`."""

    DELETED, BROKE, CONTINUED, FINISHED = DELETED, BROKE, CONTINUED, FINISHED
    iter, slice = builtins.iter, builtins.slice
    convert: Callable[[Any], Any]  # converted_callable() sets itself here

    def __init__(self, plan: Plan, module: dict[str, Any], cells: dict[str, CellType]) -> None:
        self.plan, self.globals, self._cells = plan, module, cells
        self._helpers: dict[str, CellType] = {}

    def helper(self, name: str) -> CellType:
        """The cell of one of the functions below."""
        cell = self._helpers.get(name)
        if cell is None:
            cell = self._helpers[name] = CellType(getattr(self, name[len(HELPER) :]))
        return cell

    # --- conditions

    @staticmethod
    def symbolic(value: Any) -> bool:
        if not _backend.active or (session := current.session) is None:
            return False
        return session.backend.is_symbolic(value)

    @staticmethod
    def symbolic_iterable(holder: list) -> bool:
        if not _backend.active:
            return False
        if is_symbolic_iterable(holder[0]):
            return True
        check_iterable(holder[0])
        return False

    @staticmethod
    def again(iterator: Any) -> Any:
        """An iterator that a loop may be handed over with."""
        return iterator if hasattr(type(iterator), "__iter__") else _iterate(iterator)

    @staticmethod
    def keep(value: Any) -> Any:
        """Stands for the variable that rewritten expressions use, where Python allows no assignment."""
        _slot.value = value
        return value

    @staticmethod
    def kept() -> Any:
        return _slot.value

    @staticmethod
    def plain(value: Any) -> Any:
        """The condition of a comprehension."""
        if Unit.symbolic(value):
            refuse("comprehension_condition")
        return value

    @staticmethod
    def plain_guard(value: Any) -> Any:
        if Unit.symbolic(value):
            refuse("match_subject")
        return value

    @staticmethod
    def match_subject(value: Any) -> Any:
        if Unit.symbolic(value):
            refuse("match_subject")
        # Patterns of classes read attributes.
        if _backend.active and (session := current.session) is not None and holds_objects(value):
            if id(value) not in session.made:
                session.backend.observe("contents", value, None, contents(value), place())
        return value

    @staticmethod
    def host_iterable(value: Any) -> Any:
        if is_symbolic_iterable(value):
            refuse("inner_iterable")
        return value

    @staticmethod
    def refuse_comprehension(kind: str) -> None:
        kinds = {"SetComp": "set comprehension", "DictComp": "dict comprehension"}
        refuse("comprehension_iterable", kind=kinds.get(kind, "generator expression"))

    @staticmethod
    def check_raise() -> None:
        if current.session is not None and current.session.depth:
            refuse("raise_in_region")

    @staticmethod
    def not_to_catch() -> Any:
        """The class of the exception under way, if the program may not catch it; else none."""
        session = current.session
        if session is None:
            return ()
        error = sys.exc_info()[1]
        return type(error) if error is session.escaped or isinstance(error, GraphError) else ()

    @staticmethod
    def caught() -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, GraphError):
            refuse("caught_outside", kind=type(error).__name__)

    # --- constructs that met a symbolic value

    @short
    def if_(self, test: Any, site: int, cells: Callable) -> None:
        constructs.run_if(self, self.plan.sites[site], test, cells, ())

    @short
    def if_leaving(self, test: Any, site: int, cells: Callable, iterators: tuple) -> Any:
        return constructs.run_if(self, self.plan.sites[site], test, cells, iterators)

    @short
    def while_(self, test: Any, site: int, cells: Callable) -> None:
        constructs.run_while(self, self.plan.sites[site], test, cells, ())

    @short
    def while_leaving(self, test: Any, site: int, cells: Callable, iterators: tuple) -> Any:
        return constructs.run_while(self, self.plan.sites[site], test, cells, iterators)

    @short
    def for_(self, holder: list, site: int, cells: Callable) -> None:
        constructs.run_for(self, self.plan.sites[site], holder[0], cells, ())

    @short
    def for_leaving(self, holder: list, site: int, cells: Callable, iterators: tuple) -> Any:
        return constructs.run_for(self, self.plan.sites[site], holder[0], cells, iterators)

    @short
    def and_(self, left: Any, site: int, cells: Callable) -> Any:
        return constructs.run_and(self, self.plan.sites[site], left, cells)

    @short
    def or_(self, left: Any, site: int, cells: Callable) -> Any:
        return constructs.run_or(self, self.plan.sites[site], left, cells)

    @staticmethod
    def not_(value: Any) -> Any:
        assert current.session is not None
        return current.session.backend.logical_not(value)

    @staticmethod
    def is_(left: Any, right: Any) -> Any:
        """`left is right`"""
        if Unit.symbolic(left) or Unit.symbolic(right):
            return current.session.backend.is_same(left, right)  # type: ignore[union-attr]
        return left is right

    @staticmethod
    def is_not(left: Any, right: Any) -> Any:
        same = Unit.is_(left, right)
        return Unit.not_(same) if Unit.symbolic(same) else not same

    @short
    def if_expression(self, test: Any, site: int, cells: Callable) -> Any:
        return constructs.run_if_expression(self, self.plan.sites[site], test, cells)

    @short
    def list_comprehension(self, holder: list, site: int, cells: Callable) -> Any:
        return constructs.run_list_comprehension(self, self.plan.sites[site], holder[0], cells)

    @staticmethod
    def assert_(test: Any, source: str, message: Callable[[], Any] | None) -> None:
        assert current.session is not None
        # The message may be an exception, which is not raised here.
        said = None if message is None else lambda: AssertionError(message())
        current.session.backend.assert_(test, said, source, place())

    @staticmethod
    def shown(value: Any, source: str) -> Any:
        """A value in the message of an assertion: what is not known yet is named instead."""
        return _Named(f"{{{source}}}") if Unit.symbolic(value) else value

    @staticmethod
    def returned(value: Any) -> Outcome:
        return Outcome(returned=True, value=value)

    @staticmethod
    def result(outcome: Outcome | None) -> Any:
        return None if outcome is None else outcome.value

    # --- reads

    @staticmethod
    def value(value: Any) -> Any:
        """A variable that may have a value on some paths only."""
        if type(value) is Undefined:
            if value.kinds:
                first, second = value.kinds
                line = f"the condition in line {value.line}"
                where = {"first_where": f"if {line} holds", "second_where": "if it does not"}
                refuse("kinds_differ", name=value.name, first=first, second=second, **where)
            refuse("undefined", name=value.name, where=value.where, line=value.line)
        return value

    @staticmethod
    def attribute(owner: Any, name: str, value: Any) -> Any:
        if _backend.active and (session := current.session) is not None:
            if type(value) is MethodType and (value.__self__ is owner or type(owner) is super):
                _observe_method(session, owner, name, value.__func__)
            elif name == "__dict__" and id(owner) in session.made:
                session.add_new(value)
            elif type(owner) is ModuleType and name in vars(owner):
                observe(session, "global", vars(owner), name, value)
            elif id(owner) not in session.made and not session.classes.is_property(owner, name):
                observe(session, "attribute", owner, name, value)
        return value

    @staticmethod
    def item(owner: Any, key: Any, value: Any) -> Any:
        if _backend.active and isinstance(owner, _WITH_ITEMS) and (session := current.session) is not None:
            if id(owner) not in session.made:
                observe(session, "item", owner, key, value)
        elif (
            _backend.active
            and (session := current.session) is not None
            and session.backend.is_symbolic(owner)
        ):
            session.backend.element(owner, key, value)
        return value

    @staticmethod
    def item_of(both: tuple, value: Any) -> Any:
        return Unit.item(both[0], both[1], value)

    @staticmethod
    def item_to_change(both: tuple, value: Any) -> Any:
        """An element that `owner[key] += ...` puts back itself."""
        return value if isinstance(both[0], Tensor) else Unit.item(both[0], both[1], value)

    def read_global(self, value: Any, name: str) -> Any:
        if _backend.active and (session := current.session) is not None:
            observe(session, "global", self.globals, name, value)
        return value

    def read_free(self, value: Any, name: str) -> Any:
        if _backend.active and (session := current.session) is not None:
            observe(session, "free", self._cells.get(name), name, value)
        return self.value(value)

    # --- calls, new objects and writes

    @staticmethod
    def callee(function: Any) -> Any:
        if not _backend.active or current.session is None:
            if type(function) is BuiltinFunctionType:
                refuse_frame_access(function)
            return function
        return Unit.convert(function)

    @staticmethod
    def new(value: Any) -> Any:
        """A list, dict or set that the code makes itself."""
        if not _backend.active or (session := current.session) is None:
            return value
        return session.add_new(value)

    @staticmethod
    def attribute_owner(owner: Any, name: str, value: Any) -> Any:
        if _backend.active and not _is_written_in_place(value, lambda: getattr(owner, name, None)):
            report_change("attribute", owner, name, value)
        return owner

    @staticmethod
    def item_owner(both: tuple, value: Any) -> Any:
        if _backend.active and (session := current.session) is not None:
            if isinstance(both[0], (list, dict)) or not session.backend.is_symbolic(both[0]):
                if not _is_written_in_place(value, lambda: both[0][both[1]]):
                    report_change("item", both[0], both[1], value)
        return both[0]

    @staticmethod
    def changing(value: Any) -> None:
        """Before `variable += ...`, which changes a list, dict or set itself."""
        if _backend.active and (type(value) in _IN_PLACE or (is_array(value) and hasattr(value, "base"))):
            report_change("method", value, "+=", None)

    def store_global(self, value: Any, name: str) -> Any:
        if current.session is not None and not _is_written_in_place(value, lambda: self.globals.get(name)):
            current.session.backend.mutate("global", self.globals, name, value, place())
        return value

    def store_free(self, value: Any, name: str) -> Any:
        cell = self._cells.get(name)  # None for a variable of a function that runs in the captured call
        if cell is None or current.session is None:
            return value
        if not _is_written_in_place(value, lambda: cell.cell_contents):
            current.session.backend.mutate("free", cell, name, value, place())
        return value


def observe(session: Any, kind: str, owner: Any, name: Any, value: Any) -> None:
    if session.is_known(kind, owner, name, value):
        return
    if session.backend.is_symbolic(owner) and name not in getattr(owner, "__dict__", ()):
        return  # what the graph knows of a tensor
    if type(value) is FunctionType and type(name) is str:
        value = original(owner, name, value)
    check_iterator(value)
    if id(value) not in session.made:
        session.classes.meet(value)
        if (
            type(value).__module__ in sys.stdlib_module_names
            and not is_container(value)
            and holds_objects(value)
        ):
            session.backend.observe("contents", value, None, contents(value), place())
    if value is os.environ or value is os.environb:
        kind, owner, name, value = "attribute", value, "_data", value._data  # type: ignore[union-attr]
    session.backend.observe(kind, owner, name, value, place())


def _is_written_in_place(value: Any, now: Callable[[], Any]) -> bool:
    """Whether it is what `+=` gives for a tensor: the same one, in which the graph writes."""
    session = current.session
    if session is None or not session.backend.is_symbolic(value):
        return False
    try:
        return now() is value
    except (LookupError, ValueError):  # nothing was there
        return False


def _observe_method(session: Any, owner: Any, name: str, function: Any) -> None:
    if type(function) is not FunctionType or is_left_alone(function.__code__.co_filename):
        return
    kind, function = "method", original(owner, name, function)
    if id(owner) in session.made:  # it was made by the captured call, but its class was not
        kind, owner = "attribute", type(owner)
    if not session.is_known(kind, owner, name, function):
        session.backend.observe(kind, owner, name, function, place())


def converted_part(function: Any) -> Any:
    """What a module of the package calls: the forward() of a part, or a hook."""
    owner = getattr(function, "__self__", None)
    if owner is not None and getattr(type(owner), "forward", None) is getattr(function, "__func__", None):
        Unit.attribute(owner, "forward", function)
        if current.session is not None:
            current.session.classes.meet(owner)
    return Unit.convert(function)


def _iterate(iterator: Any) -> Iterator:
    while True:
        try:
            value = iterator.__next__()
        except StopIteration:
            return
        yield value
