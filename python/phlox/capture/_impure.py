"""Functions whose results or effects are of one moment: a captured function would keep what it got first."""

from __future__ import annotations

import builtins
import datetime
import io
import os
import random
import secrets
import time
import uuid
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from .. import _phlox
from ._backend import current
from ._refusals import refuse

_CLOCKS = frozenset(
    "time time_ns perf_counter perf_counter_ns monotonic monotonic_ns process_time process_time_ns thread_time "
    "thread_time_ns localtime gmtime ctime".split()
)
_TODAY = frozenset(("now", "utcnow", "today"))
_OTHERS: frozenset[Any] = frozenset(
    [
        builtins.input,
        os.urandom,
        uuid.uuid1,
        uuid.uuid4,
        secrets.token_bytes,
        secrets.token_hex,
        secrets.randbelow,
    ]
)
_SETTINGS = frozenset(("manual_seed", "seed", "set_state"))


def _settings() -> frozenset[Any]:
    import phlox

    names = (
        "manual_seed",
        "seed",
        "set_rng_state",
        "set_default_dtype",
        "set_default_device",
        "set_num_threads",
    )
    return frozenset(getattr(phlox, name) for name in names if hasattr(phlox, name))


_FUNCTIONS = (
    BuiltinFunctionType,
    FunctionType,
    MethodType,
    _phlox.Operation,
    type(_phlox._trace),
    type(_phlox.Generator().manual_seed),
)
_known_settings: frozenset[Any] = frozenset()


def check(target: Any) -> None:
    """Refuses clocks, random numbers of others than Phlox, and settings of the program."""
    global _known_settings
    if type(target) not in _FUNCTIONS:
        return
    if not _known_settings:
        _known_settings = _settings()
    owner, name = getattr(target, "__self__", None), getattr(target, "__name__", "")
    session = current.session
    if target in _OTHERS or (owner is time and name in _CLOCKS):
        refuse("impure", name=name)
    if isinstance(owner, type) and issubclass(owner, datetime.date) and name in _TODAY:
        refuse("impure", name=f"{owner.__name__}.{name}")
    if isinstance(owner, random.Random) or type(owner).__module__.startswith("numpy.random"):
        if session is not None and id(owner) not in session.made:
            refuse(
                "impure", name=f"{'random' if isinstance(owner, random.Random) else 'numpy.random'}.{name}"
            )
    if target in _known_settings or (isinstance(owner, _phlox.Generator) and name in _SETTINGS):
        refuse("setting", name=name)


def check_iterator(value: Any) -> None:
    """Refuses an iterator that was there before the capture: its elements are gone after the first call."""
    if hasattr(type(value), "__next__") and not isinstance(value, io.IOBase):
        session = current.session
        if session is not None and id(value) not in session.made:
            refuse("iterator", kind=type(value).__name__)
