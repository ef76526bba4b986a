/* What Debian's libstdc++ and libgcc_s take from glibc and musl 1.2.3 does not have. */
#define _GNU_SOURCE
#include <link.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

char __libc_single_threaded = 0;
int __cpu_model[4];
int __cpu_indicator_init(void) { return 0; }
size_t __strftime_l(char *s, size_t n, const char *f, const struct tm *t, locale_t l) { return strftime_l(s, n, f, t, l); }
unsigned arc4random(void) { unsigned u; getrandom(&u, sizeof u, 0); return u; }

struct dl_find_object { unsigned long long flags; void *map_start, *map_end; struct link_map *link_map; void *eh_frame; unsigned long long reserved[7]; };
struct search { ElfW(Addr) address; struct dl_find_object *found; };
static int look(struct dl_phdr_info *info, size_t size, void *data) {
  struct search *search = data;
  ElfW(Addr) start = -1, end = 0, eh = 0; int inside = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    ElfW(Addr) from = info->dlpi_addr + p->p_vaddr, to = from + p->p_memsz;
    if (p->p_type == PT_GNU_EH_FRAME) eh = from;
    if (p->p_type != PT_LOAD) continue;
    if (from < start) start = from;
    if (to > end) end = to;
    inside |= from <= search->address && search->address < to;
  }
  if (!inside) return 0;
  *search->found = (struct dl_find_object){0, (void *)start, (void *)end, 0, (void *)eh, {0}};
  return 1;
}
int _dl_find_object(void *address, struct dl_find_object *found) {
  struct search search = {(ElfW(Addr))address, found};
  return dl_iterate_phdr(look, &search) && found->eh_frame ? 0 : -1;
}

struct ending { void (*call)(void *); void *argument; struct ending *next; };
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void end(void *first) { for (struct ending *e = first, *next; e; e = next) { next = e->next; e->call(e->argument); free(e); } }
static void make(void) { pthread_key_create(&key, end); }
int __cxa_thread_atexit_impl(void (*call)(void *), void *argument, void *library) {
  pthread_once(&once, make);
  struct ending *e = malloc(sizeof *e);
  if (!e) return -1;
  *e = (struct ending){call, argument, pthread_getspecific(key)};
  return pthread_setspecific(key, e);
}
