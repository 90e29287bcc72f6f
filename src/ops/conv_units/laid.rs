//! Images with their channels side by side, in memory that is used again.

use pulp::Arch;

use super::workspace::{Room, Task};
use crate::ops::convolution::pixels::Pixels;
use crate::ops::simd::Float;

impl<T: Float> Task<'_, T> {
    /// Memory for so many images, of any numbers but for the zeros at each one's beginning.
    pub fn images(&mut self, pixels: Pixels, images: usize) -> Room<T> {
        let mut images = self.take(images * pixels.image());
        pixels.zero_first(&mut images);
        images
    }

    /// Images channel by channel as images with their channels side by side.
    pub fn lay(&mut self, arch: Arch, pixels: Pixels, planes: &[T]) -> Room<T> {
        let mut laid = self.images(pixels, planes.len() / pixels.count());
        pixels.lay(arch, planes, &mut laid);
        laid
    }
}
