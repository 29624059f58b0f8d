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

// Tiles of 4 pixels x 16 outs: with more sums gcc 12 runs out of registers.  In a group of four bytes the first meets the
// third and the second the fourth, so that widening is one shift: of the weights in registers, of the pixels once for all
// their outs.
struct Pairs {
    static constexpr int pixels = 6;
    static constexpr int piece = 768;  // bytes of each pixel that are widened at a time: they stay in the first level

    template <int Wide>
    static void multiply(
        const Segment* segments, int n, std::ptrdiff_t group, const std::int32_t* bias, int count, std::int32_t* sums,
        std::ptrdiff_t row = Wide * lanes, Fetch* = nullptr) {
        static constexpr std::int32_t zeros[Wide * lanes] = {};
        Pieces pieces;
        const std::int32_t* from = bias ? bias : zeros;
        std::ptrdiff_t step = 0;  // all pixels begin with the same
        const auto add_up = [&] {
            for (int j = 0; j < Wide; ++j) add(pieces, j * group, count, from + j * lanes, step, sums + j * lanes, row);
            pieces.count = pieces.filled = 0, from = sums, step = row;
        };
        for (int s = 0; s < n; ++s)
            for (int k = 0, length; k < segments[s].length; k += length) {
                length = least(piece - pieces.filled, segments[s].length - k);
                pieces.put(segments[s], k, length, count);
                if (pieces.filled == piece) add_up();
            }
        if (pieces.filled || from != sums) add_up();
    }

    template <int Wide>
    static void run(const Layer& conv, const Tile& tile) {
        std::int32_t sums[pixels * Wide * lanes];
        multiply<Wide>(tile.segments, tile.n_segments, std::ptrdiff_t(conv.depth()) * lanes, conv.offset + tile.out,
                       tile.pixels, sums);
        finish(conv, tile, Wide * lanes, sums);
    }

private:
    // Parts of segments, widened: of each four bytes, 0 and 2 into wide[0] and 1 and 3 into wide[1], 16 bits each.
    struct Pieces {
        std::int32_t wide[2][pixels][piece / 4 + 8];
        const std::int8_t* weights[piece / 16];
        int fours[piece / 16];
        int count = 0, filled = 0;  // bytes

        void put(const Segment& segment, int k, int length, int n) {
            const __m256i low = _mm256_set1_epi16(0xFF);
            for (int i = 0; i < n; ++i)
                for (int at = 0; at < length; at += 32) {  // what it writes too much the next one overwrites
                    const __m256i four = load<__m256i>(segment.start + i * segment.stride + k + at);
                    store(wide[0][i] + (filled + at) / 4, _mm256_and_si256(four, low));
                    store(wide[1][i] + (filled + at) / 4, _mm256_srli_epi16(four, 8));
                }
            weights[count] = segment.weight + std::ptrdiff_t(k) * lanes;
            fours[count++] = length / 4;
            filled += length;
        }
    };

    static void add(
        const Pieces& pieces, std::ptrdiff_t group, int count, const std::int32_t* from, std::ptrdiff_t step,
        std::int32_t* sums, std::ptrdiff_t row) {
        switch (count) {
            case 1: return tile<1>(pieces, group, from, step, sums, row);
            case 2: return tile<2>(pieces, group, from, step, sums, row);
            case 3: return tile<3>(pieces, group, from, step, sums, row);
            case 4: return tile<4>(pieces, group, from, step, sums, row);
            case 5: return tile<5>(pieces, group, from, step, sums, row);
            default: return tile<6>(pieces, group, from, step, sums, row);
        }
    }

    // Not inlined: its sums need all the registers.
    template <int Pixels>
    [[gnu::noinline]] static void tile(
        const Pieces& pieces, std::ptrdiff_t group, const std::int32_t* from, std::ptrdiff_t step, std::int32_t* sums,
        std::ptrdiff_t row) {
        __m256i acc[Pixels][2];
#pragma GCC unroll 6
        for (int i = 0; i < Pixels; ++i)
            for (int h = 0; h < 2; ++h) acc[i][h] = load<__m256i>(from + i * step + 8 * h);
        const std::int32_t* pixel = pieces.wide[0][0];
        constexpr int next = sizeof pieces.wide[0][0] / 4, odd = sizeof pieces.wide[0] / 4;
        for (int p = 0; p < pieces.count; ++p) {
            const std::int8_t* w = pieces.weights[p] + group;
            for (int k = pieces.fours[p]; k > 0; --k, ++pixel, w += 4 * lanes) {
                __m256i b0 = _mm256_srai_epi16(_mm256_slli_epi16(load<__m256i>(w), 8), 8);
                __m256i b1 = _mm256_srai_epi16(_mm256_slli_epi16(load<__m256i>(w + 32), 8), 8);
#pragma GCC unroll 6
                for (int i = 0; i < Pixels; ++i) {
                    const __m256i a = _mm256_set1_epi32(pixel[i * next]);
                    gather(acc[i][0], a, b0);
                    gather(acc[i][1], a, b1);
                }
                b0 = _mm256_srai_epi16(load<__m256i>(w), 8);
                b1 = _mm256_srai_epi16(load<__m256i>(w + 32), 8);
#pragma GCC unroll 6
                for (int i = 0; i < Pixels; ++i) {
                    const __m256i a = _mm256_set1_epi32(pixel[odd + i * next]);
                    gather(acc[i][0], a, b0);
                    gather(acc[i][1], a, b1);
                }
            }
        }
#pragma GCC unroll 6
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
