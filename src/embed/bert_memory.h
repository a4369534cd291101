/*
 * Large memory of the encoder, on huge pages where the system gives them: the weights are read from
 * end to end in every pass, and in pages of 4 KiB the processor spends a part of that time on
 * translating addresses (measured: 18 % of a query in f32, 4 % in int8). Internal to embed/.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>

/* Zeroed memory, aligned to a huge page. ERR_NO_MEMORY. */
int bert_memory_map(size_t size, void **ret, struct err *err) _must_check_;
void bert_memory_unmap(void *p, size_t size); /* NULL is fine */
