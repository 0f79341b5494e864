/* How this core multiplies; the bits are the same whatever is chosen. To choose yourself, define
   one of the two names, or NS4D_PLAIN. */
#if !defined(NS4D_DSP) && !defined(NS4D_SPLIT) && !defined(NS4D_PLAIN)
#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)
#define NS4D_DSP /* a 32x32->64 multiply in one cycle: Cortex-M4, M7, M33 */
#elif defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define NS4D_SPLIT /* a 32x32->32 multiply only: Cortex-M0, M0+, M23 */
#endif
#endif

