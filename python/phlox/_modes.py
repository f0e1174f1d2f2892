"""Whether operations are recorded for gradients: context managers that are decorators as well."""

from __future__ import annotations

import functools

from ._phlox import _get_mode, _set_mode, _set_trap_folder, _trap_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar, overload

    from typing_extensions import Self

    _P = ParamSpec("_P")
    _R = TypeVar("_R")
else:

    def overload(function):
        return function


_GRADIENTS_OFF, _INFERENCE, _ANOMALY, _TRAP = 1, 2, 4, 8


class _Mode:
    """Changes the mode of the thread for a `with` block or for the calls of a function."""

    _on: bool = True
    _before: int
    _previous: list[int]

    @overload
    def __new__(cls, function: None = None) -> Self: ...
    @overload
    def __new__(cls, function: Callable[_P, _R]) -> Callable[_P, _R]: ...  # type: ignore[misc]  # noqa: F811
    def __new__(cls, function: Any = None) -> Any:  # noqa: F811
        if callable(function):  # used as a decorator without brackets
            return cls()(function)
        return super().__new__(cls)

    def _bits(self, bits: int) -> int:
        raise NotImplementedError

    def __enter__(self) -> Self:
        previous = _get_mode()
        self.__dict__.setdefault("_previous", []).append(previous)
        _set_mode(self._bits(previous))
        return self

    def __exit__(self, *_: object) -> None:
        _set_mode(self._previous.pop())

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def inside(*arguments: _P.args, **keywords: _P.kwargs) -> _R:
            previous = _get_mode()
            _set_mode(self._bits(previous))
            try:
                return function(*arguments, **keywords)
            finally:
                _set_mode(previous)

        return inside


class _Switch(_Mode):
    """A mode that is turned on or off: `with px.inference_mode(False):`."""

    @overload
    def __new__(cls, mode: bool = True) -> Self: ...
    @overload
    def __new__(cls, mode: Callable[_P, _R]) -> Callable[_P, _R]: ...  # type: ignore[misc]  # noqa: F811
    def __new__(cls, mode: Any = True) -> Any:  # noqa: F811
        if callable(mode):
            return cls()(mode)
        self = object.__new__(cls)
        self._on = bool(mode)
        return self


class no_grad(_Mode):  # noqa: N801
    """No operation in the block is recorded for gradients: `with px.no_grad():` or `@px.no_grad()`.

    Example:
        with px.no_grad():
            weight -= 0.1 * weight.grad
    """

    def _bits(self, bits: int) -> int:
        return bits | _GRADIENTS_OFF


class enable_grad(_Mode):  # noqa: N801
    """Operations are recorded again inside of `no_grad`.

    Example:
        with px.no_grad(), px.enable_grad():
            px.is_grad_enabled()  # True
    """

    def _bits(self, bits: int) -> int:
        return bits & ~_GRADIENTS_OFF


class inference_mode(_Switch):  # noqa: N801
    """Like `no_grad`, and the tensors made here can never take part in gradients.

    Example:
        with px.inference_mode():
            scores = model(images)
    """

    def _bits(self, bits: int) -> int:
        return bits | _GRADIENTS_OFF | _INFERENCE if self._on else bits & ~(_GRADIENTS_OFF | _INFERENCE)


class set_grad_enabled(_Mode):  # noqa: N801
    """Turns recording on or off: as a statement for the rest of the thread, in `with` for a block.

    Example:
        with px.set_grad_enabled(training):
            loss = model(x).sum()
    """

    def __new__(cls, mode: bool) -> Self:
        self = object.__new__(cls)
        self._on = bool(mode)
        self._before = _get_mode()
        _set_mode(self._bits(self._before))
        return self

    def _bits(self, bits: int) -> int:
        return bits & ~_GRADIENTS_OFF if self._on else bits | _GRADIENTS_OFF

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _set_mode(self._before)

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        _set_mode(self._before)  # a decorator changes nothing outside of the function
        return super().__call__(function)


class detect_anomaly(_Switch):  # noqa: N801
    """backward() names the line of the operation whose gradient is NaN or infinite. Slow: for debugging.

    Example:
        with px.autograd.detect_anomaly():
            px.sqrt(x).sum().backward()  # GradientError names this line where x is 0
    """

    def _bits(self, bits: int) -> int:
        return bits | _ANOMALY if self._on else bits & ~_ANOMALY


class set_detect_anomaly(set_grad_enabled):  # noqa: N801
    """Turns anomaly mode on or off: as a statement for the rest of the thread, in `with` for a block."""

    def __new__(cls, mode: bool, check_nan: bool = True) -> Self:
        return super().__new__(cls, mode and check_nan)

    def _bits(self, bits: int) -> int:
        return bits | _ANOMALY if self._on else bits & ~_ANOMALY


class trap_nonfinite(_Switch):  # noqa: N801
    """The first operation that gives NaN or an infinity raises NonFiniteError, which names it, its module and its line.

    Forward or in backward(), eagerly or in captured functions. An infinity that came in, such as a mask of -inf, may go on.
    The inputs of the operation are written to a file in `folder`, from which px.debug.replay() runs it again.

    Example:
        with px.trap_nonfinite():
            for x, y in loader:
                step(x, y)
    """

    _folder: str

    def __new__(cls, mode: Any = True, folder: str = ".") -> Any:
        self = super().__new__(cls, mode)
        if isinstance(self, cls):
            self._folder = str(folder)
        return self

    def _bits(self, bits: int) -> int:
        return bits | _TRAP if self._on else bits & ~_TRAP

    def __enter__(self) -> Self:
        self.__dict__.setdefault("_folders", []).append(_trap_folder())
        _set_trap_folder(self._folder)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        _set_trap_folder(self.__dict__["_folders"].pop())

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def inside(*arguments: _P.args, **keywords: _P.kwargs) -> _R:
            with type(self)(self._on, self._folder):
                return function(*arguments, **keywords)

        return inside


class set_trap_nonfinite(set_grad_enabled):  # noqa: N801
    """Turns `trap_nonfinite` on or off: as a statement for the rest of the thread, in `with` for a block."""

    def _bits(self, bits: int) -> int:
        return bits | _TRAP if self._on else bits & ~_TRAP


def is_grad_enabled() -> bool:
    """True when operations are recorded for gradients."""
    return not _get_mode() & _GRADIENTS_OFF


def is_inference_mode_enabled() -> bool:
    """True inside of `inference_mode`."""
    return bool(_get_mode() & _INFERENCE)
