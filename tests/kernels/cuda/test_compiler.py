"""The kernel compiles for every generation without a spill, and fits on each multiprocessor."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from rig.neuron import llm

from reverie.kernels.cuda import compiler
from reverie.kernels.cuda.compiler import (
    H100,
    Resources,
    blocks_per_multiprocessor,
    compile_for,
    resources,
    roofline,
    to_ptx,
)

SAID = """ptxas info    : Compiling entry function 'reverie_megakernel' for 'sm_90'
ptxas info    : Function properties for reverie_megakernel
    80 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 210 registers, used 1 barriers, 80 bytes cumulative stack size, 4 bytes smem"""
OCCUPANCY = Path(__file__).parents[2] / "rig" / "occupancy.cpp"
with_nvcc = pytest.mark.skipif(compiler.nvcc() is None, reason="nvcc is not on the PATH")


def test_what_ptxas_says_is_read() -> None:
    assert resources(SAID) == Resources(210, 4, 80, 20)
    with pytest.raises(ValueError, match="says nothing"):
        resources("nothing")


@with_nvcc
@pytest.mark.timeout(600)
@pytest.mark.parametrize("architecture", compiler.ARCHITECTURES)
def test_the_kernel_compiles_without_spills_and_within_its_budget(ptx: Path, architecture: str, tmp_path: Path) -> None:
    found = compile_for(architecture, ptx, tmp_path / "kernel.cubin")
    assert (tmp_path / "kernel.cubin").stat().st_size > 10_000
    assert found.spill_bytes == 0
    assert found.registers <= 255 and found.shared_bytes <= 40 * 1024 and found.stack_bytes <= 128
    assert blocks_per_multiprocessor(found) >= 1


@with_nvcc
@pytest.mark.timeout(600)
def test_the_tensor_cores_multiply_and_counters_are_released(ptx: Path) -> None:
    text = ptx.read_text()
    for instruction in (
        "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32", "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "cp.async.cg.shared.global", "cp.async.wait_group 1",
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16", "ld.acquire.gpu", "red.release.gpu",
    ):  # fmt: skip
        assert instruction in text
    assert "fma.rn.f32" not in text  # one multiply, one add, never fused


@with_nvcc
@pytest.mark.timeout(600)
def test_what_nvcc_complains_of_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.cu"
    broken.write_text("int oh no;")
    monkeypatch.setattr(compiler, "SOURCE", broken)
    with pytest.raises(ValueError, match=r"nvcc: .*broken\.cu"):
        to_ptx(tmp_path / "kernel.ptx")


def test_without_nvcc_the_way_to_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "nvcc", lambda: None)
    with pytest.raises(FileNotFoundError, match="install the CUDA toolkit"):
        to_ptx(tmp_path / "kernel.ptx")


FITS = [(220, 8, 1), (210, 4, 1), (128, 4, 2), (64, 4, 4), (32, 120 * 1024, 1), (16, 0, 8)]


@with_nvcc
@pytest.mark.timeout(600)
def test_nvidias_own_calculator_says_the_same(tmp_path: Path) -> None:
    """cuda_occupancy.h, which needs no GPU: proof that a cooperative launch's blocks run side by side."""
    made = tmp_path / "occupancy"
    subprocess.run([str(compiler.nvcc()), "-o", str(made), str(OCCUPANCY)], check=True)
    for registers, shared, blocks in FITS:
        given = [str(number) for number in (registers, shared, compiler.THREADS)]
        assert int(subprocess.check_output([str(made), *given])) == blocks


@pytest.mark.parametrize(("registers", "shared", "blocks"), FITS)
def test_blocks_fit_by_what_runs_out_first(registers: int, shared: int, blocks: int) -> None:
    assert blocks_per_multiprocessor(Resources(registers, shared, 0, 0)) == blocks


def test_the_roofline_is_the_slower_of_work_and_memory() -> None:
    language = llm().program
    bound = roofline(language, H100)
    assert bound.memory_ms > bound.compute_ms
    assert bound.fps == pytest.approx(1e3 / bound.memory_ms, rel=0.2)
    with pytest.raises(ValueError, match="multiplies nothing"):
        roofline(replace(language, nodes=()), H100)
