"""Operations of your own, from C++ or from Python.

They are what the library's operations are: called eagerly, part of captured functions and of saved graphs, batched by
`px.vmap`, with gradients.

    ours = px.extension.load(["softlog.cc"])          # C++: phlox/extension/extension.h shows what it looks like
    y = ours.softlog(x, scale=2.0)

    @px.extension.operation("(Tensor input, int width = 3)")
    def running_max(input, width):                    # Python: gets tensors and numbers, gives a tensor
        return px.from_numpy(scipy.ndimage.maximum_filter1d(input.numpy(), width))

    @running_max.gradient
    def _(input, result, gradient, width):            # by operations, so that it has a gradient itself
        return px.where(input == result, gradient, 0.0)

An operation that is made of others is a Python function and needs none of this. C++ runs with the rights of the
program: load only what you trust.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import _phlox
from ._failure import fail
from ._phlox import Tensor

__all__ = ["CustomOperation", "Extension", "TensorType", "include_path", "load", "load_library", "operation"]


class Extension:
    """The operations of a loaded extension: `ours.softlog(x)`."""

    def __init__(self, path: str, operations: Iterable[Any]):
        self.path = path
        self._operations = {operation.__name__: operation for operation in operations}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_operations"][name]
        except KeyError:
            raise AttributeError(
                f"the extension has no operation {name!r}; it has {', '.join(self)}"
            ) from None

    def __iter__(self) -> Any:
        return iter(self._operations)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        return f"<extension {Path(self.path).name}: {', '.join(self)}>"


def include_path() -> str:
    """The folder that compilers need to find `phlox/extension/extension.h`."""
    return str(Path(__file__).parent / "include")


def load_library(path: str | os.PathLike[str]) -> Extension:
    """Loads a shared library that is an extension. Raises StateError (E0109) where it is none."""
    path = str(Path(path).resolve())
    return Extension(path, _phlox._load_extension(path))


def load(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    name: str | None = None,
    extra_cflags: Sequence[str] = (),
    extra_ldflags: Sequence[str] = (),
    build_directory: str | os.PathLike[str] | None = None,
    verbose: bool = False,
) -> Extension:
    """Compiles C++ sources to an extension and loads it. What did not change is not compiled again.

    The compiler is that of `$CXX`, else c++, g++ or clang++; it needs C++20. The library is kept in `build_directory`,
    else in `$PHLOX_EXTENSIONS`, else in the user's folder for caches. Raises StateError (E0109) with what the compiler
    said. For a C++ project use `phlox_add_extension()` of its CMake package.
    """
    files = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    paths = [Path(file).resolve() for file in files]
    if not paths:
        fail("ValueError", "invalid_value", "load: there are no sources")
    for path in paths:
        if not path.is_file():
            fail("FileError", "file_not_found", f"load: there is no file {path.name}", path=str(path))
        if path.suffix == ".cu":
            fail(
                "NotSupportedError",
                "not_supported",
                f"load: {path.name} is CUDA source, and no CUDA device is there",
                hint="write the operation in C++",
            )
    compiler = _compiler()
    command = [compiler, "-std=c++20", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off"]
    command += [f"-I{include_path()}", *extra_cflags, *map(str, paths), *extra_ldflags]
    folder = Path(build_directory) if build_directory else _cache_folder()
    library = folder / f"{name or paths[0].stem}-{_digest(command, paths)}.so"
    if not library.exists():
        _compile(command, library, verbose)
    return load_library(library)


def _compiler() -> str:
    for candidate in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        if candidate and (found := shutil.which(candidate)):
            return found
    fail(
        "StateError",
        "extension_failed",
        "load: there is no C++ compiler",
        hint="install one (apt install g++), or name it in $CXX",
    )


def _cache_folder() -> Path:
    if chosen := os.environ.get("PHLOX_EXTENSIONS"):
        return Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME") or (
        Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    )
    return Path(caches) / "phlox" / "extensions"


def _digest(command: Sequence[str], paths: Sequence[Path]) -> str:
    """Tells apart what would be compiled otherwise: sources and what lies beside them, headers, flags, compiler."""
    digest = hashlib.sha256("\0".join(command).encode())
    digest.update(str(Path(command[0]).stat().st_mtime_ns).encode())
    headers = sorted(Path(include_path()).glob("phlox/*/*.h"))
    beside = sorted({header for path in paths for header in path.parent.glob("*.h*")})
    for path in [*paths, *beside, *headers]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _compile(command: Sequence[str], library: Path, verbose: bool) -> None:
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        made = Path(folder) / library.name
        done = subprocess.run([*command, "-o", str(made)], capture_output=True, text=True, check=False)
        if verbose:
            print(" ".join(command), done.stderr, sep="\n")
        if done.returncode:
            errors = [
                line for line in done.stderr.splitlines() if "error" in line
            ] or done.stderr.splitlines()
            fail(
                "StateError",
                "extension_failed",
                f"load: the compiler refuses it: {errors[0] if errors else 'it says nothing'}",
                hint="load(..., verbose=True) prints all that it says",
            )
        os.replace(made, library)  # another process may do the same


# --- operations in Python


@dataclass(frozen=True)
class TensorType:
    """The dtype and shape of a tensor that is not there yet."""

    dtype: Any
    shape: tuple[int, ...]


class CustomOperation:
    """An operation that a Python function computes. Made by `px.extension.operation`."""

    def __init__(self, function: Callable[..., Any], signature: str, results: int, batched: bool):
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self._signature, self._results, self._batched = signature, results, batched
        self._types: Callable[..., Any] = lambda *given: [given[0]] * results
        self._gradient: Callable[..., Any] | None = None
        self._register()

    def _register(self) -> None:
        """Makes it known as it is now; a graph that names it means the newest."""
        function, gradient = self.__wrapped__, self._gradient

        def types(inputs: list[Any], numbers: list[Any]) -> list[Any]:
            given = [TensorType(dtype, tuple(shape)) for dtype, shape in inputs]
            found = self._types(*given, *numbers)
            listed = found if isinstance(found, list) else [found]
            if len(listed) != self._results:
                fail(
                    "ValueError",
                    "invalid_value",
                    f"{self.__name__}: types() gives {len(listed)} types, not {self._results}",
                )
            return [
                (t.dtype, list(t.shape)) if isinstance(t, TensorType) else (t[0], list(t[1])) for t in listed
            ]

        made: Any = _phlox._add_kernel(
            self.__name__,
            self._signature,
            self.__doc__ or "",
            self._results,
            types,
            lambda inputs, numbers: function(*inputs, *numbers),
            gradient and (lambda i, r, g, numbers: gradient(*i, *r, *g, *numbers)),
            self._batched,
        )
        self._operation: Callable[..., Any] = made

    def types(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates the function that gives the types of the results from those of the inputs, each a `TensorType`, and
        the numbers: a `TensorType` or (dtype, shape), or a list of them. Without it each is as the first input."""
        self._types = function
        return function

    def gradient(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates the function that gives the gradients of the inputs (None is zero) from inputs, results, gradients
        of the results and numbers. It is written with operations."""
        self._gradient = function
        self._register()
        return function

    def __call__(self, *arguments: Any, **keywords: Any) -> Tensor | Any:
        return self._operation(*arguments, **keywords)

    def __repr__(self) -> str:
        return repr(self._operation)


def operation(
    signature: str, *, results: int = 1, batched: bool = False
) -> Callable[[Callable[..., Any]], CustomOperation]:
    """Makes an operation of a Python function that computes with anything, such as NumPy.

    `signature` is "(Tensor input, int width = 3, float scale = 1.0, bool flag = False)": tensors first. The function gets
    tensors without gradients, in row-major order, and numbers; it gives `results` tensors of the types that
    `@operation.types` says. With `batched`, leading dimensions are a batch, so that `px.vmap` calls it once. The name is
    that of the function, which no operation of the library may have.
    """
    return lambda function: CustomOperation(function, signature, results, batched)
