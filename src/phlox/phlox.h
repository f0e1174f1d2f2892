// Everything public in one include:
//
//   #include <phlox/phlox.h>
//   namespace px = phlox;
#pragma once

#include "phlox/autograd/checkpoint.h"
#include "phlox/autograd/engine.h"
#include "phlox/autograd/function.h"
#include "phlox/core/parallel.h"
#include "phlox/core/random.h"
#include "phlox/core/tensor.h"
#include "phlox/ops/creation.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/indexing.h"
#include "phlox/ops/operation.h"
