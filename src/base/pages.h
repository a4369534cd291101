/*
 * Large memory straight from the system, on huge pages where it gives them. What is read in no
 * order, or from end to end again and again, loses a part of its time to the translation of
 * addresses in pages of 4 KiB. Any thread.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory, aligned to a huge page, to be returned by pages_unmap(). Without `wants_huge` it
 * grows by small pages as it is touched. ERR_NO_MEMORY. */
int pages_map(size_t size, bool wants_huge, void **ret, struct err *err) _must_check_;
void pages_unmap(void *p, size_t size); /* as it was mapped; NULL is fine */
