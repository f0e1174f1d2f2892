// Einstein summation: the equation is read, then operands are contracted two at a time in a cheap order.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include "phlox/ops/primitives/contraction.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// A letter of the equation; dimensions under an ellipsis count from the right, after all letters.
using Label = int;
constexpr Label first_ellipsis_label = 256;
using Labels = std::vector<Label>;

struct Term {
  Tensor tensor;
  Labels labels;  // one a dimension
};

bool contains(const Labels& labels, Label label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

ErrorBuilder<ValueError> bad_equation(const std::string& equation, const std::string& reason) {
  auto error = fail<ValueError>(ErrorCode::bad_equation, "einsum: {}", reason);
  error.detail("equation", equation);
  return error;
}

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
  bool explicit_output = false;
};

Equation parse(const std::string& text) {
  Equation equation;
  std::string compact;
  for (char c : text)
    if (c != ' ') compact += c;
  std::string left = compact;
  if (const std::size_t arrow = compact.find("->"); arrow != std::string::npos) {
    equation.explicit_output = true;
    equation.output = compact.substr(arrow + 2);
    left = compact.substr(0, arrow);
  }
  std::size_t start = 0;
  while (true) {
    const std::size_t comma = left.find(',', start);
    equation.inputs.push_back(left.substr(start, comma - start));
    if (comma == std::string::npos) break;
    start = comma + 1;
  }
  return equation;
}

// The labels of one term; `ellipsis_rank` dimensions lie under its ellipsis.
Labels read_labels(const std::string& term, int ellipsis_rank, const std::string& equation) {
  Labels labels;
  bool seen = false;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (term.compare(i, 3, "...") == 0) {
      if (seen) bad_equation(equation, "a term has two ellipses").raise();
      seen = true;
      for (int d = ellipsis_rank; d-- > 0;) labels.push_back(first_ellipsis_label + d);
      i += 2;
    } else if ((term[i] >= 'a' && term[i] <= 'z') || (term[i] >= 'A' && term[i] <= 'Z')) {
      labels.push_back(term[i]);
    } else {
      bad_equation(equation, fmt::format("'{}' is not a letter, a comma, an ellipsis or an arrow", term[i]))
          .raise();
    }
  }
  return labels;
}

std::string name_of(Label label) {
  return label >= first_ellipsis_label ? "..." : std::string(1, static_cast<char>(label));
}

// Sums over the dimensions whose labels nobody needs.
void sum_out(Term& term, const std::function<bool(Label)>& needed) {
  DimList dims;
  Labels kept;
  for (std::size_t d = 0; d < term.labels.size(); ++d) {
    if (needed(term.labels[d])) kept.push_back(term.labels[d]);
    else dims.push_back(static_cast<std::int64_t>(d));
  }
  if (dims.empty()) return;
  const DType dtype = term.tensor.dtype();  // a sum of small integers would widen
  term.tensor = sum(term.tensor, dims).to(dtype);
  term.labels = kept;
}

// A label twice in one term takes the diagonal.
void take_diagonals(Term& term, const std::string& equation) {
  for (std::size_t i = 0; i < term.labels.size(); ++i) {
    for (std::size_t j = i + 1; j < term.labels.size();) {
      if (term.labels[i] != term.labels[j]) {
        ++j;
        continue;
      }
      const auto a = static_cast<std::int64_t>(i), b = static_cast<std::int64_t>(j);
      if (term.tensor.size(a) != term.tensor.size(b))
        bad_equation(equation, fmt::format("'{}' has the sizes {} and {} in one term",
                                           name_of(term.labels[i]), term.tensor.size(a), term.tensor.size(b)))
            .detail("operand", describe(term.tensor))
            .raise();
      // diagonal() puts it last.
      term.tensor = movedim(diagonal(term.tensor, 0, a, b), -1, a);
      term.labels.erase(term.labels.begin() + b);
    }
  }
}

Tensor arrange(const Term& term, const Labels& order) {
  DimList dims;
  bool in_order = true;
  for (Label label : order) {
    const auto position = std::find(term.labels.begin(), term.labels.end(), label) - term.labels.begin();
    in_order = in_order && position == static_cast<std::ptrdiff_t>(dims.size());
    dims.push_back(position);
  }
  return in_order ? term.tensor : permute(term.tensor, dims);
}

struct Pair {
  Labels batch, left, right, inner;
};

Pair classify(const Labels& a, const Labels& b, const std::function<bool(Label)>& needed) {
  Pair pair;
  for (Label label : a) {
    if (!contains(b, label)) pair.left.push_back(label);
    else if (needed(label)) pair.batch.push_back(label);
    else pair.inner.push_back(label);
  }
  for (Label label : b)
    if (!contains(a, label)) pair.right.push_back(label);
  return pair;
}

Labels joined(std::initializer_list<const Labels*> parts) {
  Labels all;
  for (const Labels* part : parts) all.insert(all.end(), part->begin(), part->end());
  return all;
}

using Sizes = std::map<Label, std::int64_t>;

std::int64_t count_of(const Labels& labels, const Sizes& sizes) {
  std::int64_t count = 1;
  for (Label label : labels) count *= sizes.at(label);
  return count;
}

Term contract_pair(Term a, Term b, const Sizes& sizes, const std::function<bool(Label)>& needed) {
  sum_out(a, [&](Label label) { return needed(label) || contains(b.labels, label); });
  sum_out(b, [&](Label label) { return needed(label) || contains(a.labels, label); });
  const Pair pair = classify(a.labels, b.labels, needed);
  Term result;
  result.labels = joined({&pair.batch, &pair.left, &pair.right});
  Shape shape;
  for (Label label : result.labels) shape.push_back(sizes.at(label));
  const Tensor lhs = arrange(a, joined({&pair.batch, &pair.left, &pair.inner}));
  const Tensor rhs = arrange(b, joined({&pair.batch, &pair.inner, &pair.right}));
  if (pair.inner.empty()) {  // nothing to sum: a product with broadcasting
    Shape lhs_shape = lhs.shape(), rhs_shape;
    for (std::size_t i = 0; i < pair.right.size(); ++i) lhs_shape.push_back(1);
    for (Label label : pair.batch) rhs_shape.push_back(sizes.at(label));
    for (std::size_t i = 0; i < pair.left.size(); ++i) rhs_shape.push_back(1);
    for (Label label : pair.right) rhs_shape.push_back(sizes.at(label));
    result.tensor = mul(reshape(lhs, lhs_shape), reshape(rhs, rhs_shape));
    return result;
  }
  const std::int64_t batch = count_of(pair.batch, sizes), m = count_of(pair.left, sizes),
                     n = count_of(pair.right, sizes), k = count_of(pair.inner, sizes);
  const Tensor product = pair.batch.empty()
                             ? contract(reshape(lhs, {m, k}), reshape(rhs, {k, n}))
                             : contract(reshape(lhs, {batch, m, k}), reshape(rhs, {batch, k, n}));
  result.tensor = reshape(product, shape);
  return result;
}

// --- order of contraction: pairs of positions in a list where the result is appended

using Path = std::vector<std::pair<std::size_t, std::size_t>>;

double cost_of(const Labels& a, const Labels& b, const Sizes& sizes) {
  double cost = 1;
  for (Label label : a) cost *= static_cast<double>(sizes.at(label));
  for (Label label : b)
    if (!contains(a, label)) cost *= static_cast<double>(sizes.at(label));
  return cost;
}

// Over all subsets of at most 8 operands: the fewest multiplications.
Path optimal_path(const std::vector<Labels>& terms, const Labels& output, const Sizes& sizes) {
  const auto count = static_cast<unsigned>(terms.size());
  const unsigned all = (1u << count) - 1;
  std::vector<Labels> labels(all + 1);
  std::vector<double> costs(all + 1, std::numeric_limits<double>::infinity());
  std::vector<unsigned> splits(all + 1, 0);
  for (unsigned set = 1; set <= all; ++set) {
    Labels outside = output;
    for (unsigned i = 0; i < count; ++i)
      if (!(set >> i & 1u)) outside.insert(outside.end(), terms[i].begin(), terms[i].end());
    for (unsigned i = 0; i < count; ++i) {
      if (!(set >> i & 1u)) continue;
      for (Label label : terms[i])
        if (contains(outside, label) && !contains(labels[set], label)) labels[set].push_back(label);
    }
    if (std::has_single_bit(set)) {
      costs[set] = 0;
      continue;
    }
    for (unsigned part = (set - 1) & set; part; part = (part - 1) & set) {
      const unsigned rest = set ^ part;
      if (part < rest) continue;
      const double cost = costs[part] + costs[rest] + cost_of(labels[part], labels[rest], sizes);
      if (cost < costs[set]) {
        costs[set] = cost;
        splits[set] = part;
      }
    }
  }
  Path path;
  std::size_t next = count;
  const auto visit = [&](const auto& self, unsigned set) -> std::size_t {
    if (std::has_single_bit(set)) return static_cast<std::size_t>(std::countr_zero(set));
    const std::size_t a = self(self, splits[set]), b = self(self, set ^ splits[set]);
    path.emplace_back(a, b);
    return next++;
  };
  visit(visit, all);
  return path;
}

// The pair that shrinks memory most, again and again.
Path greedy_path(std::vector<Labels> terms, const Labels& output, const Sizes& sizes) {
  Path path;
  std::vector<std::size_t> alive;
  for (std::size_t i = 0; i < terms.size(); ++i) alive.push_back(i);
  while (alive.size() > 1) {
    std::size_t best_a = 0, best_b = 1;
    double best = std::numeric_limits<double>::infinity();
    Labels best_labels;
    for (std::size_t x = 0; x < alive.size(); ++x)
      for (std::size_t y = x + 1; y < alive.size(); ++y) {
        const Labels &a = terms[alive[x]], &b = terms[alive[y]];
        Labels kept;
        for (const Labels* side : {&a, &b})
          for (Label label : *side) {
            bool needed = contains(output, label);
            for (std::size_t z = 0; z < alive.size() && !needed; ++z)
              needed = z != x && z != y && contains(terms[alive[z]], label);
            if (needed && !contains(kept, label)) kept.push_back(label);
          }
        const auto size = [&](const Labels& l) { return static_cast<double>(count_of(l, sizes)); };
        const double score = size(kept) - size(a) - size(b);
        if (score < best) {
          best = score;
          best_a = x;
          best_b = y;
          best_labels = kept;
        }
      }
    path.emplace_back(alive[best_a], alive[best_b]);
    terms.push_back(best_labels);
    alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(best_b));
    alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(best_a));
    alive.push_back(terms.size() - 1);
  }
  return path;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, einsum, (const std::string& equation, const TensorList& operands),
    .doc =
        "Sums products as an equation says: \"ij,jk->ik\" is the matrix product. A letter names a dimension; "
        "letters missing on the right are summed over, one that is twice in a term takes the diagonal, "
        "\"...\" stands for any dimensions, which broadcast. Without \"->\" the result has the letters that "
        "occur once, in alphabetical order.",
    .source = "numpy.einsum; order of contraction after Pfeifer et al. 2014, arXiv:1304.6112",
    .family = Family::matmul, .method = false,
    .samples =
        "einsum('ij,jk->ik', [A(3, 4), A(4, 5)]); einsum('ii->i', [A(3, 3)]); einsum('ii', [A(3, 3)]); "
        "einsum('...ij,...jk', [A(2, 3, 4), A(4, 5)]); einsum('i,j', [A(3), A(4)]); "
        "einsum('bij,bjk,kl->bl', [A(2, 3, 4), A(2, 4, 5), A(5, 2)]); einsum('ij->', [A(3, 4)]); "
        "einsum('ba', [A(3, 4)])",
    .reference = "np.einsum(equation, *operands)", .complex = true, .tolerance = 1e-4,
    .autocast = AutocastClass::lower_precision) {
  const Equation parsed = parse(equation);
  if (parsed.inputs.size() != operands.size())
    bad_equation(equation, fmt::format("the equation has {} terms, but there are {} operands",
                                       parsed.inputs.size(), operands.size()))
        .raise();

  // Labels of every dimension, and the size of every label.
  DType dtype = operands[0].dtype();
  for (const Tensor& operand : operands) dtype = promote(dtype, operand.dtype());
  std::vector<Term> terms;
  Sizes sizes;
  std::map<Label, int> occurrences;
  int ellipsis_rank = 0;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const std::string& text = parsed.inputs[i];
    const bool has_ellipsis = text.find("...") != std::string::npos;
    const int letters = static_cast<int>(text.size()) - (has_ellipsis ? 3 : 0);
    const int hidden = operands[i].rank() - letters;
    if (hidden < 0 || (hidden > 0 && !has_ellipsis))
      bad_equation(equation, fmt::format("term {} names {} dimensions, its operand has {}", i + 1, letters,
                                         operands[i].rank()))
          .detail("operand", describe(operands[i]))
          .raise();
    ellipsis_rank = std::max(ellipsis_rank, has_ellipsis ? hidden : 0);
    Term term{operands[i].to(dtype), read_labels(text, hidden, equation)};
    for (Label label : term.labels) ++occurrences[label];
    take_diagonals(term, equation);
    for (std::size_t d = 0; d < term.labels.size(); ++d) {
      const std::int64_t size = term.tensor.size(static_cast<std::int64_t>(d));
      auto [known, added] = sizes.emplace(term.labels[d], size);
      if (added || known->second == size || size == 1) continue;
      if (known->second != 1)
        bad_equation(equation, fmt::format("'{}' has the sizes {} and {}", name_of(term.labels[d]),
                                           known->second, size))
            .detail("operand", describe(operands[i]))
            .raise();
      known->second = size;
    }
    terms.push_back(std::move(term));
  }

  Labels output;
  if (parsed.explicit_output) {
    output = read_labels(parsed.output, ellipsis_rank, equation);
    for (std::size_t i = 0; i < output.size(); ++i) {
      if (!sizes.contains(output[i]))
        bad_equation(equation, fmt::format("'{}' of the result is in no term", name_of(output[i]))).raise();
      if (std::count(output.begin(), output.end(), output[i]) > 1)
        bad_equation(equation, fmt::format("'{}' is twice in the result", name_of(output[i]))).raise();
    }
  } else {
    for (int d = ellipsis_rank; d-- > 0;) output.push_back(first_ellipsis_label + d);
    for (const auto& [label, times] : occurrences)
      if (label < first_ellipsis_label && times == 1) output.push_back(label);
  }

  // A dimension of 1 that meets a larger one broadcasts: it might as well not be there.
  for (Term& term : terms)
    for (std::size_t d = term.labels.size(); d-- > 0;) {
      if (term.tensor.size(static_cast<std::int64_t>(d)) == sizes.at(term.labels[d])) continue;
      term.tensor = squeeze(term.tensor, static_cast<std::int64_t>(d));
      term.labels.erase(term.labels.begin() + static_cast<std::ptrdiff_t>(d));
    }

  std::vector<Labels> labels;
  for (const Term& term : terms) labels.push_back(term.labels);
  const Path path = terms.size() == 1   ? Path()
                    : terms.size() <= 8 ? optimal_path(labels, output, sizes)
                                        : greedy_path(labels, output, sizes);
  std::vector<bool> used(terms.size() + path.size(), false);
  for (const auto& [a, b] : path) {
    used[a] = used[b] = true;
    const auto needed = [&](Label label) {
      if (contains(output, label)) return true;
      for (std::size_t i = 0; i < terms.size(); ++i)
        if (!used[i] && contains(terms[i].labels, label)) return true;
      return false;
    };
    terms.push_back(contract_pair(terms[a], terms[b], sizes, needed));
    terms[a].tensor = terms[b].tensor = Tensor();
  }
  Term& last = terms.back();
  sum_out(last, [&](Label label) { return contains(output, label); });
  return arrange(last, output);
}

}  // namespace phlox
