// All of phlox::data.
#pragma once

#include "phlox/data/dataset.h"
#include "phlox/data/digits.h"
#include "phlox/data/loader.h"
#include "phlox/data/sampler.h"
