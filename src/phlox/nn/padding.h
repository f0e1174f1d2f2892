// Padding layers: more elements around the spatial dimensions, the last ones of the input.
#pragma once

#include <string>

#include "phlox/nn/module.h"

namespace phlox::nn {

// `amounts`: one number for all sides, or before and after each spatial dimension, from the last one on.
class Padding : public Module {
 public:
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 protected:
  Padding(int dimensions, const Integers& amounts, std::string mode, double value = 0);

 private:
  Integers amounts_;
  std::string mode_;
  double value_;
};

// Zeros around the input.
template <int dimensions>
class ZeroPad : public Padding {
 public:
  // Negative amounts cut off.
  explicit ZeroPad(const Integers& amounts) : Padding(dimensions, amounts, "constant") {}
  ZeroPad(Module* parent, const std::string& name, const Integers& amounts) : ZeroPad(amounts) {
    parent->register_module(name, *this);
  }
};
// Of signals [N, C, length].
struct ZeroPad1d : ZeroPad<1> {
  using ZeroPad::ZeroPad;
};
// Of images [N, C, height, width].
struct ZeroPad2d : ZeroPad<2> {
  using ZeroPad::ZeroPad;
};
// Of volumes [N, C, depth, height, width].
struct ZeroPad3d : ZeroPad<3> {
  using ZeroPad::ZeroPad;
};

// The input mirrored at its border elements, which are not repeated.
template <int dimensions>
class ReflectionPad : public Padding {
 public:
  // Amounts are smaller than the size they extend.
  explicit ReflectionPad(const Integers& amounts) : Padding(dimensions, amounts, "reflect") {}
  ReflectionPad(Module* parent, const std::string& name, const Integers& amounts) : ReflectionPad(amounts) {
    parent->register_module(name, *this);
  }
};
// Of signals [N, C, length].
struct ReflectionPad1d : ReflectionPad<1> {
  using ReflectionPad::ReflectionPad;
};
// Of images [N, C, height, width].
struct ReflectionPad2d : ReflectionPad<2> {
  using ReflectionPad::ReflectionPad;
};
// Of volumes [N, C, depth, height, width].
struct ReflectionPad3d : ReflectionPad<3> {
  using ReflectionPad::ReflectionPad;
};

// The border elements again and again.
template <int dimensions>
class ReplicationPad : public Padding {
 public:
  // Any amounts of an input that is not empty.
  explicit ReplicationPad(const Integers& amounts) : Padding(dimensions, amounts, "replicate") {}
  ReplicationPad(Module* parent, const std::string& name, const Integers& amounts) : ReplicationPad(amounts) {
    parent->register_module(name, *this);
  }
};
// Of signals [N, C, length].
struct ReplicationPad1d : ReplicationPad<1> {
  using ReplicationPad::ReplicationPad;
};
// Of images [N, C, height, width].
struct ReplicationPad2d : ReplicationPad<2> {
  using ReplicationPad::ReplicationPad;
};
// Of volumes [N, C, depth, height, width].
struct ReplicationPad3d : ReplicationPad<3> {
  using ReplicationPad::ReplicationPad;
};

// The input as if its ends met.
template <int dimensions>
class CircularPad : public Padding {
 public:
  // Amounts are at most the size they extend.
  explicit CircularPad(const Integers& amounts) : Padding(dimensions, amounts, "circular") {}
  CircularPad(Module* parent, const std::string& name, const Integers& amounts) : CircularPad(amounts) {
    parent->register_module(name, *this);
  }
};
// Of signals [N, C, length].
struct CircularPad1d : CircularPad<1> {
  using CircularPad::CircularPad;
};
// Of images [N, C, height, width].
struct CircularPad2d : CircularPad<2> {
  using CircularPad::CircularPad;
};
// Of volumes [N, C, depth, height, width].
struct CircularPad3d : CircularPad<3> {
  using CircularPad::CircularPad;
};

// One value around the input.
template <int dimensions>
class ConstantPad : public Padding {
 public:
  // Negative amounts cut off.
  ConstantPad(const Integers& amounts, double value) : Padding(dimensions, amounts, "constant", value) {}
  ConstantPad(Module* parent, const std::string& name, const Integers& amounts, double value)
      : ConstantPad(amounts, value) {
    parent->register_module(name, *this);
  }
};
// Of signals [N, C, length].
struct ConstantPad1d : ConstantPad<1> {
  using ConstantPad::ConstantPad;
};
// Of images [N, C, height, width].
struct ConstantPad2d : ConstantPad<2> {
  using ConstantPad::ConstantPad;
};
// Of volumes [N, C, depth, height, width].
struct ConstantPad3d : ConstantPad<3> {
  using ConstantPad::ConstantPad;
};

}  // namespace phlox::nn
