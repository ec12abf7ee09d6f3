/* OpenSSL as it is, and those of its macros that Swift cannot import. */
#ifndef COPENSSL_H
#define COPENSSL_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static const uint64_t copenssl_no_renegotiation = SSL_OP_NO_RENEGOTIATION;
static const uint64_t copenssl_no_compression = SSL_OP_NO_COMPRESSION;
static const uint64_t copenssl_cipher_server_preference = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t copenssl_prioritize_chacha = SSL_OP_PRIORITIZE_CHACHA;
/* RFC 2253, and letters of all languages as they are. */
static const unsigned long copenssl_name_flags = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;
static const uint64_t copenssl_ignore_unexpected_eof = SSL_OP_IGNORE_UNEXPECTED_EOF;

/* From now on, memory that OpenSSL gives back is overwritten first: private keys pass through buffers that it does not
 * clear itself. Returns 1, or 0 if OpenSSL has allocated memory already; then nothing has changed. */
int copenssl_overwrite_freed_memory(void);

/* SSL_CTX_set_tlsext_servername_callback and its argument, macros both. */
void copenssl_set_servername_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *), void *argument);

/* SSL_CTX_set1_chain, a macro. */
void copenssl_set_issuers(SSL_CTX *context, STACK_OF(X509) *issuers);

/* Whether an error of PEM_read_bio says only that nothing more begins in the file: 1 or 0. */
int copenssl_is_end_of_pem(unsigned long error);

#endif
