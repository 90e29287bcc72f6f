//! How far the margins that a network computes may be from those in real arithmetic, on a whole segment.

use super::activations::TANH_ROUNDINGS;
use super::chain::{Activation, Chain};
use super::rounding::{LEAST, up};
use crate::distances::slices::norm;
use crate::error::{Error, Result};
use crate::lipschitz::spectral_norm_bound;

/// An upper bound of |computed margin − real margin| at every point of the segment between two points,
/// as [`certify`](super::certify()) computes and rounds it.
///
/// Two bounds of the error of each layer: unit by unit, |W| e and what is rounded on top, and of its
/// length, ‖W‖₂ ‖e‖₂. No activation stretches an error.
///
/// # Errors
/// Points that do not fit.
pub(super) fn deviation(chain: &Chain, ends: &[Vec<f64>; 2], class: usize) -> Result<f64> {
    let [_, sizes] = chain.points(&ends.concat(), 2)?;
    let (own, u) = (chain.own, chain.arithmetic.unit);
    let map = &chain.affine[0];
    let at_ends = map.map_sizes(&sizes)?;
    let (a, b) = at_ends.split_at(map.outputs);
    let larger = |(a, b): (&f64, &f64)| a.max(*b);
    // The sizes of the terms of each unit, and its error.
    let mut terms: Vec<f64> = a.iter().zip(b).map(larger).collect();
    let mut errors: Vec<f64> = Vec::new();
    let mut length = 0.;
    for (at, map) in chain.affine.iter().enumerate() {
        if at > 0 {
            let (mut values, rounded) = activated(chain, at, &terms);
            for (error, rounding) in errors.iter_mut().zip(&rounded) {
                *error += rounding;
            }
            length += up(norm(&rounded)) + LEAST;
            errors = map.map_sizes(&errors)?;
            length *= spectral_norm_bound(&map.weight)?;
            values.iter_mut().for_each(|value| *value = up(*value));
            terms = map.map_sizes(&values)?;
        } else {
            errors = vec![0.; map.outputs];
        }
        let rounding = |(at, size): (usize, &f64)| map.rounding(at, up(size * (1. + own)), own);
        let rounded: Vec<f64> = terms.iter().enumerate().map(rounding).collect();
        for (error, rounding) in errors.iter_mut().zip(&rounded) {
            *error = up((*error + rounding) * (1. + own));
        }
        length = up((length + norm(&rounded)) * (1. + own)) + LEAST;
        for (term, (bias, error)) in terms.iter_mut().zip(map.bias.iter().zip(&errors)) {
            *term = up((*term + bias.abs()) * (1. + own + u) + error);
        }
    }
    let others = errors.iter().enumerate().filter(|(at, _)| *at != class);
    let largest = others.map(|(_, error)| *error).fold(0., f64::max);
    let by_units = errors.get(class).map_or(f64::INFINITY, |own| own + largest);
    let bound = up(by_units).min(up(std::f64::consts::SQRT_2 * length));
    match bound.is_finite() {
        true => Ok(bound),
        false => {
            let expected = "finite; the weights or the points are too large for their type";
            Err(Error::argument("bound of the rounding", expected, bound))
        }
    }
}

/// Bounds of the sizes of what the activation before map `at` gives, and of what it rounds, for
/// arguments of the sizes `terms`.
fn activated(chain: &Chain, at: usize, terms: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (u, tiny) = (chain.arithmetic.unit, chain.arithmetic.tiny);
    match chain.activations[at - 1] {
        Activation::Identity | Activation::Relu => (terms.to_vec(), vec![0.; terms.len()]),
        Activation::Tanh => {
            let value = |term: &f64| term.min(1.) * (1. + 16. * u);
            let values: Vec<f64> = terms.iter().map(value).collect();
            let rounded = values
                .iter()
                .map(|value| up(TANH_ROUNDINGS * u * value) + tiny);
            let rounded = rounded.collect();
            (values, rounded)
        }
    }
}
