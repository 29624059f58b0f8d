// A program from a file, with what its buffers hold before and after: what tests/rig/programs.py writes.
#pragma once
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "machine.h"

namespace reverie {

class File {
public:
    explicit File(const char* name) {
        std::ifstream stream(name, std::ios::binary);
        bytes_.assign(std::istreambuf_iterator<char>(stream), {});
    }
    std::int32_t word() {
        std::int32_t value;
        std::memcpy(&value, take(4), 4);
        return value;
    }
    template <class T>
    std::vector<T> many(std::size_t n) {
        std::vector<T> all(n);
        if (n) std::memcpy(static_cast<void*>(all.data()), take(n * sizeof(T)), n * sizeof(T));
        return all;
    }

private:
    const char* take(std::size_t n) {
        if (n > bytes_.size() - at_) throw std::runtime_error("the file is too short");
        return bytes_.data() + (at_ += n) - n;
    }
    std::vector<char> bytes_;
    std::size_t at_ = 0;
};

struct Case {
    std::shared_ptr<Program> program = std::make_shared<Program>();
    int models, workers, epochs;
    std::vector<std::vector<std::uint8_t>> before, after;  // of each buffer
};

inline Case read(File file) {
    Case c;
    Program& p = *c.program;
    const int nodes = file.word(), waits = file.word(), counters = file.word();
    c.models = file.word(), c.workers = file.word(), p.buffers = file.word(), c.epochs = file.word();
    p.nodes = file.many<Node>(nodes), p.waits = file.many<Wait>(waits);
    p.records = file.many<std::uint8_t>(std::size_t(nodes) * tasks::record_bytes);
    p.counters = file.many<std::int32_t>(counters);
    p.queues.resize(c.models);
    for (auto& queues : p.queues)
        for (int w = 0; w < c.workers; ++w) queues.push_back(file.many<std::int32_t>(file.word()));
    for (int b = 0; b < p.buffers; ++b) {
        const int size = file.word();
        c.before.push_back(file.many<std::uint8_t>(size)), c.after.push_back(file.many<std::uint8_t>(size));
    }
    return c;
}

}  // namespace reverie
