/*
 * The rules of data quality: one table of names, severities and actions. Whoever finds something
 * names the rule; severity and action follow from it and never from the finder.
 *
 * CORRECTED: the row is loaded with another value. REJECTED: the row is not loaded. NOTED: the row
 * is loaded as it is, and somebody should know.
 */
#pragma once

#include "base/strbuf.h"

/*   name                severity  action     what it means */
#define QUALITY_TABLE(X)                                                                          \
	X(VALUE_MISSING, "value_missing", "error", "rejected", "a required value is empty")       \
	X(VALUE_RANGE, "value_range", "error", "rejected", "a number is outside its range")       \
	X(VALUE_DROPPED, "value_dropped", "warning", "corrected",                                 \
	  "an optional value of the wrong form or range became empty")                            \
	X(KEY_INVALID, "key_invalid", "error", "rejected",                                        \
	  "a key is empty, above 64 bytes or holds other characters than A-Z a-z 0-9 . _ : / -")  \
	X(NUMBER_INVALID, "number_invalid", "error", "rejected", "a required number is none")     \
	X(NUMBER_FORMAT, "number_format", "info", "corrected",                                    \
	  "a number with signs, separators or too many places")                                   \
	X(PRICE_NEGATIVE, "price_negative", "error", "rejected", "a price below zero")            \
	X(STOCK_NEGATIVE, "stock_negative", "warning", "corrected", "stock below zero became 0")  \
	X(RATING_RANGE, "rating_range", "error", "rejected", "a rating outside 1 to 5")           \
	X(DATE_INVALID, "date_invalid", "error", "rejected",                                      \
	  "a required date that does not exist or has no known form")                             \
	X(DATE_AMBIGUOUS, "date_ambiguous", "warning", "corrected",                               \
	  "day and month could be either; the other dates of the file decided")                   \
	X(DATE_FUTURE, "date_future", "warning", "corrected",                                     \
	  "a date that must lie in the past became empty")                                        \
	X(EMAIL_MISSING, "email_missing", "info", "noted", "no e-mail address")                   \
	X(EMAIL_REPAIRED, "email_repaired", "info", "corrected",                                  \
	  "an e-mail address was written in a way that has one meaning")                          \
	X(EMAIL_MALFORMED, "email_malformed", "warning", "corrected",                             \
	  "an e-mail address that is none became empty")                                          \
	X(EMAIL_DUPLICATE, "email_duplicate", "error", "rejected",                                \
	  "another customer has this e-mail address; what refers to the row means that customer") \
	X(PHONE_FORMAT, "phone_format", "info", "corrected", "a telephone number was tidied")     \
	X(SUPPLIER_SPELLING, "supplier_spelling", "info", "corrected",                            \
	  "a supplier was spelled differently than the shop spells it")                           \
	X(CATEGORY_FORMAT, "category_format", "info", "corrected", "a category path was tidied")  \
	X(CATEGORY_INVALID, "category_invalid", "error", "rejected",                              \
	  "a category path without names, or too deep or too long")                               \
	X(EAN_INVALID, "ean_invalid", "warning", "corrected",                                     \
	  "an article number with a wrong length or check digit became empty")                    \
	X(EAN_FORMAT, "ean_format", "info", "corrected", "an article number was tidied")          \
	X(EAN_DUPLICATE, "ean_duplicate", "warning", "corrected",                                 \
	  "another product has this article number; it became empty")                             \
	X(TEXT_ENCODING, "text_encoding", "warning", "corrected",                                 \
	  "Latin-1 or Windows-1252 bytes, or UTF-8 that was encoded twice")                       \
	X(TEXT_HTML, "text_html", "info", "corrected", "HTML tags or entities became text")       \
	X(TEXT_CONTROL, "text_control", "info", "corrected", "control characters were taken out") \
	X(TEXT_SPACE, "text_space", "info", "corrected", "white space was tidied")                \
	X(TEXT_NORMAL, "text_normal", "info", "corrected", "characters were composed (NFC)")      \
	X(TEXT_LONG, "text_long", "warning", "corrected", "a text was cut to the allowed length") \
	X(CHOICE_FORMAT, "choice_format", "info", "corrected",                                    \
	  "a word of a list was spelled differently")                                             \
	X(CHOICE_UNKNOWN, "choice_unknown", "warning", "corrected",                               \
	  "a word that the list does not have became the default")                                \
	X(CODE_FORMAT, "code_format", "info", "corrected",                                        \
	  "a country, currency or language was written differently than by its code")             \
	X(CODE_INVALID, "code_invalid", "error", "rejected",                                      \
	  "a required country or currency that is no code")                                       \
	X(FIELD_UNKNOWN, "field_unknown", "warning", "noted",                                     \
	  "JSON lines: a field that loading does not know, and its first value; once a file")     \
	X(JSON_INVALID, "json_invalid", "warning", "corrected",                                   \
	  "specifications that are no JSON object, or one of many levels, became empty")          \
	X(SERVICE_INCOMPLETE, "service_incomplete", "error", "rejected",                          \
	  "a service without type, duration or delivery mode")                                    \
	X(SERVICE_STOCK, "service_stock", "info", "corrected", "services have no stock")          \
	X(REFERENCE_UNKNOWN, "reference_unknown", "error", "rejected",                            \
	  "a required reference to something that neither the shop nor the load has")             \
	X(REFERENCE_DROPPED, "reference_dropped", "warning", "corrected",                         \
	  "an optional reference to something unknown became empty")                              \
	X(DUPLICATE_ROW, "duplicate_row", "info", "rejected",                                     \
	  "the same row stands in the load again")                                                \
	X(DUPLICATE_KEY, "duplicate_key", "warning", "rejected",                                  \
	  "another row of the load has this key; the last counts, of suppliers the first")        \
	X(ORDER_TOTAL, "order_total", "warning", "corrected",                                     \
	  "the total of an order was not the sum of its lines")                                   \
	X(SUBJECT_ERASED, "subject_erased", "info", "rejected",                                   \
	  "of somebody who was erased; the log keeps nothing else of the row")

enum quality_rule_id {
#define X(id, name, severity, action, help) QUALITY_##id,
	QUALITY_TABLE(X)
#undef X
	    QUALITY_COUNT
};

struct quality_rule {
	const char *name, *severity, *action, *help;
	bool is_rejection, is_correction;
};

const struct quality_rule *quality_rule_get(enum quality_rule_id id);

/* Appends text for a log column: at most 1,000 characters, bytes that are no UTF-8 as \xNN. */
#define QUALITY_TEXT_MAX 1000
void quality_add_text(struct strbuf *out, struct str text);
