#include "phlox/graph/plan_stages.h"

#include <algorithm>
#include <unordered_map>

namespace phlox::graph {
namespace {

constexpr double least_gain = 10'000;   // nanoseconds
constexpr double worth_a_look = 1'000;  // of a group that joins another
constexpr int longest = 256;            // steps that are looked at together

// Steps from one on, in groups that share no memory which one of them writes.
class Groups {
 public:
  Groups(std::span<const StepUse> steps, int first, int threads)
      : steps_(steps), first_(first), end_(first), threads_(threads) {}

  int end() const { return end_; }

  // Takes in the next step. False, and nothing is done, where that would join groups that are better apart.
  bool add() {
    const StepUse& step = steps_[static_cast<std::size_t>(end_)];
    std::vector<int> joined;
    const auto join = [&](int other) {
      const int group = root(other);
      if (std::find(joined.begin(), joined.end(), group) == joined.end()) joined.push_back(group);
    };
    for (const int memory : step.memories) {
      const auto known = users_.find(memory);
      if (known == users_.end()) continue;
      if (known->second.is_written || memory == step.written)
        for (const int user : known->second.steps) join(user);
    }
    const auto is_large = [&](int group) { return cost_[static_cast<std::size_t>(group)] >= worth_a_look; };
    if (std::count_if(joined.begin(), joined.end(), is_large) > 1 && gain() >= least_gain) return false;

    const int number = end_ - first_;
    parent_.push_back(number);
    cost_.push_back(step.cost);
    for (const int group : joined) {
      parent_[static_cast<std::size_t>(group)] = number;
      cost_[static_cast<std::size_t>(number)] += cost_[static_cast<std::size_t>(group)];
    }
    for (const int memory : step.memories) {
      User& user = users_[memory];
      user.is_written |= memory == step.written;
      // The users of memory that is written are one group.
      if (user.is_written) user.steps = {number};
      else user.steps.push_back(number);
    }
    ++end_;
    return true;
  }

  // Time that is saved when the groups are shared out among threads.
  double gain() const {
    double total = 0, longest_lane = 0;
    for (const Lane& lane : shared_out()) {
      total += lane.cost;
      longest_lane = std::max(longest_lane, lane.cost);
    }
    return total - longest_lane;
  }

  std::vector<std::vector<int>> lanes() const {
    std::vector<std::vector<int>> result;
    for (const Lane& lane : shared_out()) {
      std::vector<int> steps;
      for (int number = 0; number < end_ - first_; ++number)
        if (std::find(lane.groups.begin(), lane.groups.end(), root(number)) != lane.groups.end())
          steps.push_back(first_ + number);
      if (!steps.empty()) result.push_back(std::move(steps));
    }
    return result;
  }

 private:
  struct Lane {
    double cost = 0;
    std::vector<int> groups;
  };
  struct User {
    std::vector<int> steps;
    bool is_written = false;
  };

  int root(int number) const {
    while (parent_[static_cast<std::size_t>(number)] != number)
      number = parent_[static_cast<std::size_t>(number)];
    return number;
  }

  // Each group, the most expensive first, to the lane that has least to do.
  std::vector<Lane> shared_out() const {
    std::vector<int> groups;
    for (int number = 0; number < end_ - first_; ++number)
      if (parent_[static_cast<std::size_t>(number)] == number) groups.push_back(number);
    std::stable_sort(groups.begin(), groups.end(), [&](int a, int b) {
      return cost_[static_cast<std::size_t>(a)] > cost_[static_cast<std::size_t>(b)];
    });
    std::vector<Lane> lanes(static_cast<std::size_t>(threads_));
    for (const int group : groups) {
      Lane& least = *std::min_element(lanes.begin(), lanes.end(),
                                      [](const Lane& a, const Lane& b) { return a.cost < b.cost; });
      least.cost += cost_[static_cast<std::size_t>(group)];
      least.groups.push_back(group);
    }
    return lanes;
  }

  std::span<const StepUse> steps_;
  int first_, end_, threads_;
  std::vector<int> parent_;  // in the tree of a group, by number from `first_`
  std::vector<double> cost_;
  std::unordered_map<int, User> users_;
};

}  // namespace

std::vector<Stage> make_stages(std::span<const StepUse> steps, int threads) {
  const int count = static_cast<int>(steps.size());
  std::vector<Stage> stages;
  int waiting = 0;  // the first step that is in no stage
  const auto one_by_one_to = [&](int end) {
    if (waiting < end) stages.push_back({waiting, end});
    waiting = end;
  };
  const auto cost = [&](int step) { return steps[static_cast<std::size_t>(step)].cost; };
  for (int begin = 0; threads > 1 && begin < count;) {
    if (cost(begin) < 0) {
      ++begin;
      continue;
    }
    int end = begin;
    double total = 0;
    while (end < count && end - begin < longest && cost(end) >= 0) total += cost(end++);
    // What all the others need comes first by itself.
    while (begin < end && total >= 2 * least_gain) {
      Groups groups(steps, begin, threads);
      while (groups.end() < end && groups.add()) {
      }
      if (groups.gain() < least_gain) {
        total -= cost(begin++);
        continue;
      }
      one_by_one_to(begin);
      stages.push_back({begin, groups.end(), groups.lanes()});
      for (; begin < groups.end(); ++begin) total -= cost(begin);
      waiting = begin;
    }
    begin = end;
  }
  one_by_one_to(count);
  return stages;
}

}  // namespace phlox::graph
