//! Convolution, and its gradient with respect to the input, on images channel by channel.
//!
//! Every sum is taken in one order, which depends on the shapes alone, so that neither the number of
//! threads nor that of images changes a bit.

use candle_core::Result;
use rayon::prelude::*;

use super::geometry::Geometry;
use super::panels::Panels;
use super::pass::Pass;
use super::pixels::zero;
use super::pointwise::plan::Pointwise;
use super::product::After;
use super::steps::Direction;
use crate::ops::simd::{Float, arch};

/// Numbers of images that stay in the second cache.
const CACHED: usize = 262_144;

/// y = x ∗ w + bias, or the larger of it and 0.
pub(in crate::ops) fn forward<T: Float>(
    shape: Geometry,
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    relu: bool,
) -> Result<Vec<T>> {
    run(shape, Direction::Forward, x, weight, bias, relu)
}

/// dL/dx of dL/dy; with a bias and ReLU a transposed convolution.
pub(in crate::ops) fn input_gradient<T: Float>(
    shape: Geometry,
    dy: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    relu: bool,
) -> Result<Vec<T>> {
    run(shape, Direction::Backward, dy, weight, bias, relu)
}

fn run<T: Float>(
    shape: Geometry,
    direction: Direction,
    planes: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    relu: bool,
) -> Result<Vec<T>> {
    if let Some(pointwise) = Pointwise::of(&shape, direction, weight, (bias, relu))? {
        return Ok(pointwise.run(shape.images, planes));
    }
    let arch = arch()?;
    let (images, threads) = (shape.images, rayon::current_num_threads());
    let at_once = images.div_ceil(threads).max(1);
    let panels = Panels::new(&shape, direction, weight)?;
    let pass = Pass::new(&shape, direction, panels.into())?;
    let (source, result) = (pass.source, pass.result);
    let result_planes = result.count();
    let mut y = vec![T::zero(); images * result_planes];
    if y.is_empty() {
        return Ok(y);
    }
    let bias = bias.map(|bias| result.padded(bias));
    let after = After {
        bias: bias.as_deref(),
        residual: None,
        relu,
    };
    let source_planes = source.count();
    let lay = |first: usize, pixels: &mut [T]| {
        let count = pixels.len() / source.image() * source_planes;
        source.lay(arch, &planes[first * source_planes..][..count], pixels);
    };
    if images < threads {
        let mut laid = vec![T::zero(); images * source.image()];
        let mut pixels = vec![T::zero(); images * result.image()];
        laid.par_chunks_mut(source.image())
            .enumerate()
            .for_each(|(image, pixels)| lay(image, pixels));
        pass.run_in_parallel(images, &laid, &mut pixels, after);
        y.par_chunks_mut(result_planes)
            .zip(pixels.par_chunks(result.image()))
            .for_each(|(planes, pixels)| result.put(arch, pixels, planes));
        return Ok(y);
    }
    // As many as the cache holds, but no more than give every thread its share.
    let group = (CACHED / (source.image() + result.image())).min(at_once);
    let together = pass.together(at_once);
    let group = (group / together).max(1) * together;
    y.par_chunks_mut(group * result_planes)
        .enumerate()
        .for_each_init(Vec::new, |scratch, (number, y)| {
            let images = y.len() / result_planes;
            let room = images * (source.image() + result.image());
            if scratch.len() != room {
                zero(scratch, room);
            }
            let (laid, pixels) = scratch.split_at_mut(images * source.image());
            lay(number * group, laid);
            pass.run(images, laid, pixels, after);
            result.put(arch, pixels, y);
        });
    Ok(y)
}
