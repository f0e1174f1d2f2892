// Which memory the values of a plan get, and where it lies.
#include <algorithm>

#include "phlox/graph/arena.h"
#include "phlox/graph/plan_implementation.h"

namespace phlox::graph {

// The same elements in the same places.
bool same_layout(const TensorImpl& a, const TensorImpl& b) {
  if (a.dtype != b.dtype || a.rank != b.rank) return false;
  for (int d = 0; d < a.rank; ++d)
    if (a.sizes[d] != b.sizes[d] || (a.sizes[d] != 1 && a.strides[d] != b.strides[d])) return false;
  return true;
}

// A donation is taken when the output is made after the last look at the input, or by a pointwise step that looks at
// each element just before it writes it, and when nobody else keeps either of them.
void Plan::Implementation::accept(std::span<const Donation> donations) {
  std::vector<int> uses(memories.size(), 0);
  for (const Output& output : outputs) ++uses[static_cast<std::size_t>(output.memory)];
  const int end = static_cast<int>(steps.size());
  for (const Donation& donation : donations) {
    Output& output = outputs[static_cast<std::size_t>(donation.output)];
    PlannedMemory& made = memories[static_cast<std::size_t>(output.memory)];
    const int given_number = input_memories[static_cast<std::size_t>(donation.input)];
    const PlannedMemory& given = memories[static_cast<std::size_t>(given_number)];
    const Type& type = graph->inputs()[static_cast<std::size_t>(donation.input)].type();
    if (made.home != Home::output || uses[static_cast<std::size_t>(output.memory)] != 1) continue;
    if (uses[static_cast<std::size_t>(given_number)] != 0 || made.first < 0 || made.first == end) continue;
    const TensorImpl& t = *output.tensor;
    const Strides& strides = input_strides[static_cast<std::size_t>(donation.input)];
    bool fits = t.dtype == type.dtype && t.offset == 0 && t.rank == type.shape.rank() &&
                made.bytes == static_cast<std::size_t>(t.count * element_size(t.dtype));
    for (int d = 0; d < t.rank && fits; ++d)
      fits = t.sizes[d] == type.shape[static_cast<std::size_t>(d)] &&
             (t.sizes[d] == 1 || t.strides[d] == strides[static_cast<std::size_t>(d)]);
    bool apart = given.last < made.first;
    if (given.last == made.first && static_cast<std::size_t>(made.first) < elementwise.size()) {
      const auto& same = elementwise[static_cast<std::size_t>(made.first)];
      apart = std::find(same.begin(), same.end(), given_number) != same.end();
    }
    if (!fits || !apart) continue;
    made.home = Home::input;
    made.donated = true;
    made.number = donation.input;
    output.donated = true;
    ++uses[static_cast<std::size_t>(given_number)];
  }
}

// PlannedMemory that lanes use is used by all of their stage at once.
void Plan::Implementation::find_stages(int threads) {
  // Outputs in the memory of an input are in the same memory as that.
  for (StepUse& use : step_uses) {
    const auto place = [&](int number) {
      const PlannedMemory& memory = memories[static_cast<std::size_t>(number)];
      return memory.home == Home::input && memory.number >= 0
                 ? input_memories[static_cast<std::size_t>(memory.number)]
                 : number;
    };
    for (int& number : use.memories) number = place(number);
    if (use.written >= 0) use.written = place(use.written);
  }
  stages = make_stages(step_uses, threads);
  std::vector<const Stage*> stage_of(steps.size(), nullptr);
  for (const Stage& stage : stages)
    if (!stage.lanes.empty())
      std::fill(stage_of.begin() + stage.first, stage_of.begin() + stage.last, &stage);
  const auto at = [&](int step) {
    return step >= 0 && step < static_cast<int>(stage_of.size()) ? stage_of[static_cast<std::size_t>(step)]
                                                                 : nullptr;
  };
  for (PlannedMemory& memory : memories) {
    if (const Stage* stage = at(memory.first)) memory.first = stage->first;
    if (const Stage* stage = at(memory.last)) memory.last = stage->last - 1;
  }
  step_uses.clear();
}

// Gives intermediate values their places, and constants the memory that they have.
void Plan::Implementation::place() {
  Arena places;
  const int count = static_cast<int>(steps.size());
  std::vector<std::vector<PlannedMemory*>> begin(static_cast<std::size_t>(count)),
      end(static_cast<std::size_t>(count));
  for (PlannedMemory& memory : memories) {
    if (memory.home != Home::arena || memory.first < 0 || memory.first >= count) continue;
    begin[static_cast<std::size_t>(memory.first)].push_back(&memory);
    end[static_cast<std::size_t>(std::min(memory.last, count - 1))].push_back(&memory);
  }
  for (std::size_t step = 0; step < steps.size(); ++step) {
    for (PlannedMemory* memory : begin[step]) memory->place = places.take(memory->bytes);
    for (PlannedMemory* memory : end[step]) places.give_back(memory->place, memory->bytes);
  }
  std::vector<int> uses(memories.size(), 0);
  for (const Output& output : outputs) ++uses[static_cast<std::size_t>(output.memory)];
  fresh_outputs = std::all_of(outputs.begin(), outputs.end(), [&](const Output& output) {
    const auto number = static_cast<std::size_t>(output.memory);
    return output.donated || (memories[number].home == Home::output && uses[number] == 1);
  });
  for (PlannedMemory& memory : memories) {
    if (memory.home == Home::input && memory.number >= 0) bound_inputs.emplace_back(memory.number, &memory);
    if (memory.home == Home::output) bound_outputs.push_back(&memory);
  }
  arena_bytes = places.size();
  for (const auto& from : begin) {
    for (PlannedMemory* memory : from) {
      Storage* part = wrap_storage(nullptr, memory->bytes, nullptr, nullptr, false);
      part->device = memory->device;
      arena_parts.push_back({part, memory->place});
      bind(*memory, part, 0);
    }
  }
  for (const auto& [number, constant] : constants)
    bind(memories[static_cast<std::size_t>(number)], constant.impl()->storage, constant.storage_offset());
}

Plan::Implementation::~Implementation() {
  for (const ArenaPart& part : arena_parts)
    if (part.storage->references.release()) destroy(part.storage);
}

void Plan::Implementation::use_arena(char* block) {
  if (block == arena) return;
  arena = block;
  for (const ArenaPart& part : arena_parts) part.storage->data = block + part.place;
}

}  // namespace phlox::graph
