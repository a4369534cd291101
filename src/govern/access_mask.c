/*
 * Masks as SQL expressions. All of them leave NULL as NULL, and none tells more of a short value
 * than of a long one: what has too few characters becomes "***".
 *
 * None depends on what a session can set, or a caller could turn it until a mask gives way: no
 * clock, by which somebody would find the day on which an age changes; a TIMESTAMP as it is in UTC;
 * a CHAR without the blanks of PAD_CHAR_TO_FULL_LENGTH; NULL asked for, since CONCAT takes it for
 * an empty text under sql_mode ORACLE; patterns that switch default_regex_flags off.
 */
#include "govern/access_int.h"

#include "base/banned.h"

static void add_column(struct strbuf *b, const struct schema_column *c)
{
	bool is_timestamp = cstr_equal(c->data_type, "timestamp");
	bool is_char = cstr_equal(c->data_type, "char");

	if (is_timestamp)
		strbuf_addstr(b, "(TIMESTAMP'1970-01-01 00:00:00' + INTERVAL UNIX_TIMESTAMP(");
	else if (is_char)
		strbuf_addstr(b, "TRIM(TRAILING ' ' FROM ");
	strbuf_addstr(b, "t.");
	maria_add_identifier(b, c->name);
	if (is_timestamp)
		strbuf_addstr(b, ") SECOND)");
	else if (is_char)
		strbuf_addch(b, ')');
}

/* A text, whatever the column's type is. */
static void add_text(struct strbuf *b, const struct schema_column *c)
{
	strbuf_addstr(b, "CAST(");
	add_column(b, c);
	strbuf_addstr(b, " AS CHAR CHARACTER SET utf8mb4)");
}

static void add_initial(struct strbuf *b, const struct schema_column *c)
{
	strbuf_addstr(b, "IF(CHAR_LENGTH(");
	add_text(b, c);
	strbuf_addstr(b, ") < 2, '***', CONCAT(LEFT(");
	add_text(b, c);
	strbuf_addstr(b, ", 1), '***'))");
}

/* First character of name and of domain, and the top domain, when each has something left to hide.
 */
static void add_email(struct strbuf *b, const struct schema_column *c)
{
	strbuf_addstr(b, "IF(");
	add_text(b, c);
	strbuf_addstr(b, " NOT REGEXP '(?-imsxU)^[^@]{3,}@[^@.]{3,}[.](.*[.])?[A-Za-z]{2,}$', "
			 "'***', CONCAT(LEFT(");
	add_text(b, c);
	strbuf_addstr(b, ", 1), '***@', LEFT(SUBSTRING_INDEX(");
	add_text(b, c);
	strbuf_addstr(b, ", '@', -1), 1), '***.', SUBSTRING_INDEX(");
	add_text(b, c);
	strbuf_addstr(b, ", '.', -1)))");
}

static void add_end(struct strbuf *b, const struct schema_column *c)
{
	strbuf_addstr(b, "IF(CHAR_LENGTH(");
	add_text(b, c);
	strbuf_addstr(b, ") < 7, '***', CONCAT('***', RIGHT(");
	add_text(b, c);
	strbuf_addstr(b, ", 2)))");
}

/* Of those born before ACCESS_OLDEST there are few: they are one band. */
static void add_age_band(struct strbuf *b, const struct schema_column *c)
{
	strbuf_addstr(b, "IF(YEAR(");
	add_column(b, c);
	strbuf_addf(b, ") < %d, 'before %d', CONCAT(YEAR(", ACCESS_OLDEST, ACCESS_OLDEST);
	add_column(b, c);
	strbuf_addstr(b, ") DIV 10 * 10, '-', YEAR(");
	add_column(b, c);
	strbuf_addstr(b, ") DIV 10 * 10 + 9))");
}

static void add_month(struct strbuf *b, const struct schema_column *c)
{
	strbuf_addstr(b, "DATE_FORMAT(");
	add_column(b, c);
	strbuf_addstr(b, ", '%Y-%m')");
}

/* HMAC as in RFC 2104, with both padded keys made before; the column's name is a part of what is
 * hashed, so that numbers of different things do not meet. */
static void add_pseudonym(struct strbuf *b, const struct schema_column *c)
{
	strbuf_addstr(b, "LEFT(CONVERT(SHA2(CONCAT(k.outer_pad, UNHEX(SHA2(CONCAT("
			 "k.inner_pad, CAST(");
	maria_add_literal(b, str_from(c->name));
	strbuf_addstr(b, " AS BINARY), 0x00, CAST(");
	add_column(b, c);
	strbuf_addstr(b, " AS BINARY)), 256))), 256) USING ascii), 32)");
}

void access_add_mask(struct strbuf *b, enum access_mask mask, const char *pii,
		     const struct schema_column *c)
{
	bool is_masked = mask != ACCESS_HIDDEN && mask != ACCESS_PLAIN;

	if (is_masked) {
		strbuf_addstr(b, "IF(t.");
		maria_add_identifier(b, c->name);
		strbuf_addstr(b, " IS NULL, NULL, ");
	}
	switch (mask) {
	case ACCESS_HIDDEN:
	case ACCESS_PLAIN:
		add_column(b, c);
		break;
	case ACCESS_INITIAL:
		add_initial(b, c);
		break;
	case ACCESS_PARTIAL:
		if (cstr_equal(pii, "email"))
			add_email(b, c);
		else
			add_end(b, c);
		break;
	case ACCESS_AGE_BAND:
		add_age_band(b, c);
		break;
	case ACCESS_MONTH:
		add_month(b, c);
		break;
	case ACCESS_PSEUDONYM:
		add_pseudonym(b, c);
		break;
	}
	MARIA_ADD(b, is_masked ? ") AS #" : " AS #", c->name);
}
