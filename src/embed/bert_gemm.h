/*
 * Matrix products of the encoder by oneDNN: left (m rows of k numbers) times weights (k x n), for
 * few rows and weights that stay. Internal to embed/.
 *
 * Types: f32 x f32 -> f32, bf16 x bf16 -> f32, or bytes 0..255 x -128..127 -> int32 (exact).
 *
 * A pool and its weights are shared by all threads; a context belongs to one thread at a time.
 * Products run in the calling thread only.
 */
#pragma once

#include "base/err.h"

enum gemm_type { GEMM_F32, GEMM_BF16, GEMM_INT8 };

#define GEMM_ROWS_MAX 512 /* of one product */

struct gemm_pool;
struct gemm_weights;
struct gemm_context;

/* What the library can do fast on this CPU (DNNL_MAX_CPU_ISA lowers it). */
bool gemm_is_native(enum gemm_type type);

/* ERR_INTERNAL: oneDNN refused. */
int gemm_pool_new(enum gemm_type type, struct gemm_pool **ret, struct err *err) _must_check_;
struct gemm_pool *gemm_pool_free(struct gemm_pool *p); /* after its weights and contexts */
DEFINE_CLEANUP(struct gemm_pool *, gemm_pool_free)

/*
 * Weights from n rows of k numbers of the pool's type (float, uint16_t, int8_t): how a linear layer
 * stores them. Copied, in the order that the products like. ERR_UNSUPPORTED: not this type on this
 * processor; ERR_NO_MEMORY; ERR_INTERNAL: oneDNN failed.
 */
int gemm_weights_new(struct gemm_pool *p, const void *rows, size_t n, size_t k,
		     struct gemm_weights **ret, struct err *err) _must_check_;
struct gemm_weights *gemm_weights_free(struct gemm_weights *w);
DEFINE_CLEANUP(struct gemm_weights *, gemm_weights_free)

int gemm_context_new(struct gemm_pool *p, struct gemm_context **ret, struct err *err) _must_check_;
struct gemm_context *gemm_context_free(struct gemm_context *c);
DEFINE_CLEANUP(struct gemm_context *, gemm_context_free)

/* A product reads and writes whole steps of rows: buffers have room for so many more than it is
 * asked for. */
#define GEMM_SPARE_ROWS 16

/* m is 1..GEMM_ROWS_MAX. ERR_INTERNAL, ERR_NO_MEMORY: oneDNN failed. */
int gemm_run(struct gemm_context *c, const struct gemm_weights *w, const void *left, size_t m,
	     void *ret, struct err *err) _must_check_;
