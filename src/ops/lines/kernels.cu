// Points of a line, f64, a row each. Rows go along the y axis of the grid, the numbers of a row along its x axis; a row has
// fewer than 2^31 numbers.

typedef unsigned long long count_t;

#define EACH_ROW(row, rows) for (count_t row = blockIdx.y; row < (rows); row += gridDim.y)
#define EACH_NUMBER(at, size) \
    for (unsigned at = blockIdx.x * blockDim.x + threadIdx.x; at < (size); at += gridDim.x * blockDim.x)

// (1 - share) x[before] + share x[before + 1]; with relu, 0 in the place of negative numbers.
extern "C" __global__ void between(count_t rows, unsigned size, const double *x, const unsigned *before,
                                   const double *shares, int relu, double *result) {
    EACH_ROW(row, rows) {
        const double *a = x + (count_t)before[row] * size;
        const double *b = a + size;
        const double share = shares[row];
        EACH_NUMBER(at, size) {
            double number = a[at];
            if (share > 0.) {
                number = (1. - share) * number + share * b[at];
            }
            // NaN stays.
            result[row * size + at] = relu && number < 0. ? 0. : number;
        }
    }
}

extern "C" __global__ void clear(unsigned count, const count_t *places, double *result) {
    EACH_NUMBER(at, count) { result[places[at]] = 0.; }
}

// The units that change their sign between a row and the next one, in any order. `found` counts them all; what there is no
// room for is not kept.
extern "C" __global__ void changes(count_t pairs, unsigned size, const double *x, unsigned room,
                                   unsigned *found, unsigned *rows, unsigned *units, double *shares) {
    EACH_ROW(row, pairs) {
        const double *a = x + row * size;
        const double *b = a + size;
        EACH_NUMBER(at, size) {
            const double left = a[at], right = b[at];
            if ((left < 0. && right > 0.) || (left > 0. && right < 0.)) {
                const unsigned place = atomicAdd(found, 1u);
                if (place < room) {
                    rows[place] = (unsigned)row;
                    units[place] = at;
                    shares[place] = left / (left - right);
                }
            }
        }
    }
}

// For each pixel of a result the square of pixels that it reads, 0 outside of the image. A row is an image.
extern "C" __global__ void patches(count_t images, const double *x, unsigned channels, int height, int width,
                                   unsigned result_height, unsigned result_width, unsigned kernel_height,
                                   unsigned kernel_width, int stride, int padding, int dilation,
                                   double *result) {
    const unsigned columns = kernel_height * kernel_width * channels;
    const unsigned size = result_height * result_width * columns;
    EACH_ROW(row, images) {
        const double *image = x + row * height * width * channels;
        EACH_NUMBER(at, size) {
            const unsigned pixel = at / columns, column = at % columns;
            const unsigned tap = column / channels, channel = column % channels;
            const int y = (int)(pixel / result_width) * stride + (int)(tap / kernel_width) * dilation - padding;
            const int z = (int)(pixel % result_width) * stride + (int)(tap % kernel_width) * dilation - padding;
            const bool inside = y >= 0 && y < height && z >= 0 && z < width;
            result[row * size + at] = inside ? image[((unsigned)y * width + z) * channels + channel] : 0.;
        }
    }
}

// result += bias, of `columns` numbers, and other if there is one. A row here is so many rows of the result that they have
// `size` numbers; the last one may have fewer.
extern "C" __global__ void add(count_t count, unsigned size, unsigned columns, const double *bias,
                               const double *other, int with_other, double *result) {
    EACH_ROW(row, (count + size - 1) / size) {
        const count_t start = row * size;
        EACH_NUMBER(at, size) {
            if (start + at < count) {
                const double sum = result[start + at] + bias[at % columns];
                result[start + at] = with_other ? sum + other[start + at] : sum;
            }
        }
    }
}
