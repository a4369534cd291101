/* What a fuzz target defines: the function that libFuzzer calls, and its folder under corpus/. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const char fuzz_corpus[];
