/*
 * The whole program as two lists: its commands, as they are grouped in the help, and the tables of
 * its options. A new verb gets a line in cli.h and one here.
 */
#include "cli/cli.h"
#include "embed/embed.h"
#include "shop/generate.h"
#include "shop/warehouse.h"

#include "embed/embed.h"
#include "govern/access.h"
#include "govern/lineage.h"
#include "govern/quality.h"
#include "govern/rbac_audit.h"
#include "govern/retention.h"
#include "http/http_server.h"
#include "search/search_engine.h"
#include "sync/sync.h"

#include "base/banned.h"

#define HEADING(variable, title) \
	static const struct command variable = {.name = "", .summary = (title)}

HEADING(heading_stack, "Servers");
HEADING(heading_sync, "From MariaDB to MongoDB");
HEADING(heading_shop, "The shop");
HEADING(heading_search, "Search");
HEADING(heading_govern, "Who may see what");
HEADING(heading_program, "The program");

/* clang-format off */
static const struct command *const root_children[] = {
    &heading_stack,
    &command_up,
    &command_down,
    &command_reset,
    &command_status,
    &command_doctor,
    &command_connection,
    &command_shell,
    &command_logs,
    &command_doc,
    &heading_shop,
    &command_load,
    &command_generate,
    &command_order,
    &command_report,
    &command_warehouse,
    &command_schema,
    &heading_sync,
    &command_mapping,
    &command_migrate,
    &command_serve,
    &command_sync,
    &command_verify,
    &command_watch,
    &heading_search,
    &command_search,
    &command_similar,
    &command_suggest,
    &command_recommend,
    &command_eval,
    &command_tune,
    &command_embed,
    &command_index,
    &command_vector,
    &heading_govern,
    &command_access,
    &command_token,
    &command_privacy,
    &command_audit,
    &command_dictionary,
    &command_quality,
    &command_lineage,
    &command_retention,
    &heading_program,
    &command_config,
    &command_version,
    &command_help,
    NULL,
};
/* clang-format on */

const struct command cli_root_command = {
    .name = "aethermart",
    .summary = "Keeps a shop's data in MariaDB and MongoDB in step.",
    .children = root_children,
};

/* In the order in which the reference shows the sections. */
/* clang-format off */
const struct config_option *const cli_config_tables[] = {
    log_options,
    share_options,
    mariadb_options,
    mongodb_options,
    stack_options,
    shop_options,
    warehouse_options,
    access_options,
    quality_options,
    lineage_options,
    audit_options,
    retention_options,
    mapping_options,
    sync_options,
    search_options,
    http_options,
    embed_options,
    NULL,
};
/* clang-format on */
