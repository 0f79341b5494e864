/* What a model on a bare machine may call: compilers replace loops by these two, and a linker without
   the compiler's own library needs the 64-bit arithmetic of cores that have none. */
#include <stdint.h>

#include "model.h"

const volatile uint32_t model_state_size = sizeof(model_state);

/* Where the program begins, for linkers: it reaches everything, so that nothing is thrown away. */
int model_start(model_state *state, const int32_t token[], model_score scores[]);
int model_start(model_state *state, const int32_t token[], model_score scores[])
{
    model_init(state);
    return model_step(state, token, scores) + (int)model_state_size;
}

void *memset(void *to, int byte, __SIZE_TYPE__ count);
void *memcpy(void *to, const void *from, __SIZE_TYPE__ count);

/* volatile: or the compiler would make each loop a call of itself. */
void *memset(void *to, int byte, __SIZE_TYPE__ count)
{
    volatile unsigned char *next = to;
    while (count--)
        *next++ = (unsigned char)byte;
    return to;
}

void *memcpy(void *to, const void *from, __SIZE_TYPE__ count)
{
    volatile unsigned char *next = to;
    const unsigned char *source = from;
    while (count--)
        *next++ = *source++;
    return to;
}

#if defined(OWN_RUNTIME)

typedef union {
    uint64_t all;
    struct { uint32_t low, high; } part;
} halves;

uint64_t long_shift_left(uint64_t p, int s);
uint64_t long_shift_right(uint64_t p, int s);
int64_t long_shift_floor(int64_t p, int s);
uint64_t long_multiply(uint64_t p, uint64_t q);

uint64_t long_shift_left(uint64_t p, int s)
{
    halves x = {p};
    if (s >= 32) {
        x.part.high = x.part.low << (s - 32);
        x.part.low = 0;
    } else if (s > 0) {
        x.part.high = x.part.high << s | x.part.low >> (32 - s);
        x.part.low <<= s;
    }
    return x.all;
}

uint64_t long_shift_right(uint64_t p, int s)
{
    halves x = {p};
    if (s >= 32) {
        x.part.low = x.part.high >> (s - 32);
        x.part.high = 0;
    } else if (s > 0) {
        x.part.low = x.part.low >> s | x.part.high << (32 - s);
        x.part.high >>= s;
    }
    return x.all;
}

int64_t long_shift_floor(int64_t p, int s)
{
    return p < 0 ? (int64_t)~long_shift_right(~(uint64_t)p, s)
                 : (int64_t)long_shift_right((uint64_t)p, s);
}

static uint64_t multiply_32(uint32_t p, uint32_t q)
{
    const uint32_t low = (p & 65535) * (q & 65535), one = (p >> 16) * (q & 65535);
    const uint32_t other = (p & 65535) * (q >> 16), high = (p >> 16) * (q >> 16);
    const uint32_t middle = (low >> 16) + (one & 65535) + (other & 65535);
    halves x;
    x.part.low = middle << 16 | (low & 65535);
    x.part.high = high + (one >> 16) + (other >> 16) + (middle >> 16);
    return x.all;
}

uint64_t long_multiply(uint64_t p, uint64_t q)
{
    const halves a = {p}, b = {q};
    halves x = {multiply_32(a.part.low, b.part.low)};
    x.part.high += a.part.low * b.part.high + a.part.high * b.part.low;
    return x.all;
}

/* The names that compilers call them by. */
#if defined(__arm__)
#define LSL "__aeabi_llsl"
#define LSR "__aeabi_llsr"
#define ASR "__aeabi_lasr"
#define MUL "__aeabi_lmul"
#else
#define LSL "__ashldi3"
#define LSR "__lshrdi3"
#define ASR "__ashrdi3"
#define MUL "__muldi3"
#endif
uint64_t runtime_lsl(uint64_t p, int s) __asm__(LSL);
uint64_t runtime_lsr(uint64_t p, int s) __asm__(LSR);
int64_t runtime_asr(int64_t p, int s) __asm__(ASR);
uint64_t runtime_mul(uint64_t p, uint64_t q) __asm__(MUL);
uint64_t runtime_lsl(uint64_t p, int s) { return long_shift_left(p, s); }
uint64_t runtime_lsr(uint64_t p, int s) { return long_shift_right(p, s); }
int64_t runtime_asr(int64_t p, int s) { return long_shift_floor(p, s); }
uint64_t runtime_mul(uint64_t p, uint64_t q) { return long_multiply(p, q); }

#endif
