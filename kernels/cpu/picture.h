// The two ends of the network: camera bytes in, the picture shown out.
#pragma once
#include "walk.h"

namespace reverie {
namespace {

LANES_FN void unshuffle(const tasks::Unshuffle& t, const Context& at) {
    const std::uint64_t zeros = 0x01010101u * std::uint64_t(t.zero) << 32;
    for (int y = t.begin; y < t.end; ++y) {
        const std::uint8_t* x = at.at<std::uint8_t>(t.x) + std::ptrdiff_t(y) * 6 * t.width;
        std::uint8_t* out = at.at<std::uint8_t>(t.y) + std::ptrdiff_t(y) * 8 * t.width;
        for (int i = 0; i < t.width / 2; ++i, x += 6, out += 16) {
            // six bytes of each row; the two more that are loaded are of the other row
            const auto upper = load<std::uint64_t>(x), lower = load<std::uint64_t>(x + 3 * t.width - 2) >> 16;
            store(out, (upper & 0xFFFFFFFFFFFFu) | lower << 48);
            store(out + 8, (lower >> 16 & 0xFFFFFFFFu) | zeros);
        }
    }
}

// Sixteen pixels of a row, one plane after the other, and back.
LANES_FN void split(const std::uint8_t* x, Floats plane[3]) {
    std::uint8_t bytes[3][lanes];
    for (int i = 0; i < lanes; ++i)
        for (int c = 0; c < 3; ++c) bytes[c][i] = x[3 * i + c];
    for (int c = 0; c < 3; ++c) plane[c] = to_floats(load<Bytes>(bytes[c]));
}

// Pixels of one row of the residual, (x / 2, 16): the sub-row's three channels at x and x + 1 lie three apart.
LANES_FN void split_residual(const std::uint8_t* r, int row, Floats plane[3]) {
    std::uint8_t bytes[3][lanes];
    for (int i = 0; i < lanes; ++i)
        for (int c = 0; c < 3; ++c) bytes[c][i] = r[i / 2 * 16 + row * 6 + i % 2 * 3 + c];
    for (int c = 0; c < 3; ++c) plane[c] = to_floats(load<Bytes>(bytes[c]));
}

LANES_FN void picture(const tasks::Picture& t, const Context& at) {
    const float *m = at.at<float>(t.colour), strength = *at.at<float>(t.strength);
    for (int y = 2 * t.begin; y < 2 * t.end; ++y) {
        const std::uint8_t* source = at.at<std::uint8_t>(t.source) + std::ptrdiff_t(y) * 3 * t.width;
        const std::uint8_t* residual = at.at<std::uint8_t>(t.residual) + std::ptrdiff_t(y / 2) * 8 * t.width;
        std::uint8_t* out = at.at<std::uint8_t>(t.y) + std::ptrdiff_t(y) * 3 * t.width;
        for (int x = 0; x < t.width; x += lanes) {
            Floats from[3], add[3];
            std::uint8_t bytes[3][lanes];
            split(source + 3 * x, from);
            split_residual(residual + 8 * x, y % 2, add);
            for (int c = 0; c < 3; ++c) {
                Floats v = all(m[4 * c + 3]) + (add[c] - float(t.zero)) * t.step;
                for (int k = 0; k < 3; ++k) v = v + (from[k] * (1.0f / 127.5f) - 1.0f) * m[4 * c + k];
                v = smaller(larger(v, all(-1.0f)), all(1.0f)) * 127.5f + 127.5f;
                store(bytes[c], to_bytes(from[c] + (v - from[c]) * strength));
            }
            for (int i = 0; i < lanes; ++i)
                for (int c = 0; c < 3; ++c) out[3 * (x + i) + c] = bytes[c][i];
        }
    }
}

}  // namespace
}  // namespace reverie
