"""Graph mode: graphs that are written first and run by sessions, with the names of TensorFlow 1.

    import phlox.graph_mode as tf

    x = tf.placeholder(tf.float32, [None, 784], name="x")
    w = tf.get_variable("w", [784, 10])
    y = tf.nn.softmax(tf.matmul(x, w))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(y, feed_dict={x: images})

Each operation of Phlox is a function here that writes an operation into the default graph. Names and parameters are
TensorFlow's where it has them (`tf.reduce_mean(x, axis=1)`), else Phlox's. What a run needs is captured as one program.
docs/graph-mode.md tells what differs from TensorFlow.
"""

from __future__ import annotations

from typing import Any as _Any

from .. import _phlox
from . import _functions as _functions
from . import _nn_functions as _nn_functions
from . import data as data
from . import errors as errors
from . import initializers as initializers
from . import layers as layers
from . import losses as losses
from . import nn as nn
from . import saved_model as saved_model
from . import summary as summary
from . import train as train
from ._array import TensorArray
from ._branches import Assert, case, cond
from ._calls import convert as convert_to_tensor
from ._calls import offer as _offer
from ._config import ConfigProto, GPUOptions, GraphOptions, OptimizerOptions, RunMetadata, RunOptions
from ._functional import foldl, foldr, map_fn, scan
from ._gradients import (
    RegisterGradient,
    UnconnectedGradients,
    clip_by_global_norm,
    custom_gradient,
    global_norm,
    gradients,
    hessians,
)
from ._graph import (
    Graph,
    GraphKeys,
    Operation,
    add_to_collection,
    add_to_collections,
    colocate_with,
    control_dependencies,
    device,
    disable_eager_execution,
    disable_v2_behavior,
    executing_eagerly,
    get_collection,
    get_collection_ref,
    get_default_graph,
    name_scope,
    reset_default_graph,
    set_random_seed,
)
from ._graph_def import GraphDef, NodeDef, import_graph_def
from ._host import Print, py_func
from ._loops import while_loop
from ._order import group, identity, no_op, with_dependencies
from ._order import tuple_ as tuple
from ._queues import FIFOQueue, PaddingFIFOQueue, QueueBase, RandomShuffleQueue
from ._saving import MetaGraphDef
from ._session import (
    IndexedSlicesValue,
    InteractiveSession,
    Session,
    SparseTensorValue,
    get_default_session,
)
from ._shapes import Dimension, TensorShape
from ._sparse import sparse_reduce_sum, sparse_tensor_dense_matmul, sparse_tensor_to_dense
from ._summaries import Summary
from ._tensors import (
    IndexedSlices,
    SparseTensor,
    Tensor,
    as_dtype,
    constant,
    placeholder,
    placeholder_with_default,
    sparse_placeholder,
    string,
)
from ._variable_scopes import AUTO_REUSE, VariableScope, get_variable, get_variable_scope, variable_scope
from ._variables import (
    Variable,
    assign,
    assign_add,
    assign_sub,
    global_variables,
    global_variables_initializer,
    initialize_all_variables,
    is_variable_initialized,
    local_variables,
    local_variables_initializer,
    model_variables,
    moving_average_variables,
    scatter_add,
    scatter_sub,
    scatter_update,
    tables_initializer,
    trainable_variables,
    variables_initializer,
)
from .initializers import (
    constant_initializer,
    glorot_normal_initializer,
    glorot_uniform_initializer,
    ones_initializer,
    random_normal_initializer,
    random_uniform_initializer,
    truncated_normal_initializer,
    variance_scaling_initializer,
    zeros_initializer,
)

# The dtypes: tf.float32, tf.int64, ...
globals().update({**_phlox.dtypes, "string": string})
newaxis = None

_get = _offer(globals(), "")


def __getattr__(name: str) -> _Any:
    """All other operations: tf.exp, tf.matmul, tf.reduce_mean, ..."""
    return _get(name)
