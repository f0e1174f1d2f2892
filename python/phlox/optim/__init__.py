"""Optimisers: `px.optim.AdamW(model.parameters(), lr=1e-3)`. They are C++ classes with PyTorch's names and settings."""

from .._phlox import SGD as SGD
from .._phlox import Adagrad as Adagrad
from .._phlox import Adam as Adam
from .._phlox import AdamW as AdamW
from .._phlox import Optimizer as Optimizer
from .._phlox import RMSprop as RMSprop
from . import lr_scheduler as lr_scheduler


class ParameterGroup:
    """The settings of a group of parameters, read and written like a dict: `group["lr"] = 0.1`."""

    def __init__(self, optimizer, number):
        self._optimizer, self._number = optimizer, number

    def __getitem__(self, key):
        if key == "params":
            return self._optimizer._parameters(self._number)
        return self._optimizer._get_setting(self._number, key)

    def __setitem__(self, key, value):
        self._optimizer._set_setting(self._number, key, value)

    def get(self, key, default=None):
        """The setting, or a default when there is none of the name."""
        return self[key] if key in self.keys() else default

    def keys(self):
        """The names of the settings."""
        return ["params", *self._optimizer._setting_names(), "initial_lr"]

    def items(self):
        """Pairs of name and value."""
        return [(key, self[key]) for key in self.keys()]

    def __iter__(self):
        return iter(self.keys())

    def __contains__(self, key):
        return key in self.keys()

    def __repr__(self):
        settings = ", ".join(f"{k}={v}" for k, v in self.items() if k != "params")
        return f"ParameterGroup({len(self['params'])} parameters, {settings})"


def _param_groups(self):
    return [ParameterGroup(self, number) for number in range(self._group_count())]


def _repr(self):
    return f"{type(self).__name__}({', '.join(map(repr, self.param_groups))})"


Optimizer.param_groups = property(_param_groups, doc="The groups of parameters, with their settings.")
Optimizer.__repr__ = _repr
