"""Training sessions that begin, save, log and end by themselves, and hooks that take part in each run."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._failure import fail
from ._graph import Graph, GraphKeys, get_default_graph
from ._optimizers import get_global_step
from ._order import group
from ._queues import Coordinator, start_queue_runners
from ._saving import Saver, latest_checkpoint
from ._session import Session, _DefaultSession
from ._summaries import FileWriter
from ._variables import global_variables, local_variables, tables_initializer, variables_initializer
from .errors import OutOfRangeError


class SessionRunArgs(NamedTuple):
    """What a hook wants to be fetched and fed beside what the program asks for."""

    fetches: Any
    feed_dict: Any = None
    options: Any = None


class SessionRunValues(NamedTuple):
    """What a hook's fetches gave."""

    results: Any
    options: Any = None
    run_metadata: Any = None


class SessionRunContext:
    """A run as hooks see it: its session and arguments; `request_stop()` ends the training."""

    def __init__(self, original_args: SessionRunArgs, session: Any):
        self.original_args, self.session, self.stop_requested = original_args, session, False

    def request_stop(self) -> None:
        """After this run `should_stop()` of the training session is true."""
        self.stop_requested = True


class SessionRunHook:
    """Base class of what takes part in each run of a MonitoredTrainingSession. All methods may be left out."""

    def begin(self) -> None:
        """Before the session is made; the graph may still be changed."""

    def after_create_session(self, session: Any, coord: Coordinator) -> None:
        """When the session is there and variables have values; the graph is finalized."""

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Before each run: what to fetch and to feed as well."""

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """After each run, with what was fetched."""

    def end(self, session: Any) -> None:
        """Before the session is closed, unless an error ended it."""


class StopAtStepHook(SessionRunHook):
    """Ends the training at a step, or after so many steps."""

    def __init__(self, num_steps: int | None = None, last_step: int | None = None):
        if (num_steps is None) == (last_step is None):
            fail("ValueError", "missing_argument", "StopAtStepHook: give one of num_steps and last_step")
        self._count, self._last = num_steps, last_step

    def begin(self) -> None:
        """Finds the global step."""
        self._step = _required_step("StopAtStepHook")

    def after_create_session(self, session: Any, coord: Coordinator) -> None:
        """Knows now where it ends."""
        if self._last is None:
            self._last = int(session.run(self._step)) + (self._count or 0)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Looks at the step after the run."""
        assert self._last is not None
        if int(run_context.session.run(self._step)) >= self._last:
            run_context.request_stop()


def _required_step(who: str) -> Any:
    step = get_global_step()
    if step is None:
        fail(
            "StateError",
            "invalid_value",
            f"{who}: the graph has no global step",
            "tf.train.get_or_create_global_step()",
        )
    return step


class _Timer:
    """True every so many steps or seconds."""

    def __init__(self, every_steps: int | None, every_seconds: float | None, who: str):
        if (every_steps is None) == (every_seconds is None):
            fail("ValueError", "missing_argument", f"{who}: give one of a number of steps and of seconds")
        self.every_steps, self.every_seconds = every_steps, every_seconds
        self.last_step: int | None = None
        self.last_time = 0.0

    def is_due(self, step: int) -> bool:
        """Whether it is time."""
        if self.last_step is None:
            return True
        if self.every_steps is not None:
            return step >= self.last_step + self.every_steps
        return time.monotonic() >= self.last_time + (self.every_seconds or 0)

    def note(self, step: int) -> None:
        """It was done now."""
        self.last_step, self.last_time = step, time.monotonic()


class LoggingTensorHook(SessionRunHook):
    """Writes tensors to standard error every so many runs or seconds, and at the end where asked for."""

    def __init__(
        self,
        tensors: Any,
        every_n_iter: int | None = None,
        every_n_secs: float | None = None,
        at_end: bool = False,
        formatter: Callable[[dict[str, Any]], str] | None = None,
    ):
        self._tensors = tensors if isinstance(tensors, dict) else {getattr(t, "name", t): t for t in tensors}
        self._timer = _Timer(every_n_iter, every_n_secs, "LoggingTensorHook")
        self._formatter, self._at_end, self._runs = formatter, at_end, 0

    def _write(self, values: dict[str, Any]) -> None:
        text = (
            self._formatter(values) if self._formatter else ", ".join(f"{k} = {v}" for k, v in values.items())
        )
        sys.stderr.write(text + "\n")

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Fetches the tensors where it is time."""
        self._due = self._timer.is_due(self._runs)
        return SessionRunArgs(self._tensors) if self._due else None

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Writes them."""
        if self._due:
            self._write(run_values.results)
            self._timer.note(self._runs)
        self._runs += 1

    def end(self, session: Any) -> None:
        """Writes the last values."""
        if self._at_end:
            self._write(session.run(self._tensors))


class NanLossDuringTrainingError(RuntimeError):
    """The loss became NaN."""


class NanTensorHook(SessionRunHook):
    """Ends the training when a loss is NaN: with an error, or just so."""

    def __init__(self, loss_tensor: Any, fail_on_nan_loss: bool = True):
        self._loss, self._fail = loss_tensor, fail_on_nan_loss

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Fetches the loss."""
        return SessionRunArgs(self._loss)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Looks at it."""
        if np.isnan(run_values.results):
            if self._fail:
                raise NanLossDuringTrainingError(f'the loss "{self._loss.name}" is NaN')
            run_context.request_stop()


class CheckpointSaverHook(SessionRunHook):
    """Saves checkpoints every so many steps or seconds, at the beginning and at the end."""

    def __init__(
        self,
        checkpoint_dir: str,
        save_secs: float | None = None,
        save_steps: int | None = None,
        saver: Saver | None = None,
        checkpoint_basename: str = "model.ckpt",
        scaffold: Scaffold | None = None,
    ):
        self._folder, self._name = checkpoint_dir, checkpoint_basename
        self._timer = _Timer(save_steps, save_secs, "CheckpointSaverHook")
        self._saver, self._scaffold = saver, scaffold

    def begin(self) -> None:
        """Finds the global step."""
        self._step = _required_step("CheckpointSaverHook")

    def after_create_session(self, session: Any, coord: Coordinator) -> None:
        """Saves the beginning."""
        self._save(session, int(session.run(self._step)))

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Saves where it is time."""
        step = int(run_context.session.run(self._step))
        if self._timer.is_due(step):
            self._save(run_context.session, step)

    def end(self, session: Any) -> None:
        """Saves the end."""
        step = int(session.run(self._step))
        if step != self._timer.last_step:
            self._save(session, step)

    def _save(self, session: Any, step: int) -> None:
        saver = self._saver or (self._scaffold.saver if self._scaffold else None)
        if saver is None:
            fail("StateError", "missing_argument", "CheckpointSaverHook needs a saver or a scaffold")
        os.makedirs(self._folder, exist_ok=True)
        saver.save(session, os.path.join(self._folder, self._name), global_step=step)
        self._timer.note(step)


class SummarySaverHook(SessionRunHook):
    """Writes summaries every so many steps or seconds."""

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: Any = None,
        scaffold: Scaffold | None = None,
        summary_op: Any = None,
    ):
        self._timer = _Timer(save_steps, save_secs, "SummarySaverHook")
        self._writer, self._folder = summary_writer, output_dir
        self._scaffold, self._op = scaffold, summary_op
        if summary_op is None and scaffold is None:
            fail("ValueError", "missing_argument", "SummarySaverHook: give one of summary_op and scaffold")

    def begin(self) -> None:
        """Opens the file."""
        self._step = _required_step("SummarySaverHook")
        self._now = -1
        if self._writer is None:
            if self._folder is None:
                fail(
                    "ValueError",
                    "missing_argument",
                    "SummarySaverHook: give one of output_dir and summary_writer",
                )
            self._writer = FileWriter(self._folder)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Fetches the summaries where it is time."""
        op = self._op if self._op is not None else self._scaffold.summary_op if self._scaffold else None
        self._due = op is not None and self._timer.is_due(self._now + 1)
        return SessionRunArgs([self._step, op] if self._due else [self._step])

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Writes them."""
        self._now = int(run_values.results[0])
        if self._due:
            self._writer.add_summary(run_values.results[1], self._now)
            self._timer.note(self._now)

    def end(self, session: Any) -> None:
        """Sees that all is written."""
        self._writer.flush()


class StepCounterHook(SessionRunHook):
    """Measures steps per second; `last_rate` has them, and summaries where there is a folder."""

    def __init__(
        self,
        every_n_steps: int | None = 100,
        every_n_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: Any = None,
    ):
        self._timer = _Timer(every_n_steps, every_n_secs, "StepCounterHook")
        self._writer = summary_writer or (FileWriter(output_dir) if output_dir else None)
        self.last_rate: float | None = None

    def begin(self) -> None:
        """Finds the global step."""
        self._step = _required_step("StepCounterHook")

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Fetches the step."""
        return SessionRunArgs(self._step)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Measures where it is time."""
        step = int(run_values.results)
        if self._timer.is_due(step):
            if self._timer.last_step is not None:
                seconds = max(time.monotonic() - self._timer.last_time, 1e-9)
                self.last_rate = (step - self._timer.last_step) / seconds
                if self._writer is not None:
                    self._writer.add_scalar("global_step/sec", self.last_rate, step)
            self._timer.note(step)


class FinalOpsHook(SessionRunHook):
    """Runs something at the end; `final_ops_values` has what it gave."""

    def __init__(self, final_ops: Any, final_ops_feed_dict: Any = None):
        self._ops, self._feeds, self.final_ops_values = final_ops, final_ops_feed_dict, None

    def end(self, session: Any) -> None:
        """Runs it."""
        self.final_ops_values = session.run(self._ops, self._feeds)


class Scaffold:
    """How a training session begins: what initialises variables, the Saver, the summaries; by default all there are."""

    def __init__(
        self,
        init_op: Any = None,
        init_feed_dict: Any = None,
        init_fn: Callable[[Scaffold, Any], None] | None = None,
        local_init_op: Any = None,
        summary_op: Any = None,
        saver: Saver | None = None,
        **_: Any,
    ):
        self.init_op, self.init_feed_dict, self.init_fn = init_op, init_feed_dict, init_fn
        self.local_init_op, self.summary_op, self.saver = local_init_op, summary_op, saver

    def finalize(self) -> Scaffold:
        """Makes what was not given, and finalizes the graph."""
        from ._summaries import merge_all

        graph = get_default_graph()
        if self.init_op is None:
            self.init_op = group(variables_initializer(global_variables()), name="init")
        if self.local_init_op is None:
            self.local_init_op = group(
                variables_initializer(local_variables()), tables_initializer(), name="local_init"
            )
        if self.summary_op is None:
            self.summary_op = merge_all()
        if self.saver is None:
            savers = graph.get_collection(GraphKeys.SAVERS)
            self.saver = savers[0] if savers else Saver(allow_empty=True)
        graph.finalize()
        return self


class MonitoredSession:
    """A session with hooks. `run` as of a session; `should_stop()` is true when a hook, or the end of the data, says so.

    OutOfRangeError ends the `with` block without an error.
    """

    def __init__(
        self,
        hooks: Sequence[SessionRunHook] | None = None,
        scaffold: Scaffold | None = None,
        checkpoint_dir: str | None = None,
        config: Any = None,
        stop_grace_period_secs: float = 120,
    ):
        self.graph: Graph = get_default_graph().root
        self._hooks = list(hooks or [])
        self._grace = stop_grace_period_secs
        scaffold = scaffold or Scaffold()
        for hook in self._hooks:
            hook.begin()
        scaffold.finalize()
        self._session = Session(graph=self.graph, config=config)
        self._coordinator = Coordinator()
        found = latest_checkpoint(checkpoint_dir) if checkpoint_dir else None
        if found is not None and scaffold.saver is not None:
            scaffold.saver.restore(self._session, found)
        else:
            self._session.run(scaffold.init_op, scaffold.init_feed_dict)
            if scaffold.init_fn is not None:
                scaffold.init_fn(scaffold, self._session)
        self._session.run(scaffold.local_init_op)
        start_queue_runners(self._session, self._coordinator)
        for hook in self._hooks:
            hook.after_create_session(self._session, self._coordinator)
        self._default = _DefaultSession(self._session)
        self._ended = False

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Runs the fetches together with what hooks ask for."""
        context = SessionRunContext(SessionRunArgs(fetches, feed_dict, options), self._session)
        wanted: dict[int, Any] = {}
        feeds = dict(feed_dict or {})
        for number, hook in enumerate(self._hooks):
            more = hook.before_run(context)
            if more is not None:
                wanted[number] = more.fetches
                clash = [k for k in more.feed_dict or {} if k in feeds]
                if clash:
                    fail(
                        "ValueError",
                        "invalid_value",
                        f'two feed "{getattr(clash[0], "name", clash[0])}": a hook and another',
                    )
                feeds.update(more.feed_dict or {})
        hooked = {number: f for number, f in wanted.items() if f is not None}
        values = self._session.run(
            {"program": _or_empty(fetches), "hooks": hooked}, feeds, options, run_metadata
        )
        for number, hook in enumerate(self._hooks):
            hook.after_run(context, SessionRunValues(values["hooks"].get(number), options, run_metadata))
        if context.stop_requested:
            self._coordinator.request_stop()
        return values["program"]

    def should_stop(self) -> bool:
        """Whether the training is to end."""
        return self._coordinator.should_stop() or self._ended

    def __enter__(self) -> MonitoredSession:
        self._default.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, _: Any) -> bool:
        self._default.__exit__(kind, error, _)
        clean = isinstance(error, OutOfRangeError)
        if clean:
            self._coordinator.request_stop()
        self._close(kind is None or clean)
        return clean

    def close(self) -> None:
        """Ends: hooks, threads, the session."""
        self._close(True)

    def _close(self, with_hooks: bool) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            if with_hooks:
                for hook in self._hooks:
                    hook.end(self._session)
        finally:
            self._coordinator.request_stop()
            try:
                self._coordinator.join(stop_grace_period_secs=self._grace)
            finally:
                self._session.close()


def _or_empty(fetches: Any) -> Any:
    return [] if fetches is None else fetches


def MonitoredTrainingSession(
    master: str = "",
    is_chief: bool = True,
    checkpoint_dir: str | None = None,
    scaffold: Scaffold | None = None,
    hooks: Sequence[SessionRunHook] | None = None,
    chief_only_hooks: Sequence[SessionRunHook] | None = None,
    save_checkpoint_secs: float | None = None,
    save_summaries_steps: int | None = None,
    save_summaries_secs: float | None = None,
    config: Any = None,
    stop_grace_period_secs: float = 120,
    log_step_count_steps: int | None = 100,
    max_wait_secs: float = 7200,
    save_checkpoint_steps: int | None = None,
    summary_dir: str | None = None,
) -> MonitoredSession:
    """A session for training: initialises or restores, runs queues, saves checkpoints (every 10 minutes), writes summaries
    (every 100 steps), and ends in order.

    Example:
        hooks = [tf.train.StopAtStepHook(last_step=1000)]
        with tf.train.MonitoredTrainingSession(checkpoint_dir="/tmp/model", hooks=hooks) as session:
            while not session.should_stop():
                session.run(train_op)
    """
    if master or not is_chief:
        fail("NotSupportedError", "not_supported", "MonitoredTrainingSession: training on several machines")
    scaffold = scaffold or Scaffold()
    all_hooks = [*(hooks or []), *(chief_only_hooks or [])]
    folder = summary_dir or checkpoint_dir
    if folder:
        steps = save_summaries_steps or (None if save_summaries_secs else 100)
        seconds = None if steps else save_summaries_secs
        all_hooks.append(SummarySaverHook(steps, seconds, folder, scaffold=scaffold))
        if log_step_count_steps:
            all_hooks.append(StepCounterHook(log_step_count_steps, output_dir=folder))
    if checkpoint_dir:
        seconds = save_checkpoint_secs or (None if save_checkpoint_steps else 600)
        all_hooks.append(
            CheckpointSaverHook(
                checkpoint_dir,
                None if save_checkpoint_steps else seconds,
                save_checkpoint_steps,
                scaffold=scaffold,
            )
        )
    return MonitoredSession(all_hooks, scaffold, checkpoint_dir, config, stop_grace_period_secs)
