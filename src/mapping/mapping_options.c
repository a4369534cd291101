/* Configuration of the mappings. */
#include "mapping/mapping.h"

#include "base/banned.h"

const struct config_option mapping_options[] = {
    {.section = "mapping",
     .name = "dir",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help =
	 "The folder of the mapping files (*.yaml), one for each collection. Unset: mapping/ of "
	 "the installation."},
    {0},
};
