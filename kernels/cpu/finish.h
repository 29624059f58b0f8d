// The epilogue in plain C++, for the paths that have none of their own; compilers vectorise it (-ffp-contract=off).
#pragma once
#include <cmath>

#include "walk.h"

namespace reverie {

inline float activate(float t, const Conv& conv) {
    if (conv.activation == Activation::relu) return t > zero_point ? t : float(zero_point);
    if (conv.activation == Activation::hard_swish) {
        const float u = t - zero_point;
        float open = u * conv.gate + 0.5f;
        open = open > 0.0f ? open : 0.0f;
        open = open < 1.0f ? open : 1.0f;
        return u * open + zero_point;
    }
    return t;
}

// Nearest byte, halves to even (the default rounding mode).
inline std::uint8_t to_byte(float t) {
    const float r = std::nearbyint(t);
    return std::uint8_t(r < 0.0f ? 0.0f : r > 255.0f ? 255.0f : r);
}

// `sums` are [pixels][outs], bias included.
inline void finish(const Conv& conv, const Tile& tile, int outs, const std::int32_t* sums) {
    for (int i = 0; i < tile.pixels; ++i) {
        const std::size_t at = tile.target.offset + i * tile.target.stride;
        for (int o = 0; o < outs; ++o) {
            float t = float(sums[i * outs + o]) * conv.scale[tile.out + o];
            t = activate(t + conv.shift[tile.out + o], conv);
            if (conv.residual) t = t + float(conv.residual[at + o]) * conv.residual_scale;
            const std::uint8_t byte = to_byte(t);
            conv.y[at + o] = conv.activation == Activation::table ? conv.table[byte] : byte;
        }
    }
}

}  // namespace reverie
