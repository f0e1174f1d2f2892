"""Files: tensors by name as .safetensors and .npz, single arrays as .npy, MNIST's IDX, pictures.

px.save(model.state_dict(), "model.safetensors")
model.load_state_dict(px.load("model.safetensors"))
"""

from os import fspath as _fspath

from . import _phlox
from ._phlox import Tensor as _Tensor
from ._phlox import _files

for _name, _function in vars(_files).items():
    if not _name.startswith("_"):
        globals()[_name] = _function


def _flat(value, prefix=""):
    """Nested dicts and lists as one dict with dots in the names."""
    if isinstance(value, _Tensor):
        return {prefix: value}
    if isinstance(value, (bool, int, float)):
        return {
            prefix: _phlox.tensor(value, dtype=_phlox.dtypes["float64"] if isinstance(value, float) else None)
        }
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    if not hasattr(value, "items"):
        raise _phlox.TypeError(
            f'[E0104] save: "{prefix}" is a {type(value).__name__}, and only tensors and numbers are saved\n'
            "  try  px.save(model.state_dict(), path)"
        )
    found = {}
    for key, item in value.items():
        found.update(_flat(item, f"{prefix}.{key}" if prefix else str(key)))
    return found


def save(obj, f):
    """Saves a dict of tensors, such as `model.state_dict()`: as `.npz` if the name ends so, else as safetensors.

    Dicts in dicts get names with dots, and numbers become 0-d tensors. A tensor alone goes to `.npy`.
    A failed save leaves the old file. Raises FileError.
    """
    path = _fspath(f)
    if isinstance(obj, _Tensor):
        if path.endswith(".npy"):
            return _files.save_npy(obj, path)
        obj = {"tensor": obj}
    elif hasattr(obj, "state_dict"):
        obj = obj.state_dict()
    return (_files.save_npz if path.endswith(".npz") else _files.save_safetensors)(_flat(obj), path)


def load(f, map_location=None, weights_only=True):
    """Loads what `save` wrote: a dict of tensors by name, or the tensor of an `.npy` file. It never runs code.

    Raises FileError and FormatError.
    """
    path = _fspath(f)
    if path.endswith(".npy"):
        return _files.load_npy(path)
    found = _files.load_npz(path) if path.endswith(".npz") else _files.load_safetensors(path)
    if map_location is not None:
        found = {name: tensor.to(map_location) for name, tensor in found.items()}
    return found
