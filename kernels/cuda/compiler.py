"""nvcc, what ptxas says of the kernel, and what that allows: blocks at once, and a bound on frames per second."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from reverie.kernels.program import Program
from reverie.kernels.tasks import Project

SOURCE = Path(__file__).with_name("megakernel.cu")
ARCHITECTURES = ("80", "89", "90a", "100a", "120")  # A100, L4 and RTX 40, H100, B200, RTX 50
THREADS = 256  # of a block, as megakernel.cu has it


@dataclass(frozen=True, slots=True)
class Resources:
    """Of one thread or block of the compiled kernel."""

    registers: int
    shared_bytes: int
    stack_bytes: int
    spill_bytes: int  # stored and loaded


@dataclass(frozen=True, slots=True)
class Gpu:
    """Data sheet figures: int8 of the tensor cores without sparsity, and memory."""

    name: str
    multiprocessors: int
    registers: int  # of a multiprocessor
    threads: int
    shared_bytes: int
    int8_tops: float
    memory_gbs: float


H100 = Gpu("H100 SXM", 132, 65_536, 2048, 228 * 1024, 1979.0, 3350.0)


def nvcc() -> str | None:
    """The compiler's path, or None."""
    return shutil.which("nvcc")


def to_ptx(output: Path) -> None:
    """Compile the kernel to the assembly that every architecture takes.

    Raises: FileNotFoundError without nvcc; ValueError with what it complains of.
    """
    _run("-std=c++17", "-O3", "-fmad=false", f"-arch=compute_{ARCHITECTURES[0]}", "-ptx", "-o", output, SOURCE)


def compile_for(architecture: str, ptx: Path, output: Path) -> Resources:
    """Machine code from `ptx`, and what it takes.  Raises as `to_ptx`."""
    return resources(_run("-O3", f"-arch=sm_{architecture}", "-Xptxas", "-v", "-cubin", "-o", output, ptx))


def _run(*arguments: str | Path) -> str:
    compiler = nvcc()
    if compiler is None:
        raise FileNotFoundError("nvcc is not on the PATH: install the CUDA toolkit, 12.8 or newer")
    done = subprocess.run([compiler, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"nvcc: {done.stderr[-2000:]}")
    return done.stderr


def resources(said: str) -> Resources:
    """What `ptxas -v` printed about the kernel.  Raises: ValueError if it says nothing."""
    used = re.search(r"Used (\d+) registers", said)
    memory = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", said)
    shared = re.search(r"(\d+) bytes smem", said)
    if not used or not memory:
        raise ValueError(f"ptxas says nothing of registers and spills: {said[-300:]!r}")
    stack, stores, loads = map(int, memory.groups())
    return Resources(int(used[1]), int(shared[1]) if shared else 0, stack, stores + loads)


def blocks_per_multiprocessor(found: Resources, gpu: Gpu = H100, threads: int = THREADS) -> int:
    """Blocks that fit at once (modelled): registers go by 256 a warp, shared memory by 1 KiB and 1 KiB a block."""
    a_warp = -(-found.registers * 32 // 256) * 256
    by_registers = gpu.registers // a_warp // (threads // 32)
    by_shared = gpu.shared_bytes // (-(-found.shared_bytes // 1024) * 1024 + 1024)
    return min(by_registers, by_shared, gpu.threads // threads)


@dataclass(frozen=True, slots=True)
class Roofline:
    """The least time that a GPU's data sheet allows; modelled, not measured."""

    compute_ms: float
    memory_ms: float
    fps: float


def roofline(program: Program, gpu: Gpu = H100) -> Roofline:
    """Of one epoch of all models: operations at the int8 peak, and the LLM's weights once from memory.

    Raises: ValueError if the program has no work.
    """
    work = sum(program.work(model) for model in range(len(program.models)))
    tasks = [node.task for node in program.nodes]
    streamed = sum(t.width * (t.end - t.begin) for t in tasks if isinstance(t, Project))
    if not work:
        raise ValueError("the program multiplies nothing")
    compute, memory = work / gpu.int8_tops / 1e9, streamed / gpu.memory_gbs / 1e6
    return Roofline(round(compute, 6), round(memory, 6), round(1e3 / max(compute, memory), 1))
