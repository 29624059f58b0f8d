// Sixteen lanes of float or int, in the compiler's vector types: the same source and the same bits on every path.
// Everything lies in an unnamed namespace: two paths must never share a compiled function.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "path.h"

#define LANES_FN static inline __attribute__((always_inline))

namespace reverie {
namespace {

typedef float Floats __attribute__((vector_size(64)));
typedef std::int32_t Ints __attribute__((vector_size(64)));
typedef std::uint8_t Bytes __attribute__((vector_size(16)));
typedef std::int8_t Signed __attribute__((vector_size(16)));

template <class V>
LANES_FN V load(const void* from) {
    V v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

template <class V>
LANES_FN void store(void* to, V v) {
    std::memcpy(to, &v, sizeof v);
}

LANES_FN Floats all(float x) { return Floats{} + x; }
#if defined(__AVX2__) && !defined(__AVX512F__)
template <class Op>
LANES_FN Floats by_halves(Floats a, Floats b, Op op) {
    __m256 x[2], y[2];
    std::memcpy(x, &a, 64), std::memcpy(y, &b, 64);
    for (int i = 0; i < 2; ++i) x[i] = op(x[i], y[i]);
    return load<Floats>(x);
}
#endif

// a > b ? a : b, and a < b ? a : b, as x86 has them.
LANES_FN Floats larger(Floats a, Floats b) {
#if defined(__AVX512F__)
    return (Floats)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return by_halves(a, b, [](__m256 x, __m256 y) { return _mm256_max_ps(x, y); });
#else
    return a > b ? a : b;
#endif
}

LANES_FN Floats smaller(Floats a, Floats b) {
#if defined(__AVX512F__)
    return (Floats)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return by_halves(a, b, [](__m256 x, __m256 y) { return _mm256_min_ps(x, y); });
#else
    return a < b ? a : b;
#endif
}

LANES_FN Ints larger(Ints a, Ints b) { return a > b ? a : b; }

// Sixteen bytes as integers; the compiler's own conversion goes byte by byte.
LANES_FN Ints widen(const void* bytes) {
#if defined(__AVX512F__)
    return (Ints)_mm512_cvtepu8_epi32(load<__m128i>(bytes));
#elif defined(__AVX2__)
    const __m256i low = _mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(bytes)));
    const __m256i high = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(static_cast<const char*>(bytes) + 8)));
    Ints v;
    std::memcpy(&v, &low, 32);
    std::memcpy(reinterpret_cast<char*>(&v) + 32, &high, 32);
    return v;
#else
    return __builtin_convertvector(load<Bytes>(bytes), Ints);
#endif
}

LANES_FN Floats to_floats(Ints v) { return __builtin_convertvector(v, Floats); }
LANES_FN Floats bytes_at(const void* bytes) { return to_floats(widen(bytes)); }

// Nearest integers, halves to even, of |x| < 2^22.
LANES_FN Ints rounded(Floats x) {
    constexpr float magic = 12582912.0f;  // 1.5 * 2^23
    return (Ints)(x + magic) - (Ints)all(magic);
}

// Integers of 0 to 255 as bytes; the compiler's own conversion goes byte by byte here too.
LANES_FN Bytes narrow(Ints v) {
#if defined(__AVX512F__)
    return (Bytes)_mm512_cvtepi32_epi8((__m512i)v);
#elif defined(__AVX2__)
    __m256i low, high;
    std::memcpy(&low, &v, 32);
    std::memcpy(&high, reinterpret_cast<const char*>(&v) + 32, 32);
    const __m256i halves = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xD8);
    return (Bytes)_mm_packus_epi16(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
#else
    return __builtin_convertvector(v, Bytes);
#endif
}

LANES_FN Bytes to_bytes(Floats x) { return narrow(rounded(smaller(larger(x, all(0.0f)), all(255.0f)))); }

// Sum and maximum over the lanes, as a tree: lane i meets lane i + 8, then + 4, + 2, + 1.
LANES_FN float total(Floats v) {
    typedef float Eight __attribute__((vector_size(32)));
    typedef float Four __attribute__((vector_size(16)));
    const Eight e = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    const Four f = __builtin_shufflevector(e, e, 0, 1, 2, 3) + __builtin_shufflevector(e, e, 4, 5, 6, 7);
    return (f[0] + f[2]) + (f[1] + f[3]);
}

LANES_FN float largest(Floats v) {
    float x = v[0];
    for (int i = 1; i < 16; ++i) x = v[i] > x ? v[i] : x;
    return x;
}

LANES_FN std::int32_t largest(Ints v) {
    std::int32_t x = v[0];
    for (int i = 1; i < 16; ++i) x = v[i] > x ? v[i] : x;
    return x;
}

// 2^x for x <= 0, zero below -126: minimax polynomial of degree 4 on [-1/2, 1/2], error under 4e-6.
LANES_FN Floats exp2(Floats x) {
    const Floats bounded = larger(x, all(-126.0f));
    const Ints whole = rounded(bounded);
    const Floats f = bounded - to_floats(whole);
    Floats p = all(9.60079e-3f);
    p = p * f + 5.591611e-2f;
    p = p * f + 2.4023711e-1f;
    p = p * f + 6.9312216e-1f;
    p = p * f + 1.0f;
    const Floats y = (Floats)((Ints)p + (whole << 23));
    return x < -126.0f ? all(0.0f) : y;
}

// 2^x for -126 <= x < 8, as rounded integers in the low bytes: a cubic, error under 8e-5.
LANES_FN Ints exp2_rounded(Floats x) {
    constexpr float magic = 12582912.0f;  // 1.5 * 2^23: its bits have nothing in the low nine, so a shift leaves n
    const Floats whole = x + magic, f = x - (whole - magic);
    Floats p = all(5.517167e-2f);
    p = p * f + 2.4261112e-1f;
    p = p * f + 6.9326099e-1f;
    p = p * f + 9.9992807e-1f;
    return (Ints)((Floats)((Ints)p + ((Ints)whole << 23)) + magic) - (Ints)all(magic);
}

}  // namespace
}  // namespace reverie
