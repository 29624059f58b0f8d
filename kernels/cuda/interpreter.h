// The persistent interpreter: each block takes the tasks of its own queue in order; counters only grow.
#pragma once
#include "attention.h"
#include "language.h"

namespace reverie::cuda {

struct Wait {
    std::int32_t counter, threshold;
};

struct Node {  // as kernels/cpu/machine.h has it
    tasks::Opcode opcode;
    std::int32_t model, op, signal, first_wait, n_waits;
    std::int32_t stream_buffer, stream_offset, stream_bytes;
};

// Everything lies in the device's memory.  Nothing is reset between launches: thresholds are multiplied by the epoch.
struct Launch {
    const Node* nodes;
    const Wait* waits;
    const std::uint8_t* records;       // record_bytes each
    const std::int32_t* queue;         // the nodes of all blocks, block after block
    const std::int32_t* queue_starts;  // blocks + 1
    const std::uint32_t* epochs;       // of each model
    std::uint8_t* const* table;
    std::uint32_t* counters;
    std::uint32_t* abort;  // not 0: give up
    std::uint8_t* scratch;
    std::size_t scratch_each;  // bytes of a warp
};

constexpr std::uint32_t longest_wait = 1u << 24;  // looks at a counter, about a second: then the launch is given up

template <class Task>
DEVICE Task record_of(const std::uint8_t* record) {
    Task task;
    memcpy(&task, record, sizeof task);
    return task;
}

DEVICE void execute(tasks::Opcode opcode, const std::uint8_t* record, const Context& at) {
    using tasks::Opcode;
    switch (opcode) {
        case Opcode::conv: return conv(record_of<tasks::Conv>(record), at);
        case Opcode::unshuffle: return unshuffle(record_of<tasks::Unshuffle>(record), at);
        case Opcode::modulate: return modulate(record_of<tasks::Modulate>(record), at);
        case Opcode::heads: return heads(record_of<tasks::Heads>(record), at);
        case Opcode::attention: return attention(record_of<tasks::Attention>(record), at);
        case Opcode::picture: return picture(record_of<tasks::Picture>(record), at);
        case Opcode::embed: return embed(record_of<tasks::Embed>(record), at);
        case Opcode::project: return project(record_of<tasks::Project>(record), at);
        case Opcode::recollect: return recollect(record_of<tasks::Recollect>(record), at);
        case Opcode::pick: return pick(record_of<tasks::Pick>(record), at);
    }
}

// False if the launch was given up.
DEVICE bool wait_for(const Launch& launch, const Node& node) {
    for (int i = 0; i < node.n_waits; ++i) {
        const Wait wait = launch.waits[node.first_wait + i];
        const std::uint32_t wanted = launch.epochs[node.model] * std::uint32_t(wait.threshold);
        for (std::uint32_t looked = 0; std::int32_t(load_acquire(launch.counters + wait.counter) - wanted) < 0; ++looked) {
            if (load_acquire(launch.abort)) return false;
            if (looked == longest_wait) return add_release(launch.abort), false;
            relax();
        }
    }
    return true;
}

// `flag` is memory that the block's threads share.
DEVICE void interpret(const Launch& launch, int block, volatile int* flag) {
    const Context at = {launch.table, launch.scratch + std::size_t(block) * warps() * launch.scratch_each,
                        launch.scratch_each};
    for (int i = launch.queue_starts[block]; i < launch.queue_starts[block + 1]; ++i) {
        const int number = launch.queue[i];
        const Node node = launch.nodes[number];
        if (thread() == 0) *flag = wait_for(launch, node);
        block_sync();
        if (!*flag) return;
        execute(node.opcode, launch.records + std::size_t(number) * tasks::record_bytes, at);
        block_sync();
        if (thread() == 0) add_release(launch.counters + node.signal);
    }
}

}  // namespace reverie::cuda
