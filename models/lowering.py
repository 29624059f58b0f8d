"""The video model as a program: every layer an operator, every operator a few tiles of rows.

Everything that only depends on the prompt is in the slot `style` (models/style.py); the four frames that attention
sees are four buffers whose memory whoever launches passes on from frame to frame, so nothing depends on data.
"""

from __future__ import annotations

import numpy as np

from reverie.kernels.program import Builder, Program, Role
from reverie.kernels.tasks import (
    BLOCK,
    BLOCK_BYTES,
    HEAD,
    NONE,
    Activation,
    Attention,
    Conv,
    Heads,
    Modulate,
    Picture,
    Ref,
    Unshuffle,
)  # fmt: skip
from reverie.models.parts import SOURCE_PADDED, Parts
from reverie.models.quantise import F32, Layer, Quant

TILE_WORK = 30_000_000  # operations of one task: about 0.03 ms on a core, some hundred times what a counter costs
QUERIES = 48  # of one attention task
MEMORY = ("sink", "old", "recent", "now")


def kv_bytes(heads: int, tokens: int) -> int:
    """Of one frame's packed keys and values."""
    return heads * -(-tokens // BLOCK) * BLOCK_BYTES


class Lowering:
    """Builds the program of one picture size."""

    def __init__(self, parts: Parts, height: int, width: int, workers: int) -> None:
        self.parts, self.size, self.workers = parts, (height, width), workers
        self.b = Builder("video")
        self.constant = self.b.buffer("video.weights", parts.constant.nbytes, Role.CONSTANT)
        self.style = self.b.buffer("style", parts.style_bytes, Role.FRONT)
        self.steps: dict[str, Ref] = {}  # constant vectors by name
        self.vectors: list[F32] = []
        self.vector = Ref(len(self.b.buffers))
        self.b.buffer("video.vectors", 0, Role.CONSTANT)
        self.vector_bytes = 0

    def rows(self, rows: int, work: int) -> list[tuple[int, int]]:
        """Cuts rows into tiles: at least one a worker, a multiple of the workers."""
        count = max(1, min(rows, -(-work // TILE_WORK)))
        count = min(rows, -(-count // self.workers) * self.workers)
        return [(rows * i // count, rows * (i + 1) // count) for i in range(count)]

    def put(self, vector: F32) -> Ref:
        """A constant vector of float32."""
        ref = self.vector + self.vector_bytes
        self.vectors.append(vector.astype(np.float32))
        self.vector_bytes += -(-vector.size * 4 // 64) * 64
        return ref

    def activation(self, name: str, rows: int, columns: int, channels: int) -> Ref:
        return self.b.buffer(name, rows * columns * channels)

    def conv(
        self, name: str, x: Ref, x_quant: Quant, size: tuple[int, int, int], y_quant: Quant, kernel: int = 3,
        beside: Ref = NONE, residual: tuple[Ref, Quant] | None = None, active: bool = False, shuffle: bool = False,
        styled: bool = False, film_last: bool = False,
    ) -> Ref:  # fmt: skip
        """An operator over x (rows, columns, channels); returns y.  `styled`: scale and shift come from the style."""
        rows, columns, channels = size
        layer: Layer = self.parts.layers[name]
        outs = len(layer.step)
        skip, skip_quant = residual or (NONE, Quant(1.0, 0))
        share = np.float32(skip_quant.step / y_quant.step)
        if styled:
            scale = self.style + self.parts.style[name]
            shift, skip_scale = scale + 4 * outs, scale + 8 * outs
            if not film_last:
                skip_scale = self.put(np.full(outs, share)) if residual else NONE
        else:
            scale = self.put(layer.step / y_quant.step)
            shift = self.put(layer.add / y_quant.step - skip_quant.zero * share * (residual is not None))
            skip_scale = self.put(np.full(outs, share)) if residual else NONE
        out_rows, out_columns = (rows // 2, columns // 2) if kernel == 2 else (rows, columns)
        y = self.activation(name, out_rows, out_columns, outs)
        beside_channels = channels if beside.buffer >= 0 else 0
        work = 2 * out_rows * out_columns * (kernel**2 * channels + beside_channels) * outs
        self.b.op(name, [
            Conv(
                x=x, beside=beside, weight=self.constant + layer.weight, bias=self.constant + layer.bias, scale=scale,
                shift=shift, residual=skip, residual_scale=skip_scale, y=y, height=rows, width=columns,
                channels=channels, beside_channels=beside_channels, kernel=kernel, outs=outs, shuffle=int(shuffle),
                activation=int(Activation.HARD_SWISH if active else Activation.NONE), gate=y_quant.step / 6,
                x_zero=x_quant.zero, y_zero=y_quant.zero, begin=begin, end=end,
            )
            for begin, end in self.rows(out_rows, work)
        ])  # fmt: skip
        return y

    def build(self) -> tuple[Program, np.ndarray]:
        """The program and its constant vectors (bytes of `video.vectors`)."""
        height, width = self.size
        frame = self.b.buffer("frame", 3 * height * width, Role.INPUT)
        noise = self.b.buffer("noise", 3 * height * width, Role.INPUT)
        strength = self.b.buffer("strength", 4, Role.INPUT)
        shown = self.b.buffer("shown", 3 * height * width, Role.OUTPUT)
        half, quarter, eighth, scene = self.encoder(frame)
        residual = self.decoder(noise, half, quarter, eighth, scene)
        quant = self.parts.quants["head"]
        self.b.op("picture", [
            Picture(
                source=frame, residual=residual, colour=self.style + self.parts.style["colour"], strength=strength,
                y=shown, width=width, step=quant.step, zero=quant.zero, begin=begin, end=end,
            )
            for begin, end in self.rows(height // 2, 4 * TILE_WORK)
        ])  # fmt: skip
        self.b.resize(self.vector, self.vector_bytes)
        vectors = np.concatenate([np.pad(v, (0, -v.size % 16)) for v in self.vectors]).view(np.uint8)
        return self.b.finish(self.workers, reuse=False), vectors  # what did not change is not made again

    def at(self, scale: int, channels: int) -> tuple[int, int, int]:
        return self.size[0] // scale, self.size[1] // scale, channels

    def res(self, name: str, x: Ref, x_name: str, size: tuple[int, int, int], filmed: bool = False) -> Ref:
        q = self.parts.quants
        h = self.conv(f"{name}.a", x, q[x_name], size, q[f"{name}.h"], active=True, styled=filmed)
        if name != "at_half":
            return self.conv(f"{name}.b", h, q[f"{name}.h"], size, q[name], residual=(x, q[x_name]))
        return self.conv(
            "at_half.b", h, q["at_half.h"], size, q["head.x"], residual=(x, q[x_name]), active=True, styled=True,
            film_last=True,
        )  # fmt: skip

    def encoder(self, frame: Ref) -> tuple[Ref, Ref, Ref, Ref]:
        q, (half, quarter, eighth, _) = self.parts.quants, self.parts.config.widths
        source = self.activation("source", *self.at(2, SOURCE_PADDED))
        self.b.op("unshuffle", [
            Unshuffle(x=frame, y=source, width=self.size[1], zero=128, begin=begin, end=end)
            for begin, end in self.rows(self.size[0] // 2, TILE_WORK)
        ])  # fmt: skip
        at_half = self.conv("encoder.stem", source, q["pixel"], self.at(2, SOURCE_PADDED), q["half"], active=True)
        x = self.conv("encoder.to_quarter", at_half, q["half"], self.at(2, half), q["encoder.to_quarter"], kernel=2)
        at_quarter = self.res("encoder.at_quarter", x, "encoder.to_quarter", self.at(4, quarter))
        name = "encoder.to_eighth"
        x = self.conv(name, at_quarter, q["encoder.at_quarter"], self.at(4, quarter), q[name], kernel=2)
        at_eighth = self.res("encoder.at_eighth", x, name, self.at(8, eighth))
        name = "encoder.to_scene"
        scene = self.conv(name, at_eighth, q["encoder.at_eighth"], self.at(8, eighth), q[name], kernel=2)
        return at_half, at_quarter, at_eighth, scene

    def decoder(self, noise: Ref, half: Ref, quarter: Ref, eighth: Ref, scene: Ref) -> Ref:
        q, widths = self.parts.quants, self.parts.config.widths
        seen = (eighth, q["encoder.at_eighth"])
        x = self.conv("patch", noise, q["noise"], self.at(8, 192), q["before.x"], kernel=1, residual=seen)
        skip = self.res("before", x, "before.x", self.at(8, widths[2]), filmed=True)
        x = self.conv(
            "down", skip, q["before"], self.at(8, widths[2]), q["blocks.0.x"], kernel=2,
            residual=(scene, q["encoder.to_scene"]),
        )  # fmt: skip
        name = "blocks.0.x"
        for i in range(self.parts.config.blocks):
            x = self.block(i, x, name)
            x = self.res(f"mixers.{i}", x, f"blocks.{i}", self.at(16, widths[3]), filmed=True)
            name = f"mixers.{i}"
        x = self.up("up_eighth", x, name, self.at(16, widths[3]), skip, "before")
        x = self.res("after", x, "up_eighth", self.at(8, widths[2]), filmed=True)
        x = self.up("up_quarter", x, "after", self.at(8, widths[2]), quarter, "encoder.at_quarter")
        x = self.res("at_quarter", x, "up_quarter", self.at(4, widths[1]), filmed=True)
        x = self.up("up_half", x, "at_quarter", self.at(4, widths[1]), half, "half")
        x = self.res("at_half", x, "up_half", self.at(2, widths[0]), filmed=True)
        return self.conv("head", x, q["head.x"], self.at(2, widths[0]), q["head"])

    def up(self, name: str, x: Ref, x_name: str, size: tuple[int, int, int], skip: Ref, skip_name: str) -> Ref:
        q, (rows, columns, _) = self.parts.quants, size
        risen = self.conv(f"{name}.conv", x, q[x_name], size, q[f"{name}.up"], kernel=1, shuffle=True)
        outs = len(self.parts.layers[f"{name}.join"].step)
        return self.conv(
            f"{name}.join", risen, q[f"{name}.up"], (2 * rows, 2 * columns, outs), q[name], kernel=1, beside=skip
        )

    def block(self, i: int, x: Ref, x_name: str) -> Ref:
        name, q, width = f"blocks.{i}", self.parts.quants, self.parts.config.widths[3]
        size = self.at(16, width)
        normed = self.modulate(f"{name}.n1", x, q[x_name], size)
        qkv = self.qkv(name, normed, size)
        shown = self.attend(i, qkv, size)
        residual = self.conv(
            f"{name}.proj",
            shown,
            q[f"{name}.o"],
            size,
            q[f"{name}.between"],
            kernel=1,
            residual=(x, q[x_name]),
            styled=True,
        )
        normed = self.modulate(f"{name}.n2", residual, q[f"{name}.between"], size)
        h = self.conv(f"{name}.up", normed, q[f"{name}.n2"], size, q[f"{name}.h"], kernel=1, active=True)
        wide = (*size[:2], self.parts.config.mlp_ratio * width)
        between = (residual, q[f"{name}.between"])
        return self.conv(f"{name}.down", h, q[f"{name}.h"], wide, q[name], kernel=1, residual=between, styled=True)

    def modulate(self, name: str, x: Ref, quant: Quant, size: tuple[int, int, int]) -> Ref:
        rows, columns, width = size
        y = self.activation(name, *size)
        gain = self.style + self.parts.style[name]
        self.b.op(name, [
            Modulate(
                x=x, gain=gain, shift=gain + 4 * width, y=y, width=width, x_zero=quant.zero,
                y_zero=self.parts.quants[name].zero, begin=begin * columns, end=end * columns,
            )
            for begin, end in self.rows(rows, 2 * TILE_WORK)
        ])  # fmt: skip
        return y

    def qkv(self, name: str, x: Ref, size: tuple[int, int, int]) -> Ref:
        """Queries, keys and values each with a step of their own: one layer whose scales say so."""
        layer, q = self.parts.layers[f"{name}.qkv"], self.parts.quants
        step = np.repeat([q[f"{name}.{part}"].step for part in "qkv"], size[2]).astype(np.float32)
        self.parts.layers[f"{name}.qkv/steps"] = Layer(layer.weight, layer.bias, layer.step / step, layer.add / step)
        return self.conv(f"{name}.qkv/steps", x, q[f"{name}.n1"], size, Quant(1.0), kernel=1)

    def attend(self, i: int, qkv: Ref, size: tuple[int, int, int]) -> Ref:
        rows, columns, width = size
        tokens, heads, name = rows * columns, width // HEAD, f"blocks.{i}"
        kept = {m: self.b.buffer(f"{m}.{i}", kv_bytes(heads, tokens), Role.STATE) for m in MEMORY}
        queries, y = self.activation(f"{name}.q", rows, columns, width), self.activation(f"{name}.o", *size)
        rope = self.rope(rows, columns)
        self.b.op(f"{name}.heads", [
            Heads(
                qkv=qkv, rope=rope, q=queries, kv=kept["now"], heads=heads, tokens=tokens, begin=begin,
                end=min(begin + BLOCK, tokens),
            )
            for begin in range(0, tokens, BLOCK)
        ])  # fmt: skip
        q = self.parts.quants
        self.b.op(f"{name}.attention", [
            Attention(
                q=queries, **kept, style=self.style + self.parts.style[f"{name}.kv"],
                past=self.constant + self.parts.past[i], y=y, heads=heads, tokens=tokens,
                style_tokens=self.parts.config.style_tokens, scale=q[f"{name}.v"].step / q[f"{name}.o"].step,
                begin=begin, end=min(begin + QUERIES, tokens),
            )
            for begin in range(0, tokens, QUERIES)
        ])  # fmt: skip
        return y

    def rope(self, rows: int, columns: int) -> Ref:
        """Cosines and sines of 2-D rotary embedding, (S, 2, K / 2); see layers.rope_table."""
        if "rope" not in self.steps:
            frequency = 100.0 ** (-np.arange(HEAD // 4, dtype=np.float32) / (HEAD // 4))
            y, x = np.mgrid[:rows, :columns].astype(np.float32)
            angle = np.concatenate((y.reshape(-1, 1) * frequency, x.reshape(-1, 1) * frequency), 1)
            self.steps["rope"] = self.put(np.stack((np.cos(angle), np.sin(angle)), 1).reshape(-1))
        return self.steps["rope"]
