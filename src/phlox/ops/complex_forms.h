// What pointwise functions that are not analytic give for complex tensors. Light: kernel files include it.
#pragma once

namespace phlox {

class Tensor;

Tensor complex_abs(const Tensor& input);       // the length, of the real dtype
Tensor complex_isinf(const Tensor& input);     // a part is infinite
Tensor complex_isfinite(const Tensor& input);  // both parts are finite
Tensor complex_softsign(const Tensor& input);  // input / (1 + its length)
Tensor complex_logaddexp(const Tensor& input, const Tensor& other);

}  // namespace phlox
