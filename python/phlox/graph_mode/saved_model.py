"""Saved models: a folder with `saved_model.json`, the graph and its signatures, and `variables/variables.safetensors`."""

from __future__ import annotations

import json as _json
import os as _os
from collections.abc import Sequence as _Sequence
from types import SimpleNamespace as _SimpleNamespace
from typing import Any as _Any

from .._failure import fail as _fail
from ._calls import convert as _convert
from ._graph import Operation as _Operation
from ._graph_def import read_json as _read_json
from ._saving import MetaGraphDef as _MetaGraphDef
from ._saving import Saver as _Saver
from ._saving import SignatureDef as _SignatureDef
from ._saving import TensorInfo as _TensorInfo
from ._saving import meta_graph_of as _meta_graph_of
from ._saving import restore_meta_graph as _restore_meta_graph
from ._saving import write_atomically as _write_atomically
from .errors import NotFoundError as _NotFoundError
from .errors import _raise

_FILE, _FORMAT = "saved_model.json", "phlox.saved_model/1"

tag_constants = _SimpleNamespace(SERVING="serve", TRAINING="train", GPU="gpu")
signature_constants = _SimpleNamespace(
    DEFAULT_SERVING_SIGNATURE_DEF_KEY="serving_default",
    PREDICT_METHOD_NAME="tensorflow/serving/predict",
    CLASSIFY_METHOD_NAME="tensorflow/serving/classify",
    REGRESS_METHOD_NAME="tensorflow/serving/regress",
    PREDICT_INPUTS="inputs",
    PREDICT_OUTPUTS="outputs",
)


def build_tensor_info(tensor: _Any) -> _TensorInfo:
    """A tensor as signatures name it."""
    tensor = _convert(tensor)
    return _TensorInfo(tensor.name, tensor.dtype.name, tensor.shape.as_list() if tensor.shape else None)


def build_signature_def(
    inputs: dict[str, _TensorInfo], outputs: dict[str, _TensorInfo], method_name: str = ""
) -> _SignatureDef:
    """A signature of named inputs and outputs."""
    return _SignatureDef(inputs, outputs, method_name)


def predict_signature_def(inputs: dict[str, _Any], outputs: dict[str, _Any]) -> _SignatureDef:
    """A signature of tensors by name."""
    infos = [{k: build_tensor_info(t) for k, t in side.items()} for side in (inputs, outputs)]
    return _SignatureDef(infos[0], infos[1], signature_constants.PREDICT_METHOD_NAME)


class SavedModelBuilder:
    """Writes a saved model: `add_meta_graph_and_variables`, then `save`. The folder must not exist, or be empty."""

    def __init__(self, export_dir: str):
        self._folder = _os.fspath(export_dir)
        if _os.path.isdir(self._folder) and _os.listdir(self._folder):
            _fail(
                "FileError",
                "file_write_failed",
                f'the folder "{self._folder}" exists and is not empty',
                "another folder",
            )
        self._meta: list[_MetaGraphDef] = []

    def add_meta_graph_and_variables(
        self,
        sess: _Any,
        tags: _Sequence[str],
        signature_def_map: dict[str, _SignatureDef] | None = None,
        main_op: _Operation | None = None,
        clear_devices: bool = False,
        **_: _Any,
    ) -> None:
        """Adds the graph of a session, and writes the values of its variables."""
        if self._meta:
            _fail(
                "StateError",
                "invalid_value",
                "the variables are written already",
                "add_meta_graph() for other graphs",
            )
        variables = _os.path.join(self._folder, "variables")
        _os.makedirs(variables, exist_ok=True)
        with sess.graph.as_default():
            saver = _Saver(allow_empty=True)
        path = _os.path.join(variables, "variables")
        saver.save(sess, path, write_meta_graph=False, write_state=False)
        self._add(sess.graph, saver, tags, signature_def_map, main_op, clear_devices)

    def _add(
        self,
        graph: _Any,
        saver: _Any,
        tags: _Any,
        signatures: _Any,
        main_op: _Operation | None,
        clear_devices: bool,
    ) -> None:
        settings = {"signature_def": signatures, "tags": list(tags)}
        if main_op is not None:
            graph.clear_collection("saved_model_main_op")
            graph.add_to_collection("saved_model_main_op", main_op)
        self._meta.append(_meta_graph_of(graph, saver.saver_def, None, clear_devices, **settings))

    def save(self, as_text: bool = False) -> str:
        """Writes the file; gives its path."""
        path = _os.path.join(self._folder, _FILE)
        data = {"format": _FORMAT, "meta_graphs": [m.to_data() for m in self._meta]}
        _write_atomically(path, _json.dumps(data, indent=1).encode())
        return path


def simple_save(
    session: _Any,
    export_dir: str,
    inputs: dict[str, _Any],
    outputs: dict[str, _Any],
    legacy_init_op: _Operation | None = None,
) -> None:
    """Saves the graph and the variables of a session for serving, with one signature, "serving_default".

    Example:
        tf.saved_model.simple_save(session, "/tmp/model", inputs={"x": x}, outputs={"y": y})
    """
    builder_ = SavedModelBuilder(export_dir)
    signature = predict_signature_def(inputs, outputs)
    key = signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    builder_.add_meta_graph_and_variables(
        session, [tag_constants.SERVING], {key: signature}, main_op=legacy_init_op, clear_devices=True
    )
    builder_.save()


def _load(
    sess: _Any, tags: _Sequence[str], export_dir: str, import_scope: str | None = None, **_: _Any
) -> _MetaGraphDef:
    """Writes the graph of a saved model into that of a session, restores its variables, and runs what it begins with.

    Gives the meta graph, whose `signature_def["serving_default"].inputs["x"].name` names the tensors.
    """
    folder = _os.fspath(export_dir)
    path = _os.path.join(folder, _FILE)
    if not _os.path.exists(path):
        _raise(_NotFoundError, "file_not_found", f'"{folder}" holds no saved model, which has a file {_FILE}')
    with open(path, "rb") as file:
        data = _read_json(file.read())
    if (
        not isinstance(data, dict)
        or data.get("format") != _FORMAT
        or not isinstance(data.get("meta_graphs"), list)
    ):
        _fail(
            "FormatError", "file_malformed", f'"{path}" is not a saved model, which has "format": "{_FORMAT}"'
        )
    graphs = [_MetaGraphDef.from_data(m, f'"{path}"') for m in data["meta_graphs"]]
    wanted = {tags} if isinstance(tags, str) else set(tags)
    meta = next((m for m in graphs if set(m.tags) == wanted), None)
    if meta is None:
        there = " or ".join(str(m.tags) for m in graphs)
        _fail(
            "ValueError",
            "unknown_name",
            f"the saved model has no graph with the tags {sorted(wanted)}",
            f"the tags {there}",
        )
    before = len(sess.graph.get_collection("saved_model_main_op"))
    with sess.graph.as_default():
        saver = _restore_meta_graph(meta, False, import_scope)
    if saver is not None and saver.saver_def["variables"]:
        saver.restore(sess, _os.path.join(folder, "variables", "variables"))
    for operation in sess.graph.get_collection("saved_model_main_op")[before:]:
        sess.run(operation)
    return meta


def _maybe_saved_model_directory(export_dir: str) -> bool:
    """Whether a folder holds a saved model."""
    return _os.path.exists(_os.path.join(export_dir, _FILE))


load = _load
contains_saved_model = _maybe_saved_model_directory
loader = _SimpleNamespace(load=_load, maybe_saved_model_directory=_maybe_saved_model_directory)
builder = _SimpleNamespace(SavedModelBuilder=SavedModelBuilder)
utils = _SimpleNamespace(build_tensor_info=build_tensor_info)
signature_def_utils = _SimpleNamespace(
    build_signature_def=build_signature_def, predict_signature_def=predict_signature_def
)
