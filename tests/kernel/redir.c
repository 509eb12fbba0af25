/* SPDX-License-Identifier: MIT */
/*
 * redir SOCKET MODEL SERIAL PROGRESS: a virtual device (tests/usb/model.h) as one of QEMU's usb-redir. Listens, serves
 * one guest, and leaves, as if unplugged, once the device has done PROGRESS (0: never); comes back a second later.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <usbredirparser.h>

#include "tests/usb/far.h"

#define AWAY_US  1000000u
#define MAX_BULK (1u << 20)

struct redir {
	struct usbredirparser *parser;
	struct far *far;
	int fd;
	uint8_t configuration;
	uint64_t leave_at;  /* progress of the model; 0: never */
	uint64_t return_us; /* when the board comes back; 0: it is there */
	struct request *requests;
};

/* An URB of the guest, with its data behind it. */
struct request {
	struct far_urb urb; /* first: far.c gives it back */
	struct request *next;
	uint64_t id;
	struct usb_redir_control_packet_header control;
	uint8_t data[];
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void log_line(void *user, int level, const char *text)
{
	(void)user;
	if (level <= usbredirparser_warning)
		fprintf(stderr, "redir: %s\n", text);
}

static int read_some(void *user, uint8_t *data, int count)
{
	const struct redir *redir = user;
	ssize_t n = recv(redir->fd, data, (size_t)count, MSG_DONTWAIT);

	return n > 0 ? (int)n : n < 0 && errno == EAGAIN ? 0 : -1;
}

static int write_some(void *user, uint8_t *data, int count)
{
	const struct redir *redir = user;
	ssize_t n = send(redir->fd, data, (size_t)count, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n >= 0 ? (int)n : errno == EAGAIN ? 0 : -1;
}

/* What the guest is told before it asks the device itself: interfaces and endpoints, from the descriptors. */
static void connect_device(struct redir *redir)
{
	const struct model *model = far_model(redir->far);
	struct usb_redir_interface_info_header interfaces = {0};
	struct usb_redir_device_connect_header device = {.speed = usb_redir_speed_high};
	struct usb_redir_ep_info_header endpoints;
	size_t size;
	const uint8_t *d = model->ops->descriptors(model->self, &size);

	device.vendor_id = (uint16_t)(d[8] | d[9] << 8);
	device.product_id = (uint16_t)(d[10] | d[11] << 8);
	device.device_version_bcd = (uint16_t)(d[12] | d[13] << 8);
	memset(&endpoints, 0, sizeof(endpoints));
	memset(endpoints.type, usb_redir_type_invalid, sizeof(endpoints.type));
	endpoints.type[0] = endpoints.type[16] = usb_redir_type_control;
	endpoints.max_packet_size[0] = endpoints.max_packet_size[16] = 64;
	for (size_t at = 18; at + 6 < size; at += d[at])
		if (d[at + 1] == 4) { /* interface */
			const unsigned n = interfaces.interface_count++;

			interfaces.interface[n] = d[at + 2];
			interfaces.interface_class[n] = d[at + 5];
			interfaces.interface_subclass[n] = d[at + 6];
			interfaces.interface_protocol[n] = d[at + 7];
		} else if (d[at + 1] == 5) { /* endpoint; OUT n: n, IN n: 16 + n */
			const unsigned n = (d[at + 2] & 15u) + (d[at + 2] & 0x80u ? 16u : 0u);

			endpoints.type[n] = usb_redir_type_bulk;
			endpoints.interface[n] = interfaces.interface[interfaces.interface_count - 1];
			endpoints.max_packet_size[n] = MODEL_PACKET;
		}
	usbredirparser_send_interface_info(redir->parser, &interfaces);
	usbredirparser_send_ep_info(redir->parser, &endpoints);
	usbredirparser_send_device_connect(redir->parser, &device);
}

static void hello(void *user, struct usb_redir_hello_header *header)
{
	(void)header;
	connect_device(user);
}

static uint8_t redir_status(int status)
{
	switch (status) {
	case 0:
		return usb_redir_success;
	case -EPIPE:
		return usb_redir_stall;
	case -ENOENT:
		return usb_redir_cancelled;
	case -EOVERFLOW:
		return usb_redir_babble;
	default:
		return usb_redir_ioerror;
	}
}

/* far_done_fn: answers the guest. */
static void done(void *user, struct far_urb *urb)
{
	struct redir *redir = user;
	struct request *request = (struct request *)urb, **at = &redir->requests;
	const bool in = (urb->endpoint ? urb->endpoint : urb->setup[0]) & 0x80u;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	if (urb->endpoint) {
		struct usb_redir_bulk_packet_header header = {.endpoint = urb->endpoint,
			.status = redir_status(urb->status), .length = (uint16_t)urb->actual,
			.length_high = (uint16_t)(urb->actual >> 16)};

		usbredirparser_send_bulk_packet(redir->parser, request->id, &header, in ? urb->data : NULL,
			in ? (int)urb->actual : 0);
	} else {
		request->control.status = redir_status(urb->status);
		if (in)
			request->control.length = (uint16_t)urb->actual;
		usbredirparser_send_control_packet(redir->parser, request->id, &request->control,
			in ? urb->data : NULL, in ? (int)urb->actual : 0);
	}
	free(request);
}

static void submit(struct redir *redir, uint64_t id, uint8_t endpoint, const uint8_t setup[8],
	const struct usb_redir_control_packet_header *control, const uint8_t *data, size_t given, size_t room)
{
	struct request *request = calloc(1, sizeof(*request) + room);

	if (!request || room > MAX_BULK)
		abort();
	if (given)
		memcpy(request->data, data, given);
	if (control)
		request->control = *control;
	memcpy(request->urb.setup, setup, sizeof(request->urb.setup));
	request->urb.endpoint = endpoint;
	request->urb.data = request->data;
	request->urb.length = room;
	request->id = id;
	request->next = redir->requests;
	redir->requests = request;
	far_submit(redir->far, &request->urb, now_us());
}

static void control_packet(void *user, uint64_t id, struct usb_redir_control_packet_header *header, uint8_t *data,
	int count)
{
	struct redir *redir = user;
	const uint8_t setup[8] = {header->requesttype, header->request, (uint8_t)header->value,
		(uint8_t)(header->value >> 8), (uint8_t)header->index, (uint8_t)(header->index >> 8),
		(uint8_t)header->length, (uint8_t)(header->length >> 8)};

	submit(redir, id, 0, setup, header, data, (size_t)count, header->length);
	usbredirparser_free_packet_data(redir->parser, data);
}

static void bulk_packet(void *user, uint64_t id, struct usb_redir_bulk_packet_header *header, uint8_t *data, int count)
{
	static const uint8_t no_setup[8] = {0};
	struct redir *redir = user;
	size_t room = header->length | (size_t)header->length_high << 16;

	submit(redir, id, header->endpoint, no_setup, NULL, data, (size_t)count, room);
	usbredirparser_free_packet_data(redir->parser, data);
}

static void cancel(void *user, uint64_t id)
{
	struct redir *redir = user;

	for (struct request *at = redir->requests; at; at = at->next)
		if (at->id == id) {
			(void)far_discard(redir->far, &at->urb);
			return;
		}
}

static void send_configuration(struct redir *redir, uint64_t id)
{
	struct usb_redir_configuration_status_header status = {usb_redir_success, redir->configuration};

	usbredirparser_send_configuration_status(redir->parser, id, &status);
}

static void set_configuration(void *user, uint64_t id, struct usb_redir_set_configuration_header *header)
{
	struct redir *redir = user;

	redir->configuration = header->configuration;
	send_configuration(redir, id);
}

static void get_configuration(void *user, uint64_t id)
{
	send_configuration(user, id);
}

static void set_alt_setting(void *user, uint64_t id, struct usb_redir_set_alt_setting_header *header)
{
	struct usb_redir_alt_setting_status_header status = {usb_redir_success, header->interface, header->alt};

	usbredirparser_send_alt_setting_status(((struct redir *)user)->parser, id, &status);
}

static void get_alt_setting(void *user, uint64_t id, struct usb_redir_get_alt_setting_header *header)
{
	struct usb_redir_alt_setting_status_header status = {usb_redir_success, header->interface, 0};

	usbredirparser_send_alt_setting_status(((struct redir *)user)->parser, id, &status);
}

static void nothing(void *user)
{
	(void)user;
}

static void filter(void *user, struct usbredirfilter_rule *rules, int count)
{
	(void)user;
	(void)count;
	free(rules);
}

/* bulk_receiving is not announced: QEMU would then buffer the IN data of FTDI chips by itself. */
static void set_up_parser(struct redir *redir)
{
	static const int wanted[] = {usb_redir_cap_connect_device_version, usb_redir_cap_ep_info_max_packet_size,
		usb_redir_cap_64bits_ids, usb_redir_cap_32bits_bulk_length, usb_redir_cap_device_disconnect_ack,
		usb_redir_cap_filter};
	uint32_t caps[USB_REDIR_CAPS_SIZE] = {0};
	struct usbredirparser *parser = usbredirparser_create();

	if (!parser)
		abort();
	redir->parser = parser;
	parser->priv = redir;
	parser->log_func = log_line;
	parser->read_func = read_some;
	parser->write_func = write_some;
	parser->hello_func = hello;
	parser->reset_func = nothing;
	parser->set_configuration_func = set_configuration;
	parser->get_configuration_func = get_configuration;
	parser->set_alt_setting_func = set_alt_setting;
	parser->get_alt_setting_func = get_alt_setting;
	parser->control_packet_func = control_packet;
	parser->bulk_packet_func = bulk_packet;
	parser->cancel_data_packet_func = cancel;
	parser->device_disconnect_ack_func = nothing;
	parser->filter_reject_func = nothing;
	parser->filter_filter_func = filter;
	for (unsigned n = 0; n < sizeof(wanted) / sizeof(wanted[0]); n++)
		usbredirparser_caps_set_cap(caps, wanted[n]);
	usbredirparser_init(parser, "libnmhal virtual board", caps, USB_REDIR_CAPS_SIZE, usbredirparser_fl_usb_host);
}

/* Leaves when the device has done enough, and comes back. */
static void come_and_go(struct redir *redir)
{
	const struct model *model = far_model(redir->far);
	const uint64_t now = now_us();

	if (redir->leave_at && model->ops->progress(model->self) >= redir->leave_at) {
		redir->leave_at = 0;
		redir->return_us = now + AWAY_US;
		far_unplug(redir->far);
		usbredirparser_send_device_disconnect(redir->parser);
	}
	if (redir->return_us && now >= redir->return_us) {
		redir->return_us = 0;
		far_plug(redir->far);
		connect_device(redir);
	}
}

static void serve(struct redir *redir)
{
	for (;;) {
		struct pollfd fds = {redir->fd, POLLIN, 0};
		uint64_t now = now_us(), again = far_service(redir->far, now);
		int wait_ms = (int)((again - now + 999) / 1000);

		come_and_go(redir);
		while (usbredirparser_has_data_to_write(redir->parser))
			if (usbredirparser_do_write(redir->parser) < 0)
				return;
		if (redir->return_us && wait_ms > 50)
			wait_ms = 50;
		if (poll(&fds, 1, wait_ms) < 0 || (fds.revents && usbredirparser_do_read(redir->parser) < 0))
			return;
	}
}

int main(int argc, char **argv)
{
	const struct model_params params = {.serial = argc > 3 ? argv[3] : NULL};
	struct model model;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct redir redir = {.configuration = 1};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 5 || strlen(argv[1]) >= sizeof(address.sun_path) || !model_new(argv[2], &params, &model)) {
		fputs("usage: redir SOCKET MODEL SERIAL PROGRESS\n", stderr);
		return 2;
	}
	memcpy(address.sun_path, argv[1], strlen(argv[1]));
	redir.leave_at = strtoull(argv[4], NULL, 10);
	redir.far = far_new(model, done, &redir);
	if (!redir.far || listener < 0 || bind(listener, (const struct sockaddr *)&address, sizeof(address)) ||
		listen(listener, 1)) {
		perror("redir");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	redir.fd = accept(listener, NULL, NULL);
	if (redir.fd < 0)
		return 1;
	set_up_parser(&redir);
	serve(&redir);
	usbredirparser_destroy(redir.parser);
	far_free(redir.far);
	return 0;
}
