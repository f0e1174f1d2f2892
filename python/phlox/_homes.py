"""Namespaces of operations, such as px.linalg and px.nn.functional: filled from the registry."""

from . import _phlox


def fill(namespace, home, and_all_others=False):
    """Adds the operations whose home this is, without the prefix that the name repeats: linalg.linalg_norm is norm."""
    prefix = home.rpartition(".")[2] + "_"
    operations = {name: o for name, o in vars(_phlox).items() if isinstance(o, _phlox.Operation)}
    for name, operation in operations.items():
        if operation.home == home:
            namespace.setdefault(name.removeprefix(prefix), operation)
    if and_all_others:
        for name, operation in operations.items():
            namespace.setdefault(name, operation)
