// What a path is: one way to compute every task, compiled with its own flags and chosen at run time.
//
// Every path gives the same bits.  Sums of bytes are exact; float arithmetic is one operation at a time, never fused,
// in the order that reverie.kernels.reference has: sixteen lanes side by side, then a tree (lanes.h).
#pragma once
#include <cstddef>
#include <cstdint>

#include "tasks.h"

namespace reverie {

// Where a task finds its buffers, and memory that only its worker uses.
struct Context {
    std::uint8_t* const* table;
    std::uint8_t* scratch;
    mutable const std::uint8_t *next = nullptr, *next_end = nullptr;  // weights to fetch meanwhile

    // Brings a little of what the worker's next task will stream closer, while this one computes.
    void fetch_ahead() const {
        for (int i = 0; i < 6 && next < next_end; ++i, next += 64) __builtin_prefetch(next, 0, 2);
    }

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

extern const Path amx_path, avx512_path, avxvnni_path, avx2_path, portable_path;

}  // namespace reverie
