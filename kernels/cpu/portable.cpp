// Plain C++ for any processor: the same tiles, one multiply at a time.
#include "finish.h"

namespace reverie {
namespace {

struct Unit {
    static constexpr int pixels = 4;

    template <int Wide>
    static void run(const Conv& conv, const Tile& tile) {
        constexpr int outs = Wide * lanes;
        std::int32_t sums[pixels * outs];
        for (int i = 0; i < tile.pixels; ++i)
            for (int o = 0; o < outs; ++o) sums[i * outs + o] = conv.bias[tile.out + o];
        const std::ptrdiff_t group = std::ptrdiff_t(conv.depth()) * lanes;
        const std::int8_t* w = conv.weight + tile.out / lanes * group;
        for (int s = 0; s < tile.n_segments; ++s)
            for (int k = 0; k < tile.segments[s].length; k += 4, w += 4 * lanes)
                for (int i = 0; i < tile.pixels; ++i) {
                    const std::uint8_t* a = tile.segments[s].start + i * tile.segments[s].stride + k;
                    for (int j = 0; j < Wide; ++j)
                        for (int o = 0; o < lanes; ++o) {
                            const std::int8_t* b = w + j * group + 4 * o;
                            sums[i * outs + j * lanes + o] += a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
                        }
                }
        finish(conv, tile, outs, sums);
    }
};

void conv_rows(const Conv& conv, int begin, int end) { Walk<Unit>(conv).rows(begin, end); }

double peak(long steps) {
    std::int32_t acc[lanes] = {};
    std::uint8_t a[4] = {1, 2, 3, 4};
    for (long s = 0; s < steps; ++s) {
        asm volatile("" : : "r"(a) : "memory");  // keeps the products from being computed once
        for (int o = 0; o < lanes; ++o) acc[o] += a[0] * o + a[1] * o + a[2] * o + a[3] * o;
    }
    asm volatile("" : : "r"(acc) : "memory");
    return 2.0 * 4 * lanes * double(steps);
}

bool legal() { return true; }

}  // namespace

const Path portable_path{"portable", legal, conv_rows, peak};

}  // namespace reverie
