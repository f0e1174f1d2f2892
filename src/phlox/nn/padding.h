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

template <int dimensions>
class ZeroPad : public Padding {
 public:
  explicit ZeroPad(const Integers& amounts) : Padding(dimensions, amounts, "constant") {}
  ZeroPad(Module* parent, const std::string& name, const Integers& amounts) : ZeroPad(amounts) {
    parent->register_module(name, *this);
  }
};
struct ZeroPad1d : ZeroPad<1> {
  using ZeroPad::ZeroPad;
};
struct ZeroPad2d : ZeroPad<2> {
  using ZeroPad::ZeroPad;
};
struct ZeroPad3d : ZeroPad<3> {
  using ZeroPad::ZeroPad;
};

template <int dimensions>
class ReflectionPad : public Padding {
 public:
  explicit ReflectionPad(const Integers& amounts) : Padding(dimensions, amounts, "reflect") {}
  ReflectionPad(Module* parent, const std::string& name, const Integers& amounts) : ReflectionPad(amounts) {
    parent->register_module(name, *this);
  }
};
struct ReflectionPad1d : ReflectionPad<1> {
  using ReflectionPad::ReflectionPad;
};
struct ReflectionPad2d : ReflectionPad<2> {
  using ReflectionPad::ReflectionPad;
};
struct ReflectionPad3d : ReflectionPad<3> {
  using ReflectionPad::ReflectionPad;
};

template <int dimensions>
class ReplicationPad : public Padding {
 public:
  explicit ReplicationPad(const Integers& amounts) : Padding(dimensions, amounts, "replicate") {}
  ReplicationPad(Module* parent, const std::string& name, const Integers& amounts) : ReplicationPad(amounts) {
    parent->register_module(name, *this);
  }
};
struct ReplicationPad1d : ReplicationPad<1> {
  using ReplicationPad::ReplicationPad;
};
struct ReplicationPad2d : ReplicationPad<2> {
  using ReplicationPad::ReplicationPad;
};
struct ReplicationPad3d : ReplicationPad<3> {
  using ReplicationPad::ReplicationPad;
};

template <int dimensions>
class CircularPad : public Padding {
 public:
  explicit CircularPad(const Integers& amounts) : Padding(dimensions, amounts, "circular") {}
  CircularPad(Module* parent, const std::string& name, const Integers& amounts) : CircularPad(amounts) {
    parent->register_module(name, *this);
  }
};
struct CircularPad1d : CircularPad<1> {
  using CircularPad::CircularPad;
};
struct CircularPad2d : CircularPad<2> {
  using CircularPad::CircularPad;
};
struct CircularPad3d : CircularPad<3> {
  using CircularPad::CircularPad;
};

template <int dimensions>
class ConstantPad : public Padding {
 public:
  ConstantPad(const Integers& amounts, double value) : Padding(dimensions, amounts, "constant", value) {}
  ConstantPad(Module* parent, const std::string& name, const Integers& amounts, double value)
      : ConstantPad(amounts, value) {
    parent->register_module(name, *this);
  }
};
struct ConstantPad1d : ConstantPad<1> {
  using ConstantPad::ConstantPad;
};
struct ConstantPad2d : ConstantPad<2> {
  using ConstantPad::ConstantPad;
};
struct ConstantPad3d : ConstantPad<3> {
  using ConstantPad::ConstantPad;
};

}  // namespace phlox::nn
