"""Whether operations are recorded for gradients: context managers that are decorators as well."""

import functools

from ._phlox import _get_mode, _set_mode

_GRADIENTS_OFF, _INFERENCE, _ANOMALY = 1, 2, 4


class _Mode:
    """Changes the mode of the thread for a `with` block or for the calls of a function."""

    _on: bool = True
    _before: int
    _previous: list[int]

    def __new__(cls, function=None):
        if callable(function):  # used as a decorator without brackets
            return cls()(function)
        return super().__new__(cls)

    def _bits(self, bits):
        raise NotImplementedError

    def __enter__(self):
        previous = _get_mode()
        self.__dict__.setdefault("_previous", []).append(previous)
        _set_mode(self._bits(previous))
        return self

    def __exit__(self, *_):
        _set_mode(self._previous.pop())

    def __call__(self, function):
        @functools.wraps(function)
        def inside(*arguments, **keywords):
            previous = _get_mode()
            _set_mode(self._bits(previous))
            try:
                return function(*arguments, **keywords)
            finally:
                _set_mode(previous)

        return inside


class no_grad(_Mode):  # noqa: N801
    """No operation in the block is recorded for gradients: `with px.no_grad():` or `@px.no_grad`."""

    def _bits(self, bits):
        return bits | _GRADIENTS_OFF


class enable_grad(_Mode):  # noqa: N801
    """Operations are recorded again inside of `no_grad`."""

    def _bits(self, bits):
        return bits & ~_GRADIENTS_OFF


class inference_mode(_Mode):  # noqa: N801
    """Like `no_grad`, and the tensors made here can never take part in gradients."""

    def __new__(cls, mode=True):
        if callable(mode):
            return cls()(mode)
        self = object.__new__(cls)
        self._on = mode
        return self

    def _bits(self, bits):
        return bits | _GRADIENTS_OFF | _INFERENCE if self._on else bits & ~(_GRADIENTS_OFF | _INFERENCE)


class set_grad_enabled(_Mode):  # noqa: N801
    """Turns recording on or off: as a statement for the rest of the thread, in `with` for a block."""

    def __new__(cls, mode):
        self = object.__new__(cls)
        self._on = bool(mode)
        self._before = _get_mode()
        _set_mode(self._bits(self._before))
        return self

    def _bits(self, bits):
        return bits & ~_GRADIENTS_OFF if self._on else bits | _GRADIENTS_OFF

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _set_mode(self._before)

    def __call__(self, function):
        _set_mode(self._before)  # a decorator changes nothing outside of the function
        return super().__call__(function)


class detect_anomaly(_Mode):  # noqa: N801
    """backward() names the line of the operation whose gradient is NaN or infinite. Slow: for debugging."""

    def __new__(cls, mode=True):
        if callable(mode):
            return cls()(mode)
        self = object.__new__(cls)
        self._on = mode
        return self

    def _bits(self, bits):
        return bits | _ANOMALY if self._on else bits & ~_ANOMALY


class set_detect_anomaly(set_grad_enabled):  # noqa: N801
    """Turns anomaly mode on or off: as a statement for the rest of the thread, in `with` for a block."""

    def __new__(cls, mode, check_nan=True):
        return super().__new__(cls, mode and check_nan)

    def _bits(self, bits):
        return bits | _ANOMALY if self._on else bits & ~_ANOMALY


def is_grad_enabled():
    """True when operations are recorded for gradients."""
    return not _get_mode() & _GRADIENTS_OFF


def is_inference_mode_enabled():
    """True inside of `inference_mode`."""
    return bool(_get_mode() & _INFERENCE)
