/*
 * What the API shows of people, or does to them, goes into the audit before it is shown or done:
 * where that cannot be written, the answer is the error.
 */
#pragma once

#include "govern/token.h"
#include "http/http_server.h"
#include "search/search_engine.h"

#define CLI_SEEN_MAX 100 /* that match: beyond, counts tell of nobody in particular */

/*
 * `json` is the answer, with "hits" that have an "id" or a "key" each, and their "variants"; it is
 * emptied after an error. The event's object is what was searched: of customers and reviews it is
 * known whose they are. `matched`: of these the total and the facets tell, too; NULL or none: of
 * the hits alone. Of more than its maximum, one event says how many they were. Any thread.
 */
int cli_seen_hits(struct maria_pool *tokens, const struct http_guest *guest,
		  const struct audit_event *event, const struct search_matched *matched,
		  struct strbuf *json, struct err *err) _must_check_;
/* What was asked about one customer. Nothing is written where that is whom the token speaks for. */
int cli_seen_customer(struct maria_pool *tokens, const struct http_guest *guest, const char *action,
		      const char *customer, struct strbuf *json, struct err *err) _must_check_;
/* An order that is about to be placed; whether it was, the shop's own records say. Nothing is
 * written of customers who order themselves. */
int cli_seen_order(struct maria_pool *tokens, const struct http_guest *guest, uint64_t customer,
		   struct err *err) _must_check_;
