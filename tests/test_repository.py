"""The house keeps its own rules: mirror, layers, wheel, documents."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
ROOMS = ("server", "models", "kernels", "client")
UNTESTED_BY_NAME = {  # what is tested elsewhere, and where
    "client/holds.py": "test_protocol.py parses everything",
    "kernels/task.py": "test_tasks.py",
    "kernels/tasks_video.py": "test_tasks.py and test_reference_video.py",
    "kernels/tasks_language.py": "test_tasks.py and test_reference_language.py",
    "kernels/neuron/emit_attention.py": "test_emit_video.py runs what it emits",
    "kernels/neuron/tiles_attention.py": "test_emit_video.py, against the reference",
    "kernels/neuron/tiles_mx.py": "test_emit_mx.py, against the reference",
    "kernels/neuron/tiles_language.py": "test_emit_language.py, against the reference",
    "models/stream.py": "the contract: every model's own test",
    "models/config.py": "sizes: test_network.py",
    "models/layers.py": "test_network.py runs every block, in both traversals",
    "server/commands/finding.py": "search/test_commands.py runs each of them",
    "server/errors.py": "test_signaling.py provokes each refusal",
    "server/metrics.py": "test_session.py and test_engine.py read them",
    "server/node.py": "test_signaling.py: admission; test_app.py: readiness",
    "server/participant.py": "test_livekit.py joins as one",
    "server/files.py": "test_files_api.py",
    "server/rooms_api.py": "test_livekit.py watches",
    "server/room_door.py": "test_livekit.py watches, test_conversation.py joins",
    "server/ray_cluster.py": "test_ray_fleet.py starts a real Ray",
    "server/ray_node.py": "test_ray_fleet.py runs nodes in actors",
    "server/ray_workers.py": "test_ray_fleet.py restyles a folder on it",
    "server/scripts.py": "test_placement.py and test_interleavings.py run them in a real Redis",
    "server/serve.py": "commands/test_serving.py and the server fixture of tests/server",
    "server/video.py": "test_restyle.py, container by container",
}
TOP = {
    "server", "models", "kernels", "client", "tests", "compose.yaml", "pyproject.toml", "README.md", "Makefile",
    "DESIGN.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", ".ci", ".gitignore", ".env.example",
    ".pre-commit-config.yaml", "requirements.txt", "requirements-dev.txt",
}  # fmt: skip


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in listed.splitlines() if (ROOT / line).exists()]


def test_the_top_level_is_as_agreed() -> None:
    assert {path.parts[0] for path in tracked()} <= TOP


def test_every_module_has_its_test() -> None:
    missing = []
    for path in tracked():
        if path.parts[0] not in ROOMS or path.suffix != ".py" or path.name.startswith("__"):
            continue
        test = Path("tests", *path.parent.parts, f"test_{path.name}")
        if not (ROOT / test).exists() and str(path) not in UNTESTED_BY_NAME:
            missing.append(str(test))
    assert not missing


def test_exceptions_to_the_mirror_are_still_there() -> None:
    assert all((ROOT / path).exists() for path in UNTESTED_BY_NAME)


def test_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(lint)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]


def test_only_settings_reads_the_environment() -> None:
    readers = {
        str(path) for path in tracked()
        if path.suffix == ".py" and path.parts[0] in ROOMS and re.search(r"os\.(environ|getenv)", (ROOT / path).read_text())
    }  # fmt: skip
    assert readers == {"server/settings.py"}


def test_nothing_large_but_weights_and_no_place_of_ours_is_committed() -> None:
    for path in tracked():
        size = (ROOT / path).stat().st_size
        assert size < 3_000_000 or path.parts[:2] == ("models", "shipped"), path
        if (
            path.suffix in {".py", ".md", ".toml", ".yaml", ".txt", ".js", ".html", ".css", ".cpp", ".h", ""}
            and size < 1e6
        ):
            text = (ROOT / path).read_text(errors="ignore")
            names = "|".join(("pypi" + r"\.org", "registry" + r"\.npmjs", "deb" + r"\.debian", "/" + "work" + "/"))
            assert not re.search(names, text), path


def pins() -> dict[str, Version]:
    found = {}
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-")):
                package, _, number = line.partition("==")
                found[package.lower().replace("_", "-")] = Version(number)
    return found


def test_every_dependency_is_pinned_to_a_version_that_fits() -> None:
    project, pinned = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"], pins()
    wanted = [
        *project["dependencies"],
        *(line for lines in project["optional-dependencies"].values() for line in lines),
    ]
    for requirement in map(Requirement, wanted):
        assert pinned[requirement.name.lower()] in requirement.specifier, requirement
    assert str(pinned["torch"]) == "2.13.0"
    assert not any(name.startswith(("nvidia", "triton", "torchvision")) for name in pinned)


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == version


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.split("#")[0].strip()]


def test_commands_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    from reverie.server.cli import _parser

    seen = commands((ROOT / "README.md").read_text()) + commands((ROOT / "CONTRIBUTING.md").read_text())
    assert {"make serve", "make test"} <= set(seen)
    for command in seen:
        words = shlex.split(command)
        if words[0] == "make":
            assert words[1] in targets, command
        else:
            assert words[0] == "reverie", command
            _parser().parse_args(words[1:])


def test_pictures_and_files_named_in_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text()
    named = re.findall(r"\]\(([\w./-]+)\)", text) + re.findall(r"`([\w/]+\.(?:md|toml|yaml))`", text)
    assert named
    for name in named:
        assert (ROOT / name).exists(), name
    assert "not affiliated with Decart" in text


def test_compose_runs_two_checked_nodes_and_what_they_need_for_this_machine_only() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"redis", "node-1", "node-2", "turn", "prometheus", "grafana"}
    assert all(service["healthcheck"]["test"] for service in services.values())
    assert ":latest" not in str(services)
    assert all(re.search(r":v?\d", service["image"]) for service in services.values() if "image" in service)
    for service in services.values():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith("./") else source in compose["volumes"], volume
    nodes = [services["node-1"], services["node-2"]]
    known = {line.split("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if line[:8] == "REVERIE_"}
    for node in nodes:
        assert node["depends_on"]["redis"]["condition"] == "service_healthy"
        made = node["build"]["dockerfile_inline"]
        assert "FROM python:3.11" in made
        copied = [line.split()[1:-1] for line in made.splitlines() if line.startswith("COPY") and "--from" not in line]
        assert {each for names in copied for each in names} <= TOP - {
            ".",
            ".env",
        }  # no secret of .env gets into the image
        for volume in node["volumes"]:  # or Docker makes its folder for root alone
            assert volume.split(":")[1] in next(line for line in made.splitlines() if "install -d -o reverie" in line)
        assert node["environment"]["REVERIE_HOST"] == "127.0.0.1"
        assert set(node["environment"]) <= known
    scraped = yaml.safe_load((ROOT / "server/deploy/prometheus.yml").read_text())["scrape_configs"][0]
    ports = [f"127.0.0.1:{node['environment']['REVERIE_PORT']}" for node in nodes]
    assert scraped["static_configs"][0]["targets"] == ports and len(set(ports)) == 2
    assert "always" in services["redis"]["command"] and "--appendonly" in services["redis"]["command"]


def test_kubernetes_manifests_hold_to_its_schemas_and_keep_the_rules_of_the_house() -> None:
    folder = ROOT / "server/deploy/kubernetes"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in folder.glob("*.yaml")} == {*listed, "kustomization.yaml"}
    made = [each for name in listed for each in yaml.safe_load_all((folder / name).read_text())]
    for each in made:
        kubernetes_validate.validate(each, "1.33", strict=True)
    (node,) = [each for each in made if each["kind"] == "Deployment"]
    pod = node["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    known = {line.split("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if line[:8] == "REVERIE_"}
    assert {each["name"] for each in container["env"]} - {"NODE_IP"} <= known
    assert pod["hostNetwork"] and container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["lifecycle"]["preStop"] and pod["terminationGracePeriodSeconds"] >= 15
    assert not any("value" in each for each in container["env"] if "KEY" in each["name"].split("_")[-1:])


def test_the_dashboard_asks_for_figures_that_nodes_have() -> None:
    from reverie.server.metrics import Metrics

    panels = json.loads((ROOT / "server/deploy/grafana/reverie.json").read_text())["panels"]
    there = set(re.findall(r"^# TYPE (reverie_\w+)", Metrics().text().decode(), re.M))
    asked = {
        name for panel in panels for target in panel["targets"] for name in re.findall(r"reverie_\w+", target["expr"])
    }
    assert asked and {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} <= there
    titles = " ".join(panel["title"] for panel in panels)
    assert all(signal in titles for signal in ("Latency", "Traffic", "Errors", "Saturation"))


@pytest.mark.parametrize("name", [".pre-commit-config.yaml", "compose.yaml"])
def test_yaml_files_parse(name: str) -> None:
    assert yaml.safe_load((ROOT / name).read_text())


@pytest.mark.timeout(600)  # it compiles the kernels
def test_a_wheel_holds_what_the_folders_hold(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = {name.removeprefix("reverie/") for name in wheel.namelist() if name.startswith("reverie/")}
    wanted = {str(path) for path in tracked() if path.parts[0] in ROOMS}
    native = {name for name in held if name.startswith("kernels/_cpu.") and name.endswith(".so")}
    assert wanted <= held
    assert not {name for name in held - wanted - native if not name.endswith(".pyc")}
