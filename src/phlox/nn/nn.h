// All of phlox::nn.
#pragma once

#include "phlox/nn/activation.h"
#include "phlox/nn/container.h"
#include "phlox/nn/convolution.h"
#include "phlox/nn/dropout.h"
#include "phlox/nn/fold.h"
#include "phlox/nn/init.h"
#include "phlox/nn/linear.h"
#include "phlox/nn/loss.h"
#include "phlox/nn/module.h"
#include "phlox/nn/normalization.h"
#include "phlox/nn/padding.h"
#include "phlox/nn/pooling.h"
#include "phlox/nn/utils.h"
