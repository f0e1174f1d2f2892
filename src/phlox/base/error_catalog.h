// The catalogue of error codes. The hundreds stand for the area: 01 general, 02 shapes, 03 types, 04 devices and
// memory, 05 indices, 06 gradients, 07 modules and state, 08 files, 09 data,
// 10 graphs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace phlox {

#define PHLOX_ERROR_CATALOG(E)                                                                        \
  E(invalid_value, 101, "An argument has a value that is not allowed")                                \
  E(undefined_tensor, 102, "A tensor is used that was never given a value")                           \
  E(unknown_name, 103, "A name is not known")                                                         \
  E(wrong_argument_type, 104, "An argument has the wrong type")                                       \
  E(missing_argument, 105, "A required argument is missing")                                          \
  E(not_supported, 106, "The combination asked for is not supported")                                 \
  E(singular_matrix, 107, "A matrix is singular, or does not have the form that is needed")           \
  E(no_convergence, 108, "Eigenvalues or singular values cannot be computed")                         \
  E(extension_failed, 109, "An extension cannot be built or loaded, or fails")                        \
  E(shapes_do_not_broadcast, 201, "Shapes do not broadcast together")                                 \
  E(wrong_element_count, 202, "A reshape would change the number of elements")                        \
  E(inner_sizes_differ, 203, "Inner sizes of a product differ")                                       \
  E(wrong_rank, 204, "A tensor has the wrong number of dimensions")                                   \
  E(sizes_differ, 205, "Two sizes that must agree differ")                                            \
  E(dimension_out_of_range, 206, "A dimension does not exist")                                        \
  E(too_many_dimensions, 207, "A tensor would have too many dimensions")                              \
  E(empty_reduction, 208, "A reduction without identity over no elements")                            \
  E(not_viewable, 209, "A view is impossible with these strides")                                     \
  E(duplicate_dimension, 210, "A dimension is named twice")                                           \
  E(bad_equation, 211, "An einsum equation cannot be read")                                           \
  E(wrong_dtype, 301, "An operation does not exist for this dtype")                                   \
  E(cast_loses, 302, "A cast that is not allowed implicitly")                                         \
  E(integer_overflow, 303, "A Python integer does not fit the dtype")                                 \
  E(wrong_device, 401, "Tensors live on different devices")                                           \
  E(unknown_device, 402, "A device does not exist here")                                              \
  E(out_of_memory, 403, "Memory is exhausted")                                                        \
  E(no_kernel, 404, "A device has no kernel for this primitive")                                      \
  E(index_out_of_range, 501, "An index is out of range")                                              \
  E(too_many_indices, 502, "More indices than dimensions")                                            \
  E(bad_index, 503, "An index of the wrong kind")                                                     \
  E(modified_in_place, 601, "A tensor needed for a gradient was modified in place")                   \
  E(backward_twice, 602, "Gradients were computed twice through a freed graph")                       \
  E(leaf_modified_in_place, 603, "A leaf that requires gradients was modified in place")              \
  E(no_gradient_path, 604, "A tensor has no gradient path")                                           \
  E(implicit_gradient_not_scalar, 605, "backward() without an argument needs a single element")       \
  E(requires_grad_dtype, 606, "Only floating and complex tensors can require gradients")              \
  E(not_a_leaf, 607, "Only leaves can change requires_grad or keep a gradient")                       \
  E(gradient_shape, 608, "A gradient has the wrong shape or dtype")                                   \
  E(nonfinite_gradient, 609, "A gradient is NaN or infinite in anomaly mode")                         \
  E(view_modified_in_place, 610, "A view was modified in place where gradients need its history")     \
  E(inference_tensor, 611, "A tensor made in inference mode cannot take part in gradients")           \
  E(state_keys_differ, 701, "Keys of a state dictionary differ from the module's")                    \
  E(state_shape_differs, 702, "A stored tensor has another shape than the module's")                  \
  E(module_misuse, 703, "A module is used in a way it is not made for")                               \
  E(file_not_found, 801, "A file does not exist or cannot be opened")                                 \
  E(file_truncated, 802, "A file ends too early")                                                     \
  E(file_malformed, 803, "A file does not follow its format")                                         \
  E(file_unsafe, 804, "A file asks for something that loading refuses to do")                         \
  E(file_write_failed, 805, "A file cannot be written")                                               \
  E(data_misuse, 901, "A data set or loader is used in a way it is not made for")                     \
  E(value_while_capturing, 1001, "The values of a tensor are asked for while a function is captured") \
  E(not_capturable, 1002, "Something in a function cannot be captured")                               \
  E(bad_graph, 1003, "A graph breaks a rule of graphs")                                               \
  E(bad_graph_text, 1004, "The text of a graph cannot be read")                                       \
  E(first_call_eager, 1005, "A function must be called once before it is captured")                   \
  E(assertion_failed, 1006, "An assertion of a captured function does not hold")

enum class ErrorCode : std::uint16_t {
#define PHLOX_ENUMERATE(name, number, title) name = number,
  PHLOX_ERROR_CATALOG(PHLOX_ENUMERATE)
#undef PHLOX_ENUMERATE
};

struct ErrorEntry {
  ErrorCode code;
  std::string_view name;
  std::string_view title;
};

// All codes in the order of their numbers.
std::span<const ErrorEntry> error_catalog();

}  // namespace phlox
