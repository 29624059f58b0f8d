// Runs a program from a file with the interpreter of the GPU, compiled for this processor, and checks the bytes it leaves.
//
// emulate FILE SEED [WAIT]: a fibre a block, one step of a random one at a time.
// emulate FILE threads [WAIT]: a thread a block.
// WAIT is the index of a wait whose threshold is lowered by one, to show that it is noticed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "../cpu/case.h"
#include "fibres.h"

namespace {

using namespace reverie;

constexpr std::size_t scratch_bytes = 8 << 20, margin = 128;

// One order for all models, by how much of each is done: every block keeps to it, so that no two wait for each other.
std::vector<std::int32_t> merged(const Program& p, int block) {
    std::vector<std::int64_t> firsts(p.queues.size(), 0), sizes(p.queues.size(), 0);
    for (std::size_t n = p.nodes.size(); n-- > 0;) firsts[p.nodes[n].model] = n, ++sizes[p.nodes[n].model];
    std::vector<std::int32_t> all;
    for (const auto& model : p.queues) {
        if (!std::is_sorted(model[block].begin(), model[block].end())) throw std::runtime_error("a queue is out of order");
        all.insert(all.end(), model[block].begin(), model[block].end());
    }
    const auto share = [&](std::int32_t n) {
        const int model = p.nodes[n].model;
        return double(n - firsts[model]) / double(sizes[model]);
    };
    std::stable_sort(all.begin(), all.end(), [&](std::int32_t a, std::int32_t b) { return share(a) < share(b); });
    return all;
}

struct Launched {
    const Case& c;
    std::vector<std::unique_ptr<std::uint8_t[]>> memory;
    std::vector<std::uint8_t*> table;
    std::vector<std::int32_t> queue, starts{0};
    std::vector<std::uint32_t> counters, epochs;
    std::vector<std::uint8_t> scratch;
    std::uint32_t abort = 0;
    cuda::Launch launch;

    explicit Launched(const Case& from) : c(from), counters(c.program->counters.size()), epochs(c.models) {
        const Program& p = *c.program;
        for (const auto& bytes : c.before) {
            memory.emplace_back(new std::uint8_t[bytes.size() + margin]());
            std::copy(bytes.begin(), bytes.end(), memory.back().get());
            table.push_back(memory.back().get());
        }
        for (int block = 0; block < c.workers; ++block) {
            const auto own = merged(p, block);
            queue.insert(queue.end(), own.begin(), own.end());
            starts.push_back(int(queue.size()));
        }
        scratch.resize(scratch_bytes * c.workers);
        launch = {reinterpret_cast<const cuda::Node*>(p.nodes.data()), reinterpret_cast<const cuda::Wait*>(p.waits.data()),
                  p.records.data(), queue.data(), starts.data(), epochs.data(), table.data(), counters.data(), &abort,
                  scratch.data(), scratch_bytes};
        static_assert(sizeof(cuda::Node) == sizeof(Node) && sizeof(cuda::Wait) == sizeof(Wait));
    }
    void block(int number) {
        volatile int flag = 0;
        cuda::interpret(launch, number, &flag);
    }
    long done() const {
        long all = 0;
        for (const auto& counter : counters) all += cuda::load_acquire(&counter);
        return all;
    }
    bool holds() const {
        for (std::size_t b = 0; b < table.size(); ++b)
            if (!std::equal(c.after[b].begin(), c.after[b].end(), table[b])) return false;
        return true;
    }
};

// Gives up when nothing was done for long.
void on_fibres(Launched& run, unsigned seed) {
    long before = -1;
    cuda::fibres.run(run.c.workers, seed, [&run](int block) { run.block(block); }, [&] {
        if (run.done() == before) run.abort = 1;
        before = run.done();
    });
}

void on_threads(Launched& run) {
    std::vector<std::thread> threads;
    for (int b = 0; b < run.c.workers; ++b) threads.emplace_back([&run, b] { run.block(b); });
    for (auto& thread : threads) thread.join();
}

}  // namespace

int main(int n, char** arguments) try {
    if (n < 3) throw std::runtime_error("usage: emulate FILE SEED|threads [WAIT]");
    const Case c = read(File(arguments[1]));
    if (n > 3) --c.program->waits.at(std::atoi(arguments[3])).threshold;
    Launched run(c);
    for (int epoch = 0; epoch < c.epochs && !run.abort; ++epoch) {
        for (auto& each : run.epochs) ++each;
        if (std::string(arguments[2]) == "threads")
            on_threads(run);
        else
            on_fibres(run, unsigned(std::atoi(arguments[2])));
    }
    const char* verdict = run.abort ? "GAVE UP" : run.holds() ? "agrees" : "DIFFERS";
    std::printf("%d blocks, %ld yields: %s\n", c.workers, cuda::fibres.yields, verdict);
    return run.abort || !run.holds();
} catch (const std::exception& error) {
    std::fprintf(stderr, "emulate: %s\n", error.what());
    return 2;
}
