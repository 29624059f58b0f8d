"""Our GGUF reader against the `gguf` package, and on damaged files."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.models.gguf import GGUF

TYPES = [gguf.GGMLQuantizationType[name] for name in ("F32", "F16", "Q4_0", "Q4_1", "Q8_0", "Q6_K")]


def written(path: Path) -> Path:
    """A small file with every known tensor type and several kinds of metadata."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("text", "grüße 🎉")
    writer.add_array("numbers", [1, -2, 3])
    writer.add_array("words", ["a", "", "ß"])
    writer.add_float32("half", 0.5)
    rng = np.random.default_rng(0)
    for kind in TYPES:
        block, size = gguf.GGML_QUANT_SIZES[kind]
        values = rng.standard_normal((3, 2 * block)).astype(np.float32)
        if kind.name in ("F32", "F16"):
            writer.add_tensor(kind.name, values.astype(np.float16 if kind.name == "F16" else np.float32))
            continue
        raw = rng.integers(0, 256, (3, 2 * size), dtype=np.uint8)
        for at in (0, size):  # finite scales, wherever this type keeps them
            for offset in {"Q4_1": (0, 2), "Q6_K": (208,)}.get(kind.name, (0,)):
                raw[:, at + offset : at + offset + 2] = rng.standard_normal((3, 1)).astype(np.float16).view(np.uint8)
        writer.add_tensor(kind.name, raw, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("gguf") / "sample.gguf")


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_tensors_equal_those_of_the_gguf_package(sample: Path, kind: gguf.GGMLQuantizationType) -> None:
    (theirs,) = (t for t in gguf.GGUFReader(sample).tensors if t.name == kind.name)
    expected = gguf.quants.dequantize(theirs.data, kind)
    ours = GGUF(sample).tensor(kind.name)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)


def test_metadata_is_read(sample: Path) -> None:
    meta = GGUF(sample).metadata
    assert (meta["text"], meta["numbers"], meta["words"], meta["half"]) == ("grüße 🎉", [1, -2, 3], ["a", "", "ß"], 0.5)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_cut_or_changed_file_is_one_clear_error_or_still_reads(sample: Path, data: st.DataObject) -> None:
    whole = bytearray(sample.read_bytes())
    if data.draw(st.booleans()):
        whole = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        whole[data.draw(st.integers(0, 600))] ^= data.draw(st.integers(1, 255))
    path = sample.with_name("damaged.gguf")
    path.write_bytes(whole)
    try:
        file = GGUF(path)
        for name in file.entries:
            file.tensor(name)
    except ValueError as error:
        assert "damaged.gguf" in str(error)


def test_a_cut_tensor_is_named(sample: Path) -> None:
    path = sample.with_name("cut.gguf")
    path.write_bytes(sample.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"cut\.gguf is cut or damaged: tensor Q6_K"):
        GGUF(path)
