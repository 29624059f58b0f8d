// One int8 convolution with its epilogue: what every path computes, to the bit.
//
//   acc = bias + sum(u8 activation * s8 weight)          exact, 32 bits
//   t   = float(acc) * scale + shift                     one multiply, one add, never fused
//   t   = activation(t)                                  see Activation
//   t   = t + float(residual) * residual_scale           if there is a residual
//   y   = clamp(round_half_even(t), 0, 255)
//
// Activations are u8 with zero-point 128. `bias` holds -128 * sum(weights), `shift` holds the output's zero-point.
// Layout: activations (y, x, channel); weights packed [out / 16][k / 4][16 outs][4 ks], k ordered (ky, kx, channel).
#pragma once
#include <cstddef>
#include <cstdint>

namespace reverie {

enum class Activation : int {
    none = 0,
    relu = 1,        // max(t, 128)
    hard_swish = 2,  // with u = t - 128: u * clamp(u * gate + 0.5, 0, 1) + 128, where gate = output step / 6
    table = 3,       // table[clamp(round_half_even(t), 0, 255)]; takes no residual
};

struct Conv {
    const std::uint8_t* x;         // (height, width, channels)
    const std::uint8_t* beside;    // (height, width, channels_beside): concatenated to x, kernel 1 only; or null
    const std::int8_t* weight;     // packed
    const std::int32_t* bias;      // (outs)
    const float* scale;            // (outs)
    const float* shift;            // (outs)
    const std::uint8_t* residual;  // as y, or null
    const std::uint8_t* table;     // (256), or null
    std::uint8_t* y;               // (rows, columns, outs), or (2 rows, 2 columns, outs / 4) if shuffled
    int height, width, channels, channels_beside;
    int kernel;  // 1 | 2 with stride 2, no padding | 3 padded by the zero-point
    int outs;
    bool shuffle;  // outs ordered (dy, dx, channel) go to pixel (2y + dy, 2x + dx)
    Activation activation;
    float gate;
    float residual_scale;

    int rows() const { return kernel == 2 ? height / 2 : height; }
    int columns() const { return kernel == 2 ? width / 2 : width; }
    int depth() const { return kernel * kernel * channels + channels_beside; }
};

constexpr std::uint8_t zero_point = 128;
constexpr int lanes = 16;  // outs in one packed group

// Computes output rows [begin, end).
using ConvRows = void (*)(const Conv&, int begin, int end);
// Multiply-accumulates `steps` times on registers only; returns 2 * multiplies done.
using Peak = double (*)(long steps);

struct Path {
    const char* name;
    bool (*legal)();  // may this processor run it?
    ConvRows conv;
    Peak peak;
};

extern const Path avx512_path, avxvnni_path, avx2_path, portable_path;

}  // namespace reverie
