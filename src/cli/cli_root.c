/*
 * The whole program as two lists: its commands, as they are grouped in the help, and the tables of
 * its options. A new verb gets a line in cli.h and one here.
 */
#include "cli/cli.h"

#include "http/http_server.h"

#include "base/banned.h"

#define HEADING(variable, title) \
	static const struct command variable = {.name = "", .summary = (title)}

HEADING(heading_stack, "Servers");
HEADING(heading_shop, "The shop's data");
HEADING(heading_sync, "From MariaDB to MongoDB");
HEADING(heading_program, "The program");

static const struct command *const root_children[] = {
    /* servers */
    &heading_stack,
    /* data */
    &heading_shop,
    /* sync */
    &heading_sync,
    /* program */
    &heading_program, &command_config, &command_version, &command_help,
    /* end */
    NULL};

const struct command cli_root_command = {
    .name = "aethermart",
    .summary = "Keeps a shop's data in MariaDB and MongoDB in step.",
    .children = root_children,
};

/* In the order in which the reference shows the sections. */
const struct config_option *const cli_config_tables[] = {
    log_options,
    share_options,
    http_options,
    NULL,
};
