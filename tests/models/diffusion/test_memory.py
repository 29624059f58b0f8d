"""What does not fit is refused with the figures."""

from pathlib import Path

import pytest
import torch

from reverie.models.diffusion import memory


def test_too_little_memory_names_figures_and_the_nearest_model() -> None:
    wanted = memory.Need(7.0e9, 1.0e9, 0.5e9, 2)
    memory.check("big", wanted, wanted.total, [])
    figures = r"big needs 9\.1 GB \(7\.0 of weights, 1\.0 to work, 0\.5 for 2 sessions, 0\.6 for the device\)"
    with pytest.raises(ValueError, match=rf"{figures} and 4\.0 GB are free; sd-turbo needs 3\.2"):
        memory.check("big", wanted, 4e9, [])
    with pytest.raises(ValueError, match=r"lcm-dreamshaper needs 2\.9"):  # another one
        memory.check("sd-turbo", wanted, 4e9, [])
    with pytest.raises(ValueError, match="nano needs no GPU"):
        memory.check("big", wanted, 1e9, [])


def test_a_folder_is_judged_by_its_headers_before_it_is_loaded(turbo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.plan(turbo, "cpu", "")
    monkeypatch.setattr(memory, "free", lambda device: 500_000_000)
    with pytest.raises(ValueError, match=r"tiny-turbo needs 0\.\d GB .* and 0\.5 GB are free; nano needs no GPU"):
        memory.plan(turbo, "cpu", "")
    monkeypatch.setattr(memory.folder, "parameters", lambda path: 2_000_000_000)
    monkeypatch.setattr(memory.folder, "large", lambda path: 1_900_000_000)
    monkeypatch.setattr(memory, "free", lambda device: 4_000_000_000)
    with pytest.raises(ValueError, match=r"needs 4\.7 GB .*; with REVERIE_PRECISION=int8 it needs 2\.8 GB, sd-turbo"):
        memory.plan(turbo, "cuda", "")
    memory.plan(turbo, "cuda", "int8")
    assert memory.need(turbo, 2, "int8").weights == 1_900_000_000 + 2 * 100_000_000


def test_sessions_count_and_how_many_would_fit_is_said(wan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, four = (memory.need(wan, 2, "", sessions) for sessions in (1, 4))
    assert four.streams == 4 * one.streams > 0 and four.weights == one.weights
    monkeypatch.setattr(memory, "free", lambda device: memory.need(wan, 2, "", 3).total)
    memory.plan(wan, "cuda", "", 3)
    with pytest.raises(ValueError, match=r"for 4 sessions.*; with REVERIE_MAX_SESSIONS=3 it needs"):
        memory.plan(wan, "cuda", "", 4)


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
    monkeypatch.setattr(memory, "FIXED_BYTES", 1e12)
    with pytest.raises(ValueError, match="GB are free"):
        memory.plan(turbo, "cuda", "")
