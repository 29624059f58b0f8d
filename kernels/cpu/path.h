// What a path is: one way to compute every task, compiled with its own flags and chosen at run time.
//
// Every path gives the same bits.  Sums of bytes are exact; float arithmetic is one operation at a time, never fused,
// in the order that reverie.kernels.reference has: sixteen lanes side by side, then a tree (lanes.h).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tasks.h"

namespace reverie {

// What a worker's next tasks will stream from memory, fetched while the present one computes.
struct Fetch {
    static constexpr int most = 12;  // ranges

    const std::uint8_t *next = nullptr, *end = nullptr;
    const std::uint8_t *starts[most], *ends[most];
    int count = 0, taken = 0;

    // Asks for `lines` cache lines, into a level of the caches: 3 is the first, 2 the second.
    template <int Level>
    void step(int lines) {
        if (next >= end) {
            if (taken >= count) return;
            next = starts[taken], end = ends[taken], ++taken;
        }
        for (int i = 0; i < lines; ++i, next += 64) __builtin_prefetch(next, 0, Level);
    }
};

// The inputs of a projection as a worker's last task of it prepared them: its next tasks multiply the same.
struct Kept {
    std::uint32_t launch = 0;
    const void *weight = nullptr, *x = nullptr;  // of which projection
    std::vector<std::uint8_t> bytes;  // [count][2][width]
    std::vector<float> steps;         // [count]
};

// Which of the picture's cells (16 x 16 pixels, a token) are made again; what the others had is kept.
struct Mask {
    const std::uint8_t* cells = nullptr;  // null: all
    int columns = 0;

    // Calls f(begin, end) for each run of columns of row y that is made, in a plane of `width` columns.
    template <class F>
    void runs(int y, int width, F&& f) const {
        if (!cells) return f(0, width);
        const int cell = width / columns;
        const std::uint8_t* row = cells + std::ptrdiff_t(y / cell) * columns;
        for (int c = 0, first = 0; c < columns; c = first) {
            while (c < columns && !row[c]) ++c;
            for (first = c; first < columns && row[first];) ++first;
            if (first > c) f(c * cell, first * cell);
        }
    }
    bool made(int token) const { return !cells || cells[token]; }
};

// Where a task finds its buffers, and memory that only its worker uses.
struct Context {
    std::uint8_t* const* table;
    std::uint8_t* scratch;
    Fetch* fetch;
    Kept* kept;
    std::uint32_t launch;  // its number
    Mask mask;

    template <class T>
    T* at(tasks::Ref ref) const {
        return ref.buffer < 0 ? nullptr : reinterpret_cast<T*>(table[ref.buffer] + ref.offset);
    }
};

constexpr std::size_t scratch_bytes = std::size_t(8) << 20;
constexpr int lanes = 16;  // outs in one packed group

// False if the opcode is unknown.
using Run = bool (*)(tasks::Opcode, const void* record, const Context&);
// Multiply-accumulates `steps` times on registers only; returns 2 * multiplies done.
using Peak = double (*)(long steps);

struct Path {
    const char* name;
    bool (*legal)();  // may this processor run it?
    Run run;
    Peak peak;
};

extern const Path amx_path, avx512_path, avxvnni_path, avx2_path, i8mm_path, neon_path, portable_path;

}  // namespace reverie
