/*
 * Columns that look like personal data: see privacy.h. A guess for a person to judge: it looks at
 * names, as they are usual in English, German, French and Spanish, and at the form of values, never
 * at what a value means, so free text that holds a name is not found.
 */
#include "govern/privacy_int.h"

#include "govern/access_int.h"

#include <fnmatch.h>

#include "base/banned.h"

#define STATEMENT_MAX ((size_t)1 << 20)
#define SHARE_MIN     5 /* of 10 values must look so; picked: feeds hold defects */
#define VALUES_MIN    3

#define NAMES(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

/* An e-mail address anywhere in a value, for whoever writes "Ada <ada@example.org>". */
#define EMAIL_FORM "[A-Za-z0-9._%+-]+@[A-Za-z0-9]([A-Za-z0-9-]*[.])+[A-Za-z]{2,}"

/* By its digits, however they are set: 7 to 15 behind a "+" or a bracket, as many as a call at home
 * has behind a 0, or ten and eleven. A day written in figures has eight, an EAN thirteen. */
#define PHONE_FORM                                             \
	"^ *([+(](?=([^0-9]*[0-9]){7,15}[^0-9]*$)[0-9 ()./-]+" \
	"|0(?=([^0-9]*[0-9]){8,11}[^0-9]*$)[0-9 ()./-]+"       \
	"|(?=([^0-9]*[0-9]){10,11}[^0-9]*$)[0-9][0-9 ()/-]+) *$"

/* IPv4, IPv6 written out or shortened, and a card's address. */
#define ADDRESS_FORM                                                                               \
	"^ *(([0-9]{1,3}[.]){3}[0-9]{1,3}|([0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"                  \
	"|[0-9A-Fa-f:]*[0-9A-Fa-f]::[0-9A-Fa-f:]*|::[0-9A-Fa-f:]+|([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]" \
	"{2}"                                                                                      \
	")(/[0-9]{1,3})? *$"

/* The first that fits is told: "ip_address" before "*_address". */
const struct privacy_look privacy_looks[PRIVACY_LOOKS] = {
    {"email",
     NAMES("*email*", "*e[_-]mail*", "mail", "mails", "*[_-]mail", "*mail*addr*", "*mail*adr*",
	   "correo*", "courriel*"),
     EMAIL_FORM},
    {"phone",
     NAMES("*phone*", "*mobile*", "*mobil", "fax*", "*_fax", "tel", "tel_*", "*_tel", "tel[0-9]*",
	   "*telefon*", "*teléfono*", "*téléphone*", "handy*", "rufnummer*", "movil*", "móvil*",
	   "celular*", "cell", "whatsapp*"),
     PHONE_FORM},
    {"identifier",
     NAMES("customer_id", "*passport*", "*_ssn", "ssn*", "*tax_id*", "*social*security*", "ip",
	   "ip_addr*", "ip_adr*", "*_ip", "ipv[46]*", "*_ipv[46]", "mac_addr*", "user*name",
	   "*benutzername*", "nick*name*", "login", "login_name", "kundennummer*", "kunden*nr",
	   "*ausweis*", "*reisepass*", "*steuer*id*", "*steuer*nummer*", "dni", "nif", "nie",
	   "*pasaporte*", "*passeport*", "*num*secu*"),
     ADDRESS_FORM},
    {"name",
     NAMES("first*name", "last*name", "full*name", "sur*name", "given*name", "family*name",
	   "middle*name", "*maiden*", "contact*name", "customer*name", "contact", "contact_person*",
	   "*ansprechpartner*", "*interlocuteur*", "persona_*contacto*", "vorname*", "nachname*",
	   "familienname*", "geburtsname*", "prenom*", "prénom*", "nom", "nom_famille*", "nombre",
	   "nombres", "apellido*"),
     NULL},
    {"address",
     NAMES("street*", "*_street", "stra[sß]*e*", "stra*ße", "zip*", "*_zip", "plz*", "*_plz",
	   "*postal*", "post*code*", "*postleitzahl*", "city", "*_city", "address", "addresses",
	   "address[0-9]*", "address_[0-9]*", "address_line*", "home_address", "*ing_address",
	   "*anschrift*", "*adresse*", "direccion*", "dirección*", "wohnort*", "ort", "stadt",
	   "ville", "rue", "calle", "ciudad"),
     NULL},
    {"birth_date",
     NAMES("*birth*", "dob", "*_dob", "*geburt*", "geb_dat*", "*naissance*", "*nacimiento*",
	   "*cumplea*"),
     NULL},
    {"financial",
     NAMES("*iban*", "*card*number*", "*card*no", "*account*number*", "*account_no", "salary*",
	   "*konto*", "*kreditkarte*", "gehalt*", "salaire*", "salario*", "*tarjeta*"),
     "^ *[A-Z]{2}[0-9]{2}( ?[A-Z0-9]{4}){3,7}( ?[A-Z0-9]{1,3})? *$"},
};

/* The warehouse is the program's own (sql/warehouse), no file classes it, and no role but one that
 * has everything reads it. What of it is personal is known. */
static const char *const known_in_warehouse[][2] = {
    {"Dim_Customer", "birth_decade"},
    {"Etl_Customers", "customer_id"},
};

static bool has_name_of(const struct privacy_look *look, const char *name)
{
	for (size_t i = 0; look->names[i]; i++)
		if (fnmatch(look->names[i], name, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

int privacy_judge(const struct privacy_detect *d, struct privacy_finding *f,
		  const struct privacy_counts *counts, struct err *err)
{
	const char *dot = strrchr(f->column, '.'), *name = dot ? dot + 1 : f->column;

	f->n_values = counts ? counts->n_values : 0;
	for (size_t k = 0; k < PRIVACY_LOOKS && !f->pii; k++) {
		uint64_t n = counts ? counts->n_alike[k] : 0;
		bool by_name = has_name_of(&privacy_looks[k], name);

		if (!by_name && (n < VALUES_MIN || n * 10 < f->n_values * SHARE_MIN))
			continue;
		f->pii = privacy_looks[k].pii;
		f->by_name = by_name;
		f->n_alike = n;
	}
	return f->pii ? d->fn(d->arg, f, err) : 0;
}

/* --- MariaDB --------------------------------------------------------------------------------- */

struct detector {
	const struct privacy_detect *d;
	const struct schema *schema;
	bool is_warehouse;
};

static bool is_known(const struct schema_table *t, const struct schema_column *c)
{
	for (size_t i = 0; i < ARRAY_LEN(known_in_warehouse); i++)
		if (cstr_equal(known_in_warehouse[i][0], t->name) &&
		    cstr_equal(known_in_warehouse[i][1], c->name))
			return true;
	return false;
}

static const char *class_of(const struct detector *d, const struct schema_table *t,
			    const struct schema_column *c)
{
	return d->is_warehouse ? NULL : access_class(d->d->a, t->name, c->name);
}

static bool is_asked(const struct detector *d, const struct schema_table *t,
		     const struct schema_column *c)
{
	const char *pii = class_of(d, t, c);

	if (d->is_warehouse)
		return !is_known(t, c);
	return !pii || cstr_equal(pii, ACCESS_OPEN);
}

static bool has_text(const struct schema_column *c)
{
	return c->type == SCHEMA_JSON ||
	       (c->type == SCHEMA_TEXT && !cstr_equal(c->data_type, "enum"));
}

static void add_table(const struct detector *d, const struct schema_table *t, struct strbuf *b)
{
	MARIA_ADD(b, "#.#", d->schema->database, t->name);
}

static void add_key(struct strbuf *b, const struct schema_index *key)
{
	for (size_t i = 0; i < key->n_columns; i++)
		MARIA_ADD(b, i ? ", #" : "#", key->columns[i]->name);
}

/* The keys at one end of the table. */
static void add_end(const struct detector *d, const struct schema_table *t, const char *order,
		    struct strbuf *b)
{
	const struct schema_index *key = schema_primary_key(t);

	strbuf_addstr(b, "(SELECT ");
	add_key(b, key);
	strbuf_addstr(b, " FROM ");
	add_table(d, t, b);
	for (size_t i = 0; i < key->n_columns; i++) {
		MARIA_ADD(b, i ? ", #" : " ORDER BY #", key->columns[i]->name);
		strbuf_addstr(b, order);
	}
	strbuf_addf(b, " LIMIT %d)", PRIVACY_SAMPLE);
}

/* Rows at both ends, none twice; of a table without a key those that come first. */
static void add_sample(const struct detector *d, const struct schema_table *t, struct strbuf *b)
{
	const struct schema_index *key = schema_primary_key(t);

	if (!key) {
		strbuf_addstr(b, " FROM (SELECT * FROM ");
		add_table(d, t, b);
		strbuf_addf(b, " LIMIT %d) t", PRIVACY_SAMPLE);
		return;
	}
	strbuf_addstr(b, " FROM (");
	add_end(d, t, "", b);
	strbuf_addstr(b, " UNION ");
	add_end(d, t, " DESC", b);
	strbuf_addstr(b, ") ends JOIN ");
	add_table(d, t, b);
	strbuf_addstr(b, " t USING (");
	add_key(b, key);
	strbuf_addch(b, ')');
}

/* One query a table: how many values each asked column has, and how many look like what. */
static size_t add_statement(const struct detector *d, const struct schema_table *t,
			    struct strbuf *b)
{
	size_t n = 0;

	strbuf_addstr(b, "SELECT ");
	for (size_t i = 0; i < t->n_columns; i++) {
		if (!is_asked(d, t, &t->columns[i]) || !has_text(&t->columns[i]))
			continue;
		MARIA_ADD(b, n++ ? ", COUNT(t.#)" : "COUNT(t.#)", t->columns[i].name);
		for (size_t k = 0; k < PRIVACY_LOOKS; k++) {
			if (!privacy_looks[k].form)
				continue;
			MARIA_ADD(b, ", COALESCE(SUM(t.# REGEXP ", t->columns[i].name);
			maria_add_literal(b, str_from(privacy_looks[k].form));
			strbuf_addstr(b, "), 0)");
		}
	}
	add_sample(d, t, b);
	return n;
}

/* `rows` stands at the figures of a text column, from `at` on. */
static struct privacy_counts read_counts(const struct maria_rows *rows, size_t *at)
{
	struct privacy_counts counts = {.n_values = maria_rows_uint(rows, (*at)++)};

	for (size_t k = 0; k < PRIVACY_LOOKS; k++)
		if (privacy_looks[k].form)
			counts.n_alike[k] = maria_rows_uint(rows, (*at)++);
	return counts;
}

static int detect_in(const struct detector *d, const struct schema_table *t, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf sql = STRBUF_INIT(STATEMENT_MAX);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	_cleanup_(mem_freep) char *name =
	    d->is_warehouse ? mem_printf("%s.%s", d->schema->database, t->name) : NULL;
	size_t at = 0;
	int r = 0;

	if (add_statement(d, t, &sql)) {
		r = strbuf_check(&sql, t->name, err);
		if (r == 0)
			r = maria_query_row(d->d->m, strbuf_str(&sql), NULL, 0, &rows, err);
	}
	for (size_t i = 0; i < t->n_columns && r >= 0; i++) {
		const struct schema_column *c = &t->columns[i];
		struct privacy_finding f = {.store = "MariaDB",
					    .table = name ? name : t->name,
					    .column = c->name,
					    .classed = class_of(d, t, c)};
		struct privacy_counts counts = {0};

		if (!is_asked(d, t, c))
			continue;
		if (has_text(c))
			counts = read_counts(rows, &at);
		r = privacy_judge(d->d, &f, &counts, err);
	}
	return r < 0 ? err_context(err, "looking at %s.%s", d->schema->database, t->name) : 0;
}

static int detect_database(const struct detector *d, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < d->schema->n_tables && r == 0; i++)
		if (!d->schema->tables[i].is_view)
			r = detect_in(d, &d->schema->tables[i], err);
	return r;
}

int privacy_detect(const struct privacy_detect *d, struct err *err)
{
	_cleanup_(schema_freep) struct schema *warehouse = NULL;
	struct detector shop = {.d = d, .schema = d->schema},
			facts = {.d = d, .is_warehouse = true};
	int r = detect_database(&shop, err);

	if (r == 0)
		r = schema_load(d->m, d->warehouse, &warehouse, err);
	facts.schema = warehouse;
	if (r == 0)
		r = detect_database(&facts, err);
	return r < 0 || !d->mongo ? r : privacy_detect_documents(d, err);
}
