// All scalar functions. See math/domain.h for what they compute on.
#pragma once

#include "phlox/math/domain.h"
#include "phlox/math/elementwise.h"
#include "phlox/math/exponential.h"
#include "phlox/math/hyperbolic.h"
#include "phlox/math/integer.h"
#include "phlox/math/logarithm.h"
#include "phlox/math/normal.h"
#include "phlox/math/power.h"
#include "phlox/math/rounding.h"
#include "phlox/math/scalar.h"
#include "phlox/math/simd.h"
#include "phlox/math/special.h"
#include "phlox/math/trigonometric.h"
