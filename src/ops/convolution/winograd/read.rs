//! The transform of what a tile reads.

use pulp::Simd;

use super::shape::{POINTS, READ};
use super::transforms::Factors;
use crate::ops::simd::Float;

/// Bᵀ d B of so many channels of a tile, whose pixels begin at `starts` in its image: as (point,
/// channel), the points as far apart as said.
#[inline(always)]
pub(super) fn read_tile<T: Float, S: Simd>(
    factors: &Factors<T, S>,
    image: &[T],
    starts: &[u32; POINTS],
    (to, apart): (&mut [T], usize),
    channels: usize,
) {
    let (vectors, apart) = (channels / T::lanes::<S>(), apart / T::lanes::<S>());
    let pixels = lines::<T, S, POINTS>(image, starts, channels);
    let to = T::vectors_mut::<S>(to);
    for channel in 0..vectors {
        let columns = six!(x => factors.read(six!(y => pixels[y * READ + x][channel])));
        for y in 0..READ {
            let row = factors.read(six!(x => columns[x][y]));
            for (x, number) in row.into_iter().enumerate() {
                to[(y * READ + x) * apart + channel] = number;
            }
        }
    }
}

/// So many channels of the pixels of an image that begin at `starts`.
#[inline(always)]
pub(super) fn lines<'a, T: Float, S: Simd, const N: usize>(
    image: &'a [T],
    starts: &[u32; N],
    channels: usize,
) -> [&'a [T::Vector<S>]; N] {
    let vectors = channels / T::lanes::<S>();
    let mut lines = [&T::vectors::<S>(image)[..vectors]; N];
    for (line, start) in lines.iter_mut().zip(starts) {
        *line = &T::vectors::<S>(&image[*start as usize..][..channels])[..vectors];
    }
    lines
}
