/*
 * A transformer encoder for sentence embeddings (BERT, mean pooling), such as all-MiniLM-L6-v2:
 * texts in, vectors of length 1 out. Usable alone: this header, libdnnl, jansson and utf8proc, with
 * src/base below it.
 *
 *	struct bert_model *model = NULL;
 *	struct bert_context *context = NULL;
 *	float vector[BERT_HIDDEN_MAX];
 *
 *	if (bert_model_open(dir, NULL, &model, &err) < 0 ||
 *	    bert_context_new(model, &context, &err) < 0 ||
 *	    bert_encode(context, &text, 1, vector, &err) < 0)
 *		…
 *
 * Threads: a model is immutable and shared by any number of threads; each thread has a context of
 * its own (some megabytes of scratch memory). A call works in the calling thread alone: use several
 * contexts in several threads for more. Nothing is kept between calls.
 *
 * A text is cut off after BERT_TOKENS_MAX tokens. Vectors of a text do not depend on which other
 * texts stand in the same call, but for the last bit or so: sums are taken in another order when
 * the number of rows changes.
 */
#pragma once

#include "base/strbuf.h"

#define BERT_TOKENS_MAX 256  /* as the model was trained; with [CLS] and [SEP] */
#define BERT_HIDDEN_MAX 1024 /* numbers of a vector */

/*
 * How weights and activations are multiplied. All sums, layer norms, softmax and GELU are f32.
 * BERT_INT8: weights as bytes with a scale per output, activations as bytes with a scale per
 * token; cosine to f32 0.999 in the mean on product texts. BERT_AUTO: int8 where the CPU multiplies
 * bytes (AVX-512 VNNI), else f32.
 */
enum bert_precision { BERT_AUTO, BERT_F32, BERT_BF16, BERT_INT8 };

struct bert_options { /* zero: the default */
	enum bert_precision precision;
};

struct bert_info {
	unsigned dimension;	       /* numbers of a vector */
	unsigned layers, heads, inner; /* inner: numbers between the two layers of the network */
	size_t vocabulary;
	unsigned tokens_max;
	enum bert_precision precision; /* as chosen */
	const char *precision_name;    /* "f32", "bf16", "int8" */
	const char *kernels;	       /* "avx512", "avx2", "scalar" */
	size_t weights_size;	       /* bytes of all matrices, as they are multiplied */
};

struct bert_model;
struct bert_context;

/*
 * Opens the folder with config.json, model.safetensors and vocab.txt; `options` may be NULL.
 * ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO: a file; ERR_CORRUPTED: a file is damaged or does not fit
 * the others; ERR_UNSUPPORTED: a model of another kind, or a precision that
 * this processor has no instructions for (bf16 without AVX-512); ERR_NO_MEMORY. The files must not
 * be changed in place while the model is open.
 */
int bert_model_open(const char *dir, const struct bert_options *options, struct bert_model **ret,
		    struct err *err) _must_check_;
struct bert_model *bert_model_free(struct bert_model *m); /* after its contexts */
DEFINE_CLEANUP(struct bert_model *, bert_model_free)

const struct bert_info *bert_model_info(const struct bert_model *m); /* borrowed */

/* How many tokens a text becomes, [CLS] and [SEP] included, at most BERT_TOKENS_MAX. */
size_t bert_count_tokens(const struct bert_model *m, struct str text);

int bert_context_new(struct bert_model *m, struct bert_context **ret, struct err *err) _must_check_;
struct bert_context *bert_context_free(struct bert_context *c);
DEFINE_CLEANUP(struct bert_context *, bert_context_free)

/*
 * The vectors of n texts (UTF-8; other bytes are left out), one after the other: `ret` has room for
 * n * dimension floats. Texts are packed: the tokens of many are the rows of one product, without
 * padding, so that short texts are best given many at a time. ERR_NO_MEMORY, ERR_INTERNAL.
 */
int bert_encode(struct bert_context *c, const struct str *texts, size_t n, float *ret,
		struct err *err) _must_check_;
