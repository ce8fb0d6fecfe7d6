/*
 * Does the time of a call depend on which of two classes its input is of? As dudect asks it (Reparaz, Balasch, Verbauwhede, 2017):
 * the classes in random order, Welch's t of the times as they are and of those below each of 100 thresholds, since what disturbs a
 * measurement makes it longer. The answer is the largest |t|. Up to 4.5 is what chance makes of no difference; a real one grows
 * with the square root of the number of measurements.
 */
#ifndef WELCH_H
#define WELCH_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LIMIT 4.5
#define CROPS 100
/* Fewer of a class than this say nothing below a threshold. */
#define ENOUGH 100

/* One question. */
struct subject {
    const char *name;
    size_t samples;
    /* What is not measured: the input of a class is put in its place, which is the same for both. */
    void (*prepare)(int class);
    /* What is. */
    void (*run)(void);
    /* Nanoseconds of the thread's own work, for what waits for a disk; otherwise the processor's counter. */
    int of_thread;
};

static uint64_t dice_state;

static inline uint64_t dice(void)
{
    /* xorshift64*: the order must be unpredictable to a processor, not to a person. */
    dice_state ^= dice_state >> 12;
    dice_state ^= dice_state << 25;
    dice_state ^= dice_state >> 27;
    return dice_state * 0x2545f4914f6cdd1dull;
}

static inline uint64_t ticks(int of_thread)
{
#ifdef __x86_64__
    if (!of_thread) {
        unsigned low, high, aux;
        __asm__ volatile("lfence\n\trdtscp\n\tlfence" : "=a"(low), "=d"(high), "=c"(aux)::"memory");
        return (uint64_t)high << 32 | low;
    }
#endif
    struct timespec time;
    clock_gettime(of_thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Welch's t of the times below a threshold; 0 if there are too few. */
static inline double t_below(const uint32_t *times, const unsigned char *classes, size_t count, uint32_t threshold)
{
    double n[2] = {0, 0}, mean[2] = {0, 0}, sum[2] = {0, 0};
    for (size_t at = 0; at < count; at++) {
        if (times[at] >= threshold)
            continue;
        int class = classes[at];
        double from_mean = times[at] - mean[class];
        n[class]++;
        mean[class] += from_mean / n[class];
        sum[class] += from_mean * (times[at] - mean[class]);
    }
    if (n[0] < ENOUGH || n[1] < ENOUGH)
        return 0;
    double error = sqrt(sum[0] / (n[0] - 1) / n[0] + sum[1] / (n[1] - 1) / n[1]);
    return error > 0 ? (mean[0] - mean[1]) / error : 0;
}

/* Measures so many times, and answers the largest |t|; the median time is for people. */
static inline double largest_t(const struct subject *subject, size_t samples, uint64_t seed, double *median)
{
    size_t warm = samples / 100 + 10;
    uint32_t *times = malloc(samples * sizeof *times), *sorted = malloc(samples * sizeof *sorted);
    unsigned char *classes = malloc(samples);
    if (!times || !sorted || !classes) {
        fprintf(stderr, "no memory\n");
        exit(2);
    }
    dice_state = seed;
    for (size_t at = 0; at < samples + warm; at++) {
        int class = dice() >> 63;
        subject->prepare(class);
        uint64_t start = ticks(subject->of_thread);
        subject->run();
        uint64_t took = ticks(subject->of_thread) - start;
        if (at >= warm) {
            times[at - warm] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
            classes[at - warm] = (unsigned char)class;
        }
    }
    for (size_t at = 0; at < samples; at++)
        sorted[at] = times[at];
    qsort(sorted, samples, sizeof *sorted, by_size);
    *median = sorted[samples / 2];
    double largest = fabs(t_below(times, classes, samples, UINT32_MAX));
    for (int crop = 1; crop <= CROPS; crop++) {
        double part = 1 - pow(0.5, 10.0 * crop / CROPS);
        double t = fabs(t_below(times, classes, samples, sorted[(size_t)(part * (double)(samples - 1))]));
        if (t > largest)
            largest = t;
    }
    free(times);
    free(sorted);
    free(classes);
    return largest;
}

#endif
