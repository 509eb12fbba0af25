/* SPDX-License-Identifier: MIT */
#include "mockdev.h"

#include <check.h>
#include <errno.h>
#include <unistd.h>

#include "node.h"

/* Of a client, as libusb sees it after open(). */
#define NODE "nmhal-node"

static void end(gpointer data)
{
	struct node *node = data;

	close(node_fd(node));
	node_close(node);
}

/* umockdev has no way to let open() fail; the first ioctl does. */
static void connected(UMockdevIoctlBase *handler, UMockdevIoctlClient *client, gpointer user)
{
	struct node *node = NULL;

	(void)handler;
	(void)user;
	if (node_open(umockdev_ioctl_client_get_devnode(client), &node) == 0)
		g_object_set_data_full(G_OBJECT(client), NODE, node, end);
}

/* Client and handler are one process, so that its pointers are ours. */
static gboolean handle(UMockdevIoctlBase *handler, UMockdevIoctlClient *client, gpointer user)
{
	struct node *node = g_object_get_data(G_OBJECT(client), NODE);
	const UMockdevIoctlData *arg = umockdev_ioctl_client_get_arg(client);
	int result = -ENODEV;

	(void)handler;
	(void)user;
	if (node)
		result = node_ioctl(node, umockdev_ioctl_client_get_request(client), *(void **)(void *)arg->data);
	umockdev_ioctl_client_complete(client, result < 0 ? -1 : result, result < 0 ? -result : 0);
	return TRUE;
}

void mockdev_attach(UMockdevTestbed *sysfs, const char *path)
{
	UMockdevIoctlBase *handler = umockdev_ioctl_base_new();
	GError *error = NULL;

	g_signal_connect(handler, "client-connected", G_CALLBACK(connected), NULL);
	g_signal_connect_after(handler, "handle-ioctl", G_CALLBACK(handle), NULL);
	umockdev_testbed_attach_ioctl(sysfs, path, handler, &error);
	ck_assert_msg(!error, "%s", error ? error->message : "");
	g_object_unref(handler);
}
