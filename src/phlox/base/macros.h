// The few compiler-specific words that Phlox needs.
#pragma once

#define PHLOX_INLINE __attribute__((always_inline)) inline
#define PHLOX_NOINLINE __attribute__((noinline))
#define PHLOX_COLD __attribute__((noinline, cold))

// Thread-local variables on the hot path: constant-initialised, so that an access is one instruction.
#define PHLOX_THREAD_LOCAL constinit thread_local __attribute__((tls_model("initial-exec")))
