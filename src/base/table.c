/* Tables by libsmartcols: see table.h. */
#include "base/table.h"

#include "base/mem.h"

#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>

#include "base/banned.h"

struct table {
	struct libscols_table *scols;
	size_t columns;
};

struct table *table_new(const char *const *titles)
{
	struct table *t = MEM_NEW(struct table);

	t->scols = scols_new_table();
	bug_if(!t->scols);
	for (; titles[t->columns]; t->columns++) {
		const char *title = titles[t->columns];
		bool right = title[0] == '>', wraps = title[0] == '~';
		int flags = right ? SCOLS_FL_RIGHT : wraps ? SCOLS_FL_WRAP : SCOLS_FL_TRUNC;

		bug_if(!scols_table_new_column(t->scols, title + (right || wraps), 0, flags));
	}
	return t;
}

void table_add(struct table *t, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(t->scols, NULL);

	bug_if(!line);
	for (size_t i = 0; i < t->columns; i++)
		bug_if(scols_line_set_data(line, i, cells[i] ? cells[i] : "") < 0);
}

void table_add_numbers(struct table *t, const char *first, const uint64_t *numbers)
{
	struct libscols_line *line = scols_table_new_line(t->scols, NULL);
	char text[24];

	bug_if(!line || scols_line_set_data(line, 0, first) < 0);
	for (size_t i = 1; i < t->columns; i++) {
		(void)snprintf(text, sizeof(text), "%" PRIu64, numbers[i - 1]);
		bug_if(scols_line_set_data(line, i, text) < 0);
	}
}

void table_print(struct table *t, FILE *f)
{
	if (scols_table_get_nlines(t->scols) == 0)
		return;
	scols_table_set_stream(t->scols, f);
	/* Only memory can fail, or the stream, whose error the caller sees at its end. */
	(void)scols_print_table(t->scols);
}

struct table *table_free(struct table *t)
{
	if (!t)
		return NULL;
	scols_unref_table(t->scols);
	mem_free(t);
	return NULL;
}
