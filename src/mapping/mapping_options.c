/* Configuration of the mappings. */
#include "mapping/mapping.h"

#include "base/banned.h"

const struct config_option mapping_options[] = {
    {.section = "mapping",
     .name = "dir",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "Folder of the mapping files, one a collection. Unset: those of the installation."},
    {0},
};
