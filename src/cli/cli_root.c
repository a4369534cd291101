/*
 * The whole program as two lists: its commands, as they are grouped in the help, and the tables of
 * its options. A new verb gets a line in cli.h and one here.
 */
#include "cli/cli.h"

#include "http/http_server.h"

#include "base/banned.h"

#define HEADING(variable, title) \
	static const struct command variable = {.name = "", .summary = (title)}

HEADING(heading_program, "The program");
HEADING(heading_stack, "The servers");

static const struct command *const root_children[] = {
    &heading_stack,	 &command_up,	  &command_down,    &command_status, &command_doctor,
    &command_connection, &command_shell,  &command_logs,    &command_doc,    &command_reset,
    &heading_program,	 &command_config, &command_version, &command_help,   NULL,
};

const struct command cli_root_command = {
    .name = "aethermart",
    .summary = "Keeps a shop's data in MariaDB and MongoDB in step.",
    .children = root_children,
};

const struct config_option *const cli_config_tables[] = {
    log_options, share_options, mariadb_options, mongodb_options, stack_options, http_options, NULL,
};
