import numpy as np

from reverie.server.search.clusters import cells_of, kmeans, packed, sampled


def test_kmeans_finds_clusters_that_are_there() -> None:
    rng = np.random.default_rng(0)
    middle = 10 * rng.standard_normal((5, 8)).astype(np.float32)
    x = np.repeat(middle, 40, 0) + 0.1 * rng.standard_normal((200, 8)).astype(np.float32)
    centres = kmeans(x, 12)
    nearest = np.sqrt(((middle[:, None] - centres[None]) ** 2).sum(2)).min(1)
    assert (nearest < 1).all()


def test_a_vector_between_two_cells_lies_in_both() -> None:
    centres = np.array([[0, 0], [10, 0], [0, 99]], np.float32)
    assert cells_of(np.array([[4.9, 0], [1, 0]], np.float32), centres).tolist() == [[0, 1], [0, -1]]
    assert cells_of(np.array([[4.9, 0]], np.float32), centres[:1]).tolist() == [[0, -1]]


def test_samples_are_drawn_from_everything_that_comes() -> None:
    chunks = lambda: ((np.arange(100), np.full((100, 2), n, np.float32)) for n in range(50))
    x, total = sampled(chunks, 400)
    assert total == 5000 and len(x) == 400
    assert len(np.unique(x[:, 0])) > 40


def test_a_packed_row_holds_its_vector_scale_and_id() -> None:
    vectors = np.array([[0.5, -1.0], [0.0, 0.0]], np.float32)
    raw = packed(np.array([7, 2**40]), vectors)
    assert raw.shape == (2, 14)
    scales = np.ascontiguousarray(raw[:, 2:6]).view(np.float32)
    np.testing.assert_allclose(raw[:, :2].view(np.int8) * scales, vectors, atol=0.005)
    assert np.ascontiguousarray(raw[:, 6:]).view(np.int64)[:, 0].tolist() == [7, 2**40]
