// The interpreter's blocks as fibres of one thread, a random one at a time; for whoever emulates a GPU.
#pragma once
#include <ucontext.h>

#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "interpreter.h"

namespace reverie::cuda {

struct Fibres {
    static constexpr std::size_t stack_bytes = 1 << 18;
    static constexpr long patience = 100'000;  // steps between two looks at whether anything was done

    ucontext_t scheduler;
    std::vector<ucontext_t> contexts;
    std::vector<char> done;
    std::function<void(int)> body;
    int current = -1;
    long yields = 0;

    // Runs body(block) for every block to its end, and `look` from time to time.
    void run(int blocks, unsigned seed, std::function<void(int)> what, const std::function<void()>& look);
};

inline Fibres fibres;

inline void enter(int block) {
    fibres.body(block);
    fibres.done[block] = 1;
}

inline void Fibres::run(
    int blocks, unsigned seed, std::function<void(int)> what, const std::function<void()>& look) {
    std::vector<std::unique_ptr<char[]>> stacks;
    body = std::move(what);
    done.assign(blocks, 0), contexts.assign(blocks, {});
    for (int b = 0; b < blocks; ++b) {
        stacks.emplace_back(new char[stack_bytes]);
        getcontext(&contexts[b]);
        contexts[b].uc_stack = {stacks[b].get(), 0, stack_bytes};
        contexts[b].uc_link = &scheduler;
        makecontext(&contexts[b], reinterpret_cast<void (*)()>(enter), 1, b);
    }
    std::mt19937 dice(seed);
    std::vector<int> left(blocks);
    for (int b = 0; b < blocks; ++b) left[b] = b;
    for (long step = 1; !left.empty(); ++step) {
        const std::size_t i = dice() % left.size();
        current = left[i];
        swapcontext(&scheduler, &contexts[left[i]]);
        if (done[left[i]]) left[i] = left.back(), left.pop_back();
        if (step % patience == 0) look();
    }
    current = -1;
}

inline void relax() {
    if (fibres.current < 0) return std::this_thread::yield();
    ++fibres.yields;
    swapcontext(&fibres.contexts[fibres.current], &fibres.scheduler);
}

}  // namespace reverie::cuda
