/* What a power cut would undo: see memory.c. */
#ifndef MEMORY_H
#define MEMORY_H

#include <sys/types.h>

int memory_is_on(void);
/* While this is not 0, calls are the memory's own. */
extern int memory_is_busy;
void memory_made(int directory, const char *path);
void memory_writes(int fd, off_t offset, size_t n);
void memory_truncates(int fd, off_t size);
void memory_synced(int fd);
void memory_synced_all(void);
void memory_renames(int from, const char *old, int to, const char *new);
void memory_removes(int directory, const char *path, int flags);
/* The rename or removal that was announced last has failed. */
void memory_forget_last(void);
void memory_cut(void);

#endif
