/*
 * Connections that lie idle between uses, for threads which need one now and then: taken, used by
 * one thread, given back. Any thread.
 */
#pragma once

#include "store/maria.h"

#define MARIA_POOL_IDLE 8 /* that are kept; others are closed when they come back */

struct maria_pool;

/* Texts are borrowed as long as it lives. */
struct maria_pool *maria_pool_new(const struct maria_options *options);
struct maria_pool *maria_pool_free(struct maria_pool *p); /* all were given back */

/* One that lay idle may have been cut off meanwhile: the first statement tells. */
int maria_pool_take(struct maria_pool *p, struct maria **ret, struct err *err) _must_check_;
/* NULL is fine; one that is lost is closed. In the middle of something it must not be given back,
 * but closed: it would lie here with its locks. */
void maria_pool_give(struct maria_pool *p, struct maria *m);
