"""Runs the PTX that nvcc made, in NumPy: warps of 32 lanes, those of all blocks in turn, so that none that waits starves.

Only what our kernel uses.  Lanes of a warp that went apart go on from the lowest address; shuffles, products of matrices
and barriers wait until all lanes of the warp, or all warps of the block, are there.  Source: the PTX ISA.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from rig.ptx_text import KINDS, REGISTER, SYMBOL, Line, Text

LANES, TURN = 32, 64  # instructions of a warp before the next has its turn
POISON = 0xA5  # what fresh shared memory holds
COMPARE = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq, "ne": operator.ne,
           "ltu": operator.lt, "leu": lambda a, b: ~(a > b)}  # fmt: skip
TOGETHER = ("shfl", "mma", "bar.warp", "ldmatrix", "cp.async.commit_group", "cp.async.wait_group")  # by all lanes
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "and": operator.and_, "or": operator.or_, "xor": operator.xor,
    "min": np.minimum, "max": np.maximum,
}  # fmt: skip


class Memory:
    """The device's memory: addresses are offsets."""

    def __init__(self, size: int) -> None:
        self.bytes, self.end = np.zeros(size, np.uint8), 256

    def put(self, array: np.ndarray) -> int:
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        at, self.end = self.end, self.end + -(-(raw.size + 256) // 256) * 256
        self.bytes[at : at + raw.size] = raw
        return at


class Warp:
    def __init__(
        self, text: Text, memory: Memory, params: bytes, block: int, first: int, threads: int, shared: np.ndarray
    ) -> None:
        self.text, self.memory, self.params, self.shared = text, memory, params, shared
        self.pc, self.at_barrier = np.zeros(LANES, np.int64), np.zeros(LANES, bool)
        self.done = np.zeros(LANES, bool)
        self.registers: dict[str, np.ndarray] = {
            "%tid.x": np.arange(first, first + LANES).astype(np.uint64), "%ntid.x": np.full(LANES, threads, np.uint64),
            "%ctaid.x": np.full(LANES, block, np.uint64),
        }  # fmt: skip
        self.local = np.zeros((LANES, 256), np.uint8)
        self.asked: list[tuple[np.ndarray, np.ndarray]] = []  # copies of no group yet: places to write and to read
        self.groups: list[list[tuple[np.ndarray, np.ndarray]]] = []

    # values

    def get(self, name: str, kind: np.dtype[Any]) -> np.ndarray:
        if name.startswith("%"):
            bits = self.registers.setdefault(name, np.zeros(LANES, np.uint64))
            return bits.astype(f"u{kind.itemsize}").view(kind)
        if name.startswith("0f"):
            return np.full(LANES, int(name[2:], 16), np.uint32).view(np.float32)
        if name.startswith("__local_depot"):
            return np.zeros(LANES, kind)
        if name in self.text.shared:
            return np.full(LANES, self.text.shared[name]).astype(kind)
        return np.full(LANES, int(name) & (1 << 64) - 1, np.uint64).astype(f"u{kind.itemsize}").view(kind)

    def set(self, name: str, value: Any, mask: np.ndarray) -> None:
        value = np.asarray(value)
        bits = value.astype(np.uint64) if value.dtype == bool else value.view(f"u{value.itemsize}").astype(np.uint64)
        np.copyto(self.registers.setdefault(name, np.zeros(LANES, np.uint64)), bits, where=mask)

    def truth(self, name: str) -> np.ndarray:
        return self.registers.setdefault(name.lstrip("!"), np.zeros(LANES, np.uint64)).astype(bool) ^ name.startswith(
            "!"
        )

    # running

    def run(self) -> bool:
        """Some instructions; False if nothing could go on."""
        for step in range(TURN):
            able = ~(self.done | self.at_barrier)
            if not able.any():
                return step > 0
            pc = int(self.pc[able].min())
            mask, line = able & (self.pc == pc), self.text.lines[pc]
            mask_on = mask & self.truth(line.guard) if line.guard else mask
            if line.name.startswith(TOGETHER) and not (mask | self.done).all():
                raise RuntimeError(f"lanes are apart at {line}")
            self.pc[mask] = pc + 1
            if mask_on.any() or line.name.startswith("bra"):
                self.execute(line, mask_on)
        return True

    def execute(self, line: Line, mask: np.ndarray) -> None:
        parts, o = line.name.split("."), line.operands
        op, kind = parts[0], KINDS.get(parts[-1], np.dtype(np.uint32))
        if op == "bra":
            self.pc[mask] = self.text.labels[o[0]]
        elif op == "ret":
            self.done |= mask
        elif op == "bar" and parts[1] == "sync":
            self.at_barrier |= mask
        elif op in ("nanosleep", "bar"):
            pass
        elif op in ("ld", "st", "red"):
            self.reach(op, parts, kind, o, mask)
        elif op == "shfl":
            self.shuffle(parts, o, mask)
        elif op == "mma" and "bf16" in parts:
            self.multiply_floats(o, mask)
        elif op == "mma":
            self.multiply(o, mask)
        elif op == "ldmatrix":
            self.load_matrix(o, mask)
        elif op == "cp":
            self.copy(parts[2], o, mask)
        elif op == "setp":
            self.set(o[0], COMPARE[parts[1]](self.get(o[1], kind), self.get(o[2], kind)), mask)
        elif parts[-1] == "pred":
            values = [self.truth(name) for name in o[1:]]
            self.set(o[0], ~values[0] if op == "not" else BINARY[op](*values), mask)
        else:
            with np.errstate(all="ignore"):
                self.set(o[0], self.compute(op, parts, kind, o), mask)

    def compute(self, op: str, parts: list[str], kind: np.dtype[Any], o: list[str]) -> Any:
        if op == "selp":
            return np.where(self.truth(o[3]), self.get(o[1], kind), self.get(o[2], kind))
        if op in ("mov", "cvta"):
            return self.get(o[1], kind)
        if op == "cvt" and parts[2] == "bf16x2":
            return np.stack([_bf16(self.get(name, KINDS["f32"])) for name in (o[2], o[1])], 1).view(np.uint32)[:, 0]
        if op == "cvt":
            return self.get(o[1], kind).astype(KINDS[parts[-2]])
        a = self.get(o[1], kind)
        if op in ("neg", "not", "sqrt"):
            return {"neg": operator.neg, "not": operator.invert, "sqrt": np.sqrt}[op](a)
        if op in ("shl", "shr"):
            n = self.get(o[2], KINDS["u32"]).astype(kind)
            return a << n if op == "shl" else a >> n
        b = self.get(o[2], kind)
        if op == "div":
            return a / b if kind.kind == "f" else (np.trunc(a.astype(np.float64) / np.where(b == 0, 1, b))).astype(kind)
        if op == "rem":
            return np.fmod(a, np.where(b == 0, 1, b)).astype(kind)
        if op == "mul" and parts[1] == "wide":
            wide = np.dtype(f"{kind.kind}{2 * kind.itemsize}")
            return a.astype(wide) * b.astype(wide)
        if op == "mad":
            return a * b + self.get(o[3], kind)
        if op == "prmt":
            return _permuted(a, b, self.get(o[3], kind))
        if op == "bfi":
            at, size = (int(self.get(name, KINDS["u32"])[0]) for name in o[3:5])
            hole = np.array(((1 << size) - 1) << at, kind)
            return b & ~hole | a << np.array(at, kind) & hole
        return BINARY[op](a, b)

    def reach(self, op: str, parts: list[str], kind: np.dtype[Any], o: list[str], mask: np.ndarray) -> None:
        target, value = (o[1], o[0]) if op == "ld" else (o[0], o[1])
        found = SYMBOL.match(target)
        assert found
        offset = int(found[2] or 0)
        if "param" in parts:
            raw = np.frombuffer(self.params, np.uint8)[offset : offset + kind.itemsize]
            return self.set(value, np.tile(raw, LANES).view(kind), mask)
        if "shared" in parts:
            space, at = self.shared, self.get(found[1], KINDS["u32"]).astype(np.int64) + offset
        elif "local" in parts:
            at = np.arange(LANES) * self.local.shape[1] + self.get(found[1], KINDS["s64"]) + offset
            space = self.local.reshape(-1)
        else:
            space, at = self.memory.bytes, self.get(found[1], KINDS["s64"]) + offset
        if mask.any() and (at[mask].min() < 0 or at[mask].max() + kind.itemsize > space.size):
            raise RuntimeError(f"{op} {o} outside of memory")
        places = np.where(mask, at, 0)[:, None] + np.arange(kind.itemsize)
        if op == "ld":
            loaded = space[places].reshape(-1).view(kind)
            self.set(value, loaded.astype(np.int64) if kind.kind == "i" else loaded, mask)
        elif op == "st":
            space[places[mask]] = self.get(value, kind).view(np.uint8).reshape(LANES, -1)[mask]
        else:
            for place in places[mask]:
                space[place] = (space[place].view(kind) + self.get(value, kind)[0]).view(np.uint8)

    def shuffle(self, parts: list[str], o: list[str], mask: np.ndarray) -> None:
        by, lane = self.get(o[2], KINDS["u32"]), np.arange(LANES)
        source = lane ^ by if parts[2] == "bfly" else by
        self.set(o[0].split("|")[0], self.get(o[1], KINDS["u32"])[source.astype(np.int64)], mask)

    def copy(self, what: str, o: list[str], mask: np.ndarray) -> None:
        """cp.async: sixteen bytes a lane, which arrive as late as they may, when their group is waited for."""
        if what == "commit_group":
            self.groups.append(self.asked)
            self.asked = []
        elif what == "wait_group":
            late = max(0, len(self.groups) - int(o[0]))
            for to, source in (each for group in self.groups[:late] for each in group):
                self.shared[to] = self.memory.bytes[source]
            del self.groups[:late]
        else:
            to, source = (self.places(each, kind, mask) for each, kind in zip(o, ("u32", "s64"), strict=False))
            if source.max() >= self.memory.bytes.size or to.max() >= self.shared.size:
                raise RuntimeError(f"cp.async {o} outside of memory")
            self.asked.append((to, source))

    def places(self, operand: str, kind: str, mask: np.ndarray) -> np.ndarray:
        """The sixteen bytes that each lane's address means, (N, 16).  Raises: RuntimeError if one is not aligned."""
        found = SYMBOL.match(operand)
        assert found
        at = self.get(found[1], KINDS[kind]).astype(np.int64)[mask] + int(found[2] or 0)
        if (at % 16).any():
            raise RuntimeError(f"{operand} is no multiple of sixteen")
        return at[:, None] + np.arange(16)

    def load_matrix(self, o: list[str], mask: np.ndarray) -> None:
        """ldmatrix.m8n8.x4: eight lanes have the addresses of a matrix's rows; lane l gets word l % 4 of row l / 4."""
        rows = self.shared[self.places(o[1], "u32", mask)].view(np.uint32)
        for number, name in enumerate(REGISTER.findall(o[0])):
            self.set(name, rows[8 * number + np.arange(LANES) // 4, np.arange(LANES) % 4], mask)

    def multiply(self, o: list[str], mask: np.ndarray) -> None:
        """The fragments of mma.m16n8k32 for u8 and s8, as the PTX ISA draws them."""
        d, a, b, c = (REGISTER.findall(each) for each in o)
        left, right = np.zeros((16, 32), np.int64), np.zeros((32, 8), np.int64)
        lane = np.arange(LANES)
        row, k = lane // 4, lane % 4 * 4
        for i, name in enumerate(a):
            four = self.get(name, KINDS["u32"]).view(np.uint8).reshape(LANES, 4)
            for byte in range(4):
                left[row + i % 2 * 8, k + i // 2 * 16 + byte] = four[:, byte]
        for i, name in enumerate(b):
            four = self.get(name, KINDS["u32"]).view(np.int8).reshape(LANES, 4)
            for byte in range(4):
                right[k + i * 16 + byte, row] = four[:, byte]
        product = left @ right
        for i in range(4):
            sums = self.get(c[i], KINDS["s32"]) + product[row + i // 2 * 8, lane % 4 * 2 + i % 2].astype(np.int32)
            self.set(d[i], sums, mask)

    def multiply_floats(self, o: list[str], mask: np.ndarray) -> None:
        """The fragments of mma.m16n8k16 for bf16, as the PTX ISA draws them; sums in float32."""
        d, a, b, c = (REGISTER.findall(each) for each in o)
        left, right = np.zeros((16, 16), np.float32), np.zeros((16, 8), np.float32)
        lane = np.arange(LANES)
        row, k = lane // 4, lane % 4 * 2
        for i, name in enumerate(a):
            left[(row + i % 2 * 8)[:, None], (k + i // 2 * 8)[:, None] + np.arange(2)] = self.halves(name)
        for i, name in enumerate(b):
            right[(k + i * 8)[:, None] + np.arange(2), row[:, None]] = self.halves(name)
        product = left @ right
        for i in range(4):
            self.set(d[i], self.get(c[i], KINDS["f32"]) + product[row + i // 2 * 8, k + i % 2], mask)

    def halves(self, name: str) -> np.ndarray:
        """Two bfloat16 of each lane as float32, (32, 2)."""
        two = self.get(name, KINDS["u32"]).view(np.uint16).reshape(LANES, 2)
        return (two.astype(np.uint32) << 16).view(np.float32)


def _bf16(values: np.ndarray) -> np.ndarray:
    return values.astype(ml_dtypes.bfloat16).view(np.uint16)


def _permuted(a: np.ndarray, b: np.ndarray, choice: np.ndarray) -> np.ndarray:
    """prmt: each byte of the result is one of eight, or its sign repeated."""
    eight = np.concatenate((a.view(np.uint8).reshape(LANES, 4), b.view(np.uint8).reshape(LANES, 4)), 1)
    made = np.zeros((LANES, 4), np.uint8)
    for i in range(4):
        nibble = (choice.astype(np.uint32) >> np.uint32(4 * i)) & 15
        byte = eight[np.arange(LANES), (nibble & 7).astype(np.int64)]
        made[:, i] = np.where(nibble & 8, np.where(byte & 128, 255, 0), byte)
    return made.reshape(-1).view(np.uint32)


def launch(text: Text, memory: Memory, params: bytes, blocks: int, threads: int) -> int:
    """Run all blocks to their end; returns the turns taken.  Raises: RuntimeError if nothing can go on."""
    groups = []
    for block in range(blocks):
        shared = np.full(text.shared_bytes + 16, POISON, np.uint8)
        groups.append([Warp(text, memory, params, block, first, threads, shared) for first in range(0, threads, LANES)])
    turns = 0
    while not all(warp.done.all() for warps in groups for warp in warps):
        went = False
        for warps in groups:
            for warp in warps:
                went |= warp.run()
            if all((warp.at_barrier | warp.done).all() for warp in warps) and any(w.at_barrier.any() for w in warps):
                went = True
                for warp in warps:
                    warp.at_barrier[:] = False
        turns += 1
        if not went:
            raise RuntimeError("no warp can go on")
    return turns
