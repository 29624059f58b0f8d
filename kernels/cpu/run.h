// All kinds of tasks, for one way to multiply bytes.
#pragma once
#include "attention.h"
#include "finish.h"
#include "language.h"
#include "picture.h"
#include "tokens.h"

namespace reverie {
namespace {

template <class Unit>
bool run_task(tasks::Opcode opcode, const void* record, const Context& at) {
    const auto as = [&]<class T>(T t) {
        std::memcpy(&t, record, sizeof t);
        return t;
    };
    using tasks::Opcode;
    switch (opcode) {
        case Opcode::conv: Walk<Unit>(as(tasks::Conv{}), at).rows(); return true;
        case Opcode::unshuffle: unshuffle(as(tasks::Unshuffle{}), at); return true;
        case Opcode::modulate: modulate(as(tasks::Modulate{}), at); return true;
        case Opcode::heads: heads(as(tasks::Heads{}), at); return true;
        case Opcode::attention: attention<Unit>(as(tasks::Attention{}), at); return true;
        case Opcode::picture: picture(as(tasks::Picture{}), at); return true;
        case Opcode::embed: embed(as(tasks::Embed{}), at); return true;
        case Opcode::project: project<Unit>(as(tasks::Project{}), at); return true;
        case Opcode::recollect: recollect(as(tasks::Recollect{}), at); return true;
        case Opcode::pick: pick(as(tasks::Pick{}), at); return true;
    }
    return false;
}

}  // namespace
}  // namespace reverie
