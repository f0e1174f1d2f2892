"""How sessions run, and what they tell of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import _phlox
from .._failure import fail

if TYPE_CHECKING:
    from ._execution import Frame
    from ._graph import Operation


class _Settings:
    """Named settings with defaults; others are errors."""

    _defaults: dict[str, Any] = {}

    def __init__(self, **settings: Any):
        for name in settings:
            if name not in self._defaults:
                known = ", ".join(sorted(self._defaults))
                fail(
                    "TypeError",
                    "unknown_name",
                    f"{type(self).__name__}: there is no setting {name}",
                    hint=known,
                )
        for name, default in self._defaults.items():
            made = default() if isinstance(default, type) else default
            setattr(self, name, settings.get(name, made))

    def __repr__(self) -> str:
        changed = {n: getattr(self, n) for n in self._defaults}
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in changed.items())})"


class GPUOptions(_Settings):
    """Settings of graphics cards. Phlox takes memory as it needs it, so these change nothing."""

    _defaults = {"allow_growth": True, "per_process_gpu_memory_fraction": 1.0, "visible_device_list": ""}


class OptimizerOptions(_Settings):
    """Settings of the optimisation of graphs: level -1 runs operation by operation."""

    L0, L1, OFF = -1, 0, -1
    _defaults = {"opt_level": 0, "global_jit_level": 0}


class GraphOptions(_Settings):
    """Settings of graphs."""

    _defaults = {"optimizer_options": OptimizerOptions}


class ConfigProto(_Settings):
    """Settings of a session.

    `intra_op_parallelism_threads` is the number of threads of Phlox. With `allow_soft_placement`, operations of a device
    that is not there run on the CPU. `device_count`, `gpu_options` and the number of operations at once are taken and
    change nothing. Unknown settings raise TypeError.
    """

    allow_soft_placement: bool
    intra_op_parallelism_threads: int
    _defaults = {
        "device_count": dict,
        "intra_op_parallelism_threads": 0,
        "inter_op_parallelism_threads": 0,
        "allow_soft_placement": False,
        "log_device_placement": False,
        "gpu_options": GPUOptions,
        "graph_options": GraphOptions,
        "operation_timeout_in_ms": 0,
        "use_per_session_threads": False,
    }

    def apply(self) -> None:
        """Sets the number of threads, where one is given."""
        if self.intra_op_parallelism_threads:
            _phlox.set_num_threads(self.intra_op_parallelism_threads)


class RunOptions(_Settings):
    """Settings of one run: with `trace_level=RunOptions.FULL_TRACE` RunMetadata has the time of each operation."""

    NO_TRACE, SOFTWARE_TRACE, HARDWARE_TRACE, FULL_TRACE = 0, 1, 2, 3
    trace_level: int
    _defaults = {
        "trace_level": 0,
        "timeout_in_ms": 0,
        "report_tensor_allocations_upon_oom": False,
        "inter_op_thread_pool": 0,
    }


class RunMetadata:
    """What a run tells: `captured`, `graph` (Phlox's graph of the program), `why_eager`, `seconds`, `step_stats`.

    `step_stats` has the seconds of each operation by name, with RunOptions.FULL_TRACE, for which operations run one by one.
    """

    def __init__(self) -> None:
        self.captured = False
        self.graph: Any = None
        self.why_eager = ""
        self.seconds = 0.0
        self.step_stats: dict[str, float] = {}
        self.wants_times = False

    def begin(self, options: RunOptions | None) -> None:
        """Forgets the run before."""
        self.captured, self.graph, self.why_eager, self.step_stats = False, None, "", {}
        self.wants_times = options is not None and options.trace_level > RunOptions.NO_TRACE

    def time(self, frame: Frame, operations: Sequence[Operation]) -> None:
        """Runs operations one by one and notes how long each takes."""
        for operation in operations:
            start = time.perf_counter()
            frame.run([operation])
            self.step_stats[operation.name] = time.perf_counter() - start
