// Cuts a convolution into tiles: at most `Unit::pixels` neighbouring pixels times 16 or 32 outs.
//
// A tile reads its operands as segments: runs of bytes contiguous in k, one pixel `stride` after the other, with the
// weights that they meet. Each kernel row is a segment, so is each half of a concatenation, and a stride-2 kernel is two
// segments with a double stride. Only tiles at the picture's border are copied first, into a window of zero-points.
#pragma once
#include "lanes.h"

namespace reverie {
namespace {

struct Segment {
    const std::uint8_t* start;
    std::ptrdiff_t stride;     // bytes from one pixel to the next
    int length;                // bytes, a multiple of 16
    const std::int8_t* weight; // [length / 4][16 outs][4]
};

// Operands of a Conv, found.
struct Layer : tasks::Conv {
    const std::uint8_t *input, *side, *skip;
    const std::int8_t* packed;
    const std::int32_t* offset;
    const float *times, *plus, *skip_times;
    std::uint8_t* output;
    Fetch* fetch;

    Layer(const tasks::Conv& c, const Context& at)
        : tasks::Conv(c), input(at.at<std::uint8_t>(c.x)), side(at.at<std::uint8_t>(c.beside)),
          skip(at.at<std::uint8_t>(c.residual)), packed(at.at<std::int8_t>(c.weight)), offset(at.at<std::int32_t>(c.bias)),
          times(at.at<float>(c.scale)), plus(at.at<float>(c.shift)), skip_times(at.at<float>(c.residual_scale)),
          output(at.at<std::uint8_t>(c.y)), fetch(at.fetch) {}

    int columns() const { return kernel == 2 ? width / 2 : width; }
    int depth() const { return kernel * kernel * channels + beside_channels; }
};

struct Tile {
    Segment segments[3];
    int n_segments;
    int pixels;
    int out;                // first out
    std::size_t offset;     // of the tile's first byte in y and in residual
    std::ptrdiff_t stride;  // bytes from one pixel to the next
    int vector;             // first out of the residual's scale
};

LANES_FN int parts(int whole, int most) { return (whole + most - 1) / most; }
LANES_FN int least(int a, int b) { return a < b ? a : b; }
LANES_FN int most(int a, int b) { return a > b ? a : b; }

// The bytes a tile works on should stay in the first-level cache while its weights do.
constexpr int strip_bytes = 16 * 1024;

template <class Unit>
class Walk {
public:
    Walk(const tasks::Conv& conv, const Context& at) : conv_(conv, at), mask_(at.mask), window_(at.scratch) {}

    void rows() {
        if (mask_.cells) {
            for (int y = conv_.begin; y < conv_.end; ++y)
                mask_.runs(y, conv_.columns(), [&](int begin, int end) { row(y, begin, end); });
        } else if (conv_.kernel == 1 && !conv_.shuffle) {  // rows follow each other: one long row in strips
            const int last = conv_.end * conv_.width;
            const int strip = most(strip_bytes / conv_.depth() / Unit::pixels, 1) * Unit::pixels;
            for (int x = conv_.begin * conv_.width; x < last; x += strip) row(0, x, least(x + strip, last));
        } else {
            for (int y = conv_.begin; y < conv_.end; ++y) row(y, 0, conv_.columns());
        }
    }

private:
    void row(int y, int begin, int end) {
        const int group = conv_.shuffle ? conv_.outs / 4 : conv_.outs;
        const int wide = group % (2 * lanes) == 0 ? 2 : 1;
        const int n = parts(end - begin, Unit::pixels);
        for (int out = 0; out < conv_.outs; out += wide * lanes)
            for (int i = 0; i < n; ++i) {  // tiles of nearly equal size
                const int x = begin + (end - begin) * i / n;
                tile(y, x, begin + (end - begin) * (i + 1) / n - x, out, wide);
            }
    }

    void tile(int y, int x, int pixels, int out, int wide) {
        Tile t;
        t.n_segments = 0;
        t.pixels = pixels;
        t.out = out;
        target(t, y, x, out);
        segments(t, y, x);
        if (wide == 2)
            Unit::template run<2>(conv_, t);
        else
            Unit::template run<1>(conv_, t);
    }

    void target(Tile& t, int y, int x, int out) const {
        const std::size_t columns = conv_.columns();
        t.offset = (y * columns + x) * conv_.outs + out, t.stride = conv_.outs, t.vector = out;
        if (!conv_.shuffle) return;
        const int group = conv_.outs / 4, corner = out / group;
        const std::size_t pixel = (2 * std::size_t(y) + corner / 2) * 2 * columns + 2 * std::size_t(x) + corner % 2;
        t.offset = pixel * group + out % group, t.stride = 2 * group, t.vector = out % group;
    }

    void add(Tile& t, const std::uint8_t* start, std::ptrdiff_t stride, int length, const std::int8_t*& weight) const {
        t.segments[t.n_segments++] = {start, stride, length, weight};
        weight += length * lanes;
    }

    void segments(Tile& t, int y, int x) {
        const std::ptrdiff_t c = conv_.channels, line = c * conv_.width;
        const std::int8_t* weight = conv_.packed + std::ptrdiff_t(t.out / lanes) * conv_.depth() * lanes;
        if (conv_.kernel == 1) {
            const std::ptrdiff_t pixel = std::ptrdiff_t(y) * conv_.width + x, d = conv_.beside_channels;
            add(t, conv_.input + pixel * c, c, int(c), weight);
            if (conv_.side) add(t, conv_.side + pixel * d, d, int(d), weight);
        } else if (conv_.kernel == 2) {
            for (int dy = 0; dy < 2; ++dy)
                add(t, conv_.input + (2 * y + dy) * line + 2 * x * c, 2 * c, int(2 * c), weight);
        } else {
            const bool inside = y > 0 && y + 1 < conv_.height && x > 0 && x + t.pixels < conv_.width;
            if (!inside) copy_window(y, x, t.pixels);
            for (int dy = 0; dy < 3; ++dy)
                add(t, inside ? conv_.input + (y + dy - 1) * line + (x - 1) * c : window_ + dy * (t.pixels + 2) * c, c,
                    int(3 * c), weight);
        }
    }

    void copy_window(int y, int x, int pixels) {
        const std::ptrdiff_t c = conv_.channels, line = (pixels + 2) * c;
        const int left = most(x - 1, 0), right = least(x + pixels + 1, conv_.width);
        std::memset(window_, conv_.x_zero, 3 * line);
        for (int dy = 0; dy < 3; ++dy) {
            const int from = y + dy - 1;
            if (from < 0 || from >= conv_.height) continue;
            const std::uint8_t* source = conv_.input + (std::ptrdiff_t(from) * conv_.width + left) * c;
            std::memcpy(window_ + dy * line + (left - (x - 1)) * c, source, (right - left) * c);
        }
    }

    Layer conv_;
    Mask mask_;
    std::uint8_t* window_;
};

}  // namespace
}  // namespace reverie
