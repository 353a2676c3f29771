// A real 32-bit program without any library, for attacks with the system calls of 32-bit programs.
//   attack32 tiocsti FD | tioclinux FD SUBCODE | vsock | socketcall-vsock | call NUMBER [ARGUMENT...]
// The exit status is that of attack: 0 succeeded, 1 refused, 2 not tried.

static long call(long number, long a, long b, long c, long d, long e) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
  return result;
}

static unsigned length_of(const char* text) {
  unsigned length = 0;
  while (text[length] != '\0') length++;
  return length;
}

static int same(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) a++, b++;
  return *a == *b;
}

static void print(const char* text) { call(4, 1, (long)text, (long)length_of(text), 0, 0); }

static void print_number(unsigned number) {
  char digits[12];
  int at = 11;
  digits[at] = '\0';
  do digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  print(digits + at);
}

static long number_of(const char* text) {
  long number = 0;
  const int negative = *text == '-';
  for (text += negative; *text != '\0'; text++) number = number * 10 + (*text - '0');
  return negative ? -number : number;
}

static void print_error(int error) {
  static const struct {
    int error;
    const char* name;
  } names[] = {{1, "EPERM"},   {5, "EIO"},     {9, "EBADF"},   {14, "EFAULT"},
               {22, "EINVAL"}, {25, "ENOTTY"}, {38, "ENOSYS"}, {97, "EAFNOSUPPORT"}};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    if (names[i].error != error) continue;
    print(names[i].name);
    return;
  }
  print("error ");
  print_number((unsigned)error);
}

static int judge(long result, const char* what) {
  if (result >= 0) {
    print("succeeded: ");
  } else {
    print("refused: ");
    print_error((int)-result);
    print(": ");
  }
  print(what);
  print("\n");
  return result >= 0 ? 0 : 1;
}

static int attack(int count, char** arguments) {
  static char byte = 'Z';
  if (count >= 3 && same(arguments[1], "tiocsti")) {
    return judge(call(54, number_of(arguments[2]), 0x5412, (long)&byte, 0, 0), "TIOCSTI by a 32-bit program");
  }
  if (count >= 4 && same(arguments[1], "tioclinux")) {
    static char data[16] = {0, 1, 0, 1, 0, 1, 0, 1};
    data[0] = (char)number_of(arguments[3]);
    return judge(call(54, number_of(arguments[2]), 0x541c, (long)data, 0, 0), "TIOCLINUX by a 32-bit program");
  }
  if (count >= 2 && same(arguments[1], "vsock")) {
    return judge(call(359, 40, 1, 0, 0, 0), "AF_VSOCK by a 32-bit program");
  }
  if (count >= 2 && same(arguments[1], "socketcall-vsock")) {
    static long socket_arguments[3] = {40, 1, 0};
    return judge(call(102, 1, (long)socket_arguments, 0, 0, 0), "AF_VSOCK by socketcall of a 32-bit program");
  }
  if (count >= 3 && same(arguments[1], "call")) {
    long values[5] = {0};
    for (int i = 0; i < 5 && i + 3 < count; i++) values[i] = number_of(arguments[i + 3]);
    return judge(call(number_of(arguments[2]), values[0], values[1], values[2], values[3], values[4]), arguments[2]);
  }
  print("not tried: no such attack\n");
  return 2;
}

__attribute__((used)) void start(long* stack) { call(1, attack((int)stack[0], (char**)(stack + 1)), 0, 0, 0, 0); }

__asm__(".globl _start\n_start:\n  mov %esp, %eax\n  and $-16, %esp\n  sub $12, %esp\n  push %eax\n  call start\n");
