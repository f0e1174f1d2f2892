// Everything public in one include:
//
//   #include <phlox/phlox.h>
//   namespace px = phlox;
#pragma once

#include "phlox/autograd/checkpoint.h"
#include "phlox/autograd/engine.h"
#include "phlox/autograd/function.h"
#include "phlox/core/parallel.h"
#include "phlox/core/print.h"
#include "phlox/core/random.h"
#include "phlox/core/tensor.h"
#include "phlox/data/data.h"
#include "phlox/io/checkpoint.h"
#include "phlox/io/csv.h"
#include "phlox/io/idx.h"
#include "phlox/io/npy.h"
#include "phlox/io/png.h"
#include "phlox/io/safetensors.h"
#include "phlox/io/state_dict.h"
#include "phlox/metrics/classification.h"
#include "phlox/nn/nn.h"
#include "phlox/ops/creation.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/indexing.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/operators.h"
#include "phlox/optim/optim.h"
#include "phlox/train/interrupt.h"
#include "phlox/train/predict.h"
#include "phlox/train/progress.h"
#include "phlox/vision/draw.h"
