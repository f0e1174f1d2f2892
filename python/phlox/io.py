"""Files: tensors by name as .safetensors and .npz, single arrays as .npy, MNIST's IDX, pictures.

px.save(model.state_dict(), "model.safetensors")
model.load_state_dict(px.load("model.safetensors"))
"""

from __future__ import annotations

import json as _json
import tempfile as _tempfile
from os import fspath as _fspath

from . import _phlox
from ._failure import fail as _fail
from ._phlox import Tensor as _Tensor
from ._phlox import _files

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os as _os
    from typing import IO as _IO
    from typing import Any as _Any

for _name, _function in vars(_files).items():
    if not _name.startswith("_"):
        globals()[_name] = _function


_STRUCTURE = "phlox.structure"  # the metadata entry that tells how tensors and other values were nested


def _not_saved(name, value):
    kind = f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
    _phlox._fail(
        "TypeError",
        "wrong_argument_type",
        f'save: "{name}" is {kind}; what is saved are tensors, numbers, texts, None, and dicts and '
        "lists of them",
        {},
        "px.save(model.state_dict(), path)",
    )


def _join(name, key):
    return f"{name}.{key}" if name else str(key)


def _without_tensors(value, name, tensors):
    """The value as JSON can hold it: tensors go to the dict `tensors`, and their names stand for them."""
    if isinstance(value, _Tensor):
        name = name or "tensor"
        while name in tensors:
            name += "_"
        tensors[name] = value
        return {"tensor": name}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "dtype") and getattr(value, "shape", None) == ():  # a number of NumPy's
        return _without_tensors(value.item(), name, tensors)
    if isinstance(value, (list, tuple)):
        items = [_without_tensors(item, _join(name, number), tensors) for number, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if hasattr(value, "items"):
        for key in value:
            if not isinstance(key, (str, int)):
                _not_saved(_join(name, key), key)
        return {"dict": [[key, _without_tensors(v, _join(name, key), tensors)] for key, v in value.items()]}
    _not_saved(name, value)


def _with_tensors(value, tensors):
    if isinstance(value, list):
        return [_with_tensors(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    if "tuple" in value:
        return tuple(_with_tensors(value["tuple"], tensors))
    return {key: _with_tensors(item, tensors) for key, item in value["dict"]}


def _is_open_file(f, method, operation):
    """Whether `f` is an open file; otherwise it is a path. Raises TypeError for what is neither, and for files of text."""
    if isinstance(f, (str, bytes)) or hasattr(f, "__fspath__"):
        return False
    if not hasattr(f, method) or hasattr(f, "encoding"):
        kind = "a file of text" if hasattr(f, method) else f"a {type(f).__name__}"
        _fail(
            "TypeError",
            "wrong_argument_type",
            f"{operation}: a path or a file of bytes is needed, not {kind}",
            'open(path, "wb")' if method == "write" else 'open(path, "rb")',
        )
    return True


def save(obj: _Any, f: str | _os.PathLike[str] | _IO[bytes]) -> None:
    """Saves tensors, numbers, texts, None, and dicts and lists of them: a state dict, or a whole checkpoint.

    Tensors get names with dots and go into a safetensors file, how they were nested into its metadata. A name that ends
    in `.npz` makes a NumPy archive, which holds a dict of tensors; `.npy` holds one tensor. A failed save leaves the
    old file. Raises FileError.

    `f` may also be a file that is open for writing bytes, such as an io.BytesIO: it gets a safetensors file. NumPy's
    numbers are saved as Python's.
    """
    target: _Any = f
    if _is_open_file(target, "write", "save"):
        with _tempfile.TemporaryDirectory() as folder:
            save(obj, f"{folder}/file.safetensors")
            with open(f"{folder}/file.safetensors", "rb") as written:
                target.write(written.read())
        return
    path = _fspath(target)
    if hasattr(obj, "state_dict"):
        obj = obj.state_dict()
    if path.endswith(".npy") and isinstance(obj, _Tensor):
        _files.save_npy(obj, path)
        return
    tensors: dict[str, _Tensor] = {}
    structure = _without_tensors(obj, "", tensors)
    is_flat = hasattr(obj, "items") and structure == {"dict": [[n, {"tensor": n}] for n in tensors]}
    if path.endswith(".npz"):
        if not is_flat:
            _phlox._fail(
                "TypeError",
                "wrong_argument_type",
                "save: an .npz file holds a dict of tensors and nothing else",
                {},
                "a name that ends in .safetensors",
            )
        _files._save(tensors, path)
        return
    _files._save(tensors, path, {} if is_flat else {_STRUCTURE: _json.dumps(structure)})


def load(
    f: str | _os.PathLike[str] | _IO[bytes],
    map_location: _Any = None,
    weights_only: bool = True,
    *,
    mmap: bool | None = None,
) -> _Any:
    """Loads what `save` wrote, in the form in which it was given. It never runs code.

    Another program's file gives a dict of tensors by name. With `mmap` the tensors of a safetensors file use the file
    itself, so that loading takes no time; the file must then stay as it is, since overwriting it changes them and
    shortening it ends the process. `f` may also be a file that is open for reading bytes, such as an io.BytesIO, whose
    kind is told by its first bytes. Raises FileError and FormatError; FileNotFoundError, which is both Phlox's and
    Python's, where there is no file.
    """
    source: _Any = f
    if _is_open_file(source, "read", "load"):
        path = str(getattr(source, "name", "open file"))
        found, metadata = _files._load_bytes(source.read(), path)
    else:
        path = _fspath(source)
        found = _files._load(path, bool(mmap))
        metadata = {} if path.endswith((".npz", ".npy")) else _files.load_metadata(path)
    if isinstance(found, _Tensor):
        return found if map_location is None else found.to(map_location)
    if map_location is not None:
        found = {name: tensor.to(map_location) for name, tensor in found.items()}
    structure = metadata.get(_STRUCTURE)
    if structure is None:
        return found
    try:
        return _with_tensors(_json.loads(structure), found)
    except (ValueError, KeyError, TypeError, RecursionError):
        _fail(
            "FormatError",
            "file_malformed",
            f'load: the metadata entry "{_STRUCTURE}" does not fit the tensors of the file',
            file=path,
        )
