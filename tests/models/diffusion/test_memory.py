"""What does not fit is refused with the figures."""

from pathlib import Path

import pytest
import torch

from reverie.models.diffusion import memory


def test_too_little_memory_names_figures_and_the_nearest_model() -> None:
    wanted = memory.need(3_500_000_000, 2, 1024 * 576, 1)
    memory.check("big", wanted, wanted.total)
    with pytest.raises(
        ValueError, match=r"big needs 9\.1 GB \(7\.0 of weights.* 4\.0 GB are free; sd-turbo needs 3\.8"
    ):
        memory.check("big", wanted, 4e9)
    with pytest.raises(ValueError, match="nano needs no GPU"):
        memory.check("big", wanted, 1e9)


def test_eight_bits_take_a_byte_each() -> None:
    assert memory.need(100, 2, 0, 0, 40).weights == 60 * 2 + 40


def test_a_folder_is_judged_by_its_headers_before_it_is_loaded(turbo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.plan(turbo, "cpu", "", 1)
    monkeypatch.setattr(memory, "free", lambda device: 500_000_000)
    with pytest.raises(ValueError, match=r"tiny-turbo needs 1\.9 GB .* and 0\.5 GB are free; nano needs no GPU"):
        memory.plan(turbo, "cpu", "", 1)
    monkeypatch.setattr(memory.folder, "parameters", lambda path: 2_000_000_000)
    monkeypatch.setattr(memory.folder, "large", lambda path: 1_900_000_000)
    monkeypatch.setattr(memory, "free", lambda device: 4_000_000_000)
    with pytest.raises(ValueError, match=r"needs 5\.3 GB .*; with REVERIE_PRECISION=int8 it needs 3\.4 GB"):
        memory.plan(turbo, "cuda", "", 1)
    memory.plan(turbo, "cuda", "int8", 1)


def test_what_is_free_can_be_asked_here() -> None:
    assert (memory.free("cpu") or 0) > 1_000_000
    assert memory.free("neuron") is None


def test_running_out_is_known_by_what_torch_says() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert memory.ran_out(caught.value)
    assert memory.ran_out(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert memory.ran_out(MemoryError()) and not memory.ran_out(RuntimeError("sizes differ"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_that_is_too_small_refuses_and_says_what_it_has(turbo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = memory.free("cuda")
    assert there is not None and 0 < there <= torch.cuda.get_device_properties(0).total_memory
    monkeypatch.setattr(memory, "PICTURE_BYTES", 10**9)
    with pytest.raises(ValueError, match=f"{there / 1e9:.1f} GB are free"):
        memory.plan(turbo, "cuda", "", 4)
