// Runs programs: persistent workers, static queues, counters that only grow.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "path.h"

namespace reverie {

std::vector<const Path*> all_paths();  // of this build, the quickest first

struct Wait {
    std::int32_t counter, threshold;
};

struct Node {
    tasks::Opcode opcode;
    std::int32_t model, op, signal, first_wait, n_waits;
    std::int32_t stream_buffer, stream_offset, stream_bytes;  // the weights that it streams; buffer -1: none
};

struct Program {
    std::vector<Node> nodes;
    std::vector<Wait> waits;
    std::vector<std::uint8_t> records;                      // record_bytes each
    std::vector<std::int32_t> counters;                     // model of each
    std::vector<std::vector<std::vector<std::int32_t>>> queues;  // [model][worker]
    std::int32_t buffers;
};

struct alignas(64) Counter {
    std::atomic<std::uint32_t> value{0};
};

// One set of buffers that a program runs on: a session, or the LLM.
struct Instance {
    std::shared_ptr<const Program> program;
    std::vector<std::uint8_t*> table;
    std::unique_ptr<Counter[]> counters;
    std::vector<std::uint32_t> epochs;  // of each model
    Mask mask;                          // which cells the next launches make

    explicit Instance(std::shared_ptr<const Program> p);
    void reset();  // after a launch that was given up
};

struct Job {
    Instance* instance;
    int model;
};

enum class Order : int {
    fixed = 0,    // each worker takes its own queues only
    stealing = 1, // and the other workers' when it would wait
    unfused = 2,  // one operator after the other, all workers meet in between: the baseline
};

struct Event {
    std::int32_t worker, job, node;
    std::int64_t begin_ns, end_ns;
};

class Pool {
public:
    Pool(const Path& path, int workers, bool pin);
    ~Pool();
    // Runs one epoch of each job and returns the seconds it took.  Throws std::runtime_error if it does not end in time or
    // a task is unknown; after a task that never ended (`broken`) the pool can neither be used nor destroyed.
    double launch(const std::vector<Job>& jobs, Order order, double timeout_s, bool traced);
    const std::vector<Event>& events() const { return events_; }
    int workers() const { return int(threads_.size()); }
    const Path& path() const { return path_; }
    bool broken() const { return broken_; }

private:
    struct Queue {
        const Job* job;
        int index;  // of the job
        const std::vector<std::int32_t>* nodes;
        std::atomic<int> head{0};
        int fetched = 0;  // nodes whose weights were asked for; of the queue's own worker
    };

    void work(int worker);
    void drain(int worker, const Context& context);
    bool take(Queue& queue, int worker, const Context& context);
    bool ready(const Instance& instance, const Node& node) const;
    void look_ahead(int worker, const Queue& but);
    void execute(const Job& job, int index, int worker, int number, const Context& context);
    void step_through(int worker, const Context& context);
    void meet();

    const Path& path_;
    std::vector<std::thread> threads_;
    std::vector<std::uint8_t*> scratch_;
    std::vector<std::unique_ptr<Fetch>> fetches_;
    std::vector<std::unique_ptr<Kept>> kept_;
    std::vector<std::vector<Event>> traces_;
    std::vector<Event> events_;
    std::vector<Job> jobs_;
    std::unique_ptr<Queue[]> queues_;  // [job][worker]
    std::size_t n_queues_ = 0;
    Order order_ = Order::fixed;
    bool traced_ = false, broken_ = false;
    std::atomic<std::uint32_t> launches_{0}, finished_{0}, met_{0};
    std::atomic<bool> stop_{false}, abort_{false};
    std::atomic<int> unknown_{0};
    std::mutex mutex_;
    std::condition_variable wake_, done_;
};

}  // namespace reverie
