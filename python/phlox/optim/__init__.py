"""Optimisers: `px.optim.AdamW(model.parameters(), lr=1e-3)`. They are C++ classes with PyTorch's names and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._failure import fail
from .._modes import no_grad
from .._phlox import SGD as SGD
from .._phlox import Adagrad as Adagrad
from .._phlox import Adam as Adam
from .._phlox import AdamW as AdamW
from .._phlox import Optimizer as Optimizer
from .._phlox import RMSprop as RMSprop
from .._phlox import Tensor, _is_capturing, as_tensor, dtypes
from . import lr_scheduler as lr_scheduler


def _as_numbers(value: Any) -> Any:
    """What captured functions have in the place of numbers that may change from call to call."""
    if isinstance(value, tuple):
        return tuple(map(_as_numbers, value))
    if not isinstance(value, Tensor):
        return value
    from .._exact_numbers import Number

    return Number(value.clone())


class ParameterGroup:
    """The settings of a group of parameters, read and written like a dict.

    In captured functions `lr` and momenta are read anew at each call, and `lr` may be set; other settings may not.

    Example:
        for group in optimizer.param_groups: group["lr"] *= 0.5
    """

    def __init__(self, optimizer: Optimizer, number: int) -> None:
        self._optimizer: Any = optimizer
        self._number = number

    def __getitem__(self, key: str) -> Any:
        if key == "params":
            return self._optimizer._parameters(self._number)
        if _is_capturing():
            return _as_numbers(self._optimizer._get_captured_setting(self._number, key))
        return self._optimizer._get_setting(self._number, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if _is_capturing():
            self._set_captured(key, value)
        else:
            self._optimizer._set_setting(self._number, key, value)

    def _set_captured(self, key: str, value: Any) -> None:
        if key != "lr":
            fail(
                "GraphError",
                "not_capturable",
                f"`{key}` of an optimizer is set in a captured function, which would do so once",
                "set it outside of the captured function, which is captured again then; `lr` may be set inside",
            )
        with no_grad():
            self._optimizer._get_captured_setting(self._number, key).copy_(
                as_tensor(value, dtype=dtypes["float64"])
            )

    def get(self, key: str, default: Any = None) -> Any:
        """The setting, or a default when there is none of the name."""
        return self[key] if key in self.keys() else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The setting; it is there already, as the settings of an optimiser are fixed."""
        return self[key]

    def update(self, settings: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Sets several settings: `update({"lr": 0.1})` or `update(lr=0.1)`."""
        for key, value in {**(settings or {}), **more}.items():
            self[key] = value

    def keys(self) -> list[str]:
        """The names of the settings."""
        return ["params", *self._optimizer._setting_names(), "initial_lr"]

    def items(self) -> list[tuple[str, Any]]:
        """Pairs of name and value."""
        return [(key, self[key]) for key in self.keys()]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v}" for k, v in self.items() if k != "params")
        return f"ParameterGroup({len(self['params'])} parameters, {settings})"


def _param_groups(self: Optimizer) -> list[ParameterGroup]:
    return [ParameterGroup(self, number) for number in range(self._group_count())]


def _repr(self: Optimizer) -> str:
    return f"{type(self).__name__}({', '.join(map(repr, self.param_groups))})"


def _defaults(self: Optimizer) -> dict[str, Any]:
    return {key: value for key, value in self.param_groups[0].items() if key not in ("params", "initial_lr")}


for _name, _member in {
    "defaults": property(
        _defaults, doc="The settings of the first group, which groups without their own get."
    ),
    "param_groups": property(_param_groups, doc="The groups of parameters, with their settings."),
    "__repr__": _repr,
}.items():
    setattr(Optimizer, _name, _member)
