"""Namespaces of operations, such as px.linalg and px.nn.functional: filled from the registry."""

from . import _phlox


def fill(namespace, home):
    """Adds the operations whose home this is, without the prefix that the name repeats: linalg.linalg_norm is norm."""
    prefix = home.rpartition(".")[2] + "_"
    for name, operation in vars(_phlox).items():
        if isinstance(operation, _phlox.Operation) and operation.home == home:
            namespace.setdefault(name.removeprefix(prefix), operation)
