"""Modules that hold others, or parameters: Python's lists and dicts of them."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._phlox import Module, Tensor
from .parameter import Parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Self


class _Numbered(Module):
    # Items under the names "0", "1", ...

    def _items(self) -> list[tuple[str, Any]]:
        raise NotImplementedError

    def _add(self, name: str, item: Any) -> None:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._items())

    def _name(self, index: Any) -> str:
        items = self._items()
        try:
            return items[operator.index(index)][0]
        except IndexError:
            raise IndexError(f"{type(self).__name__}: there is no item {index} among {len(items)}") from None

    def __setitem__(self, index: int, item: Any) -> None:
        setattr(self, self._name(index), item)

    def __delitem__(self, index: int | slice) -> None:
        kept = [item for _, item in self._items()]
        del kept[index]
        self._replace(kept)

    def _replace(self, items: Iterable[Any]) -> None:
        kept = list(items)
        for name, _ in self._items():
            delattr(self, name)
        for number, item in enumerate(kept):
            self._add(str(number), item)

    def append(self, module: Any) -> Self:
        """Adds an item at the end."""
        self._add(str(len(self)), module)
        return self

    def insert(self, index: int, module: Any) -> None:
        """Adds an item before the one at `index`."""
        items = [item for _, item in self._items()]
        items.insert(index, module)
        self._replace(items)

    def extend(self, modules: Iterable[Any]) -> Self:
        """Adds several items at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, key: int = -1) -> Any:
        """Takes the item at an index away and gives it."""
        item = getattr(self, self._name(key))
        del self[operator.index(key)]
        return item

    def __iadd__(self, other: Iterable[Any]) -> Self:
        return self.extend(other)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]


class _NumberedModules(_Numbered):
    def _items(self) -> list[tuple[str, Module]]:
        return self._parts()

    def _add(self, name: str, item: Module) -> None:
        self.add_module(name, item)

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self._parts())


class Sequential(_NumberedModules):
    """Runs modules one after the other: `Sequential(a, b, c)`, or `Sequential({"first": a, "second": b})`.

    Indexing gives a module, slicing a Sequential of the same modules under the same names.

    Example:
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
        model[:2](px.zeros(1, 8)).shape  # [1, 16]
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self.extend(modules)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(self._items()[index]))
        return getattr(self, self._name(index))

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *other)

    def forward(self, input: Any) -> Any:
        """The output of the last module."""
        for _, module in self._parts():
            input = module(input)
        return input


class ModuleList(_NumberedModules):
    """A list of modules, which are found, saved and trained with their owner. It runs nothing by itself.

    Example:
        self.blocks = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        for block in self.blocks: x = block(x)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(part for _, part in self._items()[index])
        return getattr(self, self._name(index))

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])


class ParameterList(_Numbered):
    """A list of parameters; tensors become parameters.

    Example:
        self.scales = nn.ParameterList([px.ones(3), px.ones(4)])
    """

    def __init__(self, values: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.extend(values)

    def _items(self) -> list[tuple[str, Parameter]]:
        return [(name, getattr(self, name)) for name in self._parameter_names()]

    def _add(self, name: str, item: Tensor) -> None:
        self.register_parameter(name, _as_parameter(item))

    def __setitem__(self, index: int, item: Tensor) -> None:
        setattr(self, self._name(index), _as_parameter(item))

    def __iter__(self) -> Iterator[Parameter]:
        return iter([item for _, item in self._items()])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(item for _, item in self._items()[index])
        return getattr(self, self._name(index))

    def extra_repr(self) -> str:
        """The parameters, one a line."""
        return _describe(self._items())


class _Named(Module):
    # Items under names of one's choice.

    def _items(self) -> dict[str, Any]:
        raise NotImplementedError

    def _add(self, name: str, item: Any) -> None:
        raise NotImplementedError

    def __init__(self, values: Any = None) -> None:
        super().__init__()
        if values is not None:
            self.update(values)

    def __getitem__(self, key: str) -> Any:
        return self._items()[key]

    def __setitem__(self, key: str, item: Any) -> None:
        if key in self:
            setattr(self, key, item)
        else:
            self._add(key, item)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        delattr(self, key)

    def __contains__(self, key: object) -> bool:
        return key in self._items()

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[str]:
        return iter(self._items())

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._items().keys()

    def values(self) -> Iterable[Any]:
        """The items."""
        return self._items().values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Pairs of name and item."""
        return self._items().items()

    def get(self, key: str, default: Any = None) -> Any:
        """The item under a name, or `default`."""
        return self._items().get(key, default)

    def pop(self, key: str) -> Any:
        """Takes an item away and gives it."""
        item = self[key]
        del self[key]
        return item

    def clear(self) -> None:
        """Takes all items away."""
        for key in list(self):
            del self[key]

    def update(self, values: Any) -> None:
        """Adds items from a dict or from pairs."""
        for name, item in values.items() if hasattr(values, "items") else values:
            self[name] = item


class ModuleDict(_Named):
    """Modules under names of one's choice. It runs nothing by itself.

    Example:
        self.heads = nn.ModuleDict({"class": nn.Linear(8, 10), "box": nn.Linear(8, 4)})
    """

    def _items(self) -> dict[str, Module]:
        return dict(self._parts())

    def _add(self, name: str, item: Module) -> None:
        self.add_module(name, item)


class ParameterDict(_Named):
    """Parameters under names of one's choice; tensors become parameters.

    Example:
        self.scales = nn.ParameterDict({"in": px.ones(3), "out": px.ones(4)})
    """

    def _items(self) -> dict[str, Parameter]:
        return {name: getattr(self, name) for name in self._parameter_names()}

    def _add(self, name: str, item: Tensor) -> None:
        self.register_parameter(name, _as_parameter(item))

    def __setitem__(self, key: str, item: Tensor) -> None:
        super().__setitem__(key, _as_parameter(item))

    def extra_repr(self) -> str:
        """The parameters, one a line."""
        return _describe(self._items().items())


def _as_parameter(value: Tensor) -> Parameter:
    return value if isinstance(value, Parameter) else Parameter(value)


def _describe(items: Iterable[tuple[str, Tensor]]) -> str:
    return "\n".join(f"({name}): {p.dtype.short_name}[{','.join(map(str, p.shape))}]" for name, p in items)
