"""Built-in functions that mean something else for symbolic values, or for a capture."""

from __future__ import annotations

import builtins
import functools
import itertools
import logging
import operator
import os
from array import array
from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from types import (
    BuiltinMethodType,
    FunctionType,
    GeneratorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    WrapperDescriptorType,
)
from typing import Any

import numpy

from .._structures import parts_of
from ._backend import DELETED, current, place
from ._host_calls import shown
from ._impure import check_arguments, check_iterable, check_iterator
from ._refusals import refuse
from ._trees import CHANGING

_FRAME_ACCESS = (builtins.locals, builtins.globals, builtins.eval, builtins.exec)
_CONTAINERS = (
    *(list, dict, set, bytearray, deque, array, OrderedDict, defaultdict, Counter),
    *(UserList, UserDict, memoryview, numpy.ndarray),
)


class Zip:
    """zip() of which one part is symbolic; enumerate() is one of a `Count`."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts


class Count:
    """start, start + 1, ... without end."""

    def __init__(self, start: Any) -> None:
        self.start = start


def is_symbolic_iterable(value: Any) -> bool:
    """Whether a loop over the value is one of the graph."""
    session = current.session
    if session is None:
        return False
    return isinstance(value, Zip) or session.backend.is_symbolic_iterable(value)


def length(value: Any) -> Any:
    """The number of elements of a symbolic iterable; of a `Zip` that of its first symbolic part."""
    assert current.session is not None
    if isinstance(value, Zip):
        return length(next(part for part in value.parts if is_symbolic_iterable(part)))
    return current.session.backend.length(value)


def item(value: Any, index: Any) -> Any:
    assert current.session is not None
    if isinstance(value, Zip):
        return tuple(item(part, index) for part in value.parts)
    if isinstance(value, Count):
        return index if type(value.start) is int and value.start == 0 else value.start + index
    return current.session.backend.item(value, index)


def refuse_frame_access(function: Any) -> None:
    if function in _FRAME_ACCESS:
        refuse("frame_access", name=function.__name__)


def intercept(target: Any) -> Any:
    """What a built-in function or a class is called as during a capture."""
    if isinstance(target, BuiltinMethodType):
        owner = target.__self__
        if isinstance(owner, _CONTAINERS) and target.__name__ in CHANGING:
            report_change("method", owner, target.__name__, None)
            return target
        if target.__name__ == "copy" and isinstance(owner, _CONTAINERS):
            return _kept_as_new(target)
        refuse_frame_access(target)
        if target in _SPECIAL:
            return _SPECIAL[target]
        return target
    if target in _SPECIAL:
        return _SPECIAL[target]
    if target in _CONTAINERS or (target.__flags__ & _HEAP_TYPE and type(target) is type):
        return _maker(target)
    return target


_HEAP_TYPE = 1 << 9
_LIBRARIES = ("collections", "functools", "itertools", "numpy")


def _kept_as_new(function: Any) -> Any:
    """The function, whose result belongs to the captured call."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        made = function(*arguments, **keywords)
        return current.session.add_new(made) if current.session else made

    return call


def _maker(cls: Any) -> Any:
    """Calls a class: what comes out is new, already in __init__(), which is converted."""
    from ._conversion import converted_callable, is_users

    initialize = cls.__init__
    plain = cls.__new__ is object.__new__ and type(initialize) is FunctionType

    def create(*arguments: Any, **keywords: Any) -> Any:
        new = cls.__new__
        if type(new) is not FunctionType or not is_users(new):
            return cls(*arguments, **keywords)
        made = converted_callable(new)(cls, *arguments, **keywords)
        if isinstance(made, cls):
            converted_callable(initialize)(made, *arguments, **keywords)
        return made

    def make(*arguments: Any, **keywords: Any) -> Any:
        session = current.session
        if session is not None:
            session.classes.watch(cls)
            check_arguments(cls, arguments, keywords)
            if cls.__module__.partition(".")[0] in _LIBRARIES:  # functions that the object calls later
                arguments = tuple(converted_callable(a) if type(a) is FunctionType else a for a in arguments)
        if session is None or not plain:
            made = create(*arguments, **keywords)
            return session.add_new(made) if session and type(made) is cls else made
        made = session.add_new(cls.__new__(cls))
        if converted_callable(initialize)(made, *arguments, **keywords) is not None:
            return cls(*arguments, **keywords)  # for Python's own error
        return made

    return make


def report_change(kind: str, owner: Any, name: Any, value: Any) -> None:
    """A change of an object; one that was made in the same branch or loop, or outside of all, needs no word."""
    session = current.session
    if session is None:
        return
    depth = session.made_at(owner)
    if depth is None:
        session.backend.mutate(kind, owner, name, value, place())
    elif depth < session.depth:
        what = (
            f"the {type(owner).__name__}"
            if type(owner) in _CONTAINERS
            else f"`{name}` of the {type(owner).__name__}"
        )
        refuse("mutation_in_region", what=what)


def _range(*arguments: Any) -> Any:
    session = current.session
    if session is not None and any(session.backend.is_symbolic(a) for a in arguments):
        return session.backend.range(*arguments)
    return range(*arguments)


def _enumerate(iterable: Any, start: Any = 0) -> Any:
    if is_symbolic_iterable(iterable):
        return Zip(Count(start), iterable)
    check_iterable(iterable)
    return _new(enumerate(iterable, start))


def _new(value: Any) -> Any:
    """A list or an iterator, which belongs to the captured call."""
    is_new = type(value) is list or hasattr(type(value), "__next__")
    return current.session.add_new(value) if is_new and current.session is not None else value


def _zip(*iterables: Any, **keywords: Any) -> Any:
    symbolic = [i for i in iterables if is_symbolic_iterable(i)]
    if not symbolic:
        for iterable in iterables:
            check_iterable(iterable)
        return _new(zip(*iterables, **keywords))
    if len(symbolic) < len(iterables) or keywords:
        others = [type(i).__name__ for i in iterables if not is_symbolic_iterable(i)]
        refuse("zip_of_kinds", kind=f"a {others[0]}" if others else "another one, with strict=")
    return Zip(*iterables)


def _len(value: Any) -> Any:
    return length(value) if is_symbolic_iterable(value) else len(value)


_CALLING = (
    map,
    filter,
    sorted,
    min,
    max,
    functools.reduce,
    itertools.accumulate,
    itertools.starmap,
    itertools.takewhile,
)


_FUNCTIONS = (
    *(FunctionType, MethodType, BuiltinMethodType, functools.partial),
    *(operator.attrgetter, operator.itemgetter),
)


def _is_function(value: Any) -> bool:
    """Whether it is a function, or an object of the program that is called like one."""
    from ._conversion import is_users

    kind = type(value)
    method = getattr(kind, "__call__", None)  # noqa: B004
    return issubclass(kind, _FUNCTIONS) or (type(method) is FunctionType and is_users(method))


def _converted_argument(value: Any) -> Any:
    """A function, or the functions in a list, tuple or dict, converted; anything else as it is."""
    from ._conversion import converted_callable

    kind = type(value)
    if _is_function(value):
        return converted_callable(value)
    if kind in (list, tuple) and any(map(_is_function, value)):
        return kind(map(_converted_argument, value))
    if kind is dict and any(map(_is_function, value.values())):
        return {key: _converted_argument(part) for key, part in value.items()}
    return value


def with_functions(function: Any) -> Any:
    """A function that calls functions, with these converted."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        named = {key: _converted_argument(value) for key, value in keywords.items()}
        made = function(*map(_converted_argument, arguments), **named)
        return _new(made) if hasattr(type(made), "__next__") else made

    return call


def _caller(function: Any) -> Any:
    """The same of Python's."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        session = current.session
        target = function if session is None else session.backend.callee(function)
        return _new(with_functions(target)(*arguments, **keywords))

    return call


def _host_only(function: Any) -> Any:
    inner = _caller(function) if function in (*_CALLING, any, all) else function

    def call(*arguments: Any, **keywords: Any) -> Any:
        if any(isinstance(a, Zip) for a in arguments):
            refuse("unconverted_iteration", name=function.__name__)
        for argument in arguments:
            check_iterable(argument)
        return _new(inner(*arguments, **keywords))

    return call


def intercept_other(target: Any) -> Any:
    """What other callables of libraries are called as: their effects on objects of the program are noted."""
    kind = type(target)
    if kind is operator.attrgetter or kind is operator.itemgetter:
        return functools.partial(_get, target, kind is operator.attrgetter)
    if (
        kind is MethodWrapperType
        and isinstance(target.__self__, _CONTAINERS)
        and target.__name__ in _CHANGING_SPECIAL
    ):
        report_change("method", target.__self__, target.__name__, None)
    if kind is MethodWrapperType and target.__name__ in _OF_ATTRIBUTES:
        return functools.partial(_unbound, getattr(object, target.__name__), target.__self__)
    if kind in (MethodDescriptorType, WrapperDescriptorType):
        return functools.partial(_unbound, target)
    if target is os.getenv:
        return _getenv
    if target is os.path.expandvars:
        return _expandvars
    return target


_OF_ATTRIBUTES = ("__setattr__", "__delattr__")
_CHANGING_SPECIAL = frozenset(
    "__iadd__ __imul__ __ior__ __iand__ __isub__ __ixor__ __setitem__ __delitem__ __init__".split()
)


def _unbound(target: Any, *arguments: Any, **keywords: Any) -> Any:
    """`list.append(items, x)`."""
    if len(arguments) > 1 and target.__name__ in _OF_ATTRIBUTES:
        report_change("attribute", arguments[0], arguments[1], arguments[2:])
    if (
        arguments
        and isinstance(arguments[0], _CONTAINERS)
        and target.__name__ in CHANGING | _CHANGING_SPECIAL
    ):
        report_change("method", arguments[0], target.__name__, None)
    return target(*arguments, **keywords)


def _get(getter: Any, of_attributes: bool, owner: Any) -> Any:
    from ._runtime import Unit

    def one(name: Any) -> Any:
        if not of_attributes:
            return Unit.item(owner, name, owner[name])
        value = owner
        for part in name.split("."):
            value = Unit.attribute(value, part, getattr(value, part))
        return value

    names = getter.__reduce__()[1]
    return one(names[0]) if len(names) == 1 else tuple(map(one, names))


def _getenv(key: str, default: Any = None) -> Any:
    _read(os, "environ", os.environ)
    return os.getenv(key, default)


def _expandvars(path: Any) -> Any:
    _read(os, "environ", os.environ)
    return os.path.expandvars(path)


def _next(iterator: Any, *default: Any) -> Any:
    if current.session is not None and id(iterator) not in current.session.made and not _is_own(iterator):
        check_iterator(iterator)
    return next(iterator, *default)


def _is_own(iterator: Any) -> bool:
    """Whether it is a generator of converted code, or of a class of the program, which is watched."""
    return (
        isinstance(iterator, GeneratorType) or type(type(iterator).__dict__.get("__next__")) is FunctionType
    )


def _changing_operator(function: Any) -> Any:
    def call(owner: Any, *others: Any) -> Any:
        if isinstance(owner, _CONTAINERS):
            report_change("method", owner, function.__name__, None)
        return function(owner, *others)

    return call


# --- attributes by name


def _read(owner: Any, name: str, value: Any) -> Any:
    from ._runtime import Unit

    return Unit.attribute(owner, name, value)


def _getattr(owner: Any, name: str, *default: Any) -> Any:
    value = getattr(owner, name, DELETED)
    _read(owner, name, value)
    return getattr(owner, name, *default) if value is DELETED else value


def _hasattr(owner: Any, name: str) -> bool:
    return _read(owner, name, getattr(owner, name, DELETED)) is not DELETED


def _print(*arguments: Any, **keywords: Any) -> None:
    session = current.session
    if session is not None and any(session.backend.is_symbolic(a) for a in arguments):
        refuse("print")
    shown(print)(*arguments, **keywords)


_LEVELS = {
    name: getattr(logging, name.upper()) for name in "debug info warning warn error critical fatal".split()
}
_LEVELS["exception"] = logging.ERROR


def logged(target: Any, function: Any) -> Any:
    """A function of logging, called as `function`; refused where it would show what is not known yet."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        session = current.session
        if session is not None and any(map(session.backend.is_symbolic, parts_of((arguments, keywords)))):
            owner = getattr(target, "__self__", logging)
            logger, level = owner if owner is not logging else logging.root, _LEVELS.get(target.__name__)
            if level is None or not hasattr(logger, "isEnabledFor") or logger.isEnabledFor(level):
                refuse("logging", name=f"{'logging' if owner is logging else 'logger'}.{target.__name__}")
        return function(*arguments, **keywords)

    return call


def _vars(*owner: Any) -> Any:
    if not owner:
        refuse("frame_access", name="vars")
    return _read(owner[0], "__dict__", vars(*owner))


def _setattr(owner: Any, name: str, value: Any) -> None:
    report_change("attribute", owner, name, value)
    setattr(owner, name, value)


def _delattr(owner: Any, name: str) -> None:
    report_change("attribute", owner, name, DELETED)
    delattr(owner, name)


_SPECIAL: dict[Any, Any] = {
    getattr: _getattr,
    hasattr: _hasattr,
    setattr: _setattr,
    delattr: _delattr,
    vars: _vars,
    next: _next,
    print: _print,
    os.getenv: _getenv,
}
_SPECIAL.update(
    {
        f: _changing_operator(f)
        for f in (
            operator.iadd,
            operator.imul,
            operator.ior,
            operator.setitem,
            operator.delitem,
            operator.iconcat,
        )
    }
)
_SPECIAL.update({f: _caller(f) for f in _CALLING if f not in (map, filter, sorted)})
_SPECIAL.update({range: _range, enumerate: _enumerate, zip: _zip, len: _len})
_SPECIAL.update({f: _host_only(f) for f in (list, tuple, sum, sorted, map, filter, any, all, reversed, iter)})
