"""Checkpoints and meta graphs: variables as safetensors, graphs as JSON."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Sequence
from typing import Any

import phlox

from .._failure import fail
from ._graph import Graph, GraphKeys, Operation, get_default_graph
from ._graph_def import GraphDef, _Reader, read_json
from ._tensors import Tensor
from ._variables import Variable
from .errors import FailedPreconditionError, NotFoundError, _raise

px: Any = phlox  # whose operations only its stub names

META_FORMAT = "phlox.meta_graph/1"
_ENDING = ".safetensors"


# --- meta graphs


class MetaGraphDef:
    """A graph as data, with its collections, a saver and signatures: `graph_def`, `collection_def`, `saver_def`, ..."""

    def __init__(
        self,
        graph_def: GraphDef,
        collection_def: dict[str, list[Any]] | None = None,
        saver_def: Any = None,
        signature_def: dict[str, Any] | None = None,
        tags: Sequence[str] = (),
    ):
        self.graph_def, self.saver_def = graph_def, saver_def
        self.collection_def = collection_def or {}
        self.signature_def = {k: SignatureDef.of_data(v) for k, v in (signature_def or {}).items()}
        self.tags = list(tags)

    def to_data(self) -> dict[str, Any]:
        """What JSON holds."""
        return {
            "format": META_FORMAT,
            "tags": self.tags,
            "signature_def": {k: s.to_data() for k, s in self.signature_def.items()},
            "saver_def": self.saver_def,
            "collection_def": self.collection_def,
            "graph_def": self.graph_def.to_data(),
        }

    @classmethod
    def from_data(cls, data: Any, what: str) -> MetaGraphDef:
        """The meta graph of what JSON gave. Raises FormatError where it is none."""
        if not isinstance(data, dict) or data.get("format") != META_FORMAT:
            fail(
                "FormatError",
                "file_malformed",
                f'{what} is not a meta graph, which has "format": "{META_FORMAT}"',
            )
        try:
            graph = GraphDef.from_data(data["graph_def"])
            return cls(graph, data["collection_def"], data["saver_def"], data["signature_def"], data["tags"])
        except (KeyError, TypeError, AttributeError) as error:
            if hasattr(error, "code"):
                raise
            fail("FormatError", "file_malformed", f"{what} is a malformed meta graph: {error!r}")

    def SerializeToString(self) -> bytes:
        """The meta graph as JSON, in UTF-8."""
        return json.dumps(self.to_data(), indent=1).encode()


class TensorInfo:
    """A tensor that a signature names: `name`, `dtype`, `tensor_shape`."""

    def __init__(self, name: str, dtype: str, tensor_shape: list[int | None] | None):
        self.name, self.dtype, self.tensor_shape = name, dtype, tensor_shape


class SignatureDef:
    """What goes into a graph and what comes out: tensors by names of their own."""

    def __init__(self, inputs: dict[str, TensorInfo], outputs: dict[str, TensorInfo], method_name: str = ""):
        self.inputs, self.outputs, self.method_name = inputs, outputs, method_name

    def to_data(self) -> dict[str, Any]:
        """What JSON holds."""
        return {
            "inputs": {k: vars(t) for k, t in self.inputs.items()},
            "outputs": {k: vars(t) for k, t in self.outputs.items()},
            "method_name": self.method_name,
        }

    @classmethod
    def of_data(cls, data: Any) -> SignatureDef:
        """The signature of what JSON gave, or itself."""
        if isinstance(data, SignatureDef):
            return data
        sides = [{k: TensorInfo(**t) for k, t in data[side].items()} for side in ("inputs", "outputs")]
        return cls(sides[0], sides[1], data["method_name"])


def _item_data(item: Any) -> Any:
    """An item of a collection for files; None for what files cannot hold."""
    from ._queues import QueueRunner

    if isinstance(item, Variable):
        return {"variable": item.to_data()}
    if isinstance(item, Tensor):
        return {"tensor": item.name}
    if isinstance(item, Operation):
        return {"operation": item.name}
    if isinstance(item, QueueRunner):
        return {"queue_runner": item.to_data()}
    if isinstance(item, (bool, int, float, str)):
        return {"value": item}
    return None


def meta_graph_of(
    graph: Graph,
    saver_def: Any = None,
    keys: Sequence[Any] | None = None,
    clear_devices: bool = False,
    **more: Any,
) -> MetaGraphDef:
    """The graph with its collections as data."""
    collections: dict[str, list[Any]] = {}
    for key in graph.get_all_collection_keys() if keys is None else keys:
        items = [_item_data(item) for item in graph.get_collection(key)]
        if not isinstance(key, str) or None in items:
            warnings.warn(
                f'the collection "{key}" holds what a meta graph cannot; it is left out', stacklevel=3
            )
            continue
        collections[key] = items
    graph_def = graph.as_graph_def()
    if clear_devices:
        for node in graph_def.node:
            node["device"] = ""
    return MetaGraphDef(graph_def, collections, saver_def, **more)


def export_meta_graph(
    filename: str | None = None,
    graph_def: Any = None,
    saver_def: Any = None,
    collection_list: Sequence[str] | None = None,
    as_text: bool = False,
    graph: Graph | None = None,
    clear_devices: bool = False,
    **_: Any,
) -> MetaGraphDef:
    """The default graph, or another, with its collections as data; written to a file where a name is given."""
    meta = meta_graph_of((graph or get_default_graph()).root, saver_def, collection_list, clear_devices)
    if filename is not None:
        write_atomically(filename, meta.SerializeToString())
    return meta


def import_meta_graph(
    meta_graph_or_file: Any, clear_devices: bool = False, import_scope: str | None = None, **_: Any
) -> Saver | None:
    """Writes a meta graph into the default graph, its collections included; gives its Saver, where it has one.

    Nothing of the file is run. Raises FormatError where it is not a meta graph, NotFoundError where there is no file.
    """
    meta = meta_graph_or_file
    if not isinstance(meta, MetaGraphDef):
        meta = read_meta_graph(os.fspath(meta))
    return restore_meta_graph(meta, clear_devices, import_scope)


def read_meta_graph(path: str) -> MetaGraphDef:
    """The meta graph in a file."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        _raise(NotFoundError, "file_not_found", f'"{path}" cannot be read: {error.strerror}')
    return MetaGraphDef.from_data(read_json(data), f'"{path}"')


def restore_meta_graph(meta: MetaGraphDef, clear_devices: bool, scope: str | None) -> Saver | None:
    """Writes a meta graph into the default graph."""
    from ._queues import QueueRunner

    graph = get_default_graph()
    prefix = ""
    if scope:
        with graph.name_scope(scope) as opened:
            prefix = opened.rstrip("/")
    reader = _Reader(graph, prefix)
    reader.read(meta.graph_def.node)
    if clear_devices:
        for operation in reader.operations.values():
            operation.device = ""
    variables: dict[str, Variable] = {}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: renamed(v) for k, v in value.items()}
        if isinstance(value, list):
            return [renamed(v) for v in value]
        return reader.name(value) if isinstance(value, str) else value

    for key, items in meta.collection_def.items():
        for item in items:
            try:
                (kind, content), *_ = item.items()
                if kind == "variable":
                    name = content["name"]
                    if name not in variables:
                        variables[name] = Variable.of_operations(graph, renamed(content))
                    graph.add_to_collection(key, variables[name])
                elif kind == "tensor":
                    graph.add_to_collection(key, reader.tensor(content))
                elif kind == "operation":
                    graph.add_to_collection(key, reader.operations[content])
                elif kind == "queue_runner":
                    graph.add_to_collection(key, QueueRunner.of_data(graph, renamed(content)))
                elif kind == "value":
                    graph.add_to_collection(key, content)
                else:
                    fail(
                        "FormatError",
                        "file_malformed",
                        f'the collection "{key}" has an item of the kind "{kind}"',
                    )
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                if hasattr(error, "code"):
                    raise
                fail(
                    "FormatError", "file_malformed", f'the collection "{key}" has a malformed item: {error!r}'
                )
    if meta.saver_def is None:
        return None
    by_name = {v.op.name: v for v in (*variables.values(), *graph.get_collection(GraphKeys.GLOBAL_VARIABLES))}
    chosen = {file: by_name[reader.name(name)] for file, name in meta.saver_def["variables"].items()}
    return Saver(chosen, max_to_keep=meta.saver_def["max_to_keep"], name=meta.saver_def["name"])


def write_atomically(path: str, data: bytes) -> None:
    """Writes a file as a whole or not at all. Raises FileError."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        fail("FileError", "file_write_failed", f'"{path}" cannot be written: {error.strerror}')


# --- checkpoints


class CheckpointState:
    """Which checkpoints a folder has: `model_checkpoint_path`, the last one, and `all_model_checkpoint_paths`."""

    def __init__(self, model_checkpoint_path: str, all_model_checkpoint_paths: Sequence[str]):
        self.model_checkpoint_path = model_checkpoint_path
        self.all_model_checkpoint_paths = list(all_model_checkpoint_paths)


def get_checkpoint_state(checkpoint_dir: str, latest_filename: str | None = None) -> CheckpointState | None:
    """Which checkpoints a folder has, from its file "checkpoint"; None where there is none."""
    path = os.path.join(checkpoint_dir, latest_filename or "checkpoint")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        found = re.findall(r'^(model_checkpoint_path|all_model_checkpoint_paths): (".*")$', file.read(), re.M)
    names = [(key, os.path.join(checkpoint_dir, json.loads(text))) for key, text in found]
    last = [name for key, name in names if key == "model_checkpoint_path"]
    if not last:
        fail("FormatError", "file_malformed", f'"{path}" names no checkpoint')
    return CheckpointState(last[0], [name for key, name in names if key == "all_model_checkpoint_paths"])


def checkpoint_exists(checkpoint_prefix: str) -> bool:
    """Whether there is a checkpoint of this name."""
    return os.path.exists(checkpoint_prefix + _ENDING)


def latest_checkpoint(checkpoint_dir: str, latest_filename: str | None = None) -> str | None:
    """The name of the last checkpoint of a folder; None where there is none."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    return state.model_checkpoint_path if state and checkpoint_exists(state.model_checkpoint_path) else None


def _loaded(prefix: str) -> dict[str, Any]:
    if not checkpoint_exists(prefix):
        _raise(
            NotFoundError,
            "file_not_found",
            f'there is no checkpoint "{prefix}"',
            "tf.train.latest_checkpoint(folder)",
        )
    found = px.load(prefix + _ENDING)
    if not isinstance(found, dict):
        fail("FormatError", "file_malformed", f'"{prefix}{_ENDING}" holds no variables by name')
    return found


def list_variables(ckpt_dir_or_file: str) -> list[tuple[str, list[int]]]:
    """Names and shapes of the variables in a checkpoint."""
    prefix = latest_checkpoint(ckpt_dir_or_file) if os.path.isdir(ckpt_dir_or_file) else ckpt_dir_or_file
    return sorted((name, list(t.shape)) for name, t in _loaded(prefix or ckpt_dir_or_file).items())


def load_variable(ckpt_dir_or_file: str, name: str) -> Any:
    """The value of a variable in a checkpoint, a NumPy array."""
    prefix = latest_checkpoint(ckpt_dir_or_file) if os.path.isdir(ckpt_dir_or_file) else ckpt_dir_or_file
    found = _loaded(prefix or ckpt_dir_or_file)
    name = name.removesuffix(":0")
    if name not in found:
        _raise(NotFoundError, "unknown_name", f'"{name}" is not in the checkpoint "{prefix}"')
    return found[name].numpy()


class Saver:
    """Saves variables to checkpoints, and reads them back: `model-100.safetensors`, `model-100.meta` and `checkpoint`.

    By default all global variables, under their names; a dict gives others. The last `max_to_keep` checkpoints stay, all
    with None or 0.

    Example:
        saver = tf.train.Saver()
        path = saver.save(session, "/tmp/model", global_step=100)  # /tmp/model-100
        saver.restore(session, path)
    """

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: Any = None,
        builder: Any = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        save_relative_paths: bool = True,
        **_: Any,
    ):
        found = (
            get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES) if var_list is None else var_list
        )
        self._variables = dict(found) if isinstance(found, dict) else {v.op.name: v for v in found}
        if not self._variables and not allow_empty:
            fail(
                "ValueError",
                "missing_argument",
                "there are no variables to save",
                "make them before the Saver",
            )
        for variable in self._variables.values():
            if not isinstance(variable, Variable):
                fail("TypeError", "wrong_argument_type", f"a Saver saves variables, not {variable!r}")
        self._reshape, self._max, self._name = reshape, max_to_keep, name or "save"
        self._kept: list[str] = []

    @property
    def saver_def(self) -> dict[str, Any]:
        """The Saver as data."""
        names = {file: v.op.name for file, v in self._variables.items()}
        return {"name": self._name, "max_to_keep": self._max, "variables": names}

    def save(
        self,
        sess: Any,
        save_path: str,
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        **_: Any,
    ) -> str:
        """Writes a checkpoint; gives its name, to which the step is appended. The files replace older ones as a whole."""
        if global_step is not None:
            step = global_step if isinstance(global_step, int) else int(sess.run(global_step))
            save_path = f"{save_path}-{step}"
        values = {}
        for name, variable in self._variables.items():
            if variable.op.name not in sess.variables:
                _raise(
                    FailedPreconditionError,
                    "undefined_tensor",
                    f'save: the variable "{variable.op.name}" has no value in the session',
                    hint="session.run(tf.global_variables_initializer())",
                )
            values[name] = sess.variables[variable.op.name]
        folder = os.path.dirname(save_path) or "."
        if not os.path.isdir(folder):
            fail(
                "FileNotFoundError",
                "file_not_found",
                f'save: the folder "{folder}" does not exist',
                "os.makedirs(folder)",
            )
        px.save(values, save_path + _ENDING)
        if write_meta_graph:
            meta = meta_graph_of(sess.graph, self.saver_def)
            write_atomically(f"{save_path}.{meta_graph_suffix}", meta.SerializeToString())
        self._kept = [k for k in self._kept if k != save_path] + [save_path]
        while self._max and len(self._kept) > self._max:
            old = self._kept.pop(0)
            for path in (old + _ENDING, f"{old}.{meta_graph_suffix}"):
                if os.path.exists(path):
                    os.unlink(path)
        if write_state:
            names = [
                ("model_checkpoint_path", save_path),
                *(("all_model_checkpoint_paths", k) for k in self._kept),
            ]
            text = "".join(f"{key}: {json.dumps(os.path.relpath(name, folder))}\n" for key, name in names)
            write_atomically(os.path.join(folder, latest_filename or "checkpoint"), text.encode())
        return save_path

    def restore(self, sess: Any, save_path: str) -> None:
        """Gives the variables the values of a checkpoint. Where one is missing or of another shape, none is changed."""
        if save_path is None:
            fail(
                "ValueError",
                "missing_argument",
                "restore: there is no checkpoint to restore",
                "saver.save(session, path)",
            )
        found = _loaded(os.fspath(save_path))
        new = {}
        for name, variable in self._variables.items():
            if name not in found:
                _raise(
                    NotFoundError,
                    "unknown_name",
                    f'restore: "{name}" is not in the checkpoint "{save_path}"',
                    hint=f"tf.train.list_variables({str(save_path)!r})",
                )
            value = found[name]
            if not variable.shape.is_compatible_with(list(value.shape)):
                if not self._reshape:
                    fail(
                        "ShapeError",
                        "state_shape_differs",
                        f'restore: the variable "{variable.op.name}" has the shape {variable.shape}, '
                        f"and the checkpoint {list(value.shape)}",
                        hint="tf.train.Saver(reshape=True), where the number of elements is the same",
                    )
                value = value.reshape(variable.shape.as_list())
            new[variable.op.name] = value.to(variable.dtype)
        for name, value in new.items():
            sess.set_variable(name, value)

    @property
    def last_checkpoints(self) -> list[str]:
        """The checkpoints that stay, the oldest first."""
        return list(self._kept)

    def set_last_checkpoints(self, last_checkpoints: Sequence[str]) -> None:
        """Says which checkpoints there are, the oldest first."""
        self._kept = list(last_checkpoints)

    def recover_last_checkpoints(self, checkpoint_paths: Sequence[str]) -> None:
        """Says which checkpoints there are, after a new start; those that are not there are left out."""
        self._kept = [path for path in checkpoint_paths if checkpoint_exists(path)]

    def export_meta_graph(self, filename: str | None = None, **settings: Any) -> MetaGraphDef:
        """The default graph with this Saver as data."""
        return export_meta_graph(filename, saver_def=self.saver_def, **settings)


def write_graph(graph_or_graph_def: Any, logdir: str, name: str, as_text: bool = True) -> str:
    """Writes a graph to a file in a folder; gives the path."""
    graph_def = (
        graph_or_graph_def.as_graph_def() if isinstance(graph_or_graph_def, Graph) else graph_or_graph_def
    )
    os.makedirs(logdir, exist_ok=True)
    path = os.path.join(logdir, name)
    write_atomically(path, graph_def.SerializeToString())
    return path
