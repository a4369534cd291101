/*
 * Asks an embedder as a caller of the library does: for tests of the providers against a server
 * with faults, where a verb of the program would add its own batches, output and retries.
 *
 *	embed_probe CONFIG query|document [--as MODEL DIMENSION] [--calls N] [--threads N] < LINES
 *
 * Embeds the lines of its input, N calls one after the other in each thread, and prints one line of
 * JSON: {"provider", "model", "dimension", "endpoint", "pii", "seconds", "vectors"} or {"seconds",
 * "error": {"code", "message", "hint"}}. Exit status 0 in both cases; the file's mistakes are 2.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "embed/embed.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define LINES_MAX 100000

struct probe {
	struct embedder *e;
	enum embed_task task;
	struct str *texts;
	size_t n, cap;
	unsigned calls, threads;
};

struct worker {
	struct probe *p;
	pthread_t thread;
	float *vectors;
	struct err err;
	int r;
};

static void read_lines(struct probe *p)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) >= 0 && p->n < LINES_MAX) {
		if (len && line[len - 1] == '\n')
			len--;
		mem_grow(&p->texts, &p->cap, p->n + 1, sizeof(*p->texts));
		p->texts[p->n++] = (struct str){mem_strndup(line, (size_t)len), (size_t)len};
	}
	mem_free(line);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < w->p->calls && w->r == 0; i++)
		w->r =
		    embedder_embed(w->p->e, w->p->task, w->p->texts, w->p->n, w->vectors, &w->err);
	return NULL;
}

static json_t *error_of(const struct err *err)
{
	return json_pack("{s:s, s:s, s:s}", "code", err_name((int)err->code), "message",
			 err->message, "hint", err->hint);
}

static json_t *vectors_of(const struct probe *p, const float *v)
{
	unsigned dimension = embedder_info(p->e)->dimension;
	json_t *list = json_array();

	for (size_t i = 0; i < p->n; i++) {
		json_t *one = json_array();

		for (unsigned k = 0; k < dimension; k++)
			json_array_append_new(one, json_real((double)v[i * dimension + k]));
		json_array_append_new(list, one);
	}
	return list;
}

static void print(json_t *answer)
{
	json_dumpf(answer, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(answer);
}

static json_t *run(struct probe *p)
{
	const struct embedder_info *info = embedder_info(p->e);
	struct worker *workers = mem_alloc_array(p->threads, sizeof(*workers));
	int64_t began = clock_monotonic_us();
	json_t *answer = json_object();

	for (unsigned i = 0; i < p->threads; i++) {
		workers[i].p = p;
		workers[i].vectors = mem_alloc_array(p->n, info->dimension * sizeof(float));
		bug_if(pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0);
	}
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(workers[i].thread, NULL);
	json_object_set_new(answer, "seconds",
			    json_real((double)(clock_monotonic_us() - began) / 1e6));
	json_object_set_new(answer, "vectors", vectors_of(p, workers[0].vectors));
	for (unsigned i = 0; i < p->threads; i++) {
		if (workers[i].r < 0) {
			json_object_set_new(answer, "error", error_of(&workers[i].err));
			json_object_del(answer, "vectors");
		}
		mem_free(workers[i].vectors);
	}
	mem_free(workers);
	return answer;
}

static void describe(const struct probe *p, json_t *answer)
{
	const struct embedder_info *info = embedder_info(p->e);

	json_object_set_new(answer, "provider", json_string(info->provider));
	json_object_set_new(answer, "model", json_string(info->model));
	json_object_set_new(answer, "dimension", json_integer(info->dimension));
	json_object_set_new(answer, "endpoint",
			    info->endpoint ? json_string(info->endpoint) : json_null());
	json_object_set_new(answer, "pii", json_boolean(embedder_may_see_pii(p->e)));
}

static unsigned number_of(const char *text)
{
	uint64_t n = 0;
	struct err err = {0};

	if (parse_uint64(str_from(text), 100000, &n, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		exit(2);
	}
	return (unsigned)n;
}

static int open_embedder(struct probe *p, const struct config *config, const char *as,
			 unsigned dimension, struct err *err)
{
	return as ? embedder_open_as(config, as, dimension, &p->e, err)
		  : embedder_open(config, &p->e, err);
}

int main(int argc, char **argv)
{
	static const struct config_option *const tables[] = {embed_options, NULL};
	struct probe p = {.calls = 1, .threads = 1};
	struct config *config = NULL;
	const char *as = NULL;
	unsigned dimension = 0;
	struct err err = {0};
	json_t *answer;

	if (argc < 3 || config_load(tables, argv[1], NULL, 0, &config, &err) < 0) {
		fprintf(stderr, "%s\n", argc < 3 ? "usage: see embed_probe.c" : err.message);
		return 2;
	}
	p.task = cstr_equal(argv[2], "query") ? EMBED_QUERY : EMBED_DOCUMENT;
	for (int i = 3; i < argc; i++) {
		if (cstr_equal(argv[i], "--as") && i + 2 < argc) {
			as = argv[++i];
			dimension = number_of(argv[++i]);
		} else if (cstr_equal(argv[i], "--calls") && i + 1 < argc) {
			p.calls = number_of(argv[++i]);
		} else if (cstr_equal(argv[i], "--threads") && i + 1 < argc) {
			p.threads = number_of(argv[++i]);
		}
	}
	read_lines(&p);
	if (open_embedder(&p, config, as, dimension, &err) < 0) {
		print(json_pack("{s:f, s:o}", "seconds", 0.0, "error", error_of(&err)));
	} else {
		answer = run(&p);
		describe(&p, answer);
		print(answer);
	}
	embedder_free(p.e);
	config_free(config);
	for (size_t i = 0; i < p.n; i++)
		mem_free((void *)(uintptr_t)p.texts[i].data);
	mem_free(p.texts);
	return 0;
}
