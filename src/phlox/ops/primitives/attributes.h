// What a primitive carries besides its tensors: a plain struct that lists its fields, so that graphs can copy, compare,
// print and read it without knowing it.
//
//   struct SoftmaxAttributes {
//     int dim;
//     bool log;
//     template <class Visitor>
//     void visit(Visitor& v) { v("dim", dim), v("log", log); }
//   };
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "phlox/core/arguments.h"
#include "phlox/core/tensor.h"

namespace phlox {

struct PointwiseFunction;

// Sees the fields of attributes one after the other, and may change them.
class AttributeVisitor {
 public:
  virtual ~AttributeVisitor() = default;

  // Reads as v("name", field), for fields of all types below, integers of any width, and enumerations that have
  //   inline std::span<const char* const> names_of(MyEnum);
  template <class T>
  void operator()(const char* name, T& field) {
    if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, bool> || std::is_same_v<T, double> ||
                  std::is_same_v<T, DType> || std::is_same_v<T, Device> || std::is_same_v<T, Scalar> ||
                  std::is_same_v<T, Integers> || std::is_same_v<T, std::string> ||
                  std::is_same_v<T, const PointwiseFunction*>) {
      visit(name, field);
    } else if constexpr (std::is_base_of_v<IntList, T>) {
      Integers list(field.begin(), field.end());
      visit(name, list);
      static_cast<IntList&>(field) = IntList(list);
    } else if constexpr (std::is_enum_v<T>) {
      auto position = static_cast<std::int64_t>(field);
      choose(name, position, names_of(T{}));
      field = static_cast<T>(position);
    } else if constexpr (std::is_integral_v<T>) {
      auto wide = static_cast<std::int64_t>(field);
      visit(name, wide);
      field = static_cast<T>(wide);
    } else {
      visit_each(name, field);
    }
  }

 protected:
  virtual void visit(const char* name, bool& value) = 0;
  virtual void visit(const char* name, std::int64_t& value) = 0;
  virtual void visit(const char* name, double& value) = 0;
  virtual void visit(const char* name, Scalar& value) = 0;
  virtual void visit(const char* name, Integers& values) = 0;
  virtual void visit(const char* name, std::string& text) = 0;
  virtual void visit(const char* name, DType& dtype) = 0;
  virtual void visit(const char* name, Device& device) = 0;
  virtual void visit(const char* name, const PointwiseFunction*& function) = 0;
  virtual void visit(const char* name, std::vector<Scalar>& values) = 0;
  virtual void choose(const char* name, std::int64_t& position, std::span<const char* const> names) = 0;

 private:
  void visit_each(const char* name, std::vector<Scalar>& values) { visit(name, values); }
};

// How to handle attributes whose type is not known.
struct AttributeType {
  std::shared_ptr<void> (*make)();
  std::shared_ptr<void> (*copy)(const void* attributes);
  void (*visit)(void* attributes, AttributeVisitor& visitor);
};

template <class T>
inline constexpr AttributeType attribute_type = {
    []() -> std::shared_ptr<void> { return std::make_shared<T>(); },
    [](const void* attributes) -> std::shared_ptr<void> {
      return std::make_shared<T>(*static_cast<const T*>(attributes));
    },
    [](void* attributes, AttributeVisitor& visitor) { static_cast<T*>(attributes)->visit(visitor); }};

// For primitives that carry nothing.
struct NoAttributes {
  template <class Visitor>
  void visit(Visitor&) {}
};

}  // namespace phlox
