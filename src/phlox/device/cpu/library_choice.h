// Whether contractions and convolutions go to tuned libraries or to the portable loops.
#pragma once

namespace phlox::cpu {

// The portable loops multiply and add in one fixed order, so that their results do not depend on the machine. They
// are also what remains where no library is. On from the start with PHLOX_PORTABLE_KERNELS=1.
bool portable_kernels();
void set_portable_kernels(bool on);

}  // namespace phlox::cpu
