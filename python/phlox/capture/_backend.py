"""What captures: the functions that converted code calls when it meets a value that is not known yet.

A *symbolic* value stands for a tensor whose elements are not known while the function is captured. Converted code asks
`is_symbolic` of each condition and `is_symbolic_iterable` of what a loop runs over; if the answer is no, Python runs
as always, and if it is yes, the construct becomes one call of this class.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import path
from types import FrameType
from typing import Any, NamedTuple

from .._contents import contents
from .._structures import is_container

_PACKAGE = path.dirname(path.dirname(path.abspath(__file__))) + path.sep


class Place(NamedTuple):
    """A line of the program."""

    file: str
    line: int
    function: str


class Undefined:
    """Stands in a variable that has a value only on some paths; converted code refuses to read it."""

    __slots__ = ("kinds", "line", "name", "where")

    def __init__(
        self, name: str, where: str = "", line: int = 0, kinds: tuple[str, str] | None = None
    ) -> None:
        self.name, self.where, self.line = name, where, line
        self.kinds = kinds  # that it has on the two sides of a condition

    def __repr__(self) -> str:
        return f"<{self.name} has no value>"


class _Sentinel:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


#: A state of which any value of the other side's type will do: it is never read. The return value before a `return`.
ANYTHING: Any = _Sentinel("<anything>")
#: The `value` of a mutation that deletes.
DELETED: Any = _Sentinel("<deleted>")


class Backend:
    """How captured control flow, reads and writes are recorded. In this class nothing is symbolic.

    State: `names[i]` is the variable, `.returned`, `.broke`, `.continued`, `.value`, `.go` and `.index` are how the
    function goes on. Values are whole Python values: symbolic ones, numbers, lists and tuples of them, anything else.
    """

    def is_symbolic(self, value: Any) -> bool:
        """Whether the truth of the value is unknown while capturing."""
        return False

    def is_symbolic_iterable(self, value: Any) -> bool:
        """Whether a loop over the value must become a loop of the graph: `length` and `item` are defined for it."""
        return False

    def length(self, value: Any) -> Any:
        """The number of elements of a symbolic iterable, a symbolic integer or an int."""
        raise NotImplementedError

    def item(self, value: Any, index: Any) -> Any:
        """The element of a symbolic iterable at a symbolic index."""
        raise NotImplementedError

    def range(self, *arguments: Any) -> Any:
        """range() with at least one symbolic argument; the result is a symbolic iterable."""
        raise NotImplementedError

    def is_number(self, value: Any) -> bool:
        """Whether the value can be one of the graph: branches may mix these. Numbers and what is symbolic."""
        return isinstance(value, (bool, int, float, complex)) or self.is_symbolic(value)

    def element(self, owner: Any, key: Any, value: Any) -> None:
        """`value` is `owner[key]` of a symbolic owner."""

    def callee(self, target: Any, otherwise: Any = None) -> Any:
        """What to call instead of an operation of Phlox, or of a built-in function of numbers: `otherwise`, by default the
        target, if no symbolic number takes part."""
        return target if otherwise is None else otherwise

    def kind(self, value: Any) -> str:
        """The value's kind in error texts."""
        if value is None:
            return "None"
        return "a tensor" if self.is_symbolic(value) else f"{_article(type(value).__name__)}"

    def cond(
        self,
        test: Any,
        true_function: Callable[[], list],
        false_function: Callable[[], list],
        names: Sequence[str],
        place: Place,
    ) -> list:
        """Both functions give the values of `names` after their branch; the result is those of the branch taken.

        The two lists are complete when both functions have run: an entry whose values do not fit is `Undefined` then.

        Entries that are the same object, or equal numbers of one type, in both branches should stay as they are. Where
        one branch gives `Undefined` the result does not matter; where one gives `ANYTHING`, it is the other's value.
        """
        raise NotImplementedError

    def while_loop(
        self,
        test: Callable[[list], Any],
        body: Callable[[list], list],
        names: Sequence[str],
        initial: list,
        place: Place,
    ) -> list:
        """While `test(state)`, `state = body(state)`; the result is the last state.

        An initial `ANYTHING` takes the type that `body` gives it. A list in the state that `body` appends to may be
        replaced by any object with append(), and come back as such an object.
        """
        raise NotImplementedError

    def for_loop(
        self,
        count: Any,
        body: Callable[[Any, list], list],
        names: Sequence[str],
        initial: list,
        place: Place,
    ) -> list:
        """`state = body(index, state)` for index 0 to count - 1; lists as in `while_loop`."""
        raise NotImplementedError

    def logical_and(self, left: Any, right: Callable[[], Any], place: Place) -> Any:
        """`left and right()`; right() may only be computed if left holds."""
        raise NotImplementedError

    def logical_or(self, left: Any, right: Callable[[], Any], place: Place) -> Any:
        """`left or right()`; right() may only be computed if left does not hold."""
        raise NotImplementedError

    def logical_not(self, value: Any) -> Any:
        """`not value`."""
        raise NotImplementedError

    def is_same(self, left: Any, right: Any) -> Any:
        """`left is right`, of which one is symbolic."""
        return left is right

    def assert_(self, test: Any, message: Callable[[], Any] | None, source: str, place: Place) -> None:
        """`assert test, message()`; `source` is the condition's text. `if c: raise E()` is `assert not c` with a message
        that is the exception to raise."""
        raise NotImplementedError

    def observe(self, kind: str, owner: Any, name: Any, value: Any, place: Place) -> None:
        """Host state was read; the same value of the same place is reported once. kind "attribute": owner.name, "item": owner[name], "global": owner is the globals(),
        "free": owner is the cell of the closure (None where the function does not know it),
        "class": the class of owner is `value`, "call": owner(*name[0], **name[1]) gave it, "contents": it is contents(owner), "tensor": it is
        the dtype, shape and device of owner."""

    def observe_function(self, function: Any, place: Place) -> None:
        """A function of the program is about to run: its code and its defaults were read."""

    def mutate(self, kind: str, owner: Any, name: Any, value: Any, place: Place) -> None:
        """Host state is about to be written, kinds as in `observe`; kind "method" is a call like owner.append(), whose
        name is `name`. `value` is `DELETED` for `del`. Not called for objects that the captured call made itself."""


class Session:
    """One capture: its backend, the objects it made, and how many symbolic branches and loops it is in."""

    def __init__(self, backend: Backend) -> None:
        from ._classes import WatchedClasses

        self.backend = backend
        self.depth = 0
        self.escaped: BaseException | None = None  # the exception that left a branch or loop
        self._read: dict[tuple[str, int, Any], tuple[Any, Any]] = {}
        # By identity; the object is kept, so that it stays unique.
        self.made: dict[int, tuple[Any, int | None]] = {}
        self._functions: dict[int, Any] = {}
        self._given: set[int] = set()  # arguments
        self.classes = WatchedClasses(self._observe_class)

    def add_new(self, value: Any) -> Any:
        """Remembers an object as made by the captured call; gives it back."""
        self.made[id(value)] = (value, self.depth)
        return value

    def add_containers(self, value: Any, of_program: bool = False) -> Any:
        """The same for a structure that was made anew: its lists, dicts and sets. `of_program` tells that it stands for
        one that may be the program's, so that changes of it are refused."""
        if type(value) in (list, dict, set):
            self.made[id(value)] = (value, None if of_program else self.depth)
        if type(value) in (list, tuple, dict):
            for part in value.values() if isinstance(value, dict) else value:
                self.add_containers(part, of_program)
        return value

    def meet(self, arguments: Any) -> None:
        """The arguments of the captured call."""
        from .._structures import parts_of
        from ._impure import check_iterator

        for value in parts_of(arguments):
            check_iterator(value)
            self._given.add(id(value))
        self.classes.meet(arguments)

    def _observe_class(self, kind: str, owner: Any, name: str, value: Any) -> None:
        if kind == "tensor" and id(owner) in self._given:
            return
        if id(owner) not in self.made and not self.is_known(kind, owner, name, value):
            self.backend.observe(kind, owner, name, value, place())

    def note_function(self, function: Any) -> None:
        """Tells the backend, once, of a function whose code the capture follows."""
        if id(function) not in self._functions:
            self._functions[id(function)] = function
            self.backend.observe_function(function, place())
            keywords = function.__kwdefaults__ or {}
            for name, value in keywords.items():
                self.backend.observe("item", keywords, name, value, place())
            for value in (*(function.__defaults__ or ()), *keywords.values()):
                if is_container(value):
                    self.backend.observe("contents", value, None, contents(value), place())
                self.classes.meet(value)

    def is_known(self, kind: str, owner: Any, name: Any, value: Any) -> bool:
        """Whether this very value was read there before; remembers it."""
        if kind == "item" and type(name) not in (str, int):
            return False
        key = (kind, id(owner), name)
        entry = self._read.get(key)
        if entry is not None and entry[1] is value:
            return True
        self._read[key] = (owner, value)
        return False

    def check_escaped(self) -> None:
        """At the end: raises what left a branch or loop and was caught by code that is not converted."""
        if self.escaped is not None:
            raise self.escaped

    def is_given(self, value: Any) -> bool:
        """Whether it is, or is part of, an argument of the captured call."""
        return id(value) in self._given

    def is_around(self, value: Any) -> bool:
        """Whether it is a container that the captured call did not make, or may not have made."""
        return is_container(value) and self.made_at(value) is None

    def made_at(self, value: Any) -> int | None:
        """The depth at which the object was made; None for one that was, or may have been, there before."""
        entry = self.made.get(id(value))
        return None if entry is None else entry[1]


class _Current(threading.local):
    session: Session | None = None


current = _Current()
#: The number of captures in all threads: where there is none, `current` need not be asked, which takes longer.
active = 0
_active_lock = threading.Lock()


def _count(change: int) -> None:
    global active
    with _active_lock:
        active += change


@contextmanager
def capturing(backend: Backend) -> Iterator[Session]:
    """Converted functions that run inside report to this backend; so do the modules they call."""
    from ._runtime import converted_part

    session = Session(backend)
    before, current.session = current.session, session
    _count(1)
    hook = _set_forward_converter(converted_part)
    try:
        yield session
    finally:
        session.classes.leave()
        _count(-1)
        current.session = before
        _set_forward_converter(hook)


def _set_forward_converter(function: Any) -> Any:
    from .. import _phlox

    return _phlox._set_forward_converter(function)


def place() -> Place:
    """The line of the program that runs: the innermost one outside of this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return Place("?", 0, "?")
    return Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def _article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun
