/* What the files of retention.h share. */
#pragma once

#include "govern/retention.h"

/* Of kinds that are no tables (retention_files.c). */
int retention_look_at_files(const struct retention_place *p, const struct retention_store *s,
			    struct retention_size *ret, struct err *err) _must_check_;
int retention_purge_files(const struct retention_place *p, const struct retention_store *s,
			  bool is_dry, uint64_t *ret_n, struct err *err) _must_check_;
