/*
 * The encoder in a program of one's own: how near each line of the standard input is to the text
 * that is given.
 *
 *	example_encode FOLDER-OF-THE-MODEL TEXT < lines
 *
 * Built by meson (build/example_encode) and run by tests/integration/test_embed.py. By hand, with
 * gcc, from the top of the tree:
 *
 *	gcc -std=gnu17 -Isrc docs/examples/encode.c build/src/embed/libembed.a \
 *	    build/src/embed/libembed_kernels_*.a build/src/base/libbase.a \
 *	    -ldnnl -lgomp -ljansson -lutf8proc -lm -lpthread -o encode
 */
#include "embed/bert.h"

#include <stdio.h>

static int fail(const struct err *err)
{
	fprintf(stderr, "%s\n", err->message);
	return 1;
}

static float dot(const float *a, const float *b, size_t n)
{
	float sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static int compare_lines(struct bert_context *context, struct str text, unsigned dimension)
{
	float wanted[BERT_HIDDEN_MAX], vector[BERT_HIDDEN_MAX];
	struct err err = {0};
	char line[4096];

	if (bert_encode(context, &text, 1, wanted, &err) < 0)
		return fail(&err);
	while (fgets(line, sizeof(line), stdin)) {
		struct str one = {line, strcspn(line, "\n")};

		if (bert_encode(context, &one, 1, vector, &err) < 0)
			return fail(&err);
		/* The vectors have length 1, so that this is the cosine of their angle. */
		printf("%.3f %.*s\n", (double)dot(wanted, vector, dimension), STR_ARGS(one));
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bert_model *model = NULL;     /* shared by all threads of a program */
	struct bert_context *context = NULL; /* one for each thread */
	struct err err = {0};
	int status;

	if (argc != 3) {
		fprintf(stderr, "usage: %s FOLDER TEXT < lines\n", argv[0]);
		return 2;
	}
	if (bert_model_open(argv[1], NULL, &model, &err) < 0)
		return fail(&err);
	if (bert_context_new(model, &context, &err) < 0)
		status = fail(&err);
	else
		status =
		    compare_lines(context, str_from(argv[2]), bert_model_info(model)->dimension);
	(void)bert_context_free(context);
	(void)bert_model_free(model);
	return status;
}
