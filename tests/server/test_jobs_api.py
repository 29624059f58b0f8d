"""What /v1/jobs and /v1/generate answer."""

import io
import time
from collections.abc import Iterator
from typing import Any

import av
import pytest
from PIL import Image
from starlette.testclient import TestClient

from reverie.server.access import new_key
from reverie.server.app import make
from reverie.server.settings import Settings

(KEY, LINE), (OTHER, SECOND) = new_key("studio"), new_key("other")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "keys").write_text(f"{LINE}\n{SECOND}")
    (folder / "deny").write_text("gore")
    settings = Settings(
        model="toy", data=str(folder), api_keys_file=str(folder / "keys"), deny_file=str(folder / "deny"), max_upload_mb=1
    )  # fmt: skip
    with TestClient(make(settings), base_url="http://127.0.0.1:8080", headers={"x-api-key": KEY}) as client:
        yield client


def ended(client: TestClient, name: str) -> dict[str, Any]:
    ends = time.monotonic() + 60
    while (job := client.get(f"/v1/jobs/{name}").json())["status"] in ("pending", "processing"):
        assert time.monotonic() < ends
        time.sleep(0.02)
    return dict(job)


def picture() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 60, 60)).save(written, "PNG")
    return written.getvalue()


def test_a_clip_is_sent_asked_for_and_fetched(client: TestClient, make_clip: Any) -> None:
    fields = {"prompt": "red", "enhance_prompt": "False", "seed": "7"}
    made = client.post("/v1/jobs/lucy-latest", files={"data": make_clip("a.mp4").read_bytes()}, data=fields).json()
    assert made["status"] in ("pending", "processing") and made["created_at"].endswith("Z")
    done = ended(client, made["job_id"])
    assert (done["status"], done["progress"]) == ("completed", 1.0)
    assert client.get("/v1/jobs").json()[0] == done
    got = client.get(f"/v1/jobs/{made['job_id']}/content")
    assert got.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(got.content)) as container:
        assert len(list(container.decode(video=0))) == 12
    for path in ("", "/content"):
        assert client.get(f"/v1/jobs/{made['job_id']}{path}", headers={"x-api-key": OTHER}).status_code == 404
    assert client.delete(f"/v1/jobs/{made['job_id']}").status_code == 204
    assert client.get(f"/v1/jobs/{made['job_id']}").status_code == 404


def test_a_slow_clip_can_be_cancelled(client: TestClient, make_clip: Any) -> None:
    fields = {"prompt": "crawl", "enhance_prompt": "false"}
    name = client.post("/v1/jobs/toy", files={"data": make_clip("a.mp4").read_bytes()}, data=fields).json()["job_id"]
    assert client.get(f"/v1/jobs/{name}/content").json()["error_type"] == "not_ready"
    assert client.delete(f"/v1/jobs/{name}").status_code == 204
    assert (ended(client, name)["status"], ended(client, name)["error_type"]) == ("failed", "cancelled")
    assert client.get(f"/v1/jobs/{name}/content").status_code == 409


def test_a_picture_is_answered_at_once_and_not_kept(client: TestClient) -> None:
    before = client.get("/v1/jobs").json()
    fields = {"prompt": "red", "enhance_prompt": "false", "resolution": "480p"}
    made = client.post("/v1/generate/lucy-pro-i2i", files={"data": picture()}, data=fields)
    assert made.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(made.content)) as image:
        assert image.size == (640, 480) and image.getpixel((9, 9)) == (55, 39, 39)
    assert client.get("/v1/jobs").json() == before


@pytest.mark.parametrize(
    ("path", "fields", "status", "says"),
    [
        ("jobs/gpt", {"prompt": "a"}, 400, "no model 'gpt' here"),
        ("jobs/toy", {}, 400, "give a prompt"),
        ("jobs/toy", {"prompt": "  "}, 400, "give a prompt"),
        ("jobs/toy", {"prompt": "a" * 1001}, 400, "at most 1000"),
        ("jobs/toy", {"prompt": "g0re"}, 400, "does not allow that prompt"),
        ("jobs/toy", {"prompt": "a", "seed": "4294967296"}, 400, "seed"),
        ("jobs/toy", {"prompt": "a", "resolution": "8k"}, 400, "resolution"),
        ("jobs/lucy-2.5", {"prompt": "a"}, 400, "not a video"),
        ("jobs/job_1234", {"prompt": "a"}, 400, "no model"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    client: TestClient, path: str, fields: dict[str, str], status: int, says: str
) -> None:
    answer = client.post(f"/v1/{path}", files={"data": picture()}, data=fields)
    assert answer.status_code == status and says in answer.json()["detail"]


def test_a_token_for_another_model_may_not(client: TestClient) -> None:
    token = client.post("/v1/client/tokens", json={"allowedModels": ["lucy-2.5"]}).json()["apiKey"]
    for model, status in (("lucy-image-2", 403), ("lucy-2.5", 400)):
        answer = client.post(
            f"/v1/jobs/{model}", files={"data": picture()}, data={"prompt": "a"}, headers={"x-api-key": token}
        )
        assert answer.status_code == status


def test_a_file_above_the_limit_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/jobs/toy", files={"data": bytes(1_100_000)}, data={"prompt": "a"})
    assert answer.status_code == 413 and "1 MB, this has 1.1" in answer.json()["detail"]
