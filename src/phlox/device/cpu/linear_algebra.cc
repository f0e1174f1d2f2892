#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/matrix_batch.h"

namespace phlox::cpu {

std::string name_of_matrix(const MatrixCall& call, std::int64_t matrix) {
  const TensorImpl& input = *call.inputs[0];
  const int batch_rank = input.rank - 2;
  if (batch_rank == 0) return "the matrix";
  std::string place;
  for (int d = batch_rank - 1; d >= 0; --d) {
    place = fmt::format("{}{}{}", matrix % input.sizes[d], place.empty() ? "" : ", ", place);
    matrix /= input.sizes[d];
  }
  return fmt::format("matrix [{}] of the batch", place);
}

void check_convergence(const MatrixCall& call, const std::vector<std::int32_t>& infos) {
  for (std::size_t i = 0; i < infos.size(); ++i)
    if (infos[i] != 0)
      fail<LinAlgError>(ErrorCode::no_convergence, "{}: {} {}", call.operation(),
                        name_of_matrix(call, static_cast<std::int64_t>(i)),
                        infos[i] == not_finite ? "holds NaN or infinities"
                                               : "is so ill-conditioned that the iteration does not converge")
          .raise();
}

void linear_algebra(const MatrixCall& call) {
  switch (call.attributes.routine) {
    case MatrixRoutine::cholesky:
    case MatrixRoutine::lu:
    case MatrixRoutine::permutation:
    case MatrixRoutine::qr:
    case MatrixRoutine::geqrf:
    case MatrixRoutine::ldl: return run_factorization(call);
    case MatrixRoutine::eigh:
    case MatrixRoutine::eigvalsh:
    case MatrixRoutine::eig:
    case MatrixRoutine::eigvals:
    case MatrixRoutine::svd:
    case MatrixRoutine::svdvals:
    case MatrixRoutine::pinv: return run_decomposition(call);
    case MatrixRoutine::ldl_solve:
    case MatrixRoutine::solve:
    case MatrixRoutine::solve_triangular:
    case MatrixRoutine::tridiagonal:
    case MatrixRoutine::inverse: return run_equations(call);
    case MatrixRoutine::det:
    case MatrixRoutine::slogdet: return run_determinant(call);
    case MatrixRoutine::exp:
    case MatrixRoutine::log:
    case MatrixRoutine::sqrt: return run_matrix_function(call);
  }
}

}  // namespace phlox::cpu
