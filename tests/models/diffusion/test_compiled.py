"""Compiled networks: few shapes, the same answers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reverie.models.diffusion.compiled import Fixed, compiled, filled
from reverie.models.diffusion.network import load


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(6, 6)

    def forward(self, x: Tensor, t: Tensor, more: dict[str, Tensor] | None = None, scale: float = 1.0) -> tuple[Tensor]:
        y = self.mix(x) * t[:, None] * scale
        return (y + more["text"] if more else y,)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, ...]]]:
    """A stand-in for Neuron's compiler, which notes the shapes that it is given and runs them as they are."""
    seen: list[tuple[int, ...]] = []

    def backend(graph: Any, inputs: list[Tensor]) -> Any:
        seen.append(tuple(len(each) for each in inputs if each.dim() and each.shape[-1] == 6 and len(each.shape) == 2))
        return graph.forward

    torch._dynamo.register_backend(backend, name="neuron")
    yield seen
    torch._dynamo.reset()
    torch._dynamo.backends.registry._BACKENDS.pop("neuron", None)
    torch._dynamo.backends.registry._COMPILER_FNS.pop("neuron", None)


@pytest.mark.filterwarnings("default::DeprecationWarning")  # of torch's own compiler
@torch.inference_mode()
def test_counts_of_rows_share_few_graphs_and_change_no_answer(graphs: list[tuple[int, ...]]) -> None:
    net = Net().requires_grad_(False)
    run = compiled(net, "neuron")
    for rows in (1, 2, 3, 4, 5, 6, 7, 8, 3, 1):
        x, t, text = torch.randn(rows, 6), torch.rand(rows), torch.randn(rows, 6)
        (answer,) = run(x, t, more={"text": text}, scale=2.0)
        assert torch.equal(answer, net(x, t, {"text": text}, 2.0)[0])
    assert len(graphs) == 4  # of 1, 2, 4 and 8 rows


def test_only_rows_are_filled_up() -> None:
    x, other = torch.arange(6.0).view(3, 2), torch.arange(5.0)
    rows, kept = filled((x, {"a": [other], "b": None, "c": torch.tensor(3.0)}), 3, 4)
    assert rows.tolist() == [[0, 1], [2, 3], [4, 5], [4, 5]]
    assert kept["a"][0] is other and kept["b"] is None and kept["c"].dim() == 0


@pytest.mark.skipif("neuron" in torch._dynamo.list_backends(), reason="Neuron's compiler is installed")
def test_without_the_compiler_neuron_is_refused() -> None:
    with pytest.raises(ValueError, match="no torch backend"):
        compiled(Net(), "neuron")


@pytest.mark.filterwarnings("default")  # of torch's own compiler
@pytest.mark.parametrize(("kind", "count"), [("turbo", 1), ("wan", 13)])
def test_a_folder_runs_through_the_compiler_of_its_device(
    kind: str, count: int, request: pytest.FixtureRequest, graphs: list[tuple[int, ...]]
) -> None:
    model = load(request.getfixturevalue(kind), "neuron")
    frames = np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), np.uint8)

    def shown() -> np.ndarray:
        stream = model.stream()
        stream.start("a marble statue", seed=1)
        return stream.step(frames).astype(int)

    through = shown()
    assert graphs
    with torch.compiler.set_stance("force_eager"):
        assert np.abs(through - shown()).max() <= 2


@pytest.mark.gpu
@pytest.mark.filterwarnings("default")  # of torch's own compiler
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@torch.inference_mode()
def test_graphs_of_a_gpu_answer_as_the_network_does_from_any_thread() -> None:
    import threading

    net = Net().requires_grad_(False).cuda()
    run, wrong = Fixed(net, mode="reduce-overhead"), []

    def ask() -> None:
        with torch.inference_mode():
            for rows in (1, 3, 4, 3, 1, 2):
                x, t = torch.randn(rows, 6, device="cuda"), torch.rand(rows, device="cuda")
                if not torch.allclose(run(x, t)[0], net(x, t)[0], atol=1e-3):
                    wrong.append(rows)

    ask()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(300)
    assert not thread.is_alive() and not wrong
