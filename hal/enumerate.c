/* SPDX-License-Identifier: MIT */
/* Lists what could be opened. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"

struct entry {
	char *uri;
	char *board;
	char *serial;
	const char *driver;
	int access;
	bool emulated;
};

struct nmhal_device_list {
	struct entry *entries;
	size_t count;
};

struct nmhal_found {
	struct nmhal_context *ctx;
	struct nmhal_device_list *list;
	const struct nmhal_driver *own; /* the driver that is its own scheme, or NULL */
	bool emulated;
};

static void free_entry(struct entry *entry)
{
	free(entry->uri);
	free(entry->board);
	free(entry->serial);
}

int nmhal_found_add(struct nmhal_found *found, const char *uri, const char *board, const char *serial, int access)
{
	struct nmhal_device_list *list = found->list;
	const struct nmhal_driver *driver = found->own;
	struct entry entry = {.access = access, .emulated = found->emulated};
	struct entry *grown;

	/* A board that no driver of this build knows is none that could be opened. */
	if (nm_registry_board(found->ctx, uri, board, &driver)) {
		nm_log(found->ctx, NMHAL_LOG_DEBUG, uri, "list: no driver for board '%s'", board);
		return NMHAL_OK;
	}
	grown = realloc(list->entries, (list->count + 1) * sizeof *grown);
	if (!grown)
		return nm_no_memory(uri, "list");
	list->entries = grown;
	entry.driver = driver->name;
	entry.uri = strdup(uri);
	entry.board = strdup(board);
	entry.serial = strdup(serial ? serial : "");
	if (!entry.uri || !entry.board || !entry.serial) {
		free_entry(&entry);
		return nm_no_memory(uri, "list");
	}
	list->entries[list->count++] = entry;
	return NMHAL_OK;
}

/* One scheme that cannot be listed must not hide the others, unless it is the one asked for. */
static int ask_link(struct nmhal_found *found, const struct nmhal_link *link, bool only)
{
	int status;

	if (!link->enumerate)
		return NMHAL_OK;
	found->own = NULL;
	found->emulated = link->emulated;
	status = link->enumerate(found);
	if (status && !only && status != NMHAL_E_NO_MEMORY) {
		nm_log(found->ctx, NMHAL_LOG_WARN, "", "list %s: %s", link->scheme, nmhal_last_error());
		status = NMHAL_OK;
	}
	return status;
}

static int add_own(struct nmhal_found *found, const struct nmhal_driver *driver)
{
	char uri[128];
	int status = NMHAL_OK;

	found->own = driver;
	found->emulated = true;
	for (const char *const *board = driver->boards; !status && *board; board++) {
		snprintf(uri, sizeof uri, "%s:%s", driver->scheme, *board);
		status = nmhal_found_add(found, uri, *board, "", NMHAL_OK);
	}
	return status;
}

static int ask_all(struct nmhal_found *found)
{
	struct nmhal_context *ctx = found->ctx;
	int status = NMHAL_OK;

	for (int emulated = 0; emulated <= 1; emulated++) {
		for (size_t i = 0; !status && i < ctx->link_count; i++) {
			if ((ctx->links[i]->emulated != 0) == emulated)
				status = ask_link(found, ctx->links[i], false);
		}
	}
	for (size_t i = 0; !status && i < ctx->driver_count; i++) {
		if (ctx->drivers[i]->scheme)
			status = add_own(found, ctx->drivers[i]);
	}
	return status;
}

static int ask_scheme(struct nmhal_found *found, const char *scheme)
{
	const struct nmhal_driver *driver;
	const struct nmhal_link *link;
	int status = nm_registry_scheme(found->ctx, scheme, scheme, &link, &driver);

	if (status)
		return status;
	return link ? ask_link(found, link, true) : add_own(found, driver);
}

int nmhal_enumerate(nmhal_context *ctx, const char *filter, nmhal_device_list **out)
{
	struct nmhal_found found = {.ctx = ctx};
	int status;

	if (!out)
		return nm_fail(NULL, NMHAL_E_INVALID, "list: out is NULL");
	*out = NULL;
	if (!ctx)
		return nm_fail(NULL, NMHAL_E_INVALID, "list: ctx is NULL");
	found.list = calloc(1, sizeof *found.list);
	if (!found.list)
		return nm_no_memory(NULL, "list");
	status = filter && *filter ? ask_scheme(&found, filter) : ask_all(&found);
	if (status) {
		nmhal_device_list_free(found.list);
		return status;
	}
	*out = found.list;
	return NMHAL_OK;
}

size_t nmhal_device_list_count(const nmhal_device_list *list)
{
	return list ? list->count : 0;
}

int nmhal_device_list_get(const nmhal_device_list *list, size_t index, struct nmhal_device_info *info)
{
	struct nmhal_device_info ours = {.struct_size = sizeof ours};

	if (index >= nmhal_device_list_count(list))
		return nm_fail(
			NULL, NMHAL_E_INVALID, "get entry %zu: the list has %zu", index, nmhal_device_list_count(list));
	ours.uri = list->entries[index].uri;
	ours.driver = list->entries[index].driver;
	ours.board = list->entries[index].board;
	ours.serial = list->entries[index].serial;
	ours.access = list->entries[index].access;
	ours.emulated = list->entries[index].emulated;
	return nm_copy_out(info, sizeof ours, sizeof ours, &ours, "struct nmhal_device_info");
}

void nmhal_device_list_free(nmhal_device_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		free_entry(&list->entries[i]);
	free(list->entries);
	free(list);
}

/* Names of all entries that are emulated, or of all that are not, for a sentence. */
static void join(const struct nmhal_device_list *list, bool emulated, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < list->count && used < size; i++) {
		int length;

		if (list->entries[i].emulated != emulated)
			continue;
		length = snprintf(text + used, size - used, "%s%s", used ? ", " : "", list->entries[i].uri);
		used += length < 0 ? 0 : (size_t)length;
	}
}

int nm_only_board(struct nmhal_context *ctx, char **uri)
{
	struct nmhal_device_list *list;
	size_t attached = 0;
	char names[700];
	int status = nmhal_enumerate(ctx, NULL, &list);

	if (status)
		return status;
	/* Attached boards come first. */
	while (attached < list->count && !list->entries[attached].emulated)
		attached++;
	if (attached == 1) {
		*uri = strdup(list->entries[0].uri);
		if (!*uri)
			status = nm_no_memory(list->entries[0].uri, "open");
	} else if (attached) {
		join(list, false, names, sizeof names);
		status = nm_fail(NULL, NMHAL_E_NO_DEVICE,
			"open: no URI given and %zu boards are attached; name one of %s", attached, names);
	} else {
		join(list, true, names, sizeof names);
		status = nm_fail(NULL, NMHAL_E_NO_DEVICE,
			"open: no URI given, NMHAL_URI is not set and no board is attached; emulated: %s",
			*names ? names : "none");
	}
	nmhal_device_list_free(list);
	return status;
}
