//! Bounds of all units on parts of segments: forward through the layers, and back for one margin.

use super::activations::{Line, Range, relu, tanh_line};
use super::chain::{Activation, Affine, Chain};
use super::rounding::{LEAST, SOME, up};
use crate::distances::slices::{self, norm};
use crate::error::Result;
use crate::ops::{arch, vectorised};

/// Rows of ranges, a row for each part: see [`Range`].
#[derive(Default)]
pub(super) struct Ranges {
    pub middles: Vec<f64>,
    pub slopes: Vec<f64>,
    pub radii: Vec<f64>,
}

impl Ranges {
    pub fn with_capacity(numbers: usize) -> Self {
        Self {
            middles: Vec::with_capacity(numbers),
            slopes: Vec::with_capacity(numbers),
            radii: Vec::with_capacity(numbers),
        }
    }

    pub fn push(&mut self, range: Range) {
        self.middles.push(range.middle);
        self.slopes.push(range.slope);
        self.radii.push(range.radius);
    }

    fn get(&self, at: usize) -> Range {
        Range {
            middle: self.middles[at],
            slope: self.slopes[at],
            radius: self.radii[at],
        }
    }
}

/// The lines through the activations of one layer, and ‖y‖₂ of what they give, a number for each part.
#[derive(Default)]
struct Lines {
    slopes: Vec<f64>,
    offsets: Vec<f64>,
    errors: Vec<f64>,
    norms: Vec<f64>,
}

/// The bounds of some parts.
pub(super) struct Bounds<'a> {
    chain: &'a Chain,
    /// What the first affine map gives.
    first: Ranges,
    lines: Vec<Lines>,
    /// The logits.
    logits: Ranges,
}

/// What is known of the margin to another class on a part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margin {
    /// Up to the radius, the margin is middle + s·slope, s ∈ [−1, 1].
    pub middle: f64,
    pub slope: f64,
    pub radius: f64,
}

impl Margin {
    /// The smallest value that it may have.
    pub fn least(&self) -> f64 {
        let least = self.middle - self.slope.abs() - self.radius;
        least - SOME * (self.middle.abs() + self.slope.abs() + self.radius)
    }

    /// The largest value that it may have at s = 0.
    pub fn most(&self) -> f64 {
        self.middle + up(self.radius) + SOME * self.middle.abs()
    }
}

impl<'a> Bounds<'a> {
    /// Of parts on which the first affine map gives `first`.
    pub fn new(chain: &'a Chain, first: Ranges) -> Result<Self> {
        let mut lines = Vec::with_capacity(chain.activations.len());
        let mut ranges = None;
        for (at, activation) in chain.activations.iter().enumerate() {
            let before = ranges.as_ref().unwrap_or(&first);
            let outputs = chain.affine[at].outputs;
            let (own, after) = activate(chain, *activation, before, outputs)?;
            ranges = Some(affine(chain, &chain.affine[at + 1], &after, &own.norms)?);
            lines.push(own);
        }
        // Of a chain without activations the logits are what the first map gives.
        let logits = match ranges {
            Some(logits) => logits,
            None => Ranges {
                middles: first.middles.clone(),
                slopes: first.slopes.clone(),
                radii: first.radii.clone(),
            },
        };
        Ok(Self {
            chain,
            first,
            lines,
            logits,
        })
    }

    /// The range of a logit on part `row`.
    pub fn logit(&self, row: usize, class: usize) -> Range {
        self.logits.get(row * self.chain.classes() + class)
    }

    /// The margin to `other` on part `row`, from the ranges of both logits.
    pub fn margin(&self, row: usize, class: usize, other: usize) -> Margin {
        let (a, b) = (self.logit(row, class), self.logit(row, other));
        let sizes = a.middle.abs() + b.middle.abs() + a.slope.abs() + b.slope.abs();
        Margin {
            middle: a.middle - b.middle,
            slope: a.slope - b.slope,
            radius: up(a.radius + b.radius) + SOME * sizes,
        }
    }

    /// Margins as functions of what the first affine map gives: each is a part, a class and another
    /// one. Errors of a layer meet the product of all later weights, signs included, where the forward
    /// pass meets the sizes of each layer.
    pub fn substituted(&self, wanted: &[(usize, usize, usize)]) -> Result<Vec<Margin>> {
        let Some((last, before)) = self.chain.affine.split_last() else {
            return Ok(Vec::new());
        };
        let chain = self.chain;
        let mut margins = Vec::with_capacity(wanted.len());
        let mut rows = Vec::with_capacity(wanted.len() * last.inputs);
        let Some(norms) = self.lines.last().map(|lines| &lines.norms) else {
            return Ok(wanted
                .iter()
                .map(|(row, class, other)| self.margin(*row, *class, *other))
                .collect());
        };
        let weight = last.weight.to_vec2::<f64>()?;
        for (row, class, other) in wanted {
            let rounding = |at: usize| last.rounding(at, last.size(at, norms[*row]), chain.own);
            margins.push(Margin {
                middle: last.bias[*class] - last.bias[*other],
                slope: 0.,
                radius: rounding(*class) + rounding(*other),
            });
            let pairs = weight[*class].iter().zip(&weight[*other]);
            rows.extend(pairs.map(|(a, b)| a - b));
        }
        for (at, map) in before.iter().enumerate().rev() {
            let (lines, outputs) = (&self.lines[at], map.outputs);
            let parts = wanted.iter().map(|(row, _, _)| *row);
            for ((row, margin), own) in parts.zip(&mut margins).zip(rows.chunks_mut(outputs)) {
                let place = row * outputs..(row + 1) * outputs;
                let errors = &lines.errors[place.clone()];
                margin.middle += dot(own, &lines.offsets[place.clone()])?;
                margin.radius += dot_of_sizes(own, errors)?;
                let slopes = &lines.slopes[place.clone()];
                own.iter_mut()
                    .zip(slopes)
                    .for_each(|(v, slope)| *v *= slope);
                match at {
                    0 => {
                        let first = &self.first;
                        margin.middle += dot(own, &first.middles[place.clone()])?;
                        margin.slope = dot(own, &first.slopes[place.clone()])?;
                        margin.radius += dot_of_sizes(own, &first.radii[place.clone()])?;
                        let sizes = dot_of_sizes(own, &first.middles[place.clone()])?
                            + dot_of_sizes(own, &first.slopes[place])?;
                        margin.radius = up(margin.radius + chain.own * sizes) * (1. + chain.own);
                    }
                    _ => {
                        margin.middle += dot(own, &map.bias)?;
                        let norm = self.lines[at - 1].norms[row];
                        let rounding = |(at, v): (usize, &f64)| {
                            v.abs() * map.rounding(at, map.size(at, norm), chain.own)
                        };
                        margin.radius += own.iter().enumerate().map(rounding).sum::<f64>();
                    }
                }
            }
            if at > 0 {
                rows = map.back(&rows)?;
            }
        }
        Ok(margins)
    }
}

/// The ranges after an activation, and the lines through it.
fn activate(
    chain: &Chain,
    activation: Activation,
    before: &Ranges,
    units: usize,
) -> Result<(Lines, Ranges)> {
    let numbers = before.middles.len();
    let zeros = || vec![0.; numbers];
    let mut lines = Lines {
        slopes: zeros(),
        offsets: zeros(),
        errors: zeros(),
        norms: Vec::new(),
    };
    let mut after = Ranges {
        middles: zeros(),
        slopes: zeros(),
        radii: zeros(),
    };
    let (own, arithmetic) = (chain.own, chain.arithmetic);
    let identity = Line {
        slope: 1.,
        ..Line::default()
    };
    match activation {
        Activation::Identity => fill(before, &mut lines, &mut after, |_| identity)?,
        Activation::Relu => fill(
            before,
            &mut lines,
            &mut after,
            #[inline(always)]
            |x| relu(x, own),
        )?,
        Activation::Tanh => fill(
            before,
            &mut lines,
            &mut after,
            #[inline(always)]
            |x| tanh_line(x, own, arithmetic),
        )?,
    }
    let mut largest = vec![0.; units];
    for row in 0..numbers / units {
        for (at, largest) in largest.iter_mut().enumerate() {
            let range = after.get(row * units + at);
            *largest = range.middle.abs() + range.slope.abs() + range.radius;
        }
        let size = norm(&largest) * (1. + own);
        lines.norms.push(up(size) + LEAST);
    }
    Ok((lines, after))
}

/// Units of a turn of [`fill`].
const UNITS: usize = 8;

/// One pass over all units, in vectors: only code that is inlined becomes part of them.
fn fill(
    before: &Ranges,
    lines: &mut Lines,
    after: &mut Ranges,
    line_of: impl Fn(Range) -> Line,
) -> Result<()> {
    vectorised!(arch()?, {
        let x = [&before.middles, &before.slopes, &before.radii];
        let x = x.map(|numbers| numbers.as_chunks::<UNITS>());
        let y = [
            &mut lines.slopes,
            &mut lines.offsets,
            &mut lines.errors,
            &mut after.middles,
            &mut after.slopes,
            &mut after.radii,
        ];
        let mut y = y.map(|numbers| numbers.as_chunks_mut::<UNITS>());
        // Results of their own first: the compiler makes no vectors of a loop whose nine lists it would have to find
        // apart from one another.
        let mut own = [[0.; UNITS]; 6];
        for at in 0..x[0].0.len() {
            let [middles, slopes, radii] = [&x[0].0[at], &x[1].0[at], &x[2].0[at]];
            for unit in 0..UNITS {
                let x = Range {
                    middle: middles[unit],
                    slope: slopes[unit],
                    radius: radii[unit],
                };
                let line = line_of(x);
                let y = line.of(x);
                own[0][unit] = line.slope;
                own[1][unit] = line.offset;
                own[2][unit] = line.error;
                own[3][unit] = y.middle;
                own[4][unit] = y.slope;
                own[5][unit] = y.radius;
            }
            for (y, own) in y.iter_mut().zip(&own) {
                y.0[at] = *own;
            }
        }
        for at in 0..x[0].1.len() {
            let x = Range {
                middle: x[0].1[at],
                slope: x[1].1[at],
                radius: x[2].1[at],
            };
            let line = line_of(x);
            let own = line.of(x);
            let own = [
                line.slope,
                line.offset,
                line.error,
                own.middle,
                own.slope,
                own.radius,
            ];
            for (y, own) in y.iter_mut().zip(own) {
                y.1[at] = own;
            }
        }
    });
    Ok(())
}

/// The ranges after an affine map of what has ranges `x` and norms `norms`.
fn affine(chain: &Chain, map: &Affine, x: &Ranges, norms: &[f64]) -> Result<Ranges> {
    let (mut middles, slopes) = (map.map(&x.middles)?, map.map(&x.slopes)?);
    let mut radii = map.map_sizes(&x.radii)?;
    let rows = middles
        .chunks_mut(map.outputs)
        .zip(radii.chunks_mut(map.outputs));
    for ((middles, radii), norm) in rows.zip(norms) {
        for (at, (middle, radius)) in middles.iter_mut().zip(radii).enumerate() {
            *middle += map.bias[at];
            let rounding = map.rounding(at, map.size(at, *norm), chain.own);
            *radius = up(*radius * (1. + chain.own)) + rounding;
        }
    }
    Ok(Ranges {
        middles,
        slopes,
        radii,
    })
}

fn dot(a: &[f64], b: &[f64]) -> Result<f64> {
    Ok(vectorised!(arch()?, slices::dot(a, b)))
}

/// Σ_k |a_k| |b_k|.
fn dot_of_sizes(a: &[f64], b: &[f64]) -> Result<f64> {
    Ok(vectorised!(arch()?, slices::dot_of_sizes(a, b)))
}
