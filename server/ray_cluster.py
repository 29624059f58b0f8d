"""Ray, where its package is (the extra `fleet`): how it is reached, and what of it a process with a model takes."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from reverie.server.settings import prepare_ray

LOCAL = "local"
NAMESPACE = "reverie"
OBJECTS_BYTES = 80_000_000  # of its store: what passes through Ray is small, pictures never do
WORKERS = 2  # cores of a model on a CPU


def connect(address: str, cpus: int = 0) -> Any:
    """The module `ray`, connected.

    Args:
        address: HOST:PORT of a cluster, or "local", which starts one on this machine that ends with this process.
        cpus: cores that a local one gives away; 0 is all.
    Raises: ValueError if Ray is not installed or not reached.
    """
    if importlib.util.find_spec("ray") is None:
        raise ValueError("this needs Ray, which is not installed: pip install 'reverie[fleet]'")
    prepare_ray(address == LOCAL)
    import ray

    told: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": "error"}
    if address == LOCAL:
        told |= {
            "address": "local", "num_cpus": cpus or os.cpu_count(), "include_dashboard": False,
            "object_store_memory": OBJECTS_BYTES,
        }  # fmt: skip
    else:
        told["address"] = address
    try:
        ray.init(**told)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(f"Ray at {address} cannot be reached: {str(error).splitlines()[0]}") from None
    return ray


def needs(device: str, cpus: float = WORKERS) -> dict[str, Any]:
    """Options of an actor that has a model on a device: one device each."""
    if device == "cuda":
        return {"num_cpus": 1, "num_gpus": 1}
    if device == "neuron":
        return {"num_cpus": 1, "resources": {"neuron_cores": 1}}
    return {"num_cpus": cpus}


def room(ray: Any, device: str) -> int:
    """How many such actors the cluster has room for, 1 at least."""
    there, wanted = ray.cluster_resources(), needs(device)
    asked = {"CPU": wanted["num_cpus"], "GPU": wanted.get("num_gpus", 0), **wanted.get("resources", {})}
    return max(1, min(int(there.get(name, 0) // count) for name, count in asked.items() if count))
