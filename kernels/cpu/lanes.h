// Sixteen lanes of float or int, in the compiler's vector types: the same source and the same bits on every path.
// Everything lies in an unnamed namespace: two paths must never share a compiled function.
#pragma once
#include <cstdint>
#include <cstring>

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
LANES_FN Floats larger(Floats a, Floats b) { return a > b ? a : b; }
LANES_FN Floats smaller(Floats a, Floats b) { return a < b ? a : b; }
LANES_FN Floats to_floats(Ints v) { return __builtin_convertvector(v, Floats); }
LANES_FN Floats to_floats(Bytes v) { return to_floats(__builtin_convertvector(v, Ints)); }

// Nearest integers, halves to even, of |x| < 2^22.
LANES_FN Ints rounded(Floats x) {
    constexpr float magic = 12582912.0f;  // 1.5 * 2^23
    return (Ints)(x + magic) - (Ints)all(magic);
}

LANES_FN Bytes to_bytes(Floats x) {
    return __builtin_convertvector(rounded(smaller(larger(x, all(0.0f)), all(255.0f))), Bytes);
}

// Sum and maximum over the lanes, as a tree: lane i meets lane i + 8, then + 4, + 2, + 1.
LANES_FN float total(Floats v) {
    float x[16];
    store(x, v);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; ++i) x[i] = x[i] + x[i + half];
    return x[0];
}

LANES_FN float largest(Floats v) {
    float x[16];
    store(x, v);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; ++i) x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
    return x[0];
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

}  // namespace
}  // namespace reverie
