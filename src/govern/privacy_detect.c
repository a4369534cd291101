/*
 * Columns that look like personal data: see privacy.h. A guess for a person to judge: it looks at
 * names of columns and at the form of values, never at what a value means, so free text that holds
 * a name is not found.
 */
#include "govern/privacy.h"

#include "govern/access_int.h"

#include <fnmatch.h>

#include "base/banned.h"

#define STATEMENT_MAX ((size_t)1 << 20)
#define SHARE_MIN     5 /* of 10 values must look so; picked: feeds hold defects */
#define VALUES_MIN    3

/* Names by fnmatch(3), in lower case, ended by NULL; forms as MariaDB's REGEXP. */
static const struct look {
	const char *pii;
	const char *names[8];
	const char *form;
} looks[] = {
    {"email", {"*email*", "*e_mail*", "*mail_address*"}, "^[^@ ]+@[^@ ]+[.][A-Za-z]{2,}$"},
    {"phone", {"*phone*", "*mobile*", "fax*", "*_fax"}, "^[+(][0-9 ()./-]{7,}$"},
    {"name",
     {"first_name", "last_name", "full_name", "surname", "given_name", "*maiden*", "contact_name"},
     NULL},
    {"address", {"street*", "*_street", "zip", "*_zip", "*postal*", "city", "*_city"}, NULL},
    {"birth_date", {"*birth*", "dob", "*_dob"}, NULL},
    {"identifier",
     {"customer_id", "*passport*", "*_ssn", "ssn", "*tax_id*", "ip_address", "*_ip"},
     "^([0-9]{1,3}[.]){3}[0-9]{1,3}$"},
    {"financial",
     {"*iban*", "*card_number*", "*account_number*", "salary"},
     "^[A-Z]{2}[0-9]{2}( ?[A-Z0-9]{4}){3,7}( ?[A-Z0-9]{1,3})?$"},
};

static bool has_name_of(const struct look *look, const char *column)
{
	for (size_t i = 0; i < ARRAY_LEN(look->names) && look->names[i]; i++)
		if (fnmatch(look->names[i], column, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

static bool is_asked(const struct access *a, const struct schema_table *t,
		     const struct schema_column *c)
{
	const char *pii = access_class(a, t->name, c->name);

	return !pii || cstr_equal(pii, ACCESS_OPEN);
}

static bool has_text(const struct schema_column *c)
{
	return c->type == SCHEMA_TEXT && !cstr_equal(c->data_type, "enum");
}

/* One query a table: how many values each asked column has, and how many look like what. */
static size_t add_statement(const struct access *a, const struct schema_table *t, struct strbuf *b)
{
	size_t n = 0;

	strbuf_addstr(b, "SELECT ");
	for (size_t i = 0; i < t->n_columns; i++) {
		if (!is_asked(a, t, &t->columns[i]) || !has_text(&t->columns[i]))
			continue;
		strbuf_addstr(b, n++ ? ", COUNT(" : "COUNT(");
		maria_add_identifier(b, t->columns[i].name);
		strbuf_addstr(b, ")");
		for (size_t k = 0; k < ARRAY_LEN(looks); k++) {
			if (!looks[k].form)
				continue;
			strbuf_addstr(b, ", COALESCE(SUM(");
			maria_add_identifier(b, t->columns[i].name);
			strbuf_addstr(b, " REGEXP ");
			maria_add_literal(b, str_from(looks[k].form));
			strbuf_addstr(b, "), 0)");
		}
	}
	strbuf_addstr(b, " FROM (SELECT * FROM ");
	maria_add_identifier(b, t->name);
	strbuf_addf(b, " LIMIT %d) t", PRIVACY_SAMPLE);
	return n;
}

struct detector {
	const struct access *a;
	privacy_finding_fn fn;
	void *arg;
};

/* The first look that fits is told. `rows` stands at the figures of a text column, from `at` on;
 * NULL: its values were not looked at. */
static int judge(const struct detector *d, const struct schema_table *t,
		 const struct schema_column *c, const struct maria_rows *rows, size_t *at,
		 struct err *err)
{
	struct privacy_finding f = {.table = t->name,
				    .column = c->name,
				    .classed = access_class(d->a, t->name, c->name),
				    .n_values = rows ? maria_rows_uint(rows, (*at)++) : 0};

	for (size_t k = 0; k < ARRAY_LEN(looks); k++) {
		uint64_t n = rows && looks[k].form ? maria_rows_uint(rows, (*at)++) : 0;
		bool by_name = has_name_of(&looks[k], c->name);

		if (f.pii || (!by_name && (n < VALUES_MIN || n * 10 < f.n_values * SHARE_MIN)))
			continue;
		f.pii = looks[k].pii;
		f.by_name = by_name;
		f.n_alike = n;
	}
	return f.pii ? d->fn(d->arg, &f, err) : 0;
}

static int detect_in(const struct detector *d, const struct schema_table *t, struct maria *m,
		     struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(STATEMENT_MAX);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	size_t at = 0;
	int r = 0;

	if (add_statement(d->a, t, &sql)) {
		r = strbuf_check(&sql, t->name, err);
		if (r == 0)
			r = maria_query(m, strbuf_str(&sql), NULL, 0, &rows, err);
		if (r == 0)
			r = maria_rows_next(rows, err);
	}
	for (size_t i = 0; i < t->n_columns && r >= 0; i++) {
		const struct schema_column *c = &t->columns[i];

		if (is_asked(d->a, t, c))
			r = judge(d, t, c, has_text(c) ? rows : NULL, &at, err);
	}
	return r < 0 ? r : 0;
}

int privacy_detect(const struct access *a, const struct schema *s, struct maria *m,
		   privacy_finding_fn fn, void *arg, struct err *err)
{
	const struct detector d = {.a = a, .fn = fn, .arg = arg};
	int r = 0;

	for (size_t i = 0; i < s->n_tables && r == 0; i++)
		if (!s->tables[i].is_view)
			r = detect_in(&d, &s->tables[i], m, err);
	return r;
}
