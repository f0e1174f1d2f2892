/* The C ABI of Phlox, for what is compiled apart from it: extensions, plug-ins, bindings of other languages.
 *
 * It is only ever extended. Structs that the library hands out grow at their end, and their first field says how large
 * they are; structs that it is given say so themselves. Numbers of dtypes and kinds keep their meaning. What is compiled
 * with this header runs with every later library of the same PHLOX_ABI_VERSION.
 *
 * An extension is a shared library that exports one function:
 *
 *   int phlox_extension(const phlox_api* api);    0, or anything else where it cannot be loaded
 *
 * In C++ phlox/extension/extension.h writes all of it.
 *
 * Functions give 0, or another number where they fail; then api->last_error() is what went wrong, in this thread. None
 * lets an exception out, and none that is given to the library may. Text is UTF-8, and lives as long as what it is in.
 */
#ifndef PHLOX_EXTENSION_C_ABI_H
#define PHLOX_EXTENSION_C_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PHLOX_ABI_VERSION 2
#define PHLOX_MAX_RANK 32

enum phlox_dtype {
  PHLOX_BOOL = 0,
  PHLOX_UINT8 = 1,
  PHLOX_UINT16 = 2,
  PHLOX_UINT32 = 3,
  PHLOX_UINT64 = 4,
  PHLOX_INT8 = 5,
  PHLOX_INT16 = 6,
  PHLOX_INT32 = 7,
  PHLOX_INT64 = 8,
  PHLOX_FLOAT16 = 9,
  PHLOX_BFLOAT16 = 10,
  PHLOX_FLOAT32 = 11,
  PHLOX_FLOAT64 = 12,
  PHLOX_COMPLEX64 = 13,
  PHLOX_COMPLEX128 = 14
};

/* A dtype and a shape. */
typedef struct phlox_type {
  int32_t dtype;
  int32_t rank;
  int64_t sizes[PHLOX_MAX_RANK];
} phlox_type;

/* Elements in row-major order, in the memory of the CPU. Of an input they are only read. */
typedef struct phlox_array {
  phlox_type type;
  void* data;
} phlox_array;

/* A reference to a tensor of the library. Who gets one from a function releases it. */
typedef struct phlox_tensor_object* phlox_tensor;

enum phlox_kind {
  PHLOX_NONE = 0, /* for a result: nothing; for an argument: its default value */
  PHLOX_TENSOR = 1,
  PHLOX_INTEGER = 2,
  PHLOX_FLOATING = 3,
  PHLOX_BOOLEAN = 4, /* in `integer` */
  PHLOX_TEXT = 5,
  PHLOX_INTEGERS = 6, /* a list, such as dimensions */
  PHLOX_DTYPE = 7     /* in `integer` */
};

/* An argument or result. Lists and texts belong to who fills it in, and are read during the call only. */
typedef struct phlox_value {
  int32_t kind;
  int32_t count; /* of `integers` */
  union {
    phlox_tensor tensor;
    int64_t integer;
    double floating;
    const char* text;
    const int64_t* integers;
  } as;
} phlox_value;

/* One step of an expression: an opcode by its name, the steps it works on (-1: none), and for "constant" its value, for
 * "input" and "scalar" which it is. Steps stand behind what they work on. */
typedef struct phlox_expression_node {
  const char* opcode;
  int32_t arguments[3];
  double value;
} phlox_expression_node;

enum phlox_pointwise_types { /* what it is defined on; floating: integers become the default float */
                             PHLOX_FLOATING_TYPES = 0,
                             PHLOX_NUMERIC_TYPES = 1,
                             PHLOX_ANY_TYPES = 2,
                             PHLOX_INTEGRAL_TYPES = 3
};

/* An operation that is an expression of each element. Broadcasting, dtypes, gradients of all orders, vmap and
 * compilation follow. */
typedef struct phlox_pointwise {
  uint32_t size; /* sizeof(phlox_pointwise) */
  int32_t types; /* phlox_pointwise_types */
  const char* name;
  const char* signature; /* "(Tensor input, float scale = 1.0)": tensors first */
  const char* doc;
  int32_t tensors, scalars;
  const phlox_expression_node* nodes;
  int32_t count, result, result_is_mask;
} phlox_pointwise;

/* An operation that computes whole tensors. `numbers` are the parameters that are no tensors, in their order. */
typedef struct phlox_kernel {
  uint32_t size;   /* sizeof(phlox_kernel) */
  int32_t batched; /* leading dimensions are a batch: vmap calls it once */
  const char* name;
  const char* signature; /* "(Tensor input, int width = 3)": tensors first */
  const char* doc;
  int32_t inputs, results;
  /* Fills in the types of the results. */
  int (*types)(const phlox_type* inputs, const phlox_value* numbers, phlox_type* results);
  /* Computes them. */
  int (*run)(const phlox_array* inputs, const phlox_value* numbers, const phlox_array* results);
  /* The gradients of the inputs from those of the results, made by operations (api->call); null: it has none. A gradient
   * that is left null is zero. */
  int (*gradient)(const phlox_tensor* inputs, const phlox_tensor* results,
                  const phlox_tensor* result_gradients, const phlox_value* numbers,
                  phlox_tensor* input_gradients);
} phlox_kernel;

/* An operation made of others (api->call). It gives `results` tensors. */
typedef struct phlox_composite {
  uint32_t size; /* sizeof(phlox_composite) */
  int32_t results;
  const char* name;
  const char* signature;
  const char* doc;
  int (*call)(const phlox_value* arguments, int32_t count, phlox_tensor* results);
} phlox_composite;

typedef struct phlox_api {
  uint32_t size; /* of this struct in the library */
  uint32_t version;
  const char* (*last_error)(void);
  /* What a function that is given to the library says before it returns another number than 0. */
  void (*set_error)(const char* text);

  int (*add_pointwise)(const phlox_pointwise* operation);
  int (*add_kernel)(const phlox_kernel* operation);
  int (*add_composite)(const phlox_composite* operation);

  /* Calls body(context, first, last) on parts of [0, count), of at least `grain`, in the threads of the library. */
  int (*parallel_for)(int64_t count, int64_t grain, void (*body)(void* context, int64_t first, int64_t last),
                      void* context);

  /* Tensors. */
  int (*tensor_from)(const phlox_array* array, phlox_tensor* result); /* a copy of the elements */
  void (*tensor_release)(phlox_tensor tensor);
  phlox_tensor (*tensor_retain)(phlox_tensor tensor);
  int (*tensor_type)(phlox_tensor tensor, phlox_type* type);
  /* The elements in row-major order; `data` is valid while `holder`, which is to be released, lives. */
  int (*tensor_elements)(phlox_tensor tensor, phlox_array* array, phlox_tensor* holder);
  /* Calls an operation by its name, with the first `count` of its arguments. Room for `capacity` results; `results` says
   * how many there are. */
  int (*call)(const char* operation, const phlox_value* arguments, int32_t count, phlox_value* results,
              int32_t capacity, int32_t* result_count);
} phlox_api;

#ifdef __cplusplus
}
#endif
#endif
