// Sixteen lanes of float or int: the same source and the same bits on every path, whatever vectors it has.
// Everything lies in an unnamed namespace: two paths must never share a compiled function.
#pragma once
#include "path.h"

#if defined(__AVX2__) && !defined(__AVX512F__)
#include "halves.h"
#else
#include "whole.h"
#endif

namespace reverie {
namespace {

LANES_FN Floats bytes_at(const void* bytes) { return to_floats(widen(bytes)); }

// Nearest integers, halves to even, of |x| < 2^22.
LANES_FN Ints rounded(Floats x) {
    constexpr float magic = 12582912.0f;  // 1.5 * 2^23
    return bits<Ints>(x + magic) - bits<Ints>(all(magic));
}

LANES_FN Bytes to_bytes(Floats x) { return narrow(rounded(smaller(larger(x, all(0.0f)), all(255.0f)))); }

// Sum and maximum over the lanes, as a tree: lane i meets lane i + 8, then + 4, + 2, + 1.
LANES_FN float total(Floats v) {
    typedef float Four __attribute__((vector_size(16)));
    const Eight e = folded(v);
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
    return select(x < -126.0f, all(0.0f), bits<Floats>(bits<Ints>(p) + (whole << 23)));
}

// 2^x for -126 <= x < 8, as rounded integers in the low bytes: a cubic, error under 8e-5.
LANES_FN Ints exp2_rounded(Floats x) {
    constexpr float magic = 12582912.0f;  // 1.5 * 2^23: its bits have nothing in the low nine, so a shift leaves n
    const Floats whole = x + magic, f = x - (whole - magic);
    Floats p = all(5.517167e-2f);
    p = p * f + 2.4261112e-1f;
    p = p * f + 6.9326099e-1f;
    p = p * f + 9.9992807e-1f;
    const Floats power = bits<Floats>(bits<Ints>(p) + (bits<Ints>(whole) << 23));
    return bits<Ints>(power + magic) - bits<Ints>(all(magic));
}

}  // namespace
}  // namespace reverie
