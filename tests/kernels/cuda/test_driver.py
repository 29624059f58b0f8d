"""What is said where there is no driver, and the driver's words; on an emulated driver, and with `-m gpu` on a real one."""

import numpy as np
import pytest
from rig.backends import emulated_driver

from reverie.kernels.cuda.driver import Driver


def test_without_a_driver_one_sentence_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"there is no NVIDIA driver: libnothing\.so\.9 cannot be loaded"):
        Driver("libnothing.so.9")


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(RuntimeError, match="there is no GPU 3: the driver knows 1"):
        Driver(emulated_driver()._library._name, ordinal=3)


def test_the_drivers_words_are_handed_on() -> None:
    driver = emulated_driver()
    driver.enter()
    with pytest.raises(RuntimeError, match=r"cuModuleGetFunction: named symbol not found \(500\)"):
        driver.load(b"ptx", "another")
    with pytest.raises(RuntimeError, match=r"cuMemAlloc_v2: out of memory \(2\)"):
        driver.allocate(1 << 40)
    with pytest.raises(RuntimeError, match="cuMemcpyHtoD_v2: invalid argument"):
        driver.write(4096, np.zeros(4, np.uint8))


def test_memory_begins_with_zeros_and_keeps_what_is_written() -> None:
    driver = emulated_driver()
    driver.enter()
    place, back = driver.allocate(100), np.ones(100, np.uint8)
    driver.read(place, back)
    assert not back.any()
    driver.write(place + 10, np.arange(20, dtype=np.uint8))
    driver.read(place, back)
    assert list(back[9:31]) == [0, *range(20), 0]
    driver.free(place)
