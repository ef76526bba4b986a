// F(n), n! or A(3, n) by GMP as decimal text on stdout: gmp fib N, gmp fact N, gmp ack N; `gmp version 0` says GMP's. What
// fibserver is measured against.
#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const unsigned long n = strtoul(argv[2], NULL, 10);
  if (strcmp(argv[1], "version") == 0) return puts(gmp_version) < 0;
  mpz_t number;
  mpz_init(number);
  if (strcmp(argv[1], "fib") == 0) mpz_fib_ui(number, n);
  else if (strcmp(argv[1], "fact") == 0) mpz_fac_ui(number, n);
  else {
    mpz_ui_pow_ui(number, 2, n + 3);
    mpz_sub_ui(number, number, 3);
  }
  char *text = mpz_get_str(NULL, 10, number);
  const size_t length = strlen(text);
  return fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0 ? 0 : 1;
}
