"""Modules that hold others: Python's lists and dicts of modules."""

from .._phlox import Module


class _Numbered(Module):
    # Parts under the names "0", "1", ...

    def __len__(self):
        return sum(1 for _ in self.named_children())

    def __iter__(self):
        return self.children()

    def __getitem__(self, index):
        parts = list(self)
        if isinstance(index, slice):
            return type(self)(parts[index]) if isinstance(self, ModuleList) else type(self)(*parts[index])
        try:
            return parts[index]
        except IndexError:
            raise IndexError(f"{type(self).__name__}: there is no part {index} among {len(parts)}") from None

    def __setitem__(self, index, module):
        names = [name for name, _ in self.named_children()]
        setattr(self, names[index], module)

    def __delitem__(self, index):
        kept = list(self)
        del kept[index]
        self._replace(kept)

    def _replace(self, parts):
        for name, _ in list(self.named_children()):
            delattr(self, name)
        for number, part in enumerate(parts):
            self.add_module(str(number), part)

    def append(self, module):
        """Adds a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def insert(self, index, module):
        """Adds a module before the one at `index`."""
        parts = list(self)
        parts.insert(index, module)
        self._replace(parts)
        return self

    def extend(self, modules):
        """Adds several modules at the end."""
        for module in modules:
            self.append(module)
        return self


class Sequential(_Numbered):
    """Runs modules one after the other: `Sequential(a, b, c)`, or `Sequential({"first": a, "second": b})`."""

    def __init__(self, *modules):
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self.extend(modules)

    def forward(self, input):
        """The output of the last module."""
        for module in self.children():
            input = module(input)
        return input


class ModuleList(_Numbered):
    """A list of modules. It runs nothing by itself."""

    def __init__(self, modules=()):
        super().__init__()
        self.extend(modules)


class ModuleDict(Module):
    """Modules under names of one's choice. It runs nothing by itself."""

    def __init__(self, modules=()):
        super().__init__()
        self.update(modules)

    def __getitem__(self, key):
        return dict(self.named_children())[key]

    def __setitem__(self, key, module):
        if key in self:
            delattr(self, key)
        self.add_module(key, module)

    def __delitem__(self, key):
        delattr(self, key)

    def __contains__(self, key):
        return key in dict(self.named_children())

    def __len__(self):
        return sum(1 for _ in self.named_children())

    def __iter__(self):
        return iter(self.keys())

    def keys(self):
        """The names."""
        return dict(self.named_children()).keys()

    def values(self):
        """The modules."""
        return dict(self.named_children()).values()

    def items(self):
        """Pairs of name and module."""
        return dict(self.named_children()).items()

    def update(self, modules):
        """Adds modules from a dict or from pairs."""
        for name, module in modules.items() if hasattr(modules, "items") else modules:
            self[name] = module
