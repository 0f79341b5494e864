/* tiny: its constants. What is the same in all rows of a table stands in
   tiny.c as a number. Only tiny.c includes this file. */
#include <stdint.h>

/* encoder: a row of weights per output */
static const int8_t encoder_weight[2 * 1] = {
    79,
    -106,
};

/* encoder: a row per output */
static const struct encoder_channels_row {
    int16_t bias, multiplier;
    int8_t limit;
} encoder_channels[2] = {
    {-3216, 19354, 100},
    {-3543, 29511, 65},
};

/* layer0.ssm: mode n of channel h is row h * 1 + n */
static const struct layer0_ssm_modes_row {
    int16_t a_re, a_im, c_re, minus_c_im, b_re, b_im;
} layer0_ssm_modes[2] = {
    {-12612, -19802, 25416, 5235, -30625, -3137},
    {2344, 24116, 1097, 4546, -25318, -7128},
};

/* layer0.ssm: a row per channel */
static const struct layer0_ssm_channels_row {
    int16_t d, multiplier;
    int8_t limit;
} layer0_ssm_channels[2] = {
    {10901, 28782, 81},
    {5688, 32051, 83},
};

/* layer0.mix: a row of weights per output */
static const int8_t layer0_mix_weight[2 * 2] = {
    38, 50,
    94, -53,
};

/* layer0.mix: a row per output */
static const struct layer0_mix_channels_row {
    int16_t bias, multiplier;
    int8_t limit;
} layer0_mix_channels[2] = {
    {3172, 17643, 82},
    {-5989, 32333, 72},
};

/* read-out: a row of weights per class */
static const int8_t readout_weight[3 * 2] = {
    -117, 100,
    41, 22,
    -65, -7,
};

/* read-out: a row per class */
static const struct readout_channels_row {
    int8_t bias;
} readout_channels[3] = {
    {-49},
    {42},
    {4},
};
