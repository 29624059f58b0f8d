// What a path is: one way to compute every task, compiled with its own flags and chosen at run time.
//
// Every path gives the same bits.  Sums of bytes are exact; float arithmetic is one operation at a time, never fused,
// in the order that reverie.kernels.reference has: sixteen lanes side by side, then a tree (lanes.h).
#pragma once
#include <cstddef>
#include <cstdint>

#include "tasks.h"

namespace reverie {

// What a worker's next tasks will stream from memory, fetched while the present one computes.
struct Fetch {
    static constexpr int most = 12;  // ranges

    const std::uint8_t *next = nullptr, *end = nullptr;
    const std::uint8_t *starts[most], *ends[most];
    int count = 0, taken = 0;

    // Asks for `lines` cache lines, into the second level.
    void step(int lines) {
        if (next >= end) {
            if (taken >= count) return;
            next = starts[taken], end = ends[taken], ++taken;
        }
        for (int i = 0; i < lines; ++i, next += 64) __builtin_prefetch(next, 0, 2);
    }
};

// Where a task finds its buffers, and memory that only its worker uses.
struct Context {
    std::uint8_t* const* table;
    std::uint8_t* scratch;
    Fetch* fetch;

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
