"""Functions whose results or effects are of one moment: a captured function would keep what it got first."""

from __future__ import annotations

import builtins
import datetime
import io
import os
import pathlib
import random
import secrets
import sys
import time
import uuid
import weakref
from types import BuiltinFunctionType, FunctionType, GeneratorType, MethodType
from typing import Any

import numpy

from .. import _phlox
from ._backend import current
from ._compilation import is_converted
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
# With fewer arguments than these they take the time, or a seed, from the system.
_NEEDED: dict[Any, int] = {
    time.strftime: 2,
    time.asctime: 1,
    random.Random: 1,
    numpy.random.default_rng: 1,
    numpy.random.RandomState: 1,
    numpy.random.SeedSequence: 1,
    numpy.random.PCG64: 1,
    random.SystemRandom: sys.maxsize,
}

# --- files and other things of the system

_SYSTEM = frozenset("subprocess socket shutil tempfile glob sqlite3 urllib.request http.client".split())
_OF_OS = frozenset("getcwd fspath fsencode fsdecode getenv getpid cpu_count strerror get_exec_path".split())
_FILES: frozenset[Any] = frozenset(
    [io.open]
    + [
        getattr(numpy, name)
        for name in "load loadtxt genfromtxt fromfile memmap save savez savez_compressed savetxt".split()
    ]
)
_OF_PATHS = frozenset(
    "read_text read_bytes write_text write_bytes open iterdir glob rglob stat lstat touch mkdir rmdir unlink rename "
    "replace resolve absolute owner group cwd home samefile".split()
)
_OF_PATH_NAMES = frozenset("ismount getatime getctime samefile realpath abspath expanduser".split())
_OF_FILES = frozenset(
    "read readline readlines read1 readinto readinto1 write writelines seek tell truncate getvalue __next__".split()
)
_SHOWING = (sys.__stdout__, sys.__stderr__)


def _settings() -> frozenset[Any]:
    import phlox

    names = (
        "manual_seed",
        "seed",
        "set_rng_state",
        "set_default_dtype",
        "set_default_device",
        "set_num_threads",
        "set_printoptions",
        "use_deterministic_algorithms",
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
    if _is_of_system(target, owner, name, session):
        refuse("system", name=name)
    if isinstance(owner, type) and issubclass(owner, datetime.date) and name in _TODAY:
        refuse("impure", name=f"{owner.__name__}.{name}")
    if isinstance(owner, random.Random) or type(owner).__module__.startswith("numpy.random"):
        if session is not None and id(owner) not in session.made:
            refuse(
                "impure", name=f"{'random' if isinstance(owner, random.Random) else 'numpy.random'}.{name}"
            )
    if target in _known_settings or (isinstance(owner, _phlox.Generator) and name in _SETTINGS):
        refuse("setting", name=name)


def _is_of_system(target: Any, owner: Any, name: str, session: Any) -> bool:
    """Whether it reads or writes files, or asks the system for something that changes."""
    module = getattr(target, "__module__", None)
    if isinstance(owner, io.IOBase):
        return (
            name in _OF_FILES
            and owner not in (*_SHOWING, sys.stdout, sys.stderr)
            and session is not None
            and id(owner) not in session.made
        )
    if module in ("posix", "nt", "os"):
        return name not in _OF_OS
    if isinstance(owner, pathlib.Path) or (isinstance(owner, type) and issubclass(owner, pathlib.Path)):
        return name in _OF_PATHS
    return (
        target in _FILES
        or module in _SYSTEM
        or (module in ("genericpath", "posixpath", "ntpath") and name in _OF_PATH_NAMES)
        or (module in ("phlox.io", "phlox._phlox") and name in ("save", "load"))
    )


def check_arguments(target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    """Refuses what takes a time or a seed from the system, or moves in a file, as this call of it does."""
    try:
        needed = _NEEDED.get(target, 0)
    except TypeError:  # without a hash
        return
    if len([a for a in (*arguments, *keywords.values()) if a is not None]) < needed:
        name = target.__name__
        refuse("impure", name=f"random.{name}" if target.__module__ == "random" else name)
    session = current.session
    for value in (*arguments, *keywords.values()):
        if isinstance(value, io.IOBase) and session is not None and id(value) not in session.made:
            if value not in (*_SHOWING, sys.stdout, sys.stderr):
                refuse("iterator", kind=type(value).__name__)


def check_iterator(value: Any) -> None:
    """Refuses an iterator that was there before the capture: its elements are gone after the first call."""
    if hasattr(type(value), "__next__") and not isinstance(value, (io.IOBase, weakref.ProxyType)):
        session = current.session
        if session is not None and id(value) not in session.made:
            refuse("iterator", kind=type(value).__name__)


def check_iterable(value: Any) -> None:
    """The same for what a loop runs over: also files. What converted code gives is of the captured call."""
    session = current.session
    if session is None or id(value) in session.made:
        return
    if isinstance(value, GeneratorType) and is_converted(value.gi_code):
        return
    check_iterator(value)
    if isinstance(value, io.IOBase):
        refuse("iterator", kind=type(value).__name__)
    loaders = sys.modules.get("phlox.data")
    if loaders is not None and isinstance(value, loaders.DataLoader):
        refuse("loader", kind=type(value).__name__)
