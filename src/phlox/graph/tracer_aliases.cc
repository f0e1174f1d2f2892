// What comes out of a branch or loop is a value of its own in the graph. Eagerly it may be a tensor that existed before:
// then a write into one of the two shows in the other. The tracer knows which may be one, and refuses to read what may
// have been written under another name.
#include <algorithm>

#include "phlox/core/origin.h"
#include "phlox/core/recording.h"
#include "phlox/graph/tracer.h"

namespace phlox::graph {
namespace {

bool intersect(const std::set<const Storage*>& a, const std::set<const Storage*>& b) {
  return std::any_of(a.begin(), a.end(), [&](const Storage* storage) { return b.contains(storage); });
}

[[noreturn]] void refuse(const char* summary, const Tensor& tensor, const std::string& where = {}) {
  auto error = fail<GraphError>(ErrorCode::not_capturable, "{}", summary);
  error.detail("tensor", describe(tensor));
  if (!where.empty()) error.detail("written", where);
  error.hint("y = y + 1 in place of y += 1; or clone() where the branch or loop gets the tensor").raise();
}

[[noreturn]] void refuse_write(const Tensor& other) {
  refuse("a tensor is written in place that may be another one, by the way that a branch or loop takes",
         other);
}

}  // namespace

Tracer::Origins Tracer::origins_of(const Storage* storage) const {
  for (const Tracer* tracer = this; tracer; tracer = tracer->parent_)
    if (const auto found = tracer->origins_.find(storage); found != tracer->origins_.end())
      return found->second;
  return {storage};
}

Tensor Tracer::holder_of(const Storage* storage) const {
  const auto found = memories_.find(storage);
  if (found != memories_.end()) return Tensor(found->second->holder);
  return parent_ ? parent_->holder_of(storage) : Tensor();
}

void Tracer::add_origins(const Tensor& tensor, const Origins& origins) {
  memory_of(tensor);  // holds it
  const Storage* storage = tensor.impl()->storage;
  Origins all = origins_of(storage);
  all.insert(origins.begin(), origins.end());
  origins_.insert_or_assign(storage, std::move(all));
}

void Tracer::note_alias(const Tensor& copy, const Tensor& original, std::function<Tensor()> again) {
  if (copy.shares_storage_with(original)) return;
  add_origins(copy, origins_of(original.impl()->storage));
  add_origins(original, {});
  if (Layout(*copy.impl()).sizes != Layout(*original.impl()).sizes || !original.is_contiguous())
    views_.insert(copy.impl()->storage);
  if (again)
    memory_of(copy).taken =
        std::make_unique<Taken>(Taken{original, memory_of(original).written, std::move(again)});
}

void Tracer::mark_stale(const Tensor& tensor, const std::string& where) {
  const Storage* storage = tensor.impl()->storage;
  if (!parent_ && storage->capture != number_) {
    const auto memory = memories_.find(storage);
    if (memory == memories_.end() || memory->second->source >= 0) refuse_write(tensor);
  }
  stale_.try_emplace(storage, where);
}

void Tracer::mark_stale_aliases(const Memory& written) {
  bool any = false;
  for (const Tracer* tracer = this; tracer; tracer = tracer->parent_) any |= !tracer->origins_.empty();
  if (!any) return;
  const Storage* storage = written.holder->storage;
  const Origins mine = origins_of(storage);
  Origins others;
  for (const Tracer* tracer = this; tracer; tracer = tracer->parent_)
    for (const auto& [other, origins] : tracer->origins_)
      if (other != storage && other != copied_ && intersect(mine, origins_of(other))) others.insert(other);
  for (const Storage* other : others) {
    const auto memory = memories_.find(other);
    const Taken* taken = memory == memories_.end() ? nullptr : memory->second->taken.get();
    if (!taken || taken->original.impl()->storage != storage) mark_stale(holder_of(other), origin_of_call());
  }
}

Tracer::Memory& Tracer::fresh_memory_of(const Tensor& tensor) {
  Memory& memory = memory_of(tensor);
  for (const Tracer* tracer = this; tracer; tracer = tracer->parent_)
    if (const auto stale = tracer->stale_.find(tensor.impl()->storage); stale != tracer->stale_.end())
      refuse(
          "a tensor is read that may have been written in place as another one, by the way that a branch or loop took",
          tensor, stale->second);
  if (memory.taken) take_again(memory);
  return memory;
}

void Tracer::take_again(Memory& memory) {
  const std::uint32_t written = memory_of(memory.taken->original).written;
  if (written == memory.taken->written) return;
  memory.taken->written = written;
  if (needs_gradient(memory.taken->original)) refuse_write(memory.taken->original);
  const Tensor again = [&] {
    InterpreterScope interpreted(*this);
    return memory.taken->again();
  }();
  memory.looks[0].value = value_of(again);
  ++memory.written;
}

std::vector<Captured::Stale> Tracer::stale_around() const {
  std::vector<Captured::Stale> found;
  for (const auto& [storage, where] : stale_) {
    const auto memory = memories_.find(storage);
    if (memory != memories_.end() && memory->second->source < 0) continue;  // it goes with the branch
    const Tensor tensor = holder_of(storage);
    const auto argument = std::find_if(arguments_.begin(), arguments_.end(),
                                       [&](const Tensor& given) { return given.impl()->storage == storage; });
    const auto number = argument == arguments_.end() ? -1 : static_cast<int>(argument - arguments_.begin());
    found.push_back({tensor, number, where});
  }
  return found;
}

void Tracer::note_aliases_of_branch(const TensorList& results, const Captured& part,
                                    std::span<const Choice> choices) {
  std::map<int, Tensor> first;  // of those in one memory
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (choices[i].result < 0 || choices[i].weak) continue;
    const Captured::Result& result = part.results[static_cast<std::size_t>(choices[i].result)];
    for (const Tensor& other : result.may_be) note_alias(results[i], other);
    for (int memory : result.may_be_memories)
      if (const auto [other, is_new] = first.try_emplace(memory, results[i]); !is_new)
        note_alias(results[i], other->second);
  }
  for (const Captured::Stale& stale : part.stale) mark_stale(stale.tensor, stale.where);
}

void Tracer::note_aliases_of_loop(const TensorList& results, const TensorList& state, const Captured& turn,
                                  std::span<const Source> around, int skipped) {
  const std::size_t count = state.size();
  std::vector<Origins> origins;  // of the variables, in any turn
  std::map<int, std::size_t> first;
  for (std::size_t i = 0; i < count; ++i) {
    origins.push_back(origins_of(state[i].impl()->storage));
    for (const Tensor& other : turn.results[i].may_be) {
      origins[i].merge(origins_of(other.impl()->storage));
      add_origins(other, {});
    }
    for (int memory : turn.results[i].may_be_memories)
      origins[i].insert(results[first.try_emplace(memory, i).first->second].impl()->storage);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t before = origins[i].size();
      for (int argument : turn.results[i].may_be_arguments)
        if (argument >= skipped) {
          const Origins more = origins[static_cast<std::size_t>(argument - skipped)];
          origins[i].insert(more.begin(), more.end());
        }
      changed |= origins[i].size() != before;
    }
  }
  // What a turn writes, no other variable or tensor of the loop may be, which the next turn sees.
  const auto check = [&](const Origins& written, const Storage* self, int variable) {
    for (std::size_t i = 0; i < count; ++i)
      if (static_cast<int>(i) != variable && intersect(written, origins[i])) refuse_write(state[i]);
    for (const Source& source : around)
      if (source.tensor.defined() && !source.gradient && source.tensor.impl()->storage != self &&
          intersect(written, origins_of(source.tensor.impl()->storage)))
        refuse_write(source.tensor);
  };
  const auto check_source = [&](const Source& source) {
    if (source.is_state() || source.gradient) return;
    if (source.argument >= skipped) {
      const auto i = static_cast<std::size_t>(source.argument - skipped);
      check(origins[i], nullptr, static_cast<int>(i));
    } else if (source.tensor.defined()) {
      const Storage* storage = source.tensor.impl()->storage;
      check(origins_of(storage), storage, -1);
    }
  };
  for (const Captured::Write& write : turn.writes)
    check_source(turn.sources[static_cast<std::size_t>(write.source)]);
  for (const Captured::Stale& stale : turn.stale) {
    if (stale.argument >= skipped) {
      const auto i = static_cast<std::size_t>(stale.argument - skipped);
      check(origins[i], nullptr, static_cast<int>(i));
      mark_stale(state[i], stale.where);
      continue;
    }
    const Storage* storage = stale.tensor.impl()->storage;
    for (const Source& source : around)
      if (source.tensor.defined() && source.tensor.impl()->storage == storage) refuse_write(stale.tensor);
    mark_stale(stale.tensor, stale.where);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (origins[i].size() == 1 && origins[i].contains(results[i].impl()->storage)) continue;
    add_origins(results[i], origins[i]);
    add_origins(state[i], {});
  }
}

}  // namespace phlox::graph
