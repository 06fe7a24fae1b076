/* Reference kernels of a sparse layer, y = A x + b, float32, for the benchmark of speed only.
 *
 * Arrays are node-major: x (n, B), y and gy (n, B). A has a row per output unit: indptr (n + 1), indices (E), w (E).
 * The backward pass runs over the transpose: tp (n + 1), target (E) and edge (E), entry k of the transpose being entry
 * edge[k] of A; it gives gx (n, B), gw (E) and gb (n). B is a multiple of the vector length, except in the kernels of a
 * batch of one. Outputs are given by the caller, aligned to 64 bytes. Work is split by edges: thread i has rows
 * part[i] to part[i + 1].
 */
#include <omp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
#define LANES 16
#else
#define LANES 8
#endif
#define ALWAYS static inline __attribute__((always_inline))
#define MOST_THREADS 64

typedef float V __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t I;

ALWAYS float horizontal(V v) {
#if LANES == 16
    return _mm512_reduce_add_ps((__m512)v);
#elif defined(__AVX2__)
    __m128 h = _mm_add_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
#else
    float total = 0;
    for (int i = 0; i < LANES; i++) total += v[i];
    return total;
#endif
}

/* past the caches: for results that are larger than them */
ALWAYS void store(float *p, V v, const int stream) {
#if LANES == 16
    if (stream) { _mm512_stream_ps(p, (__m512)v); return; }
#elif defined(__AVX2__)
    if (stream) { _mm256_stream_ps(p, (__m256)v); return; }
#endif
    *(V *)p = v;
}

/* Lines of a row that an edge `ahead` edges later reads, on their way to the second cache; none if `ahead` is 0. */
ALWAYS void fetch(const int C, I ahead, I e, I end, ptrdiff_t ld, const I *indices, const float *from) {
    if (!ahead) return;
    const float *row = from + indices[e + ahead < end ? e + ahead : end - 1] * ld;
#pragma GCC unroll 16
    for (int i = 0; i < C; i += 16) __builtin_prefetch(row + i, 0, 2);
}

int lanes(void) { return LANES; }
int threads(void) { return omp_get_max_threads(); }

/* ---------------------------------------------------------------- one pass over whole rows
 * C columns (a compile-time number) of one row stay in registers while its edges are summed. */

ALWAYS void rows_forward(const int C, const int stream, I ahead, I first, I last, ptrdiff_t ld, const I *indptr,
                         const I *indices, const float *w, const float *b, const float *x, ptrdiff_t ldy, float *y) {
    enum { MOST = 128 / LANES };
    for (I t = first; t < last; t++) {
        V sum[MOST];
#pragma GCC unroll 16
        for (int i = 0; i < C / LANES; i++) sum[i] = (V){} + b[t];
        for (I e = indptr[t]; e < indptr[t + 1]; e++) {
            fetch(C, ahead, e, indptr[last], ld, indices, x);
            const float *row = x + indices[e] * ld, value = w[e];
#pragma GCC unroll 16
            for (int i = 0; i < C / LANES; i++) sum[i] += value * *(const V *)(row + i * LANES);
        }
#pragma GCC unroll 16
        for (int i = 0; i < C / LANES; i++) store(y + t * ldy + i * LANES, sum[i], stream);
    }
}

/* gwt and wt are gw and w in the order of the transpose; gwt is added to if `add`. */
ALWAYS void rows_backward(const int C, const int stream, const int add, I ahead, I first, I last, ptrdiff_t ld,
                          const I *tp, const I *target, const float *wt, const float *gy, ptrdiff_t ldx, const float *x,
                          float *gx, float *gwt) {
    enum { MOST = 128 / LANES };
    for (I s = first; s < last; s++) {
        V sum[MOST];
        const float *own = x + s * ldx;
#pragma GCC unroll 16
        for (int i = 0; i < C / LANES; i++) sum[i] = (V){};
        for (I k = tp[s]; k < tp[s + 1]; k++) {
            fetch(C, ahead, k, tp[last], ld, target, gy);
            const float *row = gy + target[k] * ld, value = wt[k];
            V even = {}, odd = {};
#pragma GCC unroll 16
            for (int i = 0; i < C / LANES; i++) {
                V g = *(const V *)(row + i * LANES);
                sum[i] += value * g;
                if (i % 2) odd += g * *(const V *)(own + i * LANES);
                else even += g * *(const V *)(own + i * LANES);
            }
            float dot = horizontal(even + odd);
            gwt[k] = add ? gwt[k] + dot : dot;
        }
#pragma GCC unroll 16
        for (int i = 0; i < C / LANES; i++) store(gx + s * ldx + i * LANES, sum[i], stream);
    }
}

#define EACH_BLOCK(block)                                                                                              \
    switch (block) {                                                                                                   \
    case 16: CALL(16); break;                                                                                          \
    case 32: CALL(32); break;                                                                                          \
    case 64: CALL(64); break;                                                                                          \
    case 128: CALL(128); break;                                                                                        \
    }

static int admitted(int block, I B) {
    return (block == 16 || block == 32 || block == 64 || block == 128) && B % block == 0;
}

/* Columns in blocks of `block`, one after another, straight from x; rows are fetched `ahead` edges before (0: not). */
int forward_rows(int threads, int block, int stream, int ahead, const I *part, I B, const I *indptr, const I *indices,
                 const float *w, const float *b, const float *x, float *y) {
#define CALL(C)                                                                                                        \
    if (stream) rows_forward(C, 1, ahead, part[i], part[i + 1], B, indptr, indices, w, b, x + c, B, y + c);            \
    else rows_forward(C, 0, ahead, part[i], part[i + 1], B, indptr, indices, w, b, x + c, B, y + c)
    if (!admitted(block, B)) return -1;
#pragma omp parallel num_threads(threads)
    {
        int i = omp_get_thread_num();
        for (I c = 0; c < B; c += block) EACH_BLOCK(block)
    }
    return 0;
#undef CALL
}

/* Tiles of `block` columns: each is first copied to `scratch` (n, block), which stays in the cache, then gathered. */
int forward_tiles(int threads, int block, int stream, const I *part, I n, I B, const I *indptr, const I *indices,
                  const float *w, const float *b, const float *x, float *y, float *scratch) {
#define CALL(C)                                                                                                        \
    if (stream) rows_forward(C, 1, 0, part[i], part[i + 1], C, indptr, indices, w, b, scratch, B, y + c);              \
    else rows_forward(C, 0, 0, part[i], part[i + 1], C, indptr, indices, w, b, scratch, B, y + c)
    if (!admitted(block, B)) return -1;
#pragma omp parallel num_threads(threads)
    {
        int i = omp_get_thread_num();
        I first = (I)((int64_t)n * i / threads), last = (I)((int64_t)n * (i + 1) / threads);
        for (I c = 0; c < B; c += block) {
            for (I s = first; s < last; s++)
                for (I j = 0; j < block; j += LANES)
                    *(V *)(scratch + (ptrdiff_t)s * block + j) = *(const V *)(x + (ptrdiff_t)s * B + c + j);
#pragma omp barrier
            EACH_BLOCK(block)
#pragma omp barrier
        }
    }
    return 0;
#undef CALL
}

/* The gradient of the bias, and w in the order of the transpose. */
static void row_sums(I first, I last, I B, const float *gy, float *gb) {
    for (I t = first; t < last; t++) {
        V sum = {};
        for (I j = 0; j < B; j += LANES) sum += *(const V *)(gy + (ptrdiff_t)t * B + j);
        gb[t] = horizontal(sum);
    }
}

/* wt and gwt (E) are scratch in the order of the transpose; `tiled`: as in forward_tiles, else scratch is not used. */
int backward(int threads, int block, int stream, int ahead, int tiled, const I *part, I n, I B, const I *tp,
             const I *target, const I *edge, const float *w, const float *x, const float *gy, float *gx, float *gw,
             float *gb, float *wt, float *gwt, float *scratch) {
#define SOME(C, S, A, LD, FROM)                                                                                        \
    rows_backward(C, S, A, ahead, part[i], part[i + 1], LD, tp, target, wt, FROM, B, x + c, gx + c, gwt)
#define BY(C, LD, FROM)                                                                                                \
    if (stream) { if (c) SOME(C, 1, 1, LD, FROM); else SOME(C, 1, 0, LD, FROM); }                                      \
    else { if (c) SOME(C, 0, 1, LD, FROM); else SOME(C, 0, 0, LD, FROM); }
#define CALL(C) if (tiled) { BY(C, C, scratch) } else { BY(C, B, gy + c) }
    if (!admitted(block, B)) return -1;
#pragma omp parallel num_threads(threads)
    {
        int i = omp_get_thread_num();
        I first = (I)((int64_t)n * i / threads), last = (I)((int64_t)n * (i + 1) / threads);
        for (I k = tp[part[i]]; k < tp[part[i + 1]]; k++) wt[k] = w[edge[k]];
        if (!tiled) row_sums(first, last, B, gy, gb);
        for (I c = 0; c < B; c += block) {
            if (tiled) {
                for (I t = first; t < last; t++) {
                    V sum = {};
                    for (I j = 0; j < block; j += LANES) {
                        V g = *(const V *)(gy + (ptrdiff_t)t * B + c + j);
                        *(V *)(scratch + (ptrdiff_t)t * block + j) = g;
                        sum += g;
                    }
                    gb[t] = (c ? gb[t] : 0) + horizontal(sum);
                }
#pragma omp barrier
            }
            EACH_BLOCK(block)
            if (tiled) {
#pragma omp barrier
            }
        }
        for (I k = tp[part[i]]; k < tp[part[i + 1]]; k++) gw[edge[k]] = gwt[k];
    }
    return 0;
#undef CALL
#undef BY
#undef SOME
}

/* ---------------------------------------------------------------- a batch of one
 * Rows are sorted by degree. 16 rows of one degree d are a slice: 16 d weights and indices, edge j of lane i at
 * 16 j + i. `row` (n) is the row of every place, `begin` (slices + 1) the first entry of every slice and then of the
 * rows left over, which follow one by one, entries of a row together, with pointers `rest` (rows left over + 1). */

ALWAYS void gather8(float *out, const float *x, const I *index) {
#if defined(__AVX2__) && defined(GATHER)
    *(V *)out = (V)_mm256_i32gather_ps(x, _mm256_loadu_si256((const __m256i *)index), 4);
#else
    for (int i = 0; i < 8; i++) out[i] = x[index[i]];
#endif
}

void forward_one(int threads, const I *part, I slices, I n, const I *row, const I *begin, const I *rest,
                 const I *indices, const float *w, const float *b, const float *x, float *y) {
#pragma omp parallel num_threads(threads)
    {
        int me = omp_get_thread_num();
        for (I s = part[me]; s < part[me + 1]; s++) {
            const I *own = row + 16 * s;
            float sum[16] = {0};
            for (I e = begin[s]; e < begin[s + 1]; e += 16) {
                float from[16];
                gather8(from, x, indices + e);
                gather8(from + 8, x, indices + e + 8);
                for (int i = 0; i < 16; i++) sum[i] += w[e + i] * from[i];
            }
            for (int i = 0; i < 16; i++) y[own[i]] = sum[i] + b[own[i]];
        }
        if (me == threads - 1)
            for (I r = 16 * slices; r < n; r++) {
                float sum = b[row[r]];
                for (I e = rest[r - 16 * slices]; e < rest[r - 16 * slices + 1]; e++) sum += w[e] * x[indices[e]];
                y[row[r]] = sum;
            }
    }
}

/* Every thread scatters the edges of its own slices into a gx of its own (`own`, threads x n); they are then added. */
void backward_one(int threads, const I *part, I slices, I n, const I *row, const I *begin, const I *rest,
                  const I *indices, const float *w, const float *x, const float *gy, float *gx, float *gw, float *gb,
                  float *own) {
#pragma omp parallel num_threads(threads)
    {
        int me = omp_get_thread_num();
        float *mine = me ? own + (ptrdiff_t)me * n : gx;
        memset(mine, 0, 4 * (size_t)n);
        for (I s = part[me]; s < part[me + 1]; s++) {
            float g[16];
            for (int i = 0; i < 16; i++) g[i] = gy[row[16 * s + i]];
            for (I e = begin[s]; e < begin[s + 1]; e += 16) {
                float from[16];
                gather8(from, x, indices + e);
                gather8(from + 8, x, indices + e + 8);
                for (int i = 0; i < 16; i++) gw[e + i] = g[i] * from[i];
                for (int i = 0; i < 16; i++) mine[indices[e + i]] += w[e + i] * g[i];
            }
        }
        if (me == threads - 1)
            for (I r = 16 * slices; r < n; r++)
                for (I e = rest[r - 16 * slices]; e < rest[r - 16 * slices + 1]; e++) {
                    gw[e] = gy[row[r]] * x[indices[e]];
                    mine[indices[e]] += w[e] * gy[row[r]];
                }
        I first = (I)((int64_t)n * me / threads), last = (I)((int64_t)n * (me + 1) / threads);
        memcpy(gb + first, gy + first, 4 * (size_t)(last - first));
#pragma omp barrier
        for (int other = 1; other < threads; other++) {
            const float *theirs = own + (ptrdiff_t)other * n;
            for (I s = first; s < last; s++) gx[s] += theirs[s];
        }
    }
}

/* ---------------------------------------------------------------- bandwidth */

/* n floats, a multiple of the vector length, from x to y */
void copy(int threads, int stream, ptrdiff_t n, const float *x, float *y) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (ptrdiff_t i = 0; i < n; i += LANES) store(y + i, *(const V *)(x + i), stream);
}

/* The sum of rows index[0 .. count - 1] of x (., B): reads only. B is 1 or a multiple of the vector length. */
float gather(int threads, I count, I B, const I *index, const float *x) {
    float total = 0;
#pragma omp parallel num_threads(threads) reduction(+ : total)
    {
        V even = {}, odd = {};
#pragma omp for schedule(static)
        for (I e = 0; e < count; e++) {
            const float *row = x + (ptrdiff_t)index[e] * B;
            if (B == 1) total += *row;
            I j = 0;
            for (; j + LANES < B; j += 2 * LANES) {
                even += *(const V *)(row + j);
                odd += *(const V *)(row + j + LANES);
            }
            if (j + LANES <= B) even += *(const V *)(row + j);
        }
        total += horizontal(even + odd);
    }
    return total;
}
