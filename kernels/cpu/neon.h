// AArch64 tiles of 4 pixels x 16 outs: a pixel's bytes are met lane by lane; `Dot` says how.
#pragma once
#include <arm_neon.h>
#include <sys/auxv.h>

#include "run.h"

namespace reverie {
namespace {

template <class Dot>
struct Neon {
    static constexpr int pixels = 4;

    template <int Wide>
    static void multiply(
        const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, int count, std::int32_t* sums,
        std::ptrdiff_t row = Wide * lanes, Fetch* = nullptr) {
        for (int j = 0; j < Wide; ++j) {
            const std::int32_t* start = bias ? bias + j * lanes : nullptr;
            switch (count) {
                case 1: tile<1>(segments, n, j * group, start, sums + j * lanes, row); break;
                case 2: tile<2>(segments, n, j * group, start, sums + j * lanes, row); break;
                case 3: tile<3>(segments, n, j * group, start, sums + j * lanes, row); break;
                default: tile<4>(segments, n, j * group, start, sums + j * lanes, row);
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

private:
    template <int Pixels>
    static void tile(
        const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, std::int32_t* sums,
        std::ptrdiff_t row) {
        int32x4_t acc[Pixels][4], off[4];
        for (int q = 0; q < 4; ++q) {
            off[q] = vdupq_n_s32(0);
            for (int i = 0; i < Pixels; ++i) acc[i][q] = bias ? vld1q_s32(bias + 4 * q) : off[q];
        }
        for (int s = 0; s < n; ++s) {
            const std::int8_t* w = segments[s].weight + group;
            for (int k = 0; k < segments[s].length; k += 16, w += 16 * lanes) {
                typename Dot::Bytes a[Pixels];
                for (int i = 0; i < Pixels; ++i) a[i] = Dot::bytes(segments[s].start + i * segments[s].stride + k);
                step<0>(acc, off, a, w);
                step<1>(acc, off, a, w + 64);
                step<2>(acc, off, a, w + 128);
                step<3>(acc, off, a, w + 192);
            }
        }
        for (int i = 0; i < Pixels; ++i)
            for (int q = 0; q < 4; ++q) vst1q_s32(sums + i * row + 4 * q, vsubq_s32(acc[i][q], off[q]));
    }

    // Four bytes of each pixel with four of each out.
    template <int Lane, int Pixels>
    static void step(
        int32x4_t (&acc)[Pixels][4], int32x4_t (&off)[4], const typename Dot::Bytes (&a)[Pixels], const std::int8_t* w) {
        for (int q = 0; q < 4; ++q) {
            const int8x16_t b = vld1q_s8(w + 16 * q);
            off[q] = Dot::off(off[q], b);
            for (int i = 0; i < Pixels; ++i) acc[i][q] = Dot::template add<Lane>(acc[i][q], a[i], b);
        }
    }
};

template <class Dot>
double neon_peak(long steps) {
    const std::uint8_t ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    auto a = Dot::bytes(ones);
    int8x16_t b = vdupq_n_s8(1);
    int32x4_t acc[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) acc[i] = vdupq_n_s32(i);
    for (long s = 0; s < steps; ++s) {
        asm volatile("" : "+w"(a), "+w"(b));
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i) acc[i] = Dot::template add<0>(acc[i], a, b);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) asm volatile("" : : "w"(acc[i]));
    return 2.0 * 16 * 16 * double(steps);
}

}  // namespace
}  // namespace reverie
