// Runs a program from a file, on every path and in every order, and checks the bytes it leaves: for sanitizers and for
// processors that Python does not run on.
//
// replay FILE [WAIT]: WAIT is the index of a wait whose threshold is lowered by one, to show that a race is seen.
#include <cstdio>
#include <cstdlib>
#include <new>

#include "case.h"

namespace {

using namespace reverie;

constexpr int margin = 128;    // bytes that a tile may read beyond the end of a buffer
constexpr int sessions = 2;    // instances in one launch
const char* const orders[] = {"fixed", "stealing", "unfused"};

struct Session {
    Instance instance;
    std::vector<std::uint8_t*> memory;

    explicit Session(const Case& c) : instance(c.program) {
        for (const auto& bytes : c.before) {
            auto* place = static_cast<std::uint8_t*>(::operator new[](bytes.size() + margin, std::align_val_t(64)));
            std::memset(place, 0, bytes.size() + margin);
            if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
            memory.push_back(place);
        }
        instance.table = memory;
    }
    Session(const Session&) = delete;
    ~Session() {
        for (auto* place : memory) ::operator delete[](place, std::align_val_t(64));
    }
    bool holds(const std::vector<std::vector<std::uint8_t>>& bytes) const {
        for (std::size_t b = 0; b < bytes.size(); ++b)
            if (!bytes[b].empty() && std::memcmp(memory[b], bytes[b].data(), bytes[b].size())) return false;
        return true;
    }
};

bool agrees(const Case& c, Pool& pool, Order order) {
    std::vector<std::unique_ptr<Session>> all;
    std::vector<Job> jobs;
    for (int s = 0; s < sessions; ++s) {
        all.push_back(std::make_unique<Session>(c));
        for (int model = 0; model < c.models; ++model) jobs.push_back({&all[s]->instance, model});
    }
    for (int epoch = 0; epoch < c.epochs; ++epoch) pool.launch(jobs, order, 60.0, epoch % 2);
    bool same = true;
    for (const auto& session : all) same = same && session->holds(c.after);
    return same;
}

}  // namespace

int main(int n, char** arguments) try {
    if (n < 2) throw std::runtime_error("usage: replay FILE [WAIT]");
    const Case c = read(File(arguments[1]));
    if (n > 2) --c.program->waits.at(std::atoi(arguments[2])).threshold;
    bool good = true;
    for (const Path* path : all_paths()) {
        if (!path->legal()) continue;
        Pool pool(*path, c.workers, false);
        for (int order = 0; order < 3; ++order) {
            const bool same = agrees(c, pool, Order(order));
            std::printf("%s %s %s\n", path->name, orders[order], same ? "agrees" : "DIFFERS");
            good = good && same;
        }
    }
    return good ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "replay: %s\n", error.what());
    return 2;
}
