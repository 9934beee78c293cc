"""The stages as a stream of Ray Data: read -> answer -> finish."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from stablechat.cli.batch.failures import Cancelled
from stablechat.cli.batch.jobs import RESULTS_FILE, Plan, Result, VideoJob
from stablechat.cli.batch.ray_engine.cluster import (
    RayOptions,
    connected,
    is_verbose,
)
from stablechat.cli.batch.stages import Chat, answer, finish, read
from stablechat.cli.texts import one_line
from stablechat.errors import (
    CancelledError,
    EngineError,
    InputError,
    ModelError,
    StableChatError,
)

Row = dict[str, Any]

#: Times that a task is started again after its process or its machine ended. A video
#: that ends every process it comes to must not go round for ever.
MAX_RETRIES = 3
#: Most videos that are a block, and so a task, of their own.
_MAX_BLOCKS = 10_000
#: Videos that an actor has at once: one that it works on, and one that waits.
_TASKS_PER_MODEL = 2
# So little that models never take the processors that reading and cutting need: after
# a machine is lost, its models may be started beside others.
_CPUS_PER_MODEL = 0.01
_MIN_STORE_BYTES = 200 << 20
_POLL_SECONDS = 0.1


class RayEngine:
    """Runs the stages on a Ray cluster.

    Args:
        plan: Of the run.
        load: Makes the model; called in each actor, so it is sent there.
        options: Which cluster.
    """

    def __init__(
        self, plan: Plan, load: Callable[[], Chat], options: RayOptions
    ) -> None:
        self._plan = plan
        self._load = load
        self._options = options

    def run(
        self, jobs: Sequence[VideoJob], cancelled: Cancelled
    ) -> Generator[Result, None, None]:
        """Answer everything.

        Yields:
            A result for each input, in no order. None for one whose processes ended
            again and again.

        Raises:
            ModelError: The model can't be loaded.
            EngineError: The cluster can't be started or reached, or is gone.
            CancelledError: ``cancelled`` said so.
        """
        frames = self._plan.num_frames * 3 * self._plan.image_size**2
        waiting = 2 * (_TASKS_PER_MODEL + 2) * frames
        with connected(self._options, max(_MIN_STORE_BYTES, waiting)):
            rows = Pump(stream(self._plan, self._load, jobs, self._options))
            for row in rows.polled(cancelled):
                yield _result_of(row)


def _result_of(row: Row) -> Result:
    result = row["result"]
    if isinstance(result, Result):
        return result
    raise InputError(result) if row["is_input"] else ModelError(result)


@dataclass(frozen=True)
class Shares:
    """How a cluster is shared out.

    Attributes:
        models: Actors that hold the model.
        gpus: Of each.
        threads: Processors that each may use.
    """

    models: int
    gpus: int
    threads: int

    @classmethod
    def of_nodes(cls, nodes: Sequence[Mapping[str, Any]], models: int | None) -> Shares:
        """Shares of what a cluster's machines have.

        Args:
            nodes: As ``ray.nodes()`` tells them.
            models: As :class:`RayOptions` has it.
        """
        alive = [node["Resources"] for node in nodes if node["Alive"]]
        gpus = int(sum(each.get("GPU", 0) for each in alive))
        cpus = [int(each["CPU"]) for each in alive if each.get("CPU", 0) >= 1]
        usual = gpus or max(1, len(cpus))
        return cls(models or usual, min(gpus, 1), max(1, min(cpus, default=1) // 2))


def stream(
    plan: Plan,
    load: Callable[[], Chat],
    jobs: Sequence[VideoJob],
    options: RayOptions,
) -> Iterator[Row]:
    """Rows with a ``result`` each, as they come.

    The executor starts a task only where there is room for what it makes, in the
    object store and in the queue before the next stage; that is the back-pressure.
    """
    import ray.data

    shares = Shares.of_nodes(ray.nodes(), options.models)
    _be_quiet()
    dataset = ray.data.from_items(
        [{"job": job} for job in jobs],
        override_num_blocks=min(len(jobs), _MAX_BLOCKS),
    )
    with_frames = dataset.map(
        partial(read_row, plan=plan),
        num_cpus=1,
        max_retries=MAX_RETRIES,
        retry_exceptions=False,
    )
    answers = with_frames.flat_map(
        Model,
        fn_constructor_kwargs={"plan": plan, "load": load, "threads": shares.threads},
        compute=ray.data.ActorPoolStrategy(
            min_size=1,
            max_size=shares.models,
            initial_size=shares.models,
            max_tasks_in_flight_per_actor=_TASKS_PER_MODEL,
        ),
        num_cpus=_CPUS_PER_MODEL,
        num_gpus=shares.gpus,
        max_restarts=-1,
        max_task_retries=MAX_RETRIES,
    )
    results = answers.map(
        partial(finish_row, plan=plan),
        num_cpus=1,
        max_retries=MAX_RETRIES,
        retry_exceptions=False,
    )
    return iter(results.iter_rows())


def _be_quiet() -> None:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # What is lost for good is told by its absence; the others go on.
    context.max_errored_blocks = -1
    # Our rows hold objects, which is no reason to warn.
    context.enable_fallback_to_arrow_object_ext_type = True
    if not is_verbose():
        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def read_row(row: Row, plan: Plan) -> Row:
    """On any processor."""
    return {"video": read(plan, row["job"], small=True)}


class Model:
    """An actor with the model.

    Args:
        plan: Of the run.
        load: Makes the model.
        threads: Processors that it may use.
    """

    def __init__(self, plan: Plan, load: Callable[[], Chat], threads: int) -> None:
        # PyTorch, which is not imported yet, takes as many; Ray would give it one.
        os.environ["OMP_NUM_THREADS"] = str(threads)
        self._plan = plan
        self._chat: Chat | None = None
        self._why_not = ""
        try:
            self._chat = load()
        except StableChatError as error:
            # Raised here, it would have Ray try for ever.
            self._why_not = one_line(str(error))

    def __call__(self, row: Row) -> list[Row]:
        """What is to be finished: an answer, or a failure, for each input."""
        if self._chat is None:
            return [{"answered": None, "why_not": self._why_not}]
        answers = answer(self._plan, self._chat, row["video"])
        return [{"answered": each, "why_not": ""} for each in answers]


def finish_row(row: Row, plan: Plan) -> Row:
    """On any processor; text in the place of a result ends the run."""
    if row["answered"] is None:
        return {"result": row["why_not"], "is_input": False}
    if not (plan.out / RESULTS_FILE).is_file():
        told = f"{plan.out} can't be seen by all machines; --out must be a folder that"
        return {"result": f"{told} they share.", "is_input": True}
    return {"result": finish(plan, row["answered"]), "is_input": False}


class Pump:
    """Awaits rows in another thread, so that Ctrl-C is seen at once.

    The thread ends with the rows, or with the cluster.

    Args:
        rows: Advanced by that thread only.
    """

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._queue: SimpleQueue[Row | BaseException | None] = SimpleQueue()
        threading.Thread(target=self._pump, name="ray rows", daemon=True).start()

    def _pump(self) -> None:
        try:
            for row in self._rows:
                self._queue.put(row)
            self._queue.put(None)
        except BaseException as error:  # it is raised where the rows are wanted
            self._queue.put(error)

    def polled(self, cancelled: Cancelled) -> Generator[Row, None, None]:
        """The rows, as they come.

        Raises:
            EngineError: The cluster is gone.
            CancelledError: ``cancelled`` said so.
        """
        while True:
            if cancelled():
                raise CancelledError("Stopped.")
            try:
                got = self._queue.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            if got is None:
                return
            if isinstance(got, BaseException):
                told = one_line(str(got))[:300]
                raise EngineError(f"The cluster could not go on: {told}") from got
            yield got
