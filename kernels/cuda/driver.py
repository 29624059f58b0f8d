"""NVIDIA's driver as far as a launch needs it: ctypes on its library, which is loaded when first asked for."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIBRARY = "libcuda.so.1"
MULTIPROCESSORS, MAJOR, MINOR, COOPERATIVE = 16, 75, 76, 95  # CUdevice_attribute


@dataclass(frozen=True, slots=True)
class Card:
    """What the driver says of a GPU; architecture 90 is compute capability 9.0."""

    name: str
    architecture: int
    multiprocessors: int


class Driver:
    """One GPU's context in this process.  Memory is an address; call from one thread at a time."""

    def __init__(self, library: str | Path = LIBRARY, ordinal: int = 0) -> None:
        """Raises: RuntimeError if there is no driver, no such GPU, or one that cannot launch cooperatively."""
        try:
            self._library = ctypes.CDLL(str(library))
        except OSError as error:
            raise RuntimeError(f"there is no NVIDIA driver: {library} cannot be loaded ({error})") from None
        self.call("cuInit", c_uint(0))
        count = self._number("cuDeviceGetCount")
        if not 0 <= ordinal < count:
            raise RuntimeError(f"there is no GPU {ordinal}: the driver knows {count}")
        self._device = self._number("cuDeviceGet", c_int(ordinal))
        name = ctypes.create_string_buffer(128)
        self.call("cuDeviceGetName", name, c_int(128), c_int(self._device))
        ask = lambda what: self._number("cuDeviceGetAttribute", c_int(what), c_int(self._device))
        self.card = Card(name.value.decode(), 10 * ask(MAJOR) + ask(MINOR), ask(MULTIPROCESSORS))
        if not ask(COOPERATIVE):
            raise RuntimeError(f"{self.card.name} cannot launch blocks that wait for each other")
        self._context = c_void_p()
        self.call("cuDevicePrimaryCtxRetain", byref(self._context), c_int(self._device))

    def call(self, function: str, *arguments: Any) -> None:
        """Raises: RuntimeError with the driver's own words."""
        if code := getattr(self._library, function)(*arguments):
            said = c_char_p()
            self._library.cuGetErrorString(c_int(code), byref(said))
            raise RuntimeError(f"{function}: {(said.value or b'unknown error').decode()} ({code})")

    def _number(self, function: str, *arguments: Any) -> int:
        value = c_int()
        self.call(function, byref(value), *arguments)
        return value.value

    def enter(self) -> None:
        """Make this GPU the calling thread's."""
        self.call("cuCtxSetCurrent", self._context)

    def load(self, image: bytes, function: str) -> tuple[int, int]:
        """A module of PTX or machine code, and its function."""
        module, found = c_void_p(), c_void_p()
        self.call("cuModuleLoadData", byref(module), c_char_p(image))
        self.call("cuModuleGetFunction", byref(found), module, c_char_p(function.encode()))
        return module.value or 0, found.value or 0

    def blocks_at_once(self, function: int, threads: int) -> int:
        """Blocks of `function` that run side by side on the whole GPU: what a cooperative launch may have."""
        each = c_int()
        name = "cuOccupancyMaxActiveBlocksPerMultiprocessor"
        self.call(name, byref(each), c_void_p(function), c_int(threads), c_size_t(0))
        return each.value * self.card.multiprocessors

    def allocate(self, size: int) -> int:
        """Memory of the GPU, of zeros."""
        place = c_uint64()
        self.call("cuMemAlloc_v2", byref(place), c_size_t(size))
        self.call("cuMemsetD8_v2", place, ctypes.c_ubyte(0), c_size_t(size))
        return place.value

    def free(self, place: int) -> None:
        self.call("cuMemFree_v2", c_uint64(place))

    def write(self, place: int, array: NDArray[Any]) -> None:
        self.call("cuMemcpyHtoD_v2", c_uint64(place), c_void_p(array.ctypes.data), c_size_t(array.nbytes))

    def read(self, place: int, array: NDArray[Any]) -> None:
        """Into `array`, after all launches before."""
        self.call("cuMemcpyDtoH_v2", c_void_p(array.ctypes.data), c_uint64(place), c_size_t(array.nbytes))

    def launch(self, function: int, blocks: int, threads: int, parameter: NDArray[np.uint8]) -> None:
        """Run blocks that may wait for each other to their end.  parameter: the bytes of the kernel's one argument."""
        given = (c_void_p * 1)(c_void_p(parameter.ctypes.data))
        one, none = c_uint(1), c_uint(0)
        self.call(
            "cuLaunchCooperativeKernel", c_void_p(function), c_uint(blocks), one, one, c_uint(threads), one, one, none,
            c_void_p(), given,
        )  # fmt: skip
        self.call("cuCtxSynchronize")

    def unload(self, module: int) -> None:
        """The context stays until the process ends: others may be using it."""
        self.call("cuModuleUnload", c_void_p(module))
