/* Section "embed" of the configuration. */
#include "embed/embed.h"

#include "base/banned.h"

const struct config_option embed_options[] = {
    {.section = "embed",
     .name = "model",
     .type = CONFIG_TEXT,
     .help = "The model, as the provider calls it. Unset: all-MiniLM-L6-v2."},
    {.section = "embed",
     .name = "dir",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "Folder with the files of the local model. Unset: where tools/setup put them."},
    {.section = "embed",
     .name = "precision",
     .type = CONFIG_CHOICE,
     .fallback = "auto",
     .choices = "auto|f32|bf16|int8",
     .help = "How the local model calculates; \"auto\" takes the fastest that this processor has "
	     "instructions for."},
    {.section = "embed",
     .name = "threads",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 1024,
     .help = "Threads of the local model for many texts at once. 0: one for each core."},
    {0},
};
