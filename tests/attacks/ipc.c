// What processes share without a file: shared memory, queues, keys, sockets and the network.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "attack.h"

static enum verdict shm_make(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which key?");
  return judge_result(shmget(atoi(arguments[0]), 4096, IPC_CREAT | IPC_EXCL | 0666), "shared memory made");
}

static enum verdict shm_remove(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which key?");
  return judge_result(shmctl(shmget(atoi(arguments[0]), 0, 0), IPC_RMID, NULL), "shared memory removed");
}

static enum verdict shm(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which key?");
  return judge_result(shmget(atoi(arguments[0]), 0, 0), "shared memory of the host");
}

static enum verdict queue_make(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which name?");
  return judge_result(mq_open(arguments[0], O_RDWR | O_CREAT | O_EXCL, 0666, NULL), "message queue made");
}

static enum verdict queue_remove(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which name?");
  return judge_result(mq_unlink(arguments[0]), "message queue removed");
}

static enum verdict queue(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which name?");
  return judge_result(mq_open(arguments[0], O_RDONLY), "message queue of the host");
}

// key-hold NAME COMMAND...: runs a command in a session with a key of that name.
static enum verdict key_hold(char** arguments) {
  if (arguments[0] == NULL || arguments[1] == NULL) return not_tried("which name, which command?");
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) == -1 ||
      syscall(SYS_add_key, "user", arguments[0], "secret", 6L, KEY_SPEC_SESSION_KEYRING) == -1) {
    return not_tried("no key: %s", error_name(errno));
  }
  execvp(arguments[1], arguments + 1);
  return not_tried("no command %s", arguments[1]);
}

// key NAME: looks for the key in each keyring, also with the calls of 32-bit programs.
static enum verdict key(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which name?");
  const long rings[] = {KEY_SPEC_SESSION_KEYRING, KEY_SPEC_USER_KEYRING, KEY_SPEC_USER_SESSION_KEYRING,
                        KEY_SPEC_PROCESS_KEYRING, KEY_SPEC_THREAD_KEYRING};
  char* name = low_memory(4096);
  char* type = low_memory(16);
  strncpy(name, arguments[0], 4095);
  memcpy(type, "user", 5);
  int error = ENOKEY;
  for (size_t i = 0; i < sizeof rings / sizeof *rings; i++) {
    if (syscall(SYS_keyctl, KEYCTL_SEARCH, rings[i], type, name, 0L) != -1)
      return succeeded("found in ring %ld", rings[i]);
    if (i == 0) error = errno;
    if (call_i386(288, KEYCTL_SEARCH, rings[i], (long)type, (long)name, 0) != -1)
      return succeeded("found in ring %ld by int 0x80", rings[i]);
  }
  return refused(error, "the key %s", arguments[0]);
}

// key-of-user NAME COMMAND...: puts a key into the user's keyring for a minute and runs a command, in which the
// keyring's number replaces an argument RING.
static enum verdict key_of_user(char** arguments) {
  if (arguments[0] == NULL || arguments[1] == NULL) return not_tried("which name, which command?");
  const long key = syscall(SYS_add_key, "user", arguments[0], "secret", 6L, KEY_SPEC_USER_KEYRING);
  const long ring = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0L);
  if (key == -1 || ring == -1) return not_tried("no key: %s", error_name(errno));
  syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, key, 60L);
  static char number[32];
  snprintf(number, sizeof number, "%ld", ring);
  for (char** argument = arguments + 1; *argument != NULL; argument++) {
    if (strcmp(*argument, "RING") == 0) *argument = number;
  }
  execvp(arguments[1], arguments + 1);
  return not_tried("no command %s", arguments[1]);
}

// key-link RING NAME: links a keyring, and so the keys in it, into its own session.
static enum verdict key_link(char** arguments) {
  if (arguments[0] == NULL || arguments[1] == NULL) return not_tried("which ring, which name?");
  const long ring = atol(arguments[0]);
  if (syscall(SYS_keyctl, KEYCTL_LINK, ring, KEY_SPEC_SESSION_KEYRING) == -1 &&
      call_i386(288, KEYCTL_LINK, ring, KEY_SPEC_SESSION_KEYRING, 0, 0) == -1) {
    return refused(errno, "link the ring %ld", ring);
  }
  const long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", arguments[1], 0L);
  return judge_result(key, "the key");
}

// abstract NAME: connects to a socket that has no file. A name may also be "/tmp/.X11-unix/X0".
static enum verdict abstract_socket(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which name?");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path + 1, arguments[0], sizeof address.sun_path - 2);
  const socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(arguments[0]));
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return judge_result(connect(fd, (struct sockaddr*)&address, length), "abstract socket");
}

// Lists the network interfaces besides lo in each possible way.
static enum verdict interfaces(char** arguments) {
  (void)arguments;
  char name[IF_NAMESIZE];
  for (unsigned index = 1; index < 256; index++) {
    if (if_indextoname(index, name) != NULL && strcmp(name, "lo") != 0) {
      return succeeded("interface %s", name);
    }
  }
  return refused(ENXIO, "interfaces beside lo");
}

static enum verdict packet_socket(char** arguments) {
  (void)arguments;
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(3));
  if (fd == -1) return refused(errno, "packet socket");
  for (int index = 1; index < 256; index++) {
    char name[IF_NAMESIZE];
    if (if_indextoname((unsigned)index, name) == NULL || strcmp(name, "lo") == 0) continue;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(3), .sll_ifindex = index};
    if (bind(fd, (struct sockaddr*)&address, sizeof address) == 0) return succeeded("packets of %s", name);
  }
  return refused(ENXIO, "packets of an interface beside lo");
}

// Asks for kernel events, which only the host's network has.
static enum verdict device_events(char** arguments) {
  (void)arguments;
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
  if (fd == -1) return refused(errno, "audit socket");
  struct {
    struct nlmsghdr header;
    char body[64];
  } question = {
      .header = {.nlmsg_len = sizeof question.header, .nlmsg_type = 1000, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (sendto(fd, &question, sizeof question.header, 0, (struct sockaddr*)&kernel, sizeof kernel) == -1)
    return refused(errno, "question to audit");
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char body[512];
  } answer;
  const struct timeval second = {.tv_sec = 1};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  if (recv(fd, &answer, sizeof answer, 0) <= 0) return refused(errno, "answer of audit");
  if (answer.header.nlmsg_type == NLMSG_ERROR && answer.error.error != 0)
    return refused(-answer.error.error, "answer of audit");
  return succeeded("audit answers");
}

// tcp ADDRESS PORT: connects to a service.
static enum verdict tcp(char** arguments) {
  if (arguments[0] == NULL || arguments[1] == NULL) return not_tried("which address and port?");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(arguments[1]))};
  inet_pton(AF_INET, arguments[0], &address.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct timeval two_seconds = {.tv_sec = 2};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &two_seconds, sizeof two_seconds);
  return judge_result(connect(fd, (struct sockaddr*)&address, sizeof address), "connection");
}

const struct probe ipc_probes[] = {{"shm-make", "KEY", shm_make, 0},
                                   {"shm-remove", "KEY", shm_remove, 0},
                                   {"shm", "KEY", shm, 0},
                                   {"queue-make", "/NAME", queue_make, 0},
                                   {"queue-remove", "/NAME", queue_remove, 0},
                                   {"queue", "/NAME", queue, 0},
                                   {"key-of-user", "NAME COMMAND...", key_of_user, 0},
                                   {"key-link", "RING NAME", key_link, 0},
                                   {"key-hold", "NAME COMMAND...", key_hold, 0},
                                   {"key", "NAME", key, 0},
                                   {"abstract", "NAME", abstract_socket, 0},
                                   {"tcp", "ADDRESS PORT", tcp, 0},
                                   {"interfaces", "", interfaces, 1},
                                   {"packet-socket", "", packet_socket, 1},
                                   {"audit", "", device_events, 1},
                                   {NULL, NULL, NULL, 0}};
