// Cuts a convolution into tiles: at most `Unit::pixels` neighbouring pixels times 16 or 32 outs.
//
// A tile reads its operands as segments: runs of bytes contiguous in k, one pixel `stride` after the other. Each kernel
// row is a segment, so is each half of a concatenation, and a stride-2 kernel is two segments with a double stride.
// Only tiles that touch the picture's border are copied first, into a window filled with the zero-point.
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>

#include "conv.h"

namespace reverie {

struct Segment {
    const std::uint8_t* start;
    std::ptrdiff_t stride;  // bytes from one pixel to the next
    int length;             // bytes, a multiple of 16
};

struct Target {
    std::size_t offset;     // of the tile's first byte in y and in residual
    std::ptrdiff_t stride;  // bytes from one pixel to the next
};

struct Tile {
    Segment segments[3];
    int n_segments;
    int pixels;
    int out;  // first out
    Target target;
};

inline int parts(int whole, int most) { return (whole + most - 1) / most; }

// The bytes a tile works on should stay in the first-level cache while its weights do.
constexpr int strip_bytes = 16 * 1024;

template <class Unit>
class Walk {
public:
    explicit Walk(const Conv& conv) : conv_(conv) {
        if (conv.kernel == 3) window_.resize(std::size_t(3) * (Unit::pixels + 2) * conv.channels);
    }

    void rows(int begin, int end) {
        if (conv_.kernel == 1 && !conv_.shuffle) {  // rows follow each other: one long row in strips
            const int last = end * conv_.width;
            const int strip = std::max(strip_bytes / conv_.depth() / Unit::pixels, 1) * Unit::pixels;
            for (int x = begin * conv_.width; x < last; x += strip) row(0, x, std::min(x + strip, last));
        } else {
            for (int y = begin; y < end; ++y) row(y, 0, conv_.columns());
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
        Tile t{};
        t.pixels = pixels;
        t.out = out;
        t.target = target(y, x, out);
        segments(t, y, x);
        if (wide == 2)
            Unit::template run<2>(conv_, t);
        else
            Unit::template run<1>(conv_, t);
    }

    Target target(int y, int x, int out) const {
        const std::size_t columns = conv_.columns();
        if (!conv_.shuffle) return {(y * columns + x) * conv_.outs + out, conv_.outs};
        const int group = conv_.outs / 4, corner = out / group;
        const std::size_t pixel = (2 * std::size_t(y) + corner / 2) * 2 * columns + 2 * std::size_t(x) + corner % 2;
        return {pixel * group + out % group, 2 * group};
    }

    void segments(Tile& t, int y, int x) {
        const std::ptrdiff_t c = conv_.channels, line = c * conv_.width;
        if (conv_.kernel == 1) {
            const std::ptrdiff_t pixel = std::ptrdiff_t(y) * conv_.width + x;
            t.segments[t.n_segments++] = {conv_.x + pixel * c, c, int(c)};
            const std::ptrdiff_t d = conv_.channels_beside;
            if (conv_.beside) t.segments[t.n_segments++] = {conv_.beside + pixel * d, d, int(d)};
        } else if (conv_.kernel == 2) {
            for (int dy = 0; dy < 2; ++dy)
                t.segments[t.n_segments++] = {conv_.x + (2 * y + dy) * line + 2 * x * c, 2 * c, int(2 * c)};
        } else {
            const bool inside = y > 0 && y + 1 < conv_.height && x > 0 && x + t.pixels < conv_.width;
            if (!inside) copy_window(y, x, t.pixels);
            for (int dy = 0; dy < 3; ++dy) {
                const std::uint8_t* start = inside ? conv_.x + (y + dy - 1) * line + (x - 1) * c
                                                   : window_.data() + dy * (t.pixels + 2) * c;
                t.segments[t.n_segments++] = {start, c, int(3 * c)};
            }
        }
    }

    void copy_window(int y, int x, int pixels) {
        const std::ptrdiff_t c = conv_.channels, line = (pixels + 2) * c;
        const int left = std::max(x - 1, 0), right = std::min(x + pixels + 1, conv_.width);
        std::memset(window_.data(), zero_point, 3 * line);
        for (int dy = 0; dy < 3; ++dy) {
            const int from = y + dy - 1;
            if (from < 0 || from >= conv_.height) continue;
            const std::uint8_t* source = conv_.x + (std::ptrdiff_t(from) * conv_.width + left) * c;
            std::memcpy(window_.data() + dy * line + (left - (x - 1)) * c, source, (right - left) * c);
        }
    }

    const Conv& conv_;
    std::vector<std::uint8_t> window_;
};

}  // namespace reverie
