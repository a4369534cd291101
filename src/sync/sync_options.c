/* Configuration of the sync engine. */
#include "sync/sync_int.h"

#include "base/banned.h"

const struct config_option sync_options[] = {
    {.section = "sync",
     .name = "workers",
     .type = CONFIG_INT,
     .fallback = "2",
     .min = 1,
     .max = SYNC_FENCES,
     .help = "Threads that carry changes. Each document belongs to one of them."},
    {.section = "sync",
     .name = "batch",
     .type = CONFIG_INT,
     .fallback = "200",
     .min = 1,
     .max = 5000,
     .help = "Most documents of one read and one MongoDB transaction."},
    {.section = "sync",
     .name = "lease",
     .type = CONFIG_DURATION,
     .fallback = "10s",
     .min = 1000,
     .max = 600000,
     .help = "How long a worker that stopped answering keeps the right to write; a standby takes "
	     "over after that."},
    {.section = "sync",
     .name = "audit_days",
     .type = CONFIG_INT,
     .fallback = "30",
     .min = 1,
     .max = 3650,
     .help = "Days that rows of sync_audit_log are kept."},
    {0},
};
