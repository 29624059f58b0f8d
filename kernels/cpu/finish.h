// From sums to bytes: t = sum * scale + shift [+ residual * its scale], activation, zero-point, nearest byte.
#pragma once
#include "walk.h"

namespace reverie {
namespace {

enum Activation { none = 0, hard_swish = 1 };

LANES_FN Floats activate(Floats t, int activation, float gate) {
    if (activation != hard_swish) return t;
    return t * smaller(larger(t * gate + 0.5f, all(0.0f)), all(1.0f));
}

// `sums` are [pixels][outs], bias included; outs a multiple of 16.
LANES_FN void finish(const Layer& conv, const Tile& tile, int outs, const std::int32_t* sums) {
    for (int i = 0; i < tile.pixels; ++i) {
        const std::size_t at = tile.offset + i * tile.stride;
        for (int o = 0; o < outs; o += lanes) {
            Floats t = to_floats(load<Ints>(sums + i * outs + o)) * load<Floats>(conv.times + tile.out + o) +
                       load<Floats>(conv.plus + tile.out + o);
            if (conv.skip)
                t = t + bytes_at(conv.skip + at + o) * load<Floats>(conv.skip_times + tile.vector + o);
            store(conv.output + at + o, to_bytes(activate(t, conv.activation, conv.gate) + float(conv.y_zero)));
        }
    }
}

}  // namespace
}  // namespace reverie
