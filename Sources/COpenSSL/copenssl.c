#include "copenssl.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return malloc(size);
}

static void release(void *memory, const char *file, int line) {
    (void)file, (void)line;
    if (memory) OPENSSL_cleanse(memory, malloc_usable_size(memory));
    free(memory);
}

static void *resize(void *memory, size_t size, const char *file, int line) {
    if (!memory) return malloc(size);
    size_t present = malloc_usable_size(memory);
    if (size > 0 && size <= present) return memory;
    void *moved = size > 0 ? malloc(size) : NULL;
    if (moved) memcpy(moved, memory, present);
    if (moved || size == 0) release(memory, file, line);
    return moved;
}

int copenssl_overwrite_freed_memory(void) { return CRYPTO_set_mem_functions(allocate, resize, release); }

void copenssl_set_servername_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *), void *argument) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
    SSL_CTX_set_tlsext_servername_arg(context, argument);
}

void copenssl_set_issuers(SSL_CTX *context, STACK_OF(X509) *issuers) { SSL_CTX_set1_chain(context, issuers); }

int copenssl_is_end_of_pem(unsigned long error) {
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}
