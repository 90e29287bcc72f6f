//! The gradient in a unit's result.

use std::ops::Range;

use pulp::Arch;

use super::layers::Layer;
use super::workspace::Room;
use crate::ops::normalisation::pixels::Gather;
use crate::ops::simd::Float;

/// Which gradients are wanted.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub x: bool,
    pub parameters: bool,
}

/// The gradient in a result, of which nothing is left where its ReLU gave 0 when all is added up.
pub(super) struct Gradient<T> {
    pub numbers: Room<T>,
    /// Of each channel, once it is complete.
    pub sums: Vec<[f64; 2]>,
}

/// Takes a gradient in a layer's result that is complete through the ReLU, for some images, and sums
/// its channels; `y` is the result if there is a ReLU.
pub(super) fn finish<T: Float>(
    arch: Arch,
    layer: &Layer<T>,
    images: &Range<usize>,
    y: Option<&[T]>,
    g: &mut [T],
) -> Vec<[f64; 2]> {
    let z = layer
        .convolved
        .as_ref()
        .map(|(convolved, affine)| (&convolved[layer.images(images)], &affine.mean[..]));
    arch.dispatch(Gather {
        pixels: layer.pixels,
        result: y,
        centred: z,
        g,
    })
}

/// The sums of all parts, in their order.
pub(super) fn sum(parts: Vec<Vec<[f64; 2]>>) -> Vec<[f64; 2]> {
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            total[0] += part[0];
            total[1] += part[1];
        }
    }
    total
}
