"""All settings, read once from REVERIE_* variables and flags; nothing else reads the environment."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from reverie.models.diffusion.catalogue import located
from reverie.server.sizing import asked

LIMITS = (
    ("port", 0, 65535), ("max_sessions", 1, 1000), ("max_viewers", 1, 10_000), ("queue", 0, 10_000),
    ("start_bitrate", 100, 50_000),
    ("max_recording_s", 1, 86_400), ("max_recording_mb", 1, 1_000_000),
    ("tenant_sessions", 0, 1_000_000), ("effect_ms", 1, 10_000), ("effect_mb", 128, 1_000_000),
    ("moment_days", 1, 36_500), ("moment_mb", 0, 1_000_000), ("moment_hot", 1, 10_000_000),
    ("max_upload_mb", 1, 100_000), ("max_clip_s", 1, 86_400),
)  # fmt: skip
DEVICES = ("cpu", "torch", "cuda", "neuron")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may change.  A field `max_sessions` is read from REVERIE_MAX_SESSIONS and --max-sessions."""

    host: str = "127.0.0.1"  # address to listen on
    port: int = 8080  # 0 takes any free port
    lan: bool = False  # serve the local network: TLS, and a link that lets each device in once
    tls_cert: str = ""  # certificate (PEM) with its chain, and its key; with --lan one is made when there is none
    tls_key: str = ""  # of that certificate, PEM
    model: str = "nano"  # model that serves sessions
    hub: str = ""  # where `reverie models pull` fetches: a hub, a web folder or a folder; empty is the usual hub
    device: str = "cpu"  # our kernels (cpu, cuda), PyTorch (torch, neuron)
    cpu: str = ""  # instructions that the kernels use: avx512vnni, avxvnni, avx2, portable; empty is the quickest
    skip: float = 2.0  # parts of a picture that change less than this (levels of 255) are not made again; 0 is exact
    render: str = ""  # size at which the model paints, as 512x288; empty is what this machine sustains, 512x288 at most
    precision: str = ""  # of diffusion models' large layers: int8 or fp8 halve their memory; empty is the device's own
    llm: str = ""  # another SmolLM2-135M (.gguf, folder, hub id); with diffusion models any LLM; empty is the package's
    max_sessions: int = 4  # sessions at once; more are refused as at_capacity
    queue: int = 16  # clients that may wait for a place, if they can; more are refused as well
    hosts: tuple[str, ...] = ()  # other names people reach this server by (Host header), comma separated
    origins: tuple[str, ...] = ()  # pages of other origins that may connect, comma separated, e.g. https://me.example
    api_keys_file: str = ""  # API keys, hashed, one a line; empty needs no key and everybody is one tenant
    ice_servers: tuple[str, ...] = ()  # STUN and TURN URLs, comma separated; none by default
    turn_secret: str = ""  # shared with TURN servers (coturn's static-auth-secret): credentials are made from it
    turn_user: str = ""  # or one fixed user of them, and its password
    turn_password: str = ""  # of that user
    udp_ports: str = ""  # for media, as 50000-50100; empty takes any
    announce: tuple[str, ...] = ()  # addresses at which a 1:1 NAT maps UDP to this machine, comma separated
    relay_only: bool = False  # media only through the TURN servers
    max_viewers: int = 50  # of one session at once (its own client counts)
    deny_file: str = ""  # prompts that hold one of its lines are refused; one word or phrase a line
    nsfw: float = 0.0  # pictures whose NSFW score (0..1) is as high are hidden, e.g. 0.8; 0 looks at none
    watermark: str = ""  # words in the corner of every styled frame, e.g. "AI generated"
    segmenter: str = ""  # folder of the networks that find people, for masks; empty is where `make serve` puts them
    start_bitrate: int = 2500  # kb/s that browsers are told to begin sending with
    max_recording_s: int = 7200  # a recording ends after so many seconds
    max_recording_mb: int = 4000  # or at this size
    max_upload_mb: int = 200  # a file that is uploaded, also for a job
    max_clip_s: int = 300  # a clip of a job
    redis_url: str = ""  # Redis that nodes share (redis://, rediss://, unix://, sentinel://); empty starts one's own
    fleet: str = "reverie"  # nodes with the same Redis and fleet serve each other's clients
    node_url: str = ""  # where clients reach this node; empty is http://HOST:PORT
    journal_key: str = ""  # 64 hexadecimal digits, the same for a whole fleet, so that nodes go on for each other
    resume_visual: bool = False  # what a session's stream saw last is written down too, encrypted, for who goes on
    tenant_sessions: int = 0  # sessions of one tenant at once in the fleet; 0 for any number
    effects: tuple[str, ...] = ()  # users' functions, comma separated: FILE.py or NAME, with :before or :after
    effect_ms: int = 30  # that an effect may take for a picture; then the picture goes on without it
    effect_mb: int = 1024  # of address space that its process may take
    webhook_urls: tuple[str, ...] = ()  # told of what happens to sessions, by signed POSTs; comma separated
    webhook_secret: str = ""  # whsec_..., signs them; empty makes one, which is kept in the data folder
    moment_days: int = 30  # that indexed moments are kept; sessions are indexed when they ask for it
    moment_mb: int = 200  # of thumbnails of one tenant; the oldest go
    moment_hot: int = 100_000  # of one tenant that are held in memory; older ones move to cells on disk
    moment_cells: str = ""  # where those lie, a folder or an address of fsspec (s3://...); empty is in the data folder
    search_model: str = ""  # CLIP or SigLIP for search, a folder or hub id; empty is the packaged space
    data: str = ""  # folder for what is kept (recordings, uploads, indexes); empty is ~/.local/share/reverie

    def __post_init__(self) -> None:
        for name, low, high in LIMITS:
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, got {value}")
        if len(self.watermark) > 60:
            raise ValueError(f"watermark may have 60 characters, got {len(self.watermark)}")
        if self.journal_key and not re.fullmatch(r"[0-9a-fA-F]{64}", self.journal_key):
            raise ValueError(f"journal_key must be 64 hexadecimal digits, got {len(self.journal_key)} characters")
        if not 0 <= self.skip <= 255:
            raise ValueError(f"skip must be 0 to 255, got {self.skip}")
        if self.render:
            asked(self.render)
        if not 0 <= self.nsfw <= 1:
            raise ValueError(f"nsfw must be 0 to 1, got {self.nsfw}")
        if self.precision not in ("", "int8", "fp8"):
            raise ValueError(f"precision must be int8, fp8 or empty, got {self.precision!r}")
        if self.device not in DEVICES:
            raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {self.device!r}")

        for address in self.announce:
            ipaddress.ip_address(address)  # raises ValueError with the address in it
        if self.relay_only and not any(url.startswith("turn") for url in self.ice_servers):
            raise ValueError("relay_only needs a TURN server in ice_servers")
        for url in self.ice_servers:
            if not re.fullmatch(r"(stuns?|turns?):[^\s;,<>\"]+", url):
                raise ValueError(
                    f"ice_servers has {url[:80]!r}; it takes stun:HOST:PORT and turn:HOST:PORT?transport=udp"
                )
        _ = self.udp_range

    @property
    def udp_range(self) -> tuple[int, int] | None:
        """First and last port for media.  Raises ValueError if `udp_ports` cannot be read."""
        if not self.udp_ports:
            return None
        low, _, high = self.udp_ports.partition("-")
        if not (low.isdigit() and high.isdigit() and 1024 <= int(low) <= int(high) <= 65535):
            raise ValueError(f"udp_ports must be FIRST-LAST within 1024 to 65535, got {self.udp_ports!r}")
        return int(low), int(high)

    @property
    def data_folder(self) -> Path:
        """Where this node keeps what outlives a session; whoever writes there makes it."""
        return Path(self.data).expanduser() if self.data else Path.home() / ".local" / "share" / "reverie"

    @property
    def models_folder(self) -> Path:
        """Where `reverie models pull` puts models, a folder each."""
        return self.data_folder / "models"

    @property
    def model_source(self) -> str:
        """The model as models.registry takes it.  Raises: FileNotFoundError if it is known and was not pulled."""
        return located(self.models_folder, self.model)


def from_environment(environment: Mapping[str, str] = os.environ, **flags: Any) -> Settings:
    """Defaults, then REVERIE_* variables, then flags that are not None.

    Raises: ValueError that names the variable and its value.
    """
    settings, known = Settings(), {f"REVERIE_{field.name.upper()}": field.name for field in fields(Settings)}
    if url := environment.get("REDIS_URL", "").strip():
        settings = replace(settings, redis_url=url)  # the name that many hosts set; ours wins
    read = {}
    for variable, name in known.items():
        if text := environment.get(variable, "").strip():
            read[name] = _convert(variable, text, getattr(settings, name))
    return replace(settings, **(read | {name: value for name, value in flags.items() if value is not None}))


def for_programs(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a program of somebody else: without our settings, some of which are secrets."""
    return {
        name: value for name, value in environment.items() if not name.startswith("REVERIE_") and name != "REDIS_URL"
    }


def prepare_ray(local: bool) -> None:
    """Ray tells nobody how it is used; one that we start answers only who has its token, for it listens everywhere."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if local and "RAY_AUTH_MODE" not in os.environ:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _convert(variable: str, text: str, default: Any) -> Any:
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if isinstance(default, float):
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"{variable} must be a number, got {text!r}") from None
    if isinstance(default, bool):
        if text.lower() not in ("0", "1", "false", "true", "no", "yes"):
            raise ValueError(f"{variable} must be 1 or 0, got {text!r}")
        return text.lower() in ("1", "true", "yes")
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"{variable} must be a whole number, got {text!r}") from None
    return text
