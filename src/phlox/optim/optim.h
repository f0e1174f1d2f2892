// All of phlox::optim.
#pragma once

#include "phlox/optim/adam.h"
#include "phlox/optim/optimizer.h"
#include "phlox/optim/rmsprop.h"
#include "phlox/optim/schedule.h"
#include "phlox/optim/sgd.h"
