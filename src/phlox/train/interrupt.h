// Ctrl-C that lets a training loop end in order: the first only sets a flag, a second ends the program as usual.
//
//   train::Interrupt interrupt;
//   for (auto [x, y] : loader) {
//     step(x, y);
//     if (interrupt.requested()) { save_checkpoint("runs/digits", state()); break; }
//   }
#pragma once

namespace phlox::train {

class Interrupt {
 public:
  // Takes over the signal SIGINT for the lifetime of the object. Objects may be nested.
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool requested() const;
};

}  // namespace phlox::train
