// Which instruction set a kernel file is compiled for. Light: kernel files include it.
#pragma once

// Given on the command line of each compilation; the baseline otherwise.
#ifndef PHLOX_ISA
#define PHLOX_ISA baseline
#endif
