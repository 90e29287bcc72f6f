//! Transposed matrices.

use pulp::Arch;

use super::Float;

/// Rows and columns of a square of the shuffles.
const SIDE: usize = 8;
/// Numbers of a line of the cache, in f32.
const LINE: usize = 16;

/// to\[j, i\] = from\[i, j\] for i below `rows` and j below `columns`; the rows of `from` are `pitch`
/// apart, those of `to` `to_pitch`.
pub(in crate::ops) fn transpose<T: Float>(
    arch: Arch,
    (from, pitch): (&[T], usize),
    (to, to_pitch): (&mut [T], usize),
    [rows, columns]: [usize; 2],
) {
    let [row, column] = squares(arch, (from, pitch), (to, to_pitch), [rows, columns]);
    // What is right of the squares, and what is below them.
    for ([row, column], sizes) in [
        ([0, column], [row, columns - column]),
        ([row, 0], [rows - row, columns]),
    ] {
        if sizes.contains(&0) {
            continue;
        }
        let from = &from[row * pitch + column..];
        let to = &mut to[column * to_pitch + row..];
        one_by_one((from, pitch), (to, to_pitch), sizes);
    }
}

/// [`transpose`] of the first rows and columns, and of how many.
#[cfg(target_arch = "x86_64")]
fn squares<T: Float>(
    arch: Arch,
    (from, pitch): (&[T], usize),
    (to, to_pitch): (&mut [T], usize),
    sizes: [usize; 2],
) -> [usize; 2] {
    let simd = match arch {
        Arch::V3(simd) => simd,
        Arch::V4(simd) => *simd,
        _ => return [0; 2],
    };
    let (Some(from), Some(to)) = (T::singles(from), T::singles_mut(to)) else {
        return [0; 2];
    };
    let sizes = sizes.map(|size| size / SIDE * SIDE);
    simd.vectorize(avx::Squares {
        simd,
        from,
        pitch,
        to,
        to_pitch,
        sizes,
    });
    sizes
}

#[cfg(not(target_arch = "x86_64"))]
fn squares<T: Float>(_: Arch, _: (&[T], usize), _: (&mut [T], usize), _: [usize; 2]) -> [usize; 2] {
    [0; 2]
}

/// [`transpose`], block by block: all lines of a block stay in the first cache.
fn one_by_one<T: Copy>(
    (from, pitch): (&[T], usize),
    (to, to_pitch): (&mut [T], usize),
    [rows, columns]: [usize; 2],
) {
    for column in (0..columns).step_by(LINE) {
        for row in (0..rows).step_by(LINE) {
            let (height, width) = (LINE.min(rows - row), LINE.min(columns - column));
            for j in 0..width {
                let to = &mut to[(column + j) * to_pitch + row..][..height];
                let from = from[row * pitch + column + j..].iter().step_by(pitch);
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx {
    use std::arch::x86_64::__m256;

    use pulp::NullaryFnOnce;
    use pulp::x86::V3;

    use super::{LINE, SIDE};

    /// A matrix of whole squares.
    pub struct Squares<'a> {
        pub simd: V3,
        pub from: &'a [f32],
        pub pitch: usize,
        pub to: &'a mut [f32],
        pub to_pitch: usize,
        pub sizes: [usize; 2],
    }

    impl NullaryFnOnce for Squares<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Self {
                simd,
                from,
                pitch,
                to,
                to_pitch,
                sizes: [rows, columns],
            } = self;
            // Two lines of each row at once. More rows would not stay in the first cache where they
            // are a power of two apart.
            for first in (0..columns).step_by(2 * LINE) {
                for row in (0..rows).step_by(SIDE) {
                    for column in (first..columns.min(first + 2 * LINE)).step_by(SIDE) {
                        let from = &from[row * pitch + column..];
                        let to = &mut to[column * to_pitch + row..];
                        square(simd, (from, pitch), (to, to_pitch));
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn square(simd: V3, (from, pitch): (&[f32], usize), (to, to_pitch): (&mut [f32], usize)) {
        let avx = simd.avx;
        let mut lines = [avx._mm256_setzero_ps(); SIDE];
        for i in 0..SIDE {
            lines[i] = load(&from[i * pitch..]);
        }
        // Pairs of two rows, then of four, each in the lower and the upper half of the columns.
        let mut twos = lines;
        for i in [0, 2, 4, 6] {
            twos[i] = avx._mm256_unpacklo_ps(lines[i], lines[i + 1]);
            twos[i + 1] = avx._mm256_unpackhi_ps(lines[i], lines[i + 1]);
        }
        let mut fours = twos;
        for half in [0, 4] {
            for i in 0..2 {
                let (a, b) = (twos[half + i], twos[half + 2 + i]);
                fours[half + 2 * i] = avx._mm256_shuffle_ps::<0b01_00_01_00>(a, b);
                fours[half + 2 * i + 1] = avx._mm256_shuffle_ps::<0b11_10_11_10>(a, b);
            }
        }
        for i in 0..4 {
            let (a, b) = (fours[i], fours[4 + i]);
            store(
                &mut to[i * to_pitch..],
                avx._mm256_permute2f128_ps::<0x20>(a, b),
            );
            store(
                &mut to[(4 + i) * to_pitch..],
                avx._mm256_permute2f128_ps::<0x31>(a, b),
            );
        }
    }

    #[inline(always)]
    fn load(numbers: &[f32]) -> __m256 {
        let mut eight = [0.; SIDE];
        eight.copy_from_slice(&numbers[..SIDE]);
        pulp::cast(eight)
    }

    #[inline(always)]
    fn store(numbers: &mut [f32], vector: __m256) {
        let eight: [f32; SIDE] = pulp::cast(vector);
        numbers[..SIDE].copy_from_slice(&eight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::simd::arch;

    fn of<T: Float>() -> candle_core::Result<()> {
        for rows in [0, 1, 7, 8, 9, 16, 23, 40] {
            for columns in [0, 1, 3, 8, 15, 16, 33, 72] {
                let (pitch, to_pitch) = (columns + 3, rows + 2);
                let from: Vec<T> = (0..rows * pitch).map(|i| T::from_f64(i as f64)).collect();
                let untouched = T::from_f64(-1.);
                let mut to = vec![untouched; columns * to_pitch];
                transpose(
                    arch()?,
                    (&from, pitch),
                    (&mut to, to_pitch),
                    [rows, columns],
                );
                for (j, line) in to.chunks(to_pitch).enumerate() {
                    for (i, number) in line.iter().enumerate() {
                        let expected = if i < rows {
                            from[i * pitch + j]
                        } else {
                            untouched
                        };
                        assert!(*number == expected, "{rows} × {columns}: [{j}, {i}]");
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn rows_are_columns() -> candle_core::Result<()> {
        of::<f32>()?;
        of::<f64>()
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn with_every_instruction_set() {
        crate::ops::simd::tested::with_every_instruction_set("ops::simd::transpose::tests", 1);
    }
}
