// Recurrent networks: cells, and layers of them over sequences, with the argument lists of PyTorch's functions.
#include <algorithm>

#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

enum class CellKind : std::uint8_t { tanh, relu, gru, lstm };

int gates_of(CellKind kind) { return kind == CellKind::lstm ? 4 : kind == CellKind::gru ? 3 : 1; }

// What one step hands on: the hidden state [batch, hidden] and, for lstm, that of the cells.
struct State {
  Tensor hidden, cell;
};

// Weights of one direction of one layer; bias and projection may be undefined.
struct Weights {
  Tensor input, hidden;  // [gates * hidden, features], [gates * hidden, hidden or projected]
  Tensor input_bias, hidden_bias;
  Tensor projection;  // [projected, hidden]
};

Tensor affine(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return linear(x, weight, bias.defined() ? OptionalTensor(bias) : OptionalTensor());
}

// One step, from what the input gives to the gates, [batch, gates * hidden].
State step(CellKind kind, const Tensor& from_input, const State& state, const Weights& weights) {
  const Tensor from_hidden = affine(state.hidden, weights.hidden, weights.hidden_bias);
  switch (kind) {
    case CellKind::tanh: return {phlox::tanh(from_input + from_hidden), {}};
    case CellKind::relu: return {relu(from_input + from_hidden), {}};
    case CellKind::gru: {
      const TensorList x = chunk(from_input, 3, 1), h = chunk(from_hidden, 3, 1);
      const Tensor reset = sigmoid(x[0] + h[0]), keep = sigmoid(x[1] + h[1]);
      const Tensor candidate = phlox::tanh(x[2] + reset * h[2]);
      return {candidate + keep * (state.hidden - candidate), {}};
    }
    case CellKind::lstm: break;
  }
  const TensorList gates = chunk(from_input + from_hidden, 4, 1);
  const Tensor cell = sigmoid(gates[1]) * state.cell + sigmoid(gates[0]) * phlox::tanh(gates[2]);
  const Tensor hidden = sigmoid(gates[3]) * phlox::tanh(cell);
  return {weights.projection.defined() ? matmul(hidden, transpose(weights.projection, 0, 1)) : hidden, cell};
}

// Sequences packed as rows [sum of batch_sizes, features], step by step; batch_sizes never grow, so that sequence i has
// a row in each step that is larger than i.
struct Sequences {
  Tensor rows;
  Integers batch_sizes;
};

Tensor part(const Tensor& t, std::int64_t start, std::int64_t end) {
  return start == 0 && end == t.size(0) ? t : narrow(t, 0, start, end - start);
}

State part(const State& state, std::int64_t start, std::int64_t end) {
  return {part(state.hidden, start, end), state.cell.defined() ? part(state.cell, start, end) : Tensor()};
}

// States of more and more sequences, one below the other.
State below(const std::vector<State>& states) {
  if (states.size() == 1) return states[0];
  TensorList hidden, cell;
  for (const State& s : states) {
    hidden.push_back(s.hidden);
    if (s.cell.defined()) cell.push_back(s.cell);
  }
  return {cat(hidden, 0), cell.empty() ? Tensor() : cat(cell, 0)};
}

// All steps of one direction: the hidden states as rows, and the last state of each sequence.
std::pair<Tensor, State> run_direction(CellKind kind, const Sequences& sequences, const State& first,
                                       const Weights& weights, bool reverse) {
  const Integers& sizes = sequences.batch_sizes;
  // The input's part of all gates of all steps is one product.
  const TensorList from_input = split(affine(sequences.rows, weights.input, weights.input_bias), sizes, 0);
  const auto steps = static_cast<std::int64_t>(sizes.size());
  TensorList outputs(static_cast<std::size_t>(steps));
  State state = part(first, 0, reverse ? sizes.back() : sizes.front());
  std::vector<State> ended;  // the last states of sequences that ended, shortest first
  for (std::int64_t i = 0; i < steps; ++i) {
    const auto t = static_cast<std::size_t>(reverse ? steps - 1 - i : i);
    const std::int64_t running = state.hidden.size(0);
    if (sizes[t] > running) state = below({state, part(first, running, sizes[t])});
    if (sizes[t] < running) {
      ended.push_back(part(state, sizes[t], running));
      state = part(state, 0, sizes[t]);
    }
    state = step(kind, from_input[t], state, weights);
    outputs[t] = state.hidden;
  }
  ended.push_back(state);
  std::reverse(ended.begin(), ended.end());
  return {cat(outputs, 0), below(ended)};
}

struct Layers {
  bool has_biases = true;
  std::int64_t count = 1;
  double dropout = 0;
  bool train = false, bidirectional = false;
  int directions() const { return bidirectional ? 2 : 1; }
};

[[noreturn]] void throw_wrong_hidden(const char* operation, const Tensor& hx, std::int64_t layers,
                                     std::int64_t batch) {
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: the first state has the shape [{}, {}, hidden]", operation,
                   layers, batch)
      .detail("hx", describe(hx))
      .raise();
}

// Checks the states and weights, so that errors name the operation and not a product inside.
std::vector<Weights> weights_of(const char* operation, CellKind kind, const Layers& layers,
                                std::int64_t features, const TensorList& hx, const TensorList& params) {
  const bool projected = kind == CellKind::lstm && hx[0].size(-1) != hx[1].size(-1);
  const std::size_t each = 2 + (layers.has_biases ? 2 : 0) + (projected ? 1 : 0);
  const auto count = static_cast<std::size_t>(layers.count * layers.directions());
  if (layers.count < 1 || params.size() != each * count)
    fail<ValueError>(ErrorCode::invalid_value,
                     "{}: {} weights for {} layers of {} directions, which take {} each", operation,
                     params.size(), layers.count, layers.directions(), each)
        .raise();
  const std::int64_t hidden = hx.back().size(-1), handed_on = hx[0].size(-1);
  const std::int64_t rows = gates_of(kind) * hidden;
  std::vector<Weights> all;
  for (std::size_t i = 0; i < count; ++i) {
    const Tensor* p = &params[i * each];
    Weights w{p[0], p[1], {}, {}, {}};
    if (layers.has_biases) w.input_bias = p[2], w.hidden_bias = p[3];
    if (projected) w.projection = p[each - 1];
    const std::int64_t wide =
        i < static_cast<std::size_t>(layers.directions()) ? features : handed_on * layers.directions();
    if (w.input.shape() != Shape{rows, wide} || w.hidden.shape() != Shape{rows, handed_on} ||
        (w.input_bias.defined() &&
         (w.input_bias.shape() != Shape{rows} || w.hidden_bias.shape() != Shape{rows})) ||
        (projected && w.projection.shape() != Shape{handed_on, hidden}))
      fail<ShapeError>(ErrorCode::sizes_differ,
                       "{}: weights have the shapes [{}, {}] for the input and [{}, {}] for the state",
                       operation, rows, wide, rows, handed_on)
          .detail("w_ih", describe(w.input))
          .detail("w_hh", describe(w.hidden))
          .raise();
    all.push_back(std::move(w));
  }
  return all;
}

struct LayersResult {
  Tensor rows, hidden, cell;
};

// All layers over packed sequences. hx: the first hidden states [layers * directions, batch, hidden], and those of cells.
LayersResult run_layers(const char* operation, CellKind kind, Sequences sequences, const TensorList& hx,
                        const TensorList& params, const Layers& layers) {
  if (hx.size() != (kind == CellKind::lstm ? 2U : 1U))
    fail<ValueError>(ErrorCode::invalid_value, "{}: hx is a list of two tensors", operation).raise();
  if (sequences.batch_sizes.empty() || sequences.rows.rank() != 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: needs a sequence of one step or more", operation)
        .detail("input", describe(sequences.rows))
        .raise();
  const std::int64_t batch = sequences.batch_sizes[0], states = layers.count * layers.directions();
  for (const Tensor& state : hx)
    if (state.rank() != 3 || state.size(0) != states || state.size(1) != batch)
      throw_wrong_hidden(operation, state, states, batch);
  const std::vector<Weights> weights =
      weights_of(operation, kind, layers, sequences.rows.size(1), hx, params);
  TensorList hidden, cell;
  for (std::int64_t layer = 0; layer < layers.count; ++layer) {
    TensorList outputs;
    for (int direction = 0; direction < layers.directions(); ++direction) {
      const std::int64_t i = layer * layers.directions() + direction;
      const State first{select(hx[0], 0, i), hx.size() > 1 ? select(hx[1], 0, i) : Tensor()};
      const auto [rows, last] =
          run_direction(kind, sequences, first, weights[static_cast<std::size_t>(i)], direction == 1);
      outputs.push_back(rows);
      hidden.push_back(last.hidden);
      if (last.cell.defined()) cell.push_back(last.cell);
    }
    sequences.rows = outputs.size() == 1 ? outputs[0] : cat(outputs, 1);
    if (layers.dropout > 0 && layers.train && layer + 1 < layers.count)
      sequences.rows = dropout(sequences.rows, layers.dropout, true);
  }
  return {sequences.rows, stack(hidden, 0), cell.empty() ? Tensor() : stack(cell, 0)};
}

// Sequences of one length, [steps, batch, features], with batch_first [batch, steps, features], or [steps, features].
LayersResult run_padded(const char* operation, CellKind kind, const Tensor& input, const TensorList& hx,
                        const TensorList& params, const Layers& layers, bool batch_first) {
  if (input.rank() == 2) {
    TensorList states;
    for (const Tensor& state : hx) states.push_back(state.rank() == 2 ? unsqueeze(state, 1) : state);
    const LayersResult r = run_padded(operation, kind, unsqueeze(input, 1), states, params, layers, false);
    return {squeeze(r.rows, 1), squeeze(r.hidden, 1), r.cell.defined() ? squeeze(r.cell, 1) : Tensor()};
  }
  if (input.rank() != 3)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: takes sequences [steps, batch, features], not {} dimensions",
                     operation, input.rank())
        .detail("input", describe(input))
        .raise();
  const Tensor x = batch_first ? transpose(input, 0, 1) : input;
  const std::int64_t steps = x.size(0), batch = x.size(1);
  const LayersResult r =
      run_layers(operation, kind,
                 {reshape(x, {steps * batch, x.size(2)}), Integers(static_cast<std::size_t>(steps), batch)},
                 hx, params, layers);
  const Tensor output = reshape(r.rows, {steps, batch, r.rows.size(1)});
  return {batch_first ? transpose(output, 0, 1) : output, r.hidden, r.cell};
}

LayersResult run_packed(const char* operation, CellKind kind, const Tensor& data, const Tensor& batch_sizes,
                        const TensorList& hx, const TensorList& params, const Layers& layers) {
  const Integers sizes = batch_sizes.to_vector<std::int64_t>();
  std::int64_t total = 0;
  for (std::size_t t = 0; t < sizes.size(); ++t) {
    total += sizes[t];
    if (sizes[t] < 1 || (t > 0 && sizes[t] > sizes[t - 1]))
      fail<ValueError>(ErrorCode::invalid_value, "{}: batch_sizes are positive and never grow", operation)
          .detail("batch_sizes", describe(batch_sizes))
          .raise();
  }
  if (data.rank() != 2 || data.size(0) != total)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: packed data has the shape [{}, features]", operation,
                     total)
        .detail("data", describe(data))
        .raise();
  return run_layers(operation, kind, {data, sizes}, hx, params, layers);
}

// One cell over a batch [batch, features], or one sample [features].
State run_cell(const char* operation, CellKind kind, const Tensor& input, const State& state,
               const Tensor& w_ih, const Tensor& w_hh, const OptionalTensor& b_ih,
               const OptionalTensor& b_hh) {
  if (input.rank() == 1) {
    const auto row = [](const Tensor& t) { return t.defined() && t.rank() == 1 ? unsqueeze(t, 0) : t; };
    const State one =
        run_cell(operation, kind, row(input), {row(state.hidden), row(state.cell)}, w_ih, w_hh, b_ih, b_hh);
    return {squeeze(one.hidden, 0), one.cell.defined() ? squeeze(one.cell, 0) : Tensor()};
  }
  const auto fits = [&](const Tensor& t) {
    return t.rank() == 2 && w_hh.rank() == 2 && t.size(0) == input.size(0) && t.size(1) == w_hh.size(1);
  };
  const std::int64_t rows = w_hh.rank() == 2 ? gates_of(kind) * w_hh.size(1) : 0;
  const auto bias_fits = [&](const OptionalTensor& b) { return !b || b->shape() == Shape{rows}; };
  if (input.rank() != 2 || !fits(state.hidden) || (state.cell.defined() && !fits(state.cell)) ||
      w_ih.shape() != Shape{rows, input.size(1)} || w_hh.size(0) != rows || !bias_fits(b_ih) ||
      !bias_fits(b_hh))
    fail<ShapeError>(
        ErrorCode::sizes_differ,
        "{}: takes input [batch, features], states [batch, hidden] and weights of {} * hidden rows",
        operation, gates_of(kind))
        .detail("input", describe(input))
        .detail("hx", describe(state.hidden))
        .detail("w_ih", describe(w_ih))
        .detail("w_hh", describe(w_hh))
        .raise();
  const Weights weights{w_ih, w_hh, b_ih.value_or(Tensor()), b_hh.value_or(Tensor()), {}};
  return step(kind, affine(input, w_ih, weights.input_bias), state, weights);
}

CellKind kind_of(const std::string& nonlinearity, const char* operation) {
  if (nonlinearity == "tanh") return CellKind::tanh;
  if (nonlinearity == "relu") return CellKind::relu;
  fail<ValueError>(ErrorCode::invalid_value, "{}: nonlinearity is '{}'", operation, nonlinearity)
      .hint("\"tanh\" or \"relu\"")
      .raise();
}

}  // namespace

// --- layers over sequences of one length

PHLOX_OPERATION(
    TensorTriple, lstm,
    (const Tensor& input, const TensorList& hx, const TensorList& params, bool has_biases = true,
     std::int64_t num_layers = 1, double dropout = 0.0, bool train = false, bool bidirectional = false,
     bool batch_first = false),
    .doc =
        "Layers of long short-term memory over sequences [steps, batch, features]: the output [steps, batch, hidden] of the last layer, and the last hidden and cell states [layers * directions, batch, "
        "hidden]. hx are the first two states; params are w_ih [4 hidden, features], w_hh [4 hidden, hidden] and with has_biases b_ih, b_hh for each layer and direction, then a projection w_hr where the "
        "hidden state is smaller than that of the cells. Gates stand in the order input, forget, cell, output.",
    .source = "Hochreiter, Schmidhuber 1997, Neural Computation 9", .family = Family::matmul,
    .home = "nn.functional", .method = false,
    .samples =
        "lstm(A(4, 2, 3), [A(1, 2, 2), A(1, 2, 2)], [A(8, 3), A(8, 2), A(8), A(8)]); "
        "lstm(A(2, 3, 3), [A(2, 2, 2), A(2, 2, 2)], [A(8, 3), A(8, 2), A(8, 3), A(8, 2)], False, 1, 0.0, False, "
        "True, True)",
    .integers = false, .tolerance = 1e-4, .results = "output hidden cell") {
  const LayersResult r = run_padded("lstm", CellKind::lstm, input, hx, params,
                                    {has_biases, num_layers, dropout, train, bidirectional}, batch_first);
  return {r.rows, r.hidden, r.cell};
}

PHLOX_OPERATION(
    TensorPair, gru,
    (const Tensor& input, const Tensor& hx, const TensorList& params, bool has_biases = true,
     std::int64_t num_layers = 1, double dropout = 0.0, bool train = false, bool bidirectional = false,
     bool batch_first = false),
    .doc =
        "Layers of gated recurrent units over sequences [steps, batch, features]: the output [steps, batch, hidden] and the last states [layers * directions, batch, hidden]. params as for lstm(), with 3 "
        "hidden rows: reset, update, new.",
    .source = "Cho et al. 2014, arXiv:1406.1078", .family = Family::matmul, .home = "nn.functional",
    .method = false,
    .samples =
        "gru(A(4, 2, 3), A(1, 2, 2), [A(6, 3), A(6, 2), A(6), A(6)]); gru(A(3, 2, 3), A(2, 2, 2), [A(6, 3), A(6, 2), "
        "A(6, 2), A(6, 2)], False, 2)",
    .integers = false, .tolerance = 1e-4, .results = "output hidden") {
  const LayersResult r = run_padded("gru", CellKind::gru, input, {hx}, params,
                                    {has_biases, num_layers, dropout, train, bidirectional}, batch_first);
  return {r.rows, r.hidden};
}

PHLOX_OPERATION(
    TensorPair, rnn,
    (const Tensor& input, const Tensor& hx, const TensorList& params, bool has_biases = true,
     std::int64_t num_layers = 1, double dropout = 0.0, bool train = false, bool bidirectional = false,
     bool batch_first = false, const std::string& nonlinearity = "tanh"),
    .doc =
        "Layers of the plain recurrence h = tanh(w_ih x + b_ih + w_hh h + b_hh), or with nonlinearity \"relu\", over sequences [steps, batch, features]: the output [steps, batch, hidden] and the last "
        "states [layers * directions, batch, hidden].",
    .source = "Elman 1990, Cognitive Science 14", .family = Family::matmul, .home = "nn.functional",
    .method = false,
    .samples =
        "rnn(A(4, 2, 3), A(1, 2, 2), [A(2, 3), A(2, 2), A(2), A(2)]); rnn(A(4, 3), A(1, 2), [A(2, 3), A(2, 2)], False, "
        "nonlinearity='relu')",
    .integers = false, .tolerance = 1e-4, .results = "output hidden") {
  const LayersResult r = run_padded("rnn", kind_of(nonlinearity, "rnn"), input, {hx}, params,
                                    {has_biases, num_layers, dropout, train, bidirectional}, batch_first);
  return {r.rows, r.hidden};
}

PHLOX_OPERATION(TensorPair, rnn_tanh,
                (const Tensor& input, const Tensor& hx, const TensorList& params, bool has_biases = true,
                 std::int64_t num_layers = 1, double dropout = 0.0, bool train = false,
                 bool bidirectional = false, bool batch_first = false),
                .doc = "rnn() with tanh.", .source = "Elman 1990, Cognitive Science 14",
                .family = Family::matmul, .home = "nn.functional", .method = false,
                .samples = "rnn_tanh(A(4, 2, 3), A(1, 2, 2), [A(2, 3), A(2, 2), A(2), A(2)])",
                .integers = false, .tolerance = 1e-4, .results = "output hidden") {
  const LayersResult r = run_padded("rnn_tanh", CellKind::tanh, input, {hx}, params,
                                    {has_biases, num_layers, dropout, train, bidirectional}, batch_first);
  return {r.rows, r.hidden};
}

PHLOX_OPERATION(TensorPair, rnn_relu,
                (const Tensor& input, const Tensor& hx, const TensorList& params, bool has_biases = true,
                 std::int64_t num_layers = 1, double dropout = 0.0, bool train = false,
                 bool bidirectional = false, bool batch_first = false),
                .doc = "rnn() with relu.", .source = "Le, Jaitly, Hinton 2015, arXiv:1504.00941",
                .family = Family::matmul, .home = "nn.functional", .method = false,
                .samples = "rnn_relu(A(4, 2, 3), A(1, 2, 2), [A(2, 3), A(2, 2), A(2), A(2)])",
                .integers = false, .tolerance = 1e-4, .results = "output hidden") {
  const LayersResult r = run_padded("rnn_relu", CellKind::relu, input, {hx}, params,
                                    {has_biases, num_layers, dropout, train, bidirectional}, batch_first);
  return {r.rows, r.hidden};
}

// --- layers over sequences of several lengths, packed

PHLOX_OPERATION(
    TensorTriple, lstm_packed,
    (const Tensor& data, const Tensor& batch_sizes, const TensorList& hx, const TensorList& params,
     bool has_biases = true, std::int64_t num_layers = 1, double dropout = 0.0, bool train = false,
     bool bidirectional = false),
    .doc =
        "lstm() over packed sequences: data [rows, features] has for each step the rows of the sequences that are that long, longest first, batch_sizes[step] of them.",
    .source = "Hochreiter, Schmidhuber 1997, Neural Computation 9", .family = Family::matmul,
    .home = "nn.functional", .method = false,
    .samples =
        "lstm_packed(A(5, 3), tensor([2, 2, 1]), [A(2, 2, 2), A(2, 2, 2)], [A(8, 3), A(8, 2), A(8, 3), A(8, 2)], False, "
        "1, 0.0, False, True)",
    .integers = false, .reads_values = true, .tolerance = 1e-4, .results = "output hidden cell",
    .overload_of = "lstm") {
  const LayersResult r = run_packed("lstm", CellKind::lstm, data, batch_sizes, hx, params,
                                    {has_biases, num_layers, dropout, train, bidirectional});
  return {r.rows, r.hidden, r.cell};
}

PHLOX_OPERATION(
    TensorPair, gru_packed,
    (const Tensor& data, const Tensor& batch_sizes, const Tensor& hx, const TensorList& params,
     bool has_biases = true, std::int64_t num_layers = 1, double dropout = 0.0, bool train = false,
     bool bidirectional = false),
    .doc = "gru() over packed sequences, as in lstm_packed().", .source = "Cho et al. 2014, arXiv:1406.1078",
    .family = Family::matmul, .home = "nn.functional", .method = false,
    .samples = "gru_packed(A(5, 3), tensor([2, 2, 1]), A(1, 2, 2), [A(6, 3), A(6, 2), A(6), A(6)])",
    .integers = false, .reads_values = true, .tolerance = 1e-4, .results = "output hidden",
    .overload_of = "gru") {
  const LayersResult r = run_packed("gru", CellKind::gru, data, batch_sizes, {hx}, params,
                                    {has_biases, num_layers, dropout, train, bidirectional});
  return {r.rows, r.hidden};
}

PHLOX_OPERATION(
    TensorPair, rnn_tanh_packed,
    (const Tensor& data, const Tensor& batch_sizes, const Tensor& hx, const TensorList& params,
     bool has_biases = true, std::int64_t num_layers = 1, double dropout = 0.0, bool train = false,
     bool bidirectional = false),
    .doc = "rnn_tanh() over packed sequences, as in lstm_packed().",
    .source = "Elman 1990, Cognitive Science 14", .family = Family::matmul, .home = "nn.functional",
    .method = false,
    .samples = "rnn_tanh_packed(A(5, 3), tensor([2, 2, 1]), A(1, 2, 2), [A(2, 3), A(2, 2), A(2), A(2)])",
    .integers = false, .reads_values = true, .tolerance = 1e-4, .results = "output hidden",
    .overload_of = "rnn_tanh") {
  const LayersResult r = run_packed("rnn_tanh", CellKind::tanh, data, batch_sizes, {hx}, params,
                                    {has_biases, num_layers, dropout, train, bidirectional});
  return {r.rows, r.hidden};
}

PHLOX_OPERATION(
    TensorPair, rnn_relu_packed,
    (const Tensor& data, const Tensor& batch_sizes, const Tensor& hx, const TensorList& params,
     bool has_biases = true, std::int64_t num_layers = 1, double dropout = 0.0, bool train = false,
     bool bidirectional = false),
    .doc = "rnn_relu() over packed sequences, as in lstm_packed().",
    .source = "Le, Jaitly, Hinton 2015, arXiv:1504.00941", .family = Family::matmul, .home = "nn.functional",
    .method = false,
    .samples = "rnn_relu_packed(A(5, 3), tensor([2, 2, 1]), A(1, 2, 2), [A(2, 3), A(2, 2), A(2), A(2)])",
    .integers = false, .reads_values = true, .tolerance = 1e-4, .results = "output hidden",
    .overload_of = "rnn_relu") {
  const LayersResult r = run_packed("rnn_relu", CellKind::relu, data, batch_sizes, {hx}, params,
                                    {has_biases, num_layers, dropout, train, bidirectional});
  return {r.rows, r.hidden};
}

// --- single cells

PHLOX_OPERATION(
    TensorPair, lstm_cell,
    (const Tensor& input, const TensorList& hx, const Tensor& w_ih, const Tensor& w_hh,
     const OptionalTensor& b_ih = {}, const OptionalTensor& b_hh = {}),
    .doc =
        "One step of lstm(): input [batch, features] and the states hx give the next hidden and cell state.",
    .source = "Hochreiter, Schmidhuber 1997, Neural Computation 9", .family = Family::matmul,
    .home = "nn.functional", .method = false,
    .samples =
        "lstm_cell(A(3, 4), [A(3, 2), A(3, 2)], A(8, 4), A(8, 2), A(8), A(8)); lstm_cell(A(4), [A(2), A(2)], "
        "A(8, 4), A(8, 2))",
    .integers = false, .tolerance = 1e-4, .results = "hidden cell") {
  if (hx.size() != 2)
    fail<ValueError>(ErrorCode::invalid_value, "lstm_cell: hx is a list of two tensors").raise();
  const State r = run_cell("lstm_cell", CellKind::lstm, input, {hx[0], hx[1]}, w_ih, w_hh, b_ih, b_hh);
  return {r.hidden, r.cell};
}

PHLOX_OPERATION(Tensor, gru_cell,
                (const Tensor& input, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,
                 const OptionalTensor& b_ih = {}, const OptionalTensor& b_hh = {}),
                .doc = "One step of gru(): input [batch, features] and the state hx give the next state.",
                .source = "Cho et al. 2014, arXiv:1406.1078", .family = Family::matmul,
                .home = "nn.functional", .method = false,
                .samples = "gru_cell(A(3, 4), A(3, 2), A(6, 4), A(6, 2), A(6), A(6))", .integers = false,
                .tolerance = 1e-4) {
  return run_cell("gru_cell", CellKind::gru, input, {hx, {}}, w_ih, w_hh, b_ih, b_hh).hidden;
}

PHLOX_OPERATION(
    Tensor, rnn_cell,
    (const Tensor& input, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,
     const OptionalTensor& b_ih = {}, const OptionalTensor& b_hh = {},
     const std::string& nonlinearity = "tanh"),
    .doc = "One step of rnn(): input [batch, features] and the state hx give the next state.",
    .source = "Elman 1990, Cognitive Science 14", .family = Family::matmul, .home = "nn.functional",
    .method = false,
    .samples =
        "rnn_cell(A(3, 4), A(3, 2), A(2, 4), A(2, 2), A(2), A(2)); rnn_cell(A(3, 4), A(3, 2), A(2, 4), "
        "A(2, 2), nonlinearity='relu')",
    .reference =
        "(np.tanh if nonlinearity == 'tanh' else lambda x: np.maximum(x, 0))(input @ w_ih.T + hx @ w_hh.T "
        "+ (0 if b_ih is None else b_ih + b_hh))",
    .integers = false, .tolerance = 1e-4) {
  return run_cell("rnn_cell", kind_of(nonlinearity, "rnn_cell"), input, {hx, {}}, w_ih, w_hh, b_ih, b_hh)
      .hidden;
}

PHLOX_OPERATION(Tensor, rnn_tanh_cell,
                (const Tensor& input, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,
                 const OptionalTensor& b_ih = {}, const OptionalTensor& b_hh = {}),
                .doc = "rnn_cell() with tanh.", .family = Family::matmul, .home = "nn.functional",
                .method = false, .samples = "rnn_tanh_cell(A(3, 4), A(3, 2), A(2, 4), A(2, 2), A(2), A(2))",
                .integers = false, .tolerance = 1e-4) {
  return run_cell("rnn_tanh_cell", CellKind::tanh, input, {hx, {}}, w_ih, w_hh, b_ih, b_hh).hidden;
}

PHLOX_OPERATION(Tensor, rnn_relu_cell,
                (const Tensor& input, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,
                 const OptionalTensor& b_ih = {}, const OptionalTensor& b_hh = {}),
                .doc = "rnn_cell() with relu.", .family = Family::matmul, .home = "nn.functional",
                .method = false, .samples = "rnn_relu_cell(A(3, 4), A(3, 2), A(2, 4), A(2, 2), A(2), A(2))",
                .integers = false, .tolerance = 1e-4) {
  return run_cell("rnn_relu_cell", CellKind::relu, input, {hx, {}}, w_ih, w_hh, b_ih, b_hh).hidden;
}

}  // namespace phlox
