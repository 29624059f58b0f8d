// Plain C++ for any processor: the same tiles, one multiply at a time.
#include "run.h"

namespace reverie {
namespace {

struct Unit {
    static constexpr int pixels = 4;

    template <int Wide>
    static void multiply(
        const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, int count, std::int32_t* sums,
        std::ptrdiff_t row = Wide * lanes, Fetch* = nullptr) {
        constexpr int outs = Wide * lanes;
        for (int i = 0; i < count; ++i)
            for (int o = 0; o < outs; ++o) sums[i * row + o] = bias ? bias[o] : 0;
        for (int s = 0; s < n; ++s)
            for (int k = 0; k < segments[s].length; k += 4)
                for (int i = 0; i < count; ++i) {
                    const std::uint8_t* a = segments[s].start + i * segments[s].stride + k;
                    for (int j = 0; j < Wide; ++j)
                        for (int o = 0; o < lanes; ++o) {
                            const std::int8_t* b = segments[s].weight + j * group + k * lanes + 4 * o;
                            sums[i * row + j * lanes + o] += a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
                        }
                }
    }

    template <int Wide>
    static void run(const Layer& conv, const Tile& tile) {
        std::int32_t sums[pixels * Wide * lanes];
        multiply<Wide>(tile.segments, tile.n_segments, std::ptrdiff_t(conv.depth()) * lanes, conv.offset + tile.out,
                       tile.pixels, sums);
        finish(conv, tile, Wide * lanes, sums);
    }
};

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

const Path portable_path{"portable", legal, run_task<Unit>, peak};

}  // namespace reverie
