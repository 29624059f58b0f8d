// AVX512-VNNI: tiles of 12 pixels x 32 outs in 24 accumulators. VBMI looks 64 bytes up in a 256-entry table at once.
#include <immintrin.h>

#include <array>
#include <utility>

#include "walk.h"

namespace reverie {
namespace {

struct Unit {
    static constexpr int pixels = 12;

    template <int Wide>
    static void run(const Conv& conv, const Tile& tile);
};

// Sums of one tile, as the epilogue reads them: [pixels][Wide * 16].
struct alignas(64) Sums {
    std::int32_t values[(Unit::pixels + 3) * 2 * lanes];
};

template <int Pixels, int Wide>
void multiply(const Conv& conv, const Tile& tile, Sums& sums) {
    __m512i acc[Pixels][Wide];
#pragma GCC unroll 2
    for (int j = 0; j < Wide; ++j) {
        const __m512i start = _mm512_loadu_si512(conv.bias + tile.out + j * lanes);
#pragma GCC unroll 12
        for (int i = 0; i < Pixels; ++i) acc[i][j] = start;
    }
    const std::ptrdiff_t group = std::ptrdiff_t(conv.depth()) * lanes;
    const std::int8_t* w = conv.weight + tile.out / lanes * group;
    for (int s = 0; s < tile.n_segments; ++s) {
        const std::ptrdiff_t stride = tile.segments[s].stride;
        const std::uint8_t* third[4];  // every third pixel has a pointer; the two after it are reached by index
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) third[q] = tile.segments[s].start + 3 * q * stride;
        for (int k = 0; k < tile.segments[s].length; k += 16) {
#pragma GCC unroll 4
            for (int u = 0; u < 16; u += 4) {
                __m512i b[Wide];
#pragma GCC unroll 2
                for (int j = 0; j < Wide; ++j) b[j] = _mm512_loadu_si512(w + j * group + u * lanes);
#pragma GCC unroll 12
                for (int i = 0; i < Pixels; ++i) {
                    std::int32_t four;
                    std::memcpy(&four, third[i / 3] + (i % 3) * stride + u, 4);
                    const __m512i a = _mm512_set1_epi32(four);
#pragma GCC unroll 2
                    for (int j = 0; j < Wide; ++j) acc[i][j] = _mm512_dpbusd_epi32(acc[i][j], a, b[j]);
                }
            }
            w += 16 * lanes;
#pragma GCC unroll 4
            for (int q = 0; q < (Pixels + 2) / 3; ++q) third[q] += 16;
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < Pixels; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < Wide; ++j) _mm512_store_si512(sums.values + (i * Wide + j) * lanes, acc[i][j]);
}

// Four vectors of 16 integers to 64 saturated bytes, in order.
inline __m512i narrow(const __m512i v[4]) {
    const __m512i low = _mm512_packs_epi32(v[0], v[1]), high = _mm512_packs_epi32(v[2], v[3]);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
}

struct Lookup {
    __m512i quarter[4];

    explicit Lookup(const std::uint8_t* table) {
        for (int i = 0; i < 4; ++i) quarter[i] = _mm512_loadu_si512(table + 64 * i);
    }
    __m512i operator()(__m512i index) const {
        const __m512i low = _mm512_permutex2var_epi8(quarter[0], index, quarter[1]);
        const __m512i high = _mm512_permutex2var_epi8(quarter[2], index, quarter[3]);
        return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high);
    }
};

template <Activation A>
inline __m512 activate(__m512 t, __m512 gate) {
    const __m512 zero = _mm512_set1_ps(zero_point);
    if constexpr (A == Activation::relu) return _mm512_max_ps(t, zero);
    if constexpr (A == Activation::hard_swish) {
        const __m512 u = _mm512_sub_ps(t, zero);
        __m512 open = _mm512_add_ps(_mm512_mul_ps(u, gate), _mm512_set1_ps(0.5f));
        open = _mm512_min_ps(_mm512_max_ps(open, _mm512_setzero_ps()), _mm512_set1_ps(1.0f));
        return _mm512_add_ps(_mm512_mul_ps(u, open), zero);
    }
    return t;
}

inline __m512 widen(const std::uint8_t* bytes) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
}

template <int Wide>
inline void put(std::uint8_t* y, const Target& target, int pixel, int pixels, __m512i bytes) {
    std::uint8_t* to = y + target.offset + pixel * target.stride;
    if constexpr (Wide == 2) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(bytes));
        if (pixel + 1 < pixels)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + target.stride), _mm512_extracti64x4_epi64(bytes, 1));
    } else {
        alignas(64) std::uint8_t all[64];
        _mm512_store_si512(all, bytes);
        for (int i = 0; i < 4 && pixel + i < pixels; ++i) std::memcpy(to + i * target.stride, all + i * lanes, lanes);
    }
}

template <int Wide, Activation A, bool Residual>
void finish(const Conv& conv, const Tile& tile, const Sums& sums) {
    __m512 scale[Wide], shift[Wide];
    for (int j = 0; j < Wide; ++j) {
        scale[j] = _mm512_loadu_ps(conv.scale + tile.out + j * lanes);
        shift[j] = _mm512_loadu_ps(conv.shift + tile.out + j * lanes);
    }
    const __m512 gate = _mm512_set1_ps(conv.gate), residual_scale = _mm512_set1_ps(conv.residual_scale);
    static constexpr std::uint8_t unused[256] = {};
    const Lookup lookup(A == Activation::table ? conv.table : unused);
    for (int pixel = 0; pixel < tile.pixels; pixel += 4 / Wide) {
        __m512i v[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            __m512 t = _mm512_cvtepi32_ps(_mm512_load_si512(sums.values + (pixel * Wide + i) * lanes));
            t = activate<A>(_mm512_add_ps(_mm512_mul_ps(t, scale[i % Wide]), shift[i % Wide]), gate);
            if constexpr (Residual) {
                const int from = std::min(pixel + i / Wide, tile.pixels - 1);
                const __m512 r = widen(conv.residual + tile.target.offset + from * tile.target.stride + i % Wide * lanes);
                t = _mm512_add_ps(t, _mm512_mul_ps(r, residual_scale));
            }
            v[i] = _mm512_cvtps_epi32(t);
        }
        __m512i bytes = narrow(v);
        if constexpr (A == Activation::table) bytes = lookup(bytes);
        put<Wide>(conv.y, tile.target, pixel, tile.pixels, bytes);
    }
}

template <int Wide, int... Is>
constexpr auto multipliers(std::integer_sequence<int, Is...>) {
    return std::array<void (*)(const Conv&, const Tile&, Sums&), sizeof...(Is)>{multiply<Is + 1, Wide>...};
}

template <int Wide>
void Unit::run(const Conv& conv, const Tile& tile) {
    static constexpr auto multiply_by = multipliers<Wide>(std::make_integer_sequence<int, pixels>{});
    using enum Activation;
    static constexpr void (*finish_by[4][2])(const Conv&, const Tile&, const Sums&) = {
        {finish<Wide, none, false>, finish<Wide, none, true>},
        {finish<Wide, relu, false>, finish<Wide, relu, true>},
        {finish<Wide, hard_swish, false>, finish<Wide, hard_swish, true>},
        {finish<Wide, table, false>, finish<Wide, table, false>},
    };
    Sums sums;
    multiply_by[tile.pixels - 1](conv, tile, sums);
    finish_by[int(conv.activation)][conv.residual != nullptr](conv, tile, sums);
}

void conv_rows(const Conv& conv, int begin, int end) { Walk<Unit>(conv).rows(begin, end); }

double peak(long steps) {
    __m512i acc[24], a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(1);
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i) acc[i] = _mm512_set1_epi32(i);  // in registers, and none equal to another
    for (long s = 0; s < steps; ++s) {
        asm volatile("" : "+v"(a), "+v"(b));  // keeps the loop's products from being computed once
#pragma GCC unroll 24
        for (int i = 0; i < 24; ++i) acc[i] = _mm512_dpbusd_epi32(acc[i], a, b);
    }
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i) asm volatile("" : : "v"(acc[i]));
    return 2.0 * 64 * 24 * double(steps);
}

bool legal() {
    return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

}  // namespace

const Path avx512_path{"avx512vnni", legal, conv_rows, peak};

}  // namespace reverie
