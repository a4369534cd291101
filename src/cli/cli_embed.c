/*
 * `aethermart embed`: lines of text to vectors. Needs no database.
 *
 * Lines are gathered into batches, which the embedder spreads over its threads. A batch is also
 * answered when the next line would have to be waited for, so that a program that writes a line and
 * reads its vector gets it.
 */
#include "cli/cli_embed.h"
#include "base/progress.h"
#include "cli/cli.h"
#include "embed/embed.h"

#include <unistd.h>

#include "base/banned.h"

#define BATCH_TEXTS 2048 /* two seconds of work on one core: progress is seen to move */
#define BATCH_BYTES ((size_t)8 << 20)

static const struct command_option options[] = {
    {"task", COMMAND_TEXT, "TASK", "document", 0, 0,
     "what the vectors are for: query or document; some models tell them apart"},
    {"output", COMMAND_TEXT, "FILE.npy", NULL, 0, 0,
     "write one matrix of 32-bit floats, a row a line, instead of JSON"},
    {"no-text", COMMAND_FLAG, NULL, NULL, 0, 0, "leave the text out of the JSON lines"},
    {0},
};

struct job {
	struct embedder *embedder;
	enum embed_task task;
	unsigned dimension;
	struct npy_writer *npy; /* NULL: JSON lines */
	bool has_text;
	struct strbuf text; /* of the batch's lines */
	size_t *starts;	    /* of each in `text`; one more than there are */
	struct str *slices;
	size_t n;
	float *vectors;
	struct progress progress;
	uint64_t done;
};

static void job_done(struct job *j)
{
	mem_free(j->vectors);
	mem_free(j->slices);
	mem_free(j->starts);
	strbuf_done(&j->text);
	(void)npy_writer_close(j->npy);
	(void)embedder_free(j->embedder);
}

static int read_task(const struct command_line *line, enum embed_task *ret, struct err *err)
{
	const char *name = command_text(line, "task");

	if (!cstr_equal(name, "query") && !cstr_equal(name, "document"))
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "\"--task\": \"%s\" is neither query nor document", name);
	*ret = cstr_equal(name, "query") ? EMBED_QUERY : EMBED_DOCUMENT;
	return 0;
}

static int job_init(struct job *j, const struct command_line *line, struct err *err)
{
	const char *output = command_text(line, "output");
	int r = read_task(line, &j->task, err);

	if (r == 0)
		r = embedder_open(line->config, &j->embedder, err);
	if (r < 0)
		return r;
	j->dimension = embedder_info(j->embedder)->dimension;
	j->has_text = !command_has(line, "no-text");
	j->text.max = BATCH_BYTES + EMBED_TEXT_MAX + 1;
	j->starts = mem_alloc_array(BATCH_TEXTS + 1, sizeof(*j->starts));
	j->slices = mem_alloc_array(BATCH_TEXTS, sizeof(*j->slices));
	j->vectors = mem_alloc_array((size_t)BATCH_TEXTS * j->dimension, sizeof(float));
	return output ? npy_writer_open(output, j->dimension, &j->npy, err) : 0;
}

static int print_line(struct strbuf *b, const struct str *text, const float *vector,
		      unsigned dimension, struct err *err)
{
	int r;

	strbuf_clear(b);
	strbuf_addch(b, '{');
	if (text) {
		strbuf_addstr(b, "\"text\":");
		strbuf_add_json(b, text->data, text->len);
		strbuf_addch(b, ',');
	}
	strbuf_addstr(b, "\"vector\":");
	for (unsigned i = 0; i < dimension; i++)
		strbuf_addf(b, "%c%.9g", i ? ',' : '[', (double)vector[i]);
	strbuf_addstr(b, "]}\n");
	r = strbuf_check(b, "a line of the answer", err);
	if (r < 0)
		return r;
	return fwrite(b->data, 1, b->len, stdout) == b->len ? 0 : cli_flush(err);
}

static int print_batch(const struct job *j, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	int r = 0;

	for (size_t i = 0; i < j->n && r == 0; i++)
		r = print_line(&b, j->has_text ? &j->slices[i] : NULL,
			       j->vectors + i * j->dimension, j->dimension, err);
	return r < 0 ? r : cli_flush(err);
}

static int answer_batch(struct job *j, struct err *err)
{
	int r;

	for (size_t i = 0; i < j->n; i++)
		j->slices[i] = (struct str){strbuf_str(&j->text) + j->starts[i],
					    j->starts[i + 1] - j->starts[i]};
	r = embedder_embed(j->embedder, j->task, j->slices, j->n, j->vectors, err);
	if (r == 0)
		r = j->npy ? npy_writer_add(j->npy, j->vectors, j->n, err) : print_batch(j, err);
	j->done += j->n;
	j->n = 0;
	strbuf_clear(&j->text);
	progress_update(&j->progress, j->done);
	return r;
}

static int answer_all(struct job *j, struct embed_reader *reader, struct err *err)
{
	int got, r = 0;

	while ((got = embed_reader_next(reader, &j->text, err)) > 0) {
		j->starts[++j->n] = j->text.len;
		if (j->n == BATCH_TEXTS || j->text.len > BATCH_BYTES ||
		    embed_reader_is_waiting(reader))
			r = answer_batch(j, err);
		if (r < 0)
			return r;
	}
	if (got == 0 && j->n)
		r = answer_batch(j, err);
	return got < 0 ? got : r;
}

static int run(const struct command_line *line, struct err *err)
{
	_cleanup_(embed_reader_freep) struct embed_reader *reader =
	    embed_reader_new(line->argv, line->argc);
	_cleanup_(job_done) struct job j = {0};
	int r = job_init(&j, line, err);

	if (r < 0)
		return r;
	progress_start(&j.progress, "embed", "texts", 0);
	if (!j.npy && isatty(STDOUT_FILENO) == 1)
		j.progress.is_quiet = true; /* the answers show it */
	r = answer_all(&j, reader, err);
	if (r == 0 && j.npy)
		r = npy_writer_commit(j.npy, err);
	progress_finish(&j.progress);
	return r;
}

static const struct command *const children[] = {&command_embed_bench, NULL};

const struct command command_embed = {
    .name = "embed",
    .summary = "turns lines of text into vectors that say what they mean",
    .arguments = "[FILE...]",
    .max_args = -1,
    .options = options,
    .help = "Reads lines of the files, or of the standard input, and writes one JSON line each: "
	    "{\"text\":\"...\",\"vector\":[...]}. The dot product of two vectors says how near the "
	    "meanings are. Which model makes them says the configuration's section \"embed\".\n\n"
	    "  echo 'noise cancelling headphones' | aethermart embed --task query\n"
	    "  aethermart embed titles.txt --output titles.npy",
    .run = run,
    .children = children,
};
