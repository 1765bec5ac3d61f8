"""LiteRT models: one interpreter for each, loaded on first use and guarded by a lock."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from .memory import mapped_ranges, release_pages
from .time_budget import active_budget, check_time

BATCH = 8
"""Faces in a pass through the network: a crowd must not take more memory than eight faces do."""
DELEGATE_MESSAGE = b"Created TensorFlow Lite XNNPACK delegate"

_first_load = threading.Lock()
_loading = threading.Lock()
_loaded_before = False


def available_cpus(root: Path = Path("/")) -> int:
    """Count the CPUs that this process may use: its affinity, limited by the CPU quota of its control groups (v1 and v2).

    Args:
        root: Root of the file system with `proc` and `sys`.

    Returns:
        Complete CPUs, at least 1; a quota of 1.5 CPUs counts as one.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cpus, *(int(quota) for quota in _cpu_quotas(root))]))


def _cpu_quotas(root: Path) -> Iterator[float]:
    """Quotas in CPUs of the process's control groups and their parents; none where there is no control group."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    mounts = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:  # v2: "max 100000" or "50000 100000"; in hybrid mode it is mounted below
            for folder in (mounts, mounts / "unified"):
                yield from _limits(folder, path, lambda at: _numbers(at / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for folder in (mounts / controllers, mounts / "cpu"):
                yield from _limits(
                    folder, path, lambda at: [*_numbers(at / "cpu.cfs_quota_us"), *_numbers(at / "cpu.cfs_period_us")]
                )


def _limits(mount: Path, path: str, read: Callable[[Path], list[float]]) -> Iterator[float]:
    """Limits on the way from a control group up to the mount; a container may see only the upper ones."""
    group = mount / path.strip("/")
    while True:
        values = read(group)
        if len(values) == 2 and values[0] > 0 and values[1] > 0:
            yield values[0] / values[1]
        if group == mount or mount not in group.parents:
            return
        group = group.parent


def _numbers(path: Path) -> list[float]:
    try:
        return [float(word) for word in path.read_text(encoding="ascii").split()]
    except (OSError, ValueError):  # no such file, or "max"
        return []


class LiteRTModel:
    """A `.tflite` model with one input that any thread may call.

    LiteRT interpreters are not thread-safe: two threads in one gave wrong results without an error, hence the lock. `invoke`
    releases the GIL, so other models and the web server continue meanwhile.

    Args:
        source: Returns the path of the file or its bytes; called whenever the model is loaded. A file is mapped into memory, so
            it must be replaced by rename, never written in place, while the process lives.
        threads: Threads of the interpreter.
    """

    def __init__(self, source: Callable[[], Path | bytes], threads: int = 1) -> None:
        self._source = source
        self._threads = threads
        self._lock = threading.Lock()
        self._interpreter: Any = None
        self._used = 0.0

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run the model.

        Args:
            batch: (N, ...) float32.

        Returns:
            The outputs, (N, ...) float32 each, in the file's order.
        """
        check_time()
        with self._lock:
            self._used = time.monotonic()
            interpreter = self._prepared(batch.shape)
            interpreter.set_tensor(self._input["index"], np.ascontiguousarray(batch, np.float32))
            self._invoke(interpreter)
            return [interpreter.get_tensor(output["index"]) for output in self._outputs]

    def _invoke(self, interpreter: Any) -> None:
        """Run the interpreter; what its further threads compute is charged to the time budget, as if they were always busy."""
        budget = active_budget() if self._threads > 1 else None
        start = time.thread_time() if budget else 0.0
        interpreter.invoke()
        if budget:
            budget.charge((self._threads - 1) * (time.thread_time() - start))

    @property
    def loaded(self) -> bool:
        """True once the model has been used."""
        return self._interpreter is not None

    def unload(self, idle_seconds: float = 0.0) -> None:
        """Free the memory of the model, unless it runs or has been used within `idle_seconds`; the next call loads it again."""
        if time.monotonic() - self._used >= idle_seconds and self._lock.acquire(blocking=False):
            try:
                self._interpreter = None
            finally:
                self._lock.release()

    def _prepared(self, shape: tuple[int, ...]) -> Any:
        """The interpreter, loaded and with an input of this shape."""
        if self._interpreter is None:
            self._interpreter = _load(self._source(), self._threads)
            self._read_details()
        if tuple(self._input["shape"]) != shape:
            # Resizing one interpreter takes 0.1 ms; keeping one a batch size takes 38 MB each.
            self._interpreter.resize_tensor_input(self._input["index"], shape, strict=True)
            self._interpreter.allocate_tensors()
            self._read_details()
        return self._interpreter

    def _read_details(self) -> None:
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()


def _load(source: Path | bytes, threads: int) -> Any:
    """Return an interpreter of a file or of its bytes, ready to run."""
    if isinstance(source, Path) and not _is_unicode(source):  # the runtime takes names in UTF-8
        source = source.read_bytes()
    if not isinstance(source, Path):
        return _allocated({"model_content": source}, threads)
    with _loading:  # so that what is mapped meanwhile is this interpreter's
        before = mapped_ranges(source)
        interpreter = _allocated({"model_path": str(source)}, threads)
        # XNNPACK has copied the weights into its own order: the pages of the files, 25 MB for all models, are not needed again.
        release_pages(mapped_ranges(source) - before)
    return interpreter


def _allocated(source: dict[str, Any], threads: int) -> Any:
    global _loaded_before
    # Imported here so that importing the package does not load the runtime.
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(**source, num_threads=threads)
    if _loaded_before:
        interpreter.allocate_tensors()
    else:
        with _first_load:  # the runtime writes its message once a process
            with _without_delegate_message():
                interpreter.allocate_tensors()
            _loaded_before = True
    return interpreter


def _is_unicode(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _without_delegate_message() -> Iterator[None]:
    """Drop LiteRT's line about the XNNPACK delegate from the process's standard error; it has no setting for that.

    What other threads write meanwhile is written afterwards.
    """
    with ExitStack() as stack:
        try:
            captured = stack.enter_context(tempfile.TemporaryFile())
            original = os.dup(2)
        except OSError:  # no place for temporary files, or standard error is closed
            yield
            return
        stack.callback(os.close, original)
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            captured.seek(0)
            with suppress(OSError):
                for line in captured:
                    if DELEGATE_MESSAGE not in line:
                        os.write(2, line)


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Convert logits to probabilities with temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", 2017).

    Args:
        logits: (N, K).
        temperature: Divisor of the logits.

    Returns:
        (N, K) float32; rows sum to 1.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: np.ndarray = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities
