// A program on a message bus that needs no library. It shows who reaches whom through the filter of --dbus.
//
//   bus-service serve NAME        owns NAME, and answers each call; a line for each says who has called what
//   bus-service pass NAME FILE    calls NAME, passes the open file along, and prints the answer
//
// The bus is the one in DBUS_SESSION_BUS_ADDRESS, unix:path=. Of the protocol (D-Bus specification) this knows only
// what it needs, in little-endian byte order.
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CALL = 1, RETURN = 2, ERROR = 3 };
enum { PATH = 1, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE, UNIX_FDS };

struct message {
  uint8_t bytes[65536];
  size_t length;
  int type;
  uint32_t serial, reply_serial;
  const char *member, *sender, *error, *body;
  int fd;
};

static int bus;
static uint32_t last_serial = 2;  // the filter takes only numbers that grow

static void fail(const char* what) {
  printf("failed: %s\n", what);
  exit(1);
}

// --- writing ---

static void pad(struct message* m, size_t to) {
  while (m->length % to != 0) m->bytes[m->length++] = 0;
}
static void put_number(struct message* m, uint32_t number) {
  pad(m, 4);
  memcpy(m->bytes + m->length, &number, 4);
  m->length += 4;
}
static void put_string(struct message* m, const char* text) {
  put_number(m, (uint32_t)strlen(text));
  memcpy(m->bytes + m->length, text, strlen(text) + 1);
  m->length += strlen(text) + 1;
}
static void put_signature(struct message* m, const char* text) {
  m->bytes[m->length++] = (uint8_t)strlen(text);
  memcpy(m->bytes + m->length, text, strlen(text) + 1);
  m->length += strlen(text) + 1;
}
static void put_field(struct message* m, int field, const char* type, const char* text, uint32_t number) {
  if (text == NULL && strcmp(type, "u") != 0) return;
  pad(m, 8);
  m->bytes[m->length++] = (uint8_t)field;
  put_signature(m, type);
  if (*type == 'u') {
    put_number(m, number);
  } else if (*type == 'g') {
    put_signature(m, text);
  } else {
    put_string(m, text);
  }
}

struct header {
  int type;
  uint32_t serial, reply_serial;
  const char *destination, *path, *interface, *member, *signature;
  int fd;
};

static void send_message(const struct header* h, const struct message* body) {
  static struct message m;
  m.length = 0;
  m.bytes[m.length++] = 'l';
  m.bytes[m.length++] = (uint8_t)h->type;
  m.bytes[m.length++] = 0;
  m.bytes[m.length++] = 1;
  put_number(&m, (uint32_t)body->length);
  put_number(&m, h->serial);
  put_number(&m, 0);
  size_t fields = m.length;
  put_field(&m, PATH, "o", h->path, 0);
  put_field(&m, INTERFACE, "s", h->interface, 0);
  put_field(&m, MEMBER, "s", h->member, 0);
  if (h->reply_serial != 0) put_field(&m, REPLY_SERIAL, "u", NULL, h->reply_serial);
  put_field(&m, DESTINATION, "s", h->destination, 0);
  put_field(&m, SIGNATURE, "g", h->signature, 0);
  if (h->fd >= 0) put_field(&m, UNIX_FDS, "u", NULL, 1);
  uint32_t size = (uint32_t)(m.length - fields);
  memcpy(m.bytes + fields - 4, &size, 4);
  pad(&m, 8);
  memcpy(m.bytes + m.length, body->bytes, body->length);
  m.length += body->length;

  struct iovec data = {m.bytes, m.length};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } space;
  struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
  if (h->fd >= 0) {
    header.msg_control = &space;
    header.msg_controllen = sizeof space;
    struct cmsghdr* control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(control), &h->fd, sizeof(int));
  }
  if (sendmsg(bus, &header, MSG_NOSIGNAL) != (ssize_t)m.length) fail("send");
}

// --- reading ---

static void read_bytes(struct message* m, size_t count) {
  size_t end = m->length + count;
  if (end > sizeof m->bytes) fail("long message");
  while (m->length < end) {
    struct iovec data = {m->bytes + m->length, end - m->length};
    char space[1024];
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    ssize_t got = recvmsg(bus, &header, 0);
    if (got <= 0) fail("connection closed");
    struct cmsghdr* control = CMSG_FIRSTHDR(&header);
    if (control != NULL && control->cmsg_type == SCM_RIGHTS) memcpy(&m->fd, CMSG_DATA(control), sizeof(int));
    m->length += (size_t)got;
  }
}
static uint32_t number_at(const struct message* m, size_t at) {
  uint32_t number;
  memcpy(&number, m->bytes + at, 4);
  return number;
}
static void read_message(struct message* m) {
  memset(m, 0, sizeof *m);
  m->fd = -1;
  read_bytes(m, 16);
  size_t fields_end = 16 + number_at(m, 12), body = (fields_end + 7) / 8 * 8;
  read_bytes(m, body - 16 + number_at(m, 4));
  m->type = m->bytes[1];
  m->serial = number_at(m, 8);
  m->body = (const char*)m->bytes + body;
  for (size_t at = 16; at < fields_end;) {
    int field = m->bytes[at], type = m->bytes[at + 2];
    at += 4;
    if (type == 'g') {
      at += m->bytes[at] + 2u;
    } else if (type == 'u') {
      if (field == REPLY_SERIAL) m->reply_serial = number_at(m, at);
      at += 4;
    } else {
      const char* text = (const char*)m->bytes + at + 4;
      if (field == MEMBER) m->member = text;
      if (field == SENDER) m->sender = text;
      if (field == ERROR_NAME) m->error = text;
      at += 4 + number_at(m, at) + 1;
    }
    at = (at + 7) / 8 * 8;
  }
}

static void call(const struct header* h, const struct message* body, struct message* answer) {
  send_message(h, body);
  do {
    read_message(answer);
  } while (answer->reply_serial != h->serial);
  if (answer->type == ERROR) fail(answer->error);
}

// --- what it does ---

static void say(const char* line, const char* expected) {
  char answer[256] = "";
  size_t got = 0;
  if (write(bus, line, strlen(line)) < 0) fail("login");
  while (got < sizeof answer - 1 && read(bus, answer + got, 1) == 1 && answer[got] != '\n') ++got;
  if (strncmp(answer, expected, strlen(expected)) != 0) fail(answer);
}
static void log_in(void) {
  const char* address = getenv("DBUS_SESSION_BUS_ADDRESS");
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  if (address == NULL || strncmp(address, "unix:path=", 10) != 0) fail("address");
  snprintf(name.sun_path, sizeof name.sun_path, "%.*s", (int)strcspn(address + 10, ",;"), address + 10);
  bus = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(bus, (struct sockaddr*)&name, sizeof name) != 0) fail("connect");
  char id[16], line[64] = "AUTH EXTERNAL ";
  snprintf(id, sizeof id, "%u", getuid());
  for (const char* digit = id; *digit != 0; ++digit) sprintf(line + strlen(line), "%02x", *digit);
  strcat(line, "\r\n");
  if (write(bus, "", 1) != 1) fail("login");
  say(line, "OK");
  say("NEGOTIATE_UNIX_FD\r\n", "AGREE_UNIX_FD");
  if (write(bus, "BEGIN\r\n", 7) != 7) fail("login");
}

static struct header bus_call(const char* member, const char* signature, uint32_t serial) {
  return (struct header){CALL,   serial,    0, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                         member, signature, -1};
}

static void answer_call(const char* name, const struct message* m) {
  static struct message body;
  printf("call %s", m->member);
  char text[256] = "";
  if (m->fd >= 0 && read(m->fd, text, sizeof text - 1) > 0) printf(" with %s", text);
  if (m->fd >= 0) close(m->fd);
  printf("\n");
  body.length = 0;
  int is_notify = strcmp(m->member, "Notify") == 0;
  char said[512];
  snprintf(said, sizeof said, "answer of %s", name);
  if (is_notify) {
    put_number(&body, 7);
  } else {
    put_string(&body, said);
  }
  struct header h = {RETURN, ++last_serial, m->serial, m->sender, NULL, NULL, NULL, is_notify ? "u" : "s", -1};
  send_message(&h, &body);
}

int main(int argc, char** argv) {
  static struct message body, answer;
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc < 3) fail("arguments");
  log_in();
  struct header hello = bus_call("Hello", NULL, 1);
  call(&hello, &body, &answer);
  if (strcmp(argv[1], "pass") == 0 && argc == 4) {
    put_number(&body, 0);
    struct header h = {CALL, 2, 0, argv[2], "/x", "org.example.Test", "Pass", "h", open(argv[3], O_RDONLY)};
    call(&h, &body, &answer);
    printf("%s\n", answer.body + 4);
    return 0;
  }
  put_string(&body, argv[2]);
  put_number(&body, 4);  // do not wait in a queue
  struct header request = bus_call("RequestName", "su", 2);
  call(&request, &body, &answer);
  if (number_at(&answer, (size_t)(answer.body - (const char*)answer.bytes)) != 1) fail("the name is taken");
  printf("ready\n");
  for (;;) {
    read_message(&answer);
    if (answer.type == CALL) answer_call(argv[2], &answer);
  }
}
