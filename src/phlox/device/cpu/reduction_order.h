// The order in which every reduction of Phlox combines its elements. It depends on the logical order of the elements
// alone, so the bits of a result do not depend on threads, memory layout, batch size or instruction set.
//
//   The n elements that one result is made of are numbered 0..n-1 in row-major order of the reduced dimensions.
//   They are cut into blocks of `reduction_block`; the last one may be shorter.
//   In a block, lane j starts from the identity and takes the elements j, j + lanes, j + 2 lanes, ... in this order.
//   The lanes of a block are folded in halves: lane j with lane j + 8, then j + 4, j + 2, j + 1.
//   The blocks are combined in pairs of neighbours, 0 with 1, 2 with 3, ..., and the results likewise until one is
//   left; one without neighbour moves up as it is.
//
// Lanes and blocks without elements do not take part, which changes no bit, as they would hold the identity.
#pragma once

namespace phlox {

inline constexpr int reduction_lanes = 16;
inline constexpr int reduction_block = 512;

}  // namespace phlox
