/*
 * Text files that are part of the program: SQL statements and schema files, turned into constants
 * by tools/embed.awk at build time.
 */
#pragma once

struct embedded_file {
	const char *name; /* file name without folders, "010-shop.sql"; NULL ends a table */
	const char *text;
};
