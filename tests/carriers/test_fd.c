/* SPDX-License-Identifier: MIT */
/* Carriers over file descriptors: unix and TCP sockets, terminal devices (a pty). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "carrier.h"
#include "echo.h"
#include "tap.h"

static struct echo *echoes[2];
static char folder[32];
static int slaves[2] = {-1, -1}; /* kept open: a pty without one is hung up */
static uint16_t ports[2];

static void place(unsigned n, char path[CARRIER_URI])
{
	snprintf(path, CARRIER_URI, "%s/%u", folder, n);
}

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/nmhal-carriers-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void unplug(unsigned n)
{
	char path[CARRIER_URI];

	if (echoes[n])
		echo_stop(echoes[n]);
	echoes[n] = NULL;
	if (slaves[n] >= 0)
		close(slaves[n]);
	slaves[n] = -1;
	place(n, path);
	unlink(path);
}

static void unplug_first(void)
{
	unplug(0);
}

static void stop(void)
{
	unplug(0);
	unplug(1);
	rmdir(folder);
	folder[0] = '\0';
}

static void hold(bool on)
{
	echo_hold(echoes[0], on);
}

static void stale(size_t size)
{
	echo_say(echoes[0], size);
}

/* ---- unix -------------------------------------------------------------------------------------------------------- */

static int listen_unix(const char *path, int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

static void plug_unix(unsigned n, char uri[CARRIER_URI])
{
	char path[CARRIER_URI];

	place(n, path);
	echoes[n] = echo_start(listen_unix(path, 8), false, carrier_far);
	snprintf(uri, CARRIER_URI, "unix:%s,path=%.64s", carrier_board(), path);
}

static void start_unix(char uri[CARRIER_URI])
{
	make_folder();
	plug_unix(0, uri);
}

static void second_unix(char uri[CARRIER_URI])
{
	plug_unix(1, uri);
}

static void replug_unix(void)
{
	char uri[CARRIER_URI];

	plug_unix(0, uri);
}

static const struct carrier unix_carrier = {"unix", start_unix, stop, second_unix, unplug_first, replug_unix, hold,
	stale, 0, 16000, 1000};

/* ---- tcp --------------------------------------------------------------------------------------------------------- */

/* Listens on the loopback; port 0: any, which is then written back. */
static int listen_tcp(const char *host, uint16_t *port, int backlog)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(*port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
	bool is_v6 = strchr(host, ':');
	struct sockaddr *address = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t size = is_v6 ? sizeof(v6) : sizeof(v4);
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -1;
	inet_pton(is_v6 ? AF_INET6 : AF_INET, host, is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address, size) || listen(fd, backlog) || getsockname(fd, address, &size)) {
		close(fd);
		return -1;
	}
	*port = ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
	return fd;
}

static void plug_tcp(unsigned n, char uri[CARRIER_URI])
{
	echoes[n] = echo_start(listen_tcp("127.0.0.1", &ports[n], 8), false, carrier_far);
	snprintf(uri, CARRIER_URI, "tcp:%s,host=localhost,port=%u", carrier_board(), ports[n]);
}

static void start_tcp(char uri[CARRIER_URI])
{
	ports[0] = ports[1] = 0;
	plug_tcp(0, uri);
}

static void second_tcp(char uri[CARRIER_URI])
{
	plug_tcp(1, uri);
}

static void replug_tcp(void)
{
	char uri[CARRIER_URI];

	plug_tcp(0, uri);
}

static const struct carrier tcp_carrier = {"tcp", start_tcp, stop, second_tcp, unplug_first, replug_tcp, hold, stale, 0,
	16000, 1000};

/* ---- tty --------------------------------------------------------------------------------------------------------- */

static void plug_tty(unsigned n, char uri[CARRIER_URI])
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios raw;
	char path[CARRIER_URI], *name;

	ck_assert_int_ge(master, 0);
	ck_assert(!grantpt(master) && !unlockpt(master));
	name = ptsname(master);
	slaves[n] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(slaves[n], 0);
	/* The pty itself must not echo while nobody has set it up. */
	ck_assert_int_eq(tcgetattr(slaves[n], &raw), 0);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	ck_assert_int_eq(tcsetattr(slaves[n], TCSANOW, &raw), 0);
	place(n, path);
	ck_assert_int_eq(symlink(name, path), 0);
	echoes[n] = echo_start(master, true, carrier_far);
	snprintf(uri, CARRIER_URI, "tty:%s,path=%.64s", carrier_board(), path);
}

static void start_tty(char uri[CARRIER_URI])
{
	make_folder();
	plug_tty(0, uri);
}

static void second_tty(char uri[CARRIER_URI])
{
	plug_tty(1, uri);
}

static void replug_tty(void)
{
	char uri[CARRIER_URI];

	plug_tty(0, uri);
}

static const struct carrier tty_carrier = {"tty", start_tty, stop, second_tty, unplug_first, replug_tty, hold, stale, 0,
	2000, 1000};

/* ---- sentences --------------------------------------------------------------------------------------------------- */

static nmhal_context *ctx;

static void set_up(void)
{
	make_folder();
	ctx = tap_context();
}

static void tear_down(void)
{
	nmhal_context_unref(ctx);
	stop();
}

#define refused(status, text, ...)                                                                                     \
	do {                                                                                                           \
		char uri_[CARRIER_URI];                                                                                \
		snprintf(uri_, sizeof(uri_), __VA_ARGS__);                                                             \
		tap_is(tap_try(ctx, uri_), status);                                                                    \
		ck_assert_msg(strstr(nmhal_last_error(), text), "%s", nmhal_last_error());                             \
	} while (0)

START_TEST(sockets_that_are_not_there)
{
	uint16_t port = 0;
	int fd = listen_tcp("127.0.0.1", &port, 1);
	char path[CARRIER_URI];

	close(fd);
	refused(NMHAL_E_INVALID, "unix:path=", "unix:echo");
	refused(NMHAL_E_NO_DEVICE, "nmhal-vboard", "unix:echo,path=%s/none", folder);
	refused(NMHAL_E_INVALID, "at most 107", "unix:echo,path=%0120d", 7);
	refused(NMHAL_E_INVALID, "tcp:host=", "tcp:echo,host=localhost");
	refused(NMHAL_E_INVALID, "tcp:host=", "tcp:echo,port=7");
	refused(NMHAL_E_INVALID, "port", "tcp:echo,host=localhost,port=65536");
	refused(NMHAL_E_NO_DEVICE, "nmhal-vboard", "tcp:echo,host=127.0.0.1,port=%u", port);
	refused(NMHAL_E_NO_DEVICE, "a..b", "tcp:echo,host=a..b,port=7");
	refused(NMHAL_E_INVALID, "known: path", "unix:echo,path=x,port=7");
	/* A socket whose server has died. */
	place(0, path);
	close(listen_unix(path, 1));
	refused(NMHAL_E_NO_DEVICE, "refused; is nmhal-vboard running?", "unix:echo,path=%.64s", path);
}
END_TEST

START_TEST(servers_that_do_not_answer)
{
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	char path[CARRIER_URI], uri[CARRIER_URI];
	struct tap taps[8];
	nmhal_device *dev;
	int count = 0, status = NMHAL_OK, fd;
	uint16_t port = 0;

	place(0, path);
	fd = listen_unix(path, 0);
	snprintf(uri, sizeof(uri), "unix:echo,path=%.64s", path);
	tap_open(ctx, uri, &taps[0]);
	params.timeout_ms = 100;
	tap_is(nmhal_device_open(ctx, uri, &params, &dev), NMHAL_E_BUSY);
	ck_assert_msg(strstr(nmhal_last_error(), "their queue is full"), "%s", nmhal_last_error());
	tap_close(&taps[0]);
	close(fd);
	fd = listen_tcp("127.0.0.1", &port, 0);
	snprintf(uri, sizeof(uri), "tcp:echo,host=127.0.0.1,port=%u", port);
	while (count < 8 && status == NMHAL_OK) {
		status = nmhal_device_open(ctx, uri, &params, &dev);
		if (status == NMHAL_OK)
			taps[count++].dev = dev;
	}
	tap_is(status, NMHAL_E_TIMEOUT);
	while (count)
		tap_close(&taps[--count]);
	close(fd);
}
END_TEST

START_TEST(tcp_over_ipv6)
{
	uint16_t port = 0;
	int fd = listen_tcp("::1", &port, 1);
	char uri[CARRIER_URI];
	struct tap tap;

	if (fd < 0) {
		puts("skipped: this machine has no IPv6");
		return;
	}
	echoes[0] = echo_start(fd, false, NULL);
	snprintf(uri, sizeof(uri), "tcp:echo,host=::1,port=%u", port);
	tap_open(ctx, uri, &tap);
	tap_close(&tap);
}
END_TEST

START_TEST(ports_that_cannot_be_opened)
{
	char uri[CARRIER_URI];
	struct tap tap;

	refused(NMHAL_E_INVALID, "tty:path=", "tty:echo");
	refused(NMHAL_E_NO_DEVICE, "plugged in", "tty:echo,path=%s/none", folder);
	refused(NMHAL_E_INVALID, "no terminal", "tty:echo,path=/dev/null");
	refused(NMHAL_E_INVALID, "baud", "tty:echo,path=/dev/null,baud=7");
	plug_tty(0, uri);
	tap_open(ctx, uri, &tap);
	/* Root passes TIOCEXCL, and meets the lock. */
	refused(NMHAL_E_BUSY, "held by process", "%s", uri);
	tap_close(&tap);
}
END_TEST

START_TEST(speeds_are_exact_and_settings_restored)
{
	static const unsigned speeds[] = {50, 9600, 115200, 31250, 250000, 2000000, 12000000};
	char uri[CARRIER_URI], with_baud[CARRIER_URI + 16];
	struct termios before, now;
	struct tap tap;

	plug_tty(0, uri);
	ck_assert_int_eq(tcgetattr(slaves[0], &before), 0);
	for (size_t n = 0; n < sizeof(speeds) / sizeof(*speeds); n++) {
		unsigned words[11] = {0}; /* struct termios2, whose header does not go with ours; speeds come last */

		snprintf(with_baud, sizeof(with_baud), "%s,baud=%u", uri, speeds[n]);
		tap_open(ctx, with_baud, &tap);
		ck_assert_int_eq(ioctl(slaves[0], _IOR('T', 0x2A, unsigned[11]), words), 0);
		ck_assert_uint_eq(words[9], speeds[n]);
		ck_assert_uint_eq(words[10], speeds[n]);
		ck_assert_int_eq(tcgetattr(slaves[0], &now), 0);
		ck_assert_uint_eq(now.c_lflag | now.c_oflag | now.c_iflag, 0);
		tap_close(&tap);
		ck_assert_int_eq(tcgetattr(slaves[0], &now), 0);
		ck_assert_uint_eq(now.c_iflag, before.c_iflag);
		ck_assert_uint_eq(now.c_oflag, before.c_oflag);
		ck_assert_uint_eq(now.c_lflag, before.c_lflag);
		ck_assert_uint_eq(now.c_cflag, before.c_cflag);
		ck_assert_uint_eq(cfgetospeed(&now), cfgetospeed(&before));
		ck_assert_int_eq(now.c_cc[VMIN], before.c_cc[VMIN]);
	}
}
END_TEST

static int run_sentences(void)
{
	const TTest *const tests[] = {sockets_that_are_not_there, servers_that_do_not_answer, tcp_over_ipv6,
		ports_that_cannot_be_opened, speeds_are_exact_and_settings_restored};
	Suite *suite = suite_create("sentences");
	TCase *tcase = tcase_create("sentences");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	for (size_t n = 0; n < sizeof(tests) / sizeof(*tests); n++)
		tcase_add_test(tcase, tests[n]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
	const struct carrier *const carriers[] = {&unix_carrier, &tcp_carrier, &tty_carrier};
	int status = run_sentences();

	status |= carrier_run(carriers, sizeof(carriers) / sizeof(*carriers));
	return hostile_run(carriers, sizeof(carriers) / sizeof(*carriers)) | status;
}
