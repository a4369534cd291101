/*
 * Finding feed files. Each file is opened, told apart by its first record, and read to its end once
 * before anything is staged: that finds broken files, counts rows for the progress, and collects
 * what the dates of a column say about the order of day and month. Reading twice costs a few
 * percent of a load, since staging is what takes time.
 */
#include "shop/load_int.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/banned.h"

#define FILES_MAX	 10000
#define FOLDERS_DEEP_MAX 4

void load_files_done(struct load_files *f)
{
	for (size_t i = 0; i < f->n; i++)
		mem_free(f->files[i].path);
	mem_free(f->files);
	*f = (struct load_files){0};
}

static bool is_feed_name(const char *name)
{
	static const char *const ends[] = {".csv",	".csv.gz", ".jsonl",
					   ".jsonl.gz", ".ndjson", ".ndjson.gz"};
	size_t len = strlen(name);

	if (cstr_equal(name, "defects.csv"))
		return false; /* the list of what `generate` put in, beside its feed files */
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		size_t n = strlen(ends[i]);

		if (len > n && strcasecmp(name + len - n, ends[i]) == 0)
			return true;
	}
	return false;
}

static int look_date(struct str value, struct clean_date_evidence *evidence)
{
	clean_date_look(value, evidence);
	return 0;
}

static void decide_orders(struct load_file *f, const struct clean_date_evidence *evidence,
			  enum clean_date_order configured)
{
	for (size_t i = 0; i < LOAD_COLUMNS_MAX; i++)
		f->order[i] = clean_date_decide(&evidence[i], configured);
}

static int scan_csv(struct load_file *f, struct load_reader *r,
		    struct clean_date_evidence *evidence, struct err *err)
{
	const struct load_entity *e;
	struct load_record record;
	int rc = load_reader_record(r, &record, err);

	if (rc > 0)
		rc = load_entity_match(f->path, &record, &f->entity, f->columns, err);
	if (rc < 0)
		return rc;
	f->n_fields = record.n_fields;
	e = load_entity_get(f->entity);
	while ((rc = load_reader_record(r, &record, err)) > 0) {
		f->rows++;
		if (record.n_fields != f->n_fields)
			return err_set(err, ERR_CORRUPTED,
				       "%s:%llu: %zu fields, where the header has %zu", f->path,
				       (unsigned long long)load_reader_line_number(r),
				       record.n_fields, f->n_fields);
		for (size_t i = 0; i < record.n_fields; i++) {
			enum load_kind kind = e->columns[f->columns[i]].kind;

			if (kind == LOAD_KIND_DATE || kind == LOAD_KIND_DATETIME)
				(void)look_date(record.fields[i], &evidence[f->columns[i]]);
		}
	}
	return rc;
}

static int scan_json(struct load_file *f, struct load_reader *r,
		     struct clean_date_evidence *evidence, struct err *err)
{
	static const char key[] = "\"date_released\"";
	size_t column;
	struct str line;
	int rc;

	f->entity = LOAD_PRODUCTS;
	f->is_json = true;
	column = load_entity_column(load_entity_get(LOAD_PRODUCTS), "release_date");
	while ((rc = load_reader_line(r, &line, err)) > 0) {
		const char *at = memmem(line.data, line.len, key, sizeof(key) - 1);
		const char *open, *close;

		f->rows += str_trim(line).len > 0;
		if (!at)
			continue;
		at += sizeof(key) - 1;
		open = memchr(at, '"', line.len - (size_t)(at - line.data));
		if (!open)
			continue;
		close = memchr(open + 1, '"', line.len - (size_t)(open + 1 - line.data));
		if (close)
			(void)look_date((struct str){open + 1, (size_t)(close - open) - 1},
					&evidence[column]);
	}
	return rc;
}

static int add_file(struct load_files *files, const char *path,
		    const struct shop_load_options *options, struct err *err)
{
	struct clean_date_evidence evidence[LOAD_COLUMNS_MAX] = {0};
	_cleanup_(load_reader_closep) struct load_reader *r = NULL;
	struct load_file f = {0};
	struct stat st;
	int byte, rc = load_reader_open(path, &r, err);

	if (rc < 0)
		return rc;
	if (files->n >= FILES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d files", FILES_MAX);
	rc = load_reader_peek(r, &byte, err);
	if (rc < 0)
		return rc;
	if (byte < 0) {
		(void)err_set(err, ERR_INVALID_ARGUMENT, "%s: the file is empty", path);
		return err_hint(err, "a feed file begins with its header line");
	}
	f.path = mem_strdup(path);
	rc = byte == '{' ? scan_json(&f, r, evidence, err) : scan_csv(&f, r, evidence, err);
	if (rc < 0) {
		mem_free(f.path);
		return rc;
	}
	if (stat(path, &st) == 0)
		f.size = (uint64_t)st.st_size;
	decide_orders(&f, evidence, options->date_order);
	f.number = (unsigned)files->n;
	mem_grow(&files->files, &files->cap, files->n + 1, sizeof(*files->files));
	files->files[files->n++] = f;
	return 0;
}

/* Folders in it too; a folder that is a symbolic link is not entered, so there is no circle. */
static int add_folder(struct load_files *files, const char *path, unsigned depth,
		      const struct shop_load_options *options, struct err *err)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, NULL, alphasort), r = 0;

	if (n < 0)
		return err_set(err, errno == EACCES ? ERR_PERMISSION : ERR_IO,
			       "could not read folder \"%s\": %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		char *child = mem_printf("%s/%s", path, names[i]->d_name);
		struct stat st;
		bool is_hidden = names[i]->d_name[0] == '.';
		bool is_folder = !is_hidden && lstat(child, &st) == 0 && S_ISDIR(st.st_mode);
		bool is_file = !is_hidden && stat(child, &st) == 0 && S_ISREG(st.st_mode);

		if (r == 0 && is_folder && depth < FOLDERS_DEEP_MAX)
			r = add_folder(files, child, depth + 1, options, err);
		else if (r == 0 && is_file && is_feed_name(names[i]->d_name))
			r = add_file(files, child, options, err);
		else if (is_file)
			files->skipped++;
		mem_free(child);
		mem_free(names[i]);
	}
	mem_free(names);
	return r;
}

static int by_entity(const void *a, const void *b)
{
	const struct load_file *x = a, *y = b;

	if (x->entity != y->entity)
		return x->entity < y->entity ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

int load_files_find(const struct shop_load_options *options, struct load_files *ret,
		    struct err *err)
{
	struct load_files files = {0};
	int r = 0;

	for (size_t i = 0; options->paths[i] && r == 0; i++) {
		struct stat st;

		if (stat(options->paths[i], &st) < 0)
			r = err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
				    "could not open \"%s\": %s", options->paths[i],
				    strerror(errno));
		else if (S_ISDIR(st.st_mode))
			r = add_folder(&files, options->paths[i], 0, options, err);
		else
			r = add_file(&files, options->paths[i], options, err);
	}
	if (r == 0 && files.n == 0)
		r = err_set(err, ERR_NOT_FOUND,
			    "no feed file (.csv, .jsonl, plain or .gz) in \"%s\"",
			    options->paths[0] ? options->paths[0] : "");
	if (r != 0 || files.n == 0) {
		load_files_done(&files);
		return r;
	}
	qsort(files.files, files.n, sizeof(*files.files), by_entity);
	for (size_t i = 0; i < files.n; i++)
		files.files[i].number = (unsigned)i + 1;
	*ret = files;
	return 0;
}
