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

// Three values a pixel, side by side: out[i] takes from its neighbours i - 2 .. i + 2 what its colour's row of the matrix
// says, nothing where they belong to another pixel.  The colours come round every three vectors.
struct Mix {
    Floats offset[3], share[3][5];

    explicit Mix(const float* matrix) {
        float row[6][lanes];  // what is added, then the shares
        for (int phase = 0; phase < 3; ++phase) {
            for (int i = 0; i < lanes; ++i) {
                const int colour = (phase * lanes + i) % 3;
                row[0][i] = matrix[4 * colour + 3];
                for (int d = 0; d < 5; ++d) {
                    const int from = colour + d - 2;
                    row[1 + d][i] = from >= 0 && from < 3 ? matrix[4 * colour + from] : 0.0f;
                }
            }
            offset[phase] = load<Floats>(row[0]);
            for (int d = 0; d < 5; ++d) share[phase][d] = load<Floats>(row[1 + d]);
        }
    }
};

LANES_FN void picture(const tasks::Picture& t, const Context& at) {
    const float strength = *at.at<float>(t.strength);
    const Mix mix(at.at<float>(t.colour));
    std::uint8_t *source = at.scratch + 64, *add = source + 3 * t.width + 128, *out = add + 3 * t.width + 128;
    for (int y = 2 * t.begin; y < 2 * t.end; ++y) {
        const std::size_t row = std::size_t(y) * 3 * t.width;
        std::memcpy(source, at.at<std::uint8_t>(t.source) + row, 3 * t.width);
        const std::uint8_t* residual = at.at<std::uint8_t>(t.residual) + std::ptrdiff_t(y / 2) * 8 * t.width + y % 2 * 6;
        for (int x = 0; x < t.width / 2; ++x) std::memcpy(add + 6 * x, residual + 16 * x, 8);
        const auto show = [&](int begin, int end) {  // whole cells of 16 pixels: the colours begin anew
            for (int i = 3 * begin, phase = 0; i < 3 * end; i += lanes, phase = phase == 2 ? 0 : phase + 1) {
                Floats v = mix.offset[phase] + (bytes_at(add + i) - float(t.zero)) * t.step;
                for (int d = 0; d < 5; ++d)
                    v = v + (bytes_at(source + i + d - 2) * (1.0f / 127.5f) - 1.0f) * mix.share[phase][d];
                v = smaller(larger(v, all(-1.0f)), all(1.0f)) * 127.5f + 127.5f;
                const Floats from = bytes_at(source + i);
                store(out + i, to_bytes(from + (v - from) * strength));
            }
            std::memcpy(at.at<std::uint8_t>(t.y) + row + 3 * begin, out + 3 * begin, 3 * (end - begin));
        };
        at.mask.runs(y, t.width, show);
    }
}

}  // namespace
}  // namespace reverie
