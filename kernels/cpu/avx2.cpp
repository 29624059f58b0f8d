// AVX2 without VNNI: bytes meet as pairs of 16 bits (VPMADDWD), which no sum of two products can overflow.
#include <immintrin.h>

#include "run.h"

namespace reverie {
namespace {

// acc += the products of 16 pairs, added in twos.  Written out: gcc 12 adds both halves of a step before it adds them to the
// sum, and then has no register left for every sum.
inline void gather(__m256i& acc, __m256i a, __m256i b) {
    __m256i product;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(acc), "=&x"(product) : "x"(a), "x"(b));
}

// Tiles of 4 pixels x 16 outs: with more sums gcc 12 runs out of registers.  In a group of four bytes the first meets the third and the second the fourth, so that
// widening is one shift: of the weights in registers, of the pixels once for all their outs.
struct Pairs {
    static constexpr int pixels = 4;
    static constexpr int piece = 768;  // bytes of each pixel that are widened at a time: they stay in the first level

    template <int Wide>
    static void multiply(
        const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, int count, std::int32_t* sums,
        std::ptrdiff_t row = Wide * lanes) {
        for (int i = 0; i < count; ++i)
            for (int j = 0; j < Wide; ++j)
                for (int h = 0; h < 2; ++h)
                    store(sums + i * row + j * lanes + 8 * h,
                          bias ? load<__m256i>(bias + j * lanes + 8 * h) : _mm256_setzero_si256());
        for (int s = 0; s < n; ++s)
            for (int k = 0; k < segments[s].length; k += piece) {
                const int length = least(piece, segments[s].length - k);
                std::int32_t wide[2][pixels][piece / 4 + 8];
                widen_pixels(segments[s].start + k, segments[s].stride, length, count, wide);
                for (int j = 0; j < Wide; ++j)
                    add(wide, length / 4, segments[s].weight + std::ptrdiff_t(k) * lanes + j * group, count,
                        sums + j * lanes, row);
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
    using Widened = std::int32_t[pixels][piece / 4 + 8];

    // Of each four bytes, 0 and 2 into wide[0] and 1 and 3 into wide[1], 16 bits each.
    static void widen_pixels(const std::uint8_t* start, std::ptrdiff_t stride, int length, int count, Widened* wide) {
        const __m256i low = _mm256_set1_epi16(0xFF);
        for (int i = 0; i < count; ++i)
            for (int k = 0; k < length; k += 32) {
                const __m256i four = load<__m256i>(start + i * stride + k);
                store(wide[0][i] + k / 4, _mm256_and_si256(four, low));
                store(wide[1][i] + k / 4, _mm256_srli_epi16(four, 8));
            }
    }

    static void add(
        const Widened* wide, int fours, const std::int8_t* weight, int count, std::int32_t* sums, std::ptrdiff_t row) {
        switch (count) {
            case 1: return tile<1>(wide, fours, weight, sums, row);
            case 2: return tile<2>(wide, fours, weight, sums, row);
            case 3: return tile<3>(wide, fours, weight, sums, row);
            default: return tile<4>(wide, fours, weight, sums, row);
        }
    }

    template <int Pixels>
    static void tile(const Widened* wide, int fours, const std::int8_t* w, std::int32_t* sums, std::ptrdiff_t row) {
        __m256i acc[Pixels][2];
#pragma GCC unroll 4
        for (int i = 0; i < Pixels; ++i)
            for (int h = 0; h < 2; ++h) acc[i][h] = load<__m256i>(sums + i * row + 8 * h);
        for (int k = 0; k < fours; ++k, w += 4 * lanes) {
            __m256i b0 = _mm256_srai_epi16(_mm256_slli_epi16(load<__m256i>(w), 8), 8);
            __m256i b1 = _mm256_srai_epi16(_mm256_slli_epi16(load<__m256i>(w + 32), 8), 8);
#pragma GCC unroll 4
            for (int i = 0; i < Pixels; ++i) {
                const __m256i a = _mm256_set1_epi32(wide[0][i][k]);
                gather(acc[i][0], a, b0);
                gather(acc[i][1], a, b1);
            }
            b0 = _mm256_srai_epi16(load<__m256i>(w), 8);
            b1 = _mm256_srai_epi16(load<__m256i>(w + 32), 8);
#pragma GCC unroll 4
            for (int i = 0; i < Pixels; ++i) {
                const __m256i a = _mm256_set1_epi32(wide[1][i][k]);
                gather(acc[i][0], a, b0);
                gather(acc[i][1], a, b1);
            }
        }
#pragma GCC unroll 4
        for (int i = 0; i < Pixels; ++i)
            for (int h = 0; h < 2; ++h) store(sums + i * row + 8 * h, acc[i][h]);
    }
};

// Twelve sums in registers that are named, and products that are written out, so that gcc neither stores nor shares any.
double peak(long steps) {
    const double products = 2.0 * 16 * 12 * double(steps);
    asm volatile(
        "vpcmpeqd %%ymm12, %%ymm12, %%ymm12\n"
        "1:\n"
        ".irp i,0,1,2,3,4,5,6,7,8,9,10,11\n"
        "vpmaddwd %%ymm12, %%ymm12, %%ymm13\n"
        "vpaddd %%ymm13, %%ymm\\i, %%ymm\\i\n"
        ".endr\n"
        "dec %0\n"
        "jnz 1b"
        : "+r"(steps)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12", "xmm13");
    return products;
}

bool legal() { return __builtin_cpu_supports("avx2"); }

}  // namespace

const Path avx2_path{"avx2", legal, run_task<Pairs>, peak};

}  // namespace reverie
