"""Memory this process has taken, now and at its most: of the GPU, or of the machine without one."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading

import torch

from seal.resident import peak_resident, status_bytes


class MemoryMeter:
    """Bytes. On a GPU of what PyTorch allocated there, else of the whole process."""

    def __init__(self, device: str, limit_gb: float | None = None) -> None:
        """`limit_gb` is refused on a CPU: nothing would enforce it."""
        self.device = torch.device(device)
        self.on_gpu = self.device.type == "cuda"
        if limit_gb is not None and not self.on_gpu:
            raise ValueError(f"memory_limit_gb={limit_gb} limits a GPU; device={device} is none")
        if self.on_gpu:
            torch.zeros(1, device=self.device)  # the context, whose start is nobody's loading time
            total = torch.cuda.get_device_properties(self.device).total_memory
            if limit_gb is not None and limit_gb * 1e9 < total:
                torch.cuda.set_per_process_memory_fraction(limit_gb * 1e9 / total, self.device)
            torch.cuda.reset_peak_memory_stats(self.device)

    def wait(self) -> None:
        """Until the GPU has done what it was given; what is timed starts and ends with this."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def now(self) -> int:
        if self.on_gpu:
            return torch.cuda.memory_allocated(self.device)
        import psutil

        resident: int = psutil.Process().memory_info().rss
        return resident

    def peak(self) -> int:
        """The most since this meter was made; without a GPU, since the process began."""
        return torch.cuda.max_memory_allocated(self.device) if self.on_gpu else peak_resident()

    def report(self) -> dict[str, int | None]:
        """The peak, and what is held around it.

        `reserved` is the peak of what PyTorch took from the GPU, `device_in_use` what is taken of
        it now, by whatever program, the CUDA context included.
        """
        reserved = in_use = None
        if self.on_gpu:
            reserved = torch.cuda.max_memory_reserved(self.device)
            free, total = torch.cuda.mem_get_info(self.device)
            in_use = total - free
        return {"peak": self.peak(), "reserved": reserved, "device_in_use": in_use}


class RunPeak:
    """The most memory that a `with` takes above what there was at its start."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.on_gpu = self.device.type == "cuda"
        self.grown: int | None = None  # bytes; None: this system does not tell

    def __enter__(self) -> RunPeak:
        gc.collect()
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        else:
            _give_back_free_memory()
            self._host = AnonymousPeak()
            self._host.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self.on_gpu:
            self.grown = torch.cuda.max_memory_allocated(self.device) - self._before
        else:
            self._host.__exit__()
            self.grown = self._host.grown


class AnonymousPeak:
    """The most memory of this process that is no mapped file, within a `with`; Linux alone tells.

    What a mapped file takes of memory the system can take back at any time.
    """

    def __init__(self) -> None:
        self.grown: int | None = None  # bytes above what there was at the start; None: not told
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> AnonymousPeak:
        self._before = self._most = status_bytes("RssAnon")
        if self._before is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None and self._most is not None:
            self._stop.set()
            self._thread.join()
            self.grown = max(self._most, status_bytes("RssAnon") or 0) - self._before

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self._most = max(self._most or 0, status_bytes("RssAnon") or 0)


def _give_back_free_memory() -> None:
    """What an earlier run freed would hide that a later one takes it again; glibc alone can."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
