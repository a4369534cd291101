/* Insides of the encoder that its files share: see bert.h. */
#pragma once

#include "embed/bert.h"
#include "embed/bert_gemm.h"
#include "embed/bert_kernels.h"
#include "embed/safetensors.h"
#include "embed/wordpiece.h"

/* A linear layer, k numbers to n. */
struct bert_linear {
	size_t n, k;
	struct gemm_weights *weights;
	float *numbers; /* owns what `columns` points to */
	struct bert_columns columns;
};

struct bert_layer {
	struct bert_linear project; /* query, key and value, one after the other */
	struct bert_linear mix;	    /* of the heads */
	struct bert_norm mix_norm;
	struct bert_linear up, down;
	struct bert_norm down_norm;
};

struct bert_model { /* immutable once opened */
	struct bert_info info;
	size_t hidden, inner, heads, head_dim;
	float epsilon;
	struct wordpiece *wordpiece;
	struct safetensors *file;
	const float *words; /* in `file`: a row a token */
	float *positions;   /* a row a position, the first token type's added */
	struct bert_norm word_norm;
	struct bert_layer *layers;
	size_t n_layers;
	enum gemm_type type;
	unsigned byte_max; /* of an activation */
	struct gemm_pool *pool;
	const struct bert_kernels *kernels;
	size_t pack_rows, block_rows; /* tokens of a pass, and of one product */
};

/* All matrices of the model, from its file (bert_load.c). */
int bert_load_layers(struct bert_model *m, struct err *err) _must_check_;
void bert_layer_done(struct bert_layer *l);
