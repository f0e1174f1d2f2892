#include <iostream>

#include <phlox/extension/load.h>

int main(int, char** arguments) {
  for (const phlox::Operation* operation : phlox::load_extension(arguments[1])) {
    const phlox::Tensor three({3.0f});
    phlox::Value values[2];
    values[0].kind = phlox::Value::Kind::tensor;
    values[0].tensor = &three;
    values[1].kind = phlox::Value::Kind::floating;
    values[1].floating = 2;
    const auto result = std::get<phlox::Tensor>(phlox::call(*operation, values));
    std::cout << operation->name << "(3) = " << result.item<float>() << '\n';
  }
}
