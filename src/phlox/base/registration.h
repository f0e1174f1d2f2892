// Tables that grow by linking: an entry is a constant in a linker section, so a definition anywhere in the program
// is in the table, without dynamic initialisers. Static libraries must be linked whole.
#pragma once

#include <cstddef>
#include <span>

#if defined(__APPLE__)
#define PHLOX_TABLE_ENTRY(table) __attribute__((section("__DATA," #table), used, aligned(8)))
#define PHLOX_TABLE(type, table)                                          \
  extern const type table##_first[] __asm("section$start$__DATA$" #table) \
      __attribute__((visibility("hidden")));                              \
  extern const type table##_last[] __asm("section$end$__DATA$" #table) __attribute__((visibility("hidden")))
#else
// The linker defines __start_ and __stop_ for sections whose names are identifiers. Weak: a table may be empty.
#define PHLOX_TABLE_ENTRY(table) __attribute__((section(#table), used, retain, aligned(8)))
#define PHLOX_TABLE(type, table)                                                                          \
  extern const type table##_first[] __asm("__start_" #table) __attribute__((weak, visibility("hidden"))); \
  extern const type table##_last[] __asm("__stop_" #table) __attribute__((weak, visibility("hidden")))
#endif

#define PHLOX_TABLE_SPAN(table) \
  std::span(table##_first, static_cast<std::size_t>(table##_last - table##_first))
