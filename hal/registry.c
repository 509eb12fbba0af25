/* SPDX-License-Identifier: MIT */
/* The drivers, links and wrappers of a context: checked when they are added, found by scheme and board. */
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"

/* Is name among the comma-separated names? */
static bool is_named(const char *names, const char *name, size_t length)
{
	while (*names) {
		size_t span = strcspn(names, ",");

		if (span == length && strncmp(names, name, length) == 0)
			return true;
		names += span;
		names += *names == ',';
	}
	return false;
}

bool nm_has_key(const struct nmhal_key *keys, const char *name)
{
	for (; keys && keys->name; keys++) {
		if (strcmp(keys->name, name) == 0)
			return true;
	}
	return false;
}

static bool scheme_taken(const struct nmhal_context *ctx, const char *scheme)
{
	for (size_t i = 0; i < ctx->link_count; i++) {
		if (strcmp(ctx->links[i]->scheme, scheme) == 0)
			return true;
	}
	for (size_t i = 0; i < ctx->driver_count; i++) {
		if (ctx->drivers[i]->scheme && strcmp(ctx->drivers[i]->scheme, scheme) == 0)
			return true;
	}
	return false;
}

static bool drives(const struct nmhal_driver *driver, const char *board)
{
	for (const char *const *name = driver->boards; *name; name++) {
		if (strcmp(*name, board) == 0)
			return true;
	}
	return false;
}

static int check_names(const struct nmhal_context *ctx, const struct nmhal_driver *driver)
{
	for (size_t i = 0; i < ctx->driver_count; i++) {
		const struct nmhal_driver *other = ctx->drivers[i];

		if (strcmp(other->name, driver->name) == 0)
			return nm_fail(NULL, NMHAL_E_BUSY, "add driver '%s': the name is taken", driver->name);
		for (const char *const *board = driver->boards; *board; board++) {
			if (!other->scheme && !driver->scheme && drives(other, *board))
				return nm_fail(NULL, NMHAL_E_BUSY, "add driver '%s': board '%s' is driven by '%s'",
					driver->name, *board, other->name);
		}
	}
	if (driver->scheme && scheme_taken(ctx, driver->scheme))
		return nm_fail(
			NULL, NMHAL_E_BUSY, "add driver '%s': scheme '%s' is taken", driver->name, driver->scheme);
	return NMHAL_OK;
}

static int check_driver(const struct nmhal_driver *driver)
{
	const struct nm_lister lister = {NULL, "add", driver->name, NMHAL_E_INVALID};
	const char *missing = NULL;

	if (driver->abi != NMHAL_DRIVER_ABI)
		return nm_fail(NULL, NMHAL_E_INVALID, "add driver: abi is %u, this library has %u; rebuild the driver",
			driver->abi, NMHAL_DRIVER_ABI);
	if (nm_check_size(driver->struct_size, sizeof *driver, sizeof *driver, driver, "struct nmhal_driver"))
		return NMHAL_E_INVALID;
	if (!driver->name || !*driver->name)
		missing = "name";
	else if (!driver->open)
		missing = "open";
	else if (!driver->boards || !driver->boards[0])
		missing = "boards";
	if (missing)
		return nm_fail(NULL, NMHAL_E_INVALID, "add driver '%s': it has no %s", driver->name ? driver->name : "",
			missing);
	if (driver->needs > NMHAL_NEEDS_STREAM)
		return nm_fail(NULL, NMHAL_E_INVALID, "add driver '%s': needs is %u, must be 0..%d", driver->name,
			driver->needs, NMHAL_NEEDS_STREAM);
	if ((driver->needs == NMHAL_NEEDS_NOTHING) != (driver->scheme != NULL))
		return nm_fail(NULL, NMHAL_E_INVALID,
			"add driver '%s': a scheme goes with NMHAL_NEEDS_NOTHING and with nothing else", driver->name);
	return nm_attrs_check(&lister, driver->attrs, driver->attr_count);
}

int nmhal_context_add_driver(nmhal_context *ctx, const struct nmhal_driver *driver)
{
	const struct nmhal_driver **grown;
	int status;

	if (!ctx || !driver)
		return nm_fail(NULL, NMHAL_E_INVALID, "add driver: %s is NULL", ctx ? "driver" : "ctx");
	status = check_driver(driver);
	if (!status)
		status = check_names(ctx, driver);
	if (status)
		return status;
	grown = realloc(ctx->drivers, (ctx->driver_count + 1) * sizeof(*grown));
	if (!grown)
		return nm_no_memory(NULL, "add driver");
	ctx->drivers = grown;
	ctx->drivers[ctx->driver_count++] = driver;
	return NMHAL_OK;
}

static int check_link(const struct nmhal_link *link)
{
	const char *missing = NULL;

	if (link->abi != NMHAL_DRIVER_ABI)
		return nm_fail(NULL, NMHAL_E_INVALID, "add link: abi is %u, this library has %u; rebuild the link",
			link->abi, NMHAL_DRIVER_ABI);
	if (nm_check_size(link->struct_size, sizeof *link, sizeof *link, link, "struct nmhal_link"))
		return NMHAL_E_INVALID;
	if (!link->scheme || !*link->scheme)
		missing = "scheme";
	else if (!link->open)
		missing = "open";
	else if (!link->keys)
		missing = "keys";
	if (missing)
		return nm_fail(NULL, NMHAL_E_INVALID, "add link '%s': it has no %s", link->scheme ? link->scheme : "",
			missing);
	return NMHAL_OK;
}

int nmhal_context_add_link(nmhal_context *ctx, const struct nmhal_link *link)
{
	const struct nmhal_link **grown;
	int status;

	if (!ctx || !link)
		return nm_fail(NULL, NMHAL_E_INVALID, "add link: %s is NULL", ctx ? "link" : "ctx");
	status = check_link(link);
	if (status)
		return status;
	if (scheme_taken(ctx, link->scheme))
		return nm_fail(NULL, NMHAL_E_BUSY, "add link '%s': the scheme is taken", link->scheme);
	grown = realloc(ctx->links, (ctx->link_count + 1) * sizeof(*grown));
	if (!grown)
		return nm_no_memory(NULL, "add link");
	ctx->links = grown;
	ctx->links[ctx->link_count++] = link;
	return NMHAL_OK;
}

static int check_wrapper(const struct nmhal_wrapper *wrapper)
{
	const char *missing = NULL;

	if (wrapper->abi != NMHAL_DRIVER_ABI)
		return nm_fail(NULL, NMHAL_E_INVALID,
			"add wrapper: abi is %u, this library has %u; rebuild the wrapper", wrapper->abi,
			NMHAL_DRIVER_ABI);
	if (nm_check_size(wrapper->struct_size, sizeof *wrapper, sizeof *wrapper, wrapper, "struct nmhal_wrapper"))
		return NMHAL_E_INVALID;
	if (!wrapper->name || !*wrapper->name)
		missing = "name";
	else if (!wrapper->wrap)
		missing = "wrap";
	else if (!wrapper->keys || !wrapper->keys->name)
		missing = "keys";
	if (missing)
		return nm_fail(NULL, NMHAL_E_INVALID, "add wrapper '%s': it has no %s",
			wrapper->name ? wrapper->name : "", missing);
	if (wrapper->reserved)
		return nm_fail(NULL, NMHAL_E_INVALID, "add wrapper '%s': reserved is %u, must be 0", wrapper->name,
			wrapper->reserved);
	return NMHAL_OK;
}

int nmhal_context_add_wrapper(nmhal_context *ctx, const struct nmhal_wrapper *wrapper)
{
	const struct nmhal_wrapper **grown;
	int status;

	if (!ctx || !wrapper)
		return nm_fail(NULL, NMHAL_E_INVALID, "add wrapper: %s is NULL", ctx ? "wrapper" : "ctx");
	status = check_wrapper(wrapper);
	if (status)
		return status;
	for (size_t i = 0; i < ctx->wrapper_count; i++) {
		for (const struct nmhal_key *key = wrapper->keys; key->name; key++) {
			if (nm_has_key(ctx->wrappers[i]->keys, key->name))
				return nm_fail(NULL, NMHAL_E_BUSY, "add wrapper '%s': key '%s' is that of '%s'",
					wrapper->name, key->name, ctx->wrappers[i]->name);
		}
	}
	grown = realloc(ctx->wrappers, (ctx->wrapper_count + 1) * sizeof(*grown));
	if (!grown)
		return nm_no_memory(NULL, "add wrapper");
	ctx->wrappers = grown;
	ctx->wrappers[ctx->wrapper_count++] = wrapper;
	return NMHAL_OK;
}

/* What the index'th part of the library is called, drivers, then links, then wrappers; NULL behind the last one. */
static const char *builtin_name(size_t index)
{
	for (size_t i = 0; nm_builtin_drivers[i]; i++) {
		if (index-- == 0)
			return nm_builtin_drivers[i]->name;
	}
	for (size_t i = 0; nm_builtin_links[i]; i++) {
		if (index-- == 0)
			return nm_builtin_links[i]->scheme;
	}
	for (size_t i = 0; nm_builtin_wrappers[i]; i++) {
		if (index-- == 0)
			return nm_builtin_wrappers[i]->name;
	}
	return NULL;
}

/* Every name that was asked for must have been built. */
static int check_asked(const char *names)
{
	char known[512] = "";
	const char *name;

	for (size_t i = 0; (name = builtin_name(i)); i++)
		nm_list_add(known, sizeof known, name);
	while (*names) {
		size_t span = strcspn(names, ",");
		bool found = false;

		for (size_t i = 0; (name = builtin_name(i)); i++)
			found = found || is_named(name, names, span);
		if (!found)
			return nm_fail(NULL, NMHAL_E_INVALID,
				"new context: no driver, link or wrapper '%.*s' was built; there are: %s", (int)span,
				names, known);
		names += span;
		names += *names == ',';
	}
	return NMHAL_OK;
}

int nm_registry_fill(struct nmhal_context *ctx, const char *names)
{
	int status = names ? check_asked(names) : NMHAL_OK;

	for (size_t i = 0; !status && nm_builtin_links[i]; i++) {
		const char *scheme = nm_builtin_links[i]->scheme;

		if (!names || is_named(names, scheme, strlen(scheme)))
			status = nmhal_context_add_link(ctx, nm_builtin_links[i]);
	}
	for (size_t i = 0; !status && nm_builtin_drivers[i]; i++) {
		const char *name = nm_builtin_drivers[i]->name;

		if (!names || is_named(names, name, strlen(name)))
			status = nmhal_context_add_driver(ctx, nm_builtin_drivers[i]);
	}
	for (size_t i = 0; !status && nm_builtin_wrappers[i]; i++) {
		const char *name = nm_builtin_wrappers[i]->name;

		if (!names || is_named(names, name, strlen(name)))
			status = nmhal_context_add_wrapper(ctx, nm_builtin_wrappers[i]);
	}
	return status;
}

static int unknown_scheme(const struct nmhal_context *ctx, const char *subject, const char *scheme)
{
	char known[512] = "";

	for (size_t i = 0; i < ctx->link_count; i++)
		nm_list_add(known, sizeof known, ctx->links[i]->scheme);
	for (size_t i = 0; i < ctx->driver_count; i++) {
		if (ctx->drivers[i]->scheme)
			nm_list_add(known, sizeof known, ctx->drivers[i]->scheme);
	}
	return nm_fail(
		subject, NMHAL_E_NO_DEVICE, "open: unknown scheme '%s'; known: %s", scheme, *known ? known : "none");
}

int nm_registry_scheme(struct nmhal_context *ctx, const char *subject, const char *scheme,
	const struct nmhal_link **link, const struct nmhal_driver **driver)
{
	*link = NULL;
	*driver = NULL;
	for (size_t i = 0; i < ctx->link_count; i++) {
		if (strcmp(ctx->links[i]->scheme, scheme) == 0) {
			*link = ctx->links[i];
			return NMHAL_OK;
		}
	}
	for (size_t i = 0; i < ctx->driver_count; i++) {
		if (ctx->drivers[i]->scheme && strcmp(ctx->drivers[i]->scheme, scheme) == 0) {
			*driver = ctx->drivers[i];
			return NMHAL_OK;
		}
	}
	return unknown_scheme(ctx, subject, scheme);
}

/* May this driver be what the URI means: the one that is its own scheme, else any that works behind a link. */
static bool is_candidate(const struct nmhal_driver *driver, const struct nmhal_driver *own)
{
	return own ? driver == own : !driver->scheme;
}

int nm_registry_board(struct nmhal_context *ctx, const char *subject, const char *board,
	const struct nmhal_driver **driver)
{
	const struct nmhal_driver *own = *driver;
	char known[512] = "";

	for (size_t i = 0; i < ctx->driver_count; i++) {
		if (is_candidate(ctx->drivers[i], own) && drives(ctx->drivers[i], board)) {
			*driver = ctx->drivers[i];
			return NMHAL_OK;
		}
	}
	for (size_t i = 0; i < ctx->driver_count; i++) {
		for (const char *const *name = ctx->drivers[i]->boards; is_candidate(ctx->drivers[i], own) && *name;
			name++)
			nm_list_add(known, sizeof known, *name);
	}
	return nm_fail(
		subject, NMHAL_E_NO_DEVICE, "open: unknown board '%s'; known: %s", board, *known ? known : "none");
}
