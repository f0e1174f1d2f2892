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

class ZeroPad1d : public Padding {
 public:
  explicit ZeroPad1d(const Integers& amounts) : Padding(1, amounts, "constant") {}
  ZeroPad1d(Module* parent, const std::string& name, const Integers& amounts) : ZeroPad1d(amounts) {
    parent->register_module(name, *this);
  }
};
class ReflectionPad1d : public Padding {
 public:
  explicit ReflectionPad1d(const Integers& amounts) : Padding(1, amounts, "reflect") {}
  ReflectionPad1d(Module* parent, const std::string& name, const Integers& amounts)
      : ReflectionPad1d(amounts) {
    parent->register_module(name, *this);
  }
};
class ReplicationPad1d : public Padding {
 public:
  explicit ReplicationPad1d(const Integers& amounts) : Padding(1, amounts, "replicate") {}
  ReplicationPad1d(Module* parent, const std::string& name, const Integers& amounts)
      : ReplicationPad1d(amounts) {
    parent->register_module(name, *this);
  }
};
class CircularPad1d : public Padding {
 public:
  explicit CircularPad1d(const Integers& amounts) : Padding(1, amounts, "circular") {}
  CircularPad1d(Module* parent, const std::string& name, const Integers& amounts) : CircularPad1d(amounts) {
    parent->register_module(name, *this);
  }
};
class ConstantPad1d : public Padding {
 public:
  ConstantPad1d(const Integers& amounts, double value) : Padding(1, amounts, "constant", value) {}
  ConstantPad1d(Module* parent, const std::string& name, const Integers& amounts, double value)
      : ConstantPad1d(amounts, value) {
    parent->register_module(name, *this);
  }
};

class ZeroPad2d : public Padding {
 public:
  explicit ZeroPad2d(const Integers& amounts) : Padding(2, amounts, "constant") {}
  ZeroPad2d(Module* parent, const std::string& name, const Integers& amounts) : ZeroPad2d(amounts) {
    parent->register_module(name, *this);
  }
};
class ReflectionPad2d : public Padding {
 public:
  explicit ReflectionPad2d(const Integers& amounts) : Padding(2, amounts, "reflect") {}
  ReflectionPad2d(Module* parent, const std::string& name, const Integers& amounts)
      : ReflectionPad2d(amounts) {
    parent->register_module(name, *this);
  }
};
class ReplicationPad2d : public Padding {
 public:
  explicit ReplicationPad2d(const Integers& amounts) : Padding(2, amounts, "replicate") {}
  ReplicationPad2d(Module* parent, const std::string& name, const Integers& amounts)
      : ReplicationPad2d(amounts) {
    parent->register_module(name, *this);
  }
};
class CircularPad2d : public Padding {
 public:
  explicit CircularPad2d(const Integers& amounts) : Padding(2, amounts, "circular") {}
  CircularPad2d(Module* parent, const std::string& name, const Integers& amounts) : CircularPad2d(amounts) {
    parent->register_module(name, *this);
  }
};
class ConstantPad2d : public Padding {
 public:
  ConstantPad2d(const Integers& amounts, double value) : Padding(2, amounts, "constant", value) {}
  ConstantPad2d(Module* parent, const std::string& name, const Integers& amounts, double value)
      : ConstantPad2d(amounts, value) {
    parent->register_module(name, *this);
  }
};

class ZeroPad3d : public Padding {
 public:
  explicit ZeroPad3d(const Integers& amounts) : Padding(3, amounts, "constant") {}
  ZeroPad3d(Module* parent, const std::string& name, const Integers& amounts) : ZeroPad3d(amounts) {
    parent->register_module(name, *this);
  }
};
class ReflectionPad3d : public Padding {
 public:
  explicit ReflectionPad3d(const Integers& amounts) : Padding(3, amounts, "reflect") {}
  ReflectionPad3d(Module* parent, const std::string& name, const Integers& amounts)
      : ReflectionPad3d(amounts) {
    parent->register_module(name, *this);
  }
};
class ReplicationPad3d : public Padding {
 public:
  explicit ReplicationPad3d(const Integers& amounts) : Padding(3, amounts, "replicate") {}
  ReplicationPad3d(Module* parent, const std::string& name, const Integers& amounts)
      : ReplicationPad3d(amounts) {
    parent->register_module(name, *this);
  }
};
class CircularPad3d : public Padding {
 public:
  explicit CircularPad3d(const Integers& amounts) : Padding(3, amounts, "circular") {}
  CircularPad3d(Module* parent, const std::string& name, const Integers& amounts) : CircularPad3d(amounts) {
    parent->register_module(name, *this);
  }
};
class ConstantPad3d : public Padding {
 public:
  ConstantPad3d(const Integers& amounts, double value) : Padding(3, amounts, "constant", value) {}
  ConstantPad3d(Module* parent, const std::string& name, const Integers& amounts, double value)
      : ConstantPad3d(amounts, value) {
    parent->register_module(name, *this);
  }
};

}  // namespace phlox::nn
