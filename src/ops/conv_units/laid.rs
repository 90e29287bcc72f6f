//! Images with their channels side by side, in memory that is used again.

use pulp::Arch;

use crate::ops::convolution::pixels::Pixels;
use crate::ops::simd::Float;

/// Memory for so many images, of any numbers but for the zeros at each one's beginning.
pub(super) fn take<T: Float>(pool: &mut Vec<Vec<T>>, pixels: Pixels, images: usize) -> Vec<T> {
    let count = images * pixels.image();
    // One of another length would be moved, or filled with zeros, as it grows.
    let equal = pool.iter().position(|numbers| numbers.len() == count);
    let used = match equal {
        Some(at) => Some(pool.swap_remove(at)),
        None => pool.pop(),
    };
    let mut numbers = used.unwrap_or_default();
    numbers.resize(count, T::zero());
    pixels.zero_first(&mut numbers);
    numbers
}

/// Images channel by channel as images with their channels side by side.
pub(super) fn lay<T: Float>(
    arch: Arch,
    pixels: Pixels,
    planes: &[T],
    pool: &mut Vec<Vec<T>>,
) -> Vec<T> {
    let mut laid = take(pool, pixels, planes.len() / pixels.count());
    pixels.lay_all(arch, planes, &mut laid);
    laid
}
