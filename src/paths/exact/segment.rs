//! Verdicts and pieces of segments.

use std::ops::ControlFlow;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};

use super::crossings::Point;
use super::device::OnDevice;
use super::info::{ExactInfo, Pieces, check_class};
use super::params::ExactParams;
use super::piecewise_linear::PiecewiseLinear;
use super::program::Program;
use super::residual::Residual;
use super::threads;
use super::walk::Walk;
use crate::error::{Error, Result};
use crate::paths::network_energy::margin;
use crate::progress::Bar;
use crate::rng::Rng;

/// The answer of a piecewise linear network along a straight segment, exact up to floating point.
///
/// ```text
/// m(t) = f_y(z(t)) − max over c ≠ y of f_c(z(t)),   z(t) = (1 − t) z₁ + t z₂
/// min over t ∈ [0, 1] of m(t) = min over the breakpoints t_i of m(t_i)
/// ```
///
/// Between neighbouring breakpoints every logit is linear and the margin m concave, so its smallest
/// value lies at one of them. They are found layer by layer: the points found so far go through a
/// linear layer, and before a ReLU those at which a unit changes its sign are added between them,
/// every unit 0 there being set to exactly 0; before a max pooling, those at which another number is
/// the largest. Earlier results that later layers read are interpolated, so skip connections make no
/// difference.
///
/// All numbers are f64, with the rounding errors that f64 has; [`ExactInfo::residual`] measures them at
/// random points. Breakpoints that lie closer together than 9e-16 count as one. The network is the one
/// with its weights in f64: in f32 its own rounding, which is larger, comes on top.
///
/// Points on a GPU are searched there, wherever the network is, but for a network with max pooling.
/// What two devices find differs by rounding.
///
/// - **Shapes**: `start` and `end` (1, …) of the representation of `network`.
/// - **Range**: any finite numbers; if both are one point, the answer is that of the point.
/// - **Source**: Sotoudeh & Thakur 2019 (arXiv 1908.06214), ExactLine, for networks without skip
///   connections; with them ours.
///
/// ```
/// use isopath::paths::{ExactParams, PiecewiseLinear, exact};
/// use isopath::prelude::*;
///
/// let mlp = Model::new(0, |vb| Mlp::new(&[2, 16, 16, 3], Activation::Relu, vb))?;
/// let network = PiecewiseLinear::new(&mlp, Representation::Input)?;
/// let start = Tensor::new(&[[-1f32, 0.5]], &Device::Cpu)?;
/// let end = Tensor::new(&[[2f32, -1.]], &Device::Cpu)?;
/// let class = predictions(&mlp, &start)?.to_vec1::<u32>()?[0];
/// let info = exact(&network, class, &start, &end, &ExactParams::default())?;
/// assert!(info.pieces > 1 && info.residual < 1e-12);
/// assert_eq!(info.inside, info.smallest_margin > 0.);
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// # Errors
/// What [`ExactParams::validate`] refuses; ends of other shapes, or not finite; a class that the
/// network does not have; layers that do not fit together, or that are not what the network computes;
/// logits that are not finite.
pub fn exact(
    network: &PiecewiseLinear,
    class: u32,
    start: &Tensor,
    end: &Tensor,
    params: &ExactParams,
) -> Result<ExactInfo> {
    params.validate()?;
    let program = network.program(start)?;
    let bar = bar(params, 1);
    Segment {
        network,
        program: &program,
        params,
    }
    .margins(class, [start, end], &mut |t, pieces| {
        bar.report(t * STEPS, noted(pieces));
    })
}

/// [`exact`] for every leg of a path, such as [`NebInfo::path`](crate::paths::NebInfo::path).
///
/// ```text
/// exact(network, y, z_i, z_{i+1}),  i = 0, 1, …
/// ```
///
/// With [`ExactParams::stop_at_witness`] the legs after the first one with a witness are left out; so
/// the path is inside if all legs in the result are.
///
/// - **Shapes**: `path` (N, …), N ≥ 2 points of the representation of `network`; at most N − 1
///   results.
/// - **Range**: any finite numbers.
/// - **Source**: as [`exact`].
///
/// # Errors
/// As [`exact`], and a path of fewer than two points.
pub fn exact_path(
    network: &PiecewiseLinear,
    class: u32,
    path: &Tensor,
    params: &ExactParams,
) -> Result<Vec<ExactInfo>> {
    let legs = path
        .dims()
        .first()
        .map_or(0, |points| points.saturating_sub(1));
    let bar = bar(params, legs);
    exact_path_told(network, class, path, params, &mut |gone, pieces| {
        bar.report(gone * STEPS, noted(pieces));
    })
}

/// [`exact_path`] that tells how far it has come instead of showing it: the number of legs, with the
/// share of the next one, and the pieces of that one so far.
pub(crate) fn exact_path_told(
    network: &PiecewiseLinear,
    class: u32,
    path: &Tensor,
    params: &ExactParams,
    told: &mut dyn FnMut(f64, usize),
) -> Result<Vec<ExactInfo>> {
    params.validate()?;
    let points = path.dims().first().copied().unwrap_or(0);
    if points < 2 {
        let expected = "(N, …), N at least 2";
        return Err(Error::shape("exact_path", "path", expected, path.dims()));
    }
    let program = network.program(&path.narrow(0, 0, 1)?)?;
    let segment = Segment {
        network,
        program: &program,
        params,
    };
    let mut legs: Vec<ExactInfo> = Vec::with_capacity(points - 1);
    for leg in 0..points - 1 {
        let ends = [path.narrow(0, leg, 1)?, path.narrow(0, leg + 1, 1)?];
        let info = segment.margins(class, [&ends[0], &ends[1]], &mut |t, pieces| {
            told(leg as f64 + t, pieces);
        })?;
        let stop = params.stop_at_witness && !info.inside;
        legs.push(info);
        if stop {
            break;
        }
    }
    Ok(legs)
}

/// The breakpoints of a piecewise linear network along a segment with its logits there.
///
/// ```text
/// 0 = t_0 < t_1 < … = 1,   f linear between z(t_i) and z(t_{i+1}),   z(t) = (1 − t) z₁ + t z₂
/// ```
///
/// It keeps all logits, 8 bytes each. [`exact`] says how they are found and how exact they are.
///
/// - **Shapes**: `start` and `end` (1, …) of the representation of `network`.
/// - **Range**: any finite numbers; one point has one breakpoint, t = 0.
/// - **Source**: as [`exact`].
///
/// # Errors
/// As [`exact`].
pub fn exact_pieces(
    network: &PiecewiseLinear,
    start: &Tensor,
    end: &Tensor,
    params: &ExactParams,
) -> Result<Pieces> {
    params.validate()?;
    let program = network.program(start)?;
    let segment = Segment {
        network,
        program: &program,
        params,
    };
    let bar = bar(params, 1);
    let (mut t, mut stages, mut logits) = (Vec::new(), Vec::new(), Vec::new());
    let found = segment.walk([start, end], |point, own| {
        bar.set(point.t * STEPS);
        t.push(point.t);
        stages.push(point.stage);
        logits.extend_from_slice(own);
        Ok(ControlFlow::Continue(()))
    })?;
    let shape = (t.len(), logits.len() / t.len().max(1));
    Ok(Pieces {
        t,
        stages,
        logits: Tensor::from_vec(logits, shape, &Device::Cpu)?,
        residual: found.residual,
    })
}

/// Steps of the bar for one segment.
const STEPS: f64 = 1000.;

fn noted(pieces: usize) -> String {
    format!("{pieces} pieces")
}

fn bar(params: &ExactParams, segments: usize) -> Bar {
    let bar = params.progress.slow_bar("linear pieces");
    bar.of(segments * STEPS as usize, "thousandths")
}

/// A network made ready for points of one shape.
struct Segment<'a> {
    network: &'a PiecewiseLinear,
    program: &'a Program,
    params: &'a ExactParams,
}

/// What a segment has beside its breakpoints.
struct Found {
    residual: f64,
    evaluations: f64,
}

impl Segment<'_> {
    /// Gives every breakpoint with its logits to `found` until that breaks.
    fn walk(
        &self,
        [start, end]: [&Tensor; 2],
        mut found: impl FnMut(Point, &[f64]) -> Result<ControlFlow<()>>,
    ) -> Result<Found> {
        let ends = self.network.ends(self.program, start, end)?;
        let ExactParams {
            chunk,
            checks,
            seed,
            ..
        } = *self.params;
        let mut rng = Rng::new(seed).stream("exact");
        let times = rng.uniform(checks, 0., 1., DType::F64, &Device::Cpu)?;
        let mut residual = Residual::at(times.to_vec1()?);
        let mut pass = |point: Point, logits: &[f64]| {
            if let Some(logit) = logits.iter().find(|logit| !logit.is_finite()) {
                let expected = "finite numbers on the whole segment";
                let got = format!("{logit} at t = {}", point.t);
                return Err(Error::argument("logit", expected, got));
            }
            residual.pass(point.t, logits);
            found(point, logits)
        };
        let operations = match OnDevice::of(self.program, [start, end], self.params)? {
            Some(engine) => {
                let mut walk = Walk::new(engine, ends[0] == ends[1])?;
                while walk.step(&mut pass)? {}
                walk.engine.operations
            }
            None => threads::walk(self.program, &ends, chunk, &mut pass)?,
        };
        let steps = 0..self.program.steps.len();
        let once: usize = steps.map(|step| self.program.work(step)).sum();
        Ok(Found {
            residual: residual.measure(self.program, &ends, chunk),
            evaluations: operations / once.max(1) as f64,
        })
    }

    /// Tells `told` at which t it is, and how many pieces there were, a thousand times.
    fn margins(
        &self,
        class: u32,
        ends: [&Tensor; 2],
        told: &mut dyn FnMut(f64, usize),
    ) -> Result<ExactInfo> {
        let begun = Instant::now();
        let shape = &self.program.shapes[self.program.output];
        check_class(class, shape.pixels.channels)?;
        let mut crossings_by_stage = vec![0; self.network.stages()];
        let mut margins: Vec<[f64; 2]> = Vec::new();
        let (mut smallest_margin, mut at, mut witness) = (f64::INFINITY, 0., None);
        let mut gone = 0.;
        let found = self.walk(ends, |point, logits| {
            let margin = margin(logits, class as usize);
            margins.push([point.t, margin]);
            if let Some(count) = point.stage.and_then(|at| crossings_by_stage.get_mut(at)) {
                *count += point.units;
            }
            if margin < smallest_margin {
                (smallest_margin, at) = (margin, point.t);
            }
            if margin <= 0. && witness.is_none() {
                witness = Some(point.t);
            }
            if (point.t - gone) * STEPS >= 1. || point.t == 1. {
                told(point.t, margins.len() - 1);
                gone = point.t;
            }
            Ok(match witness {
                Some(_) if self.params.stop_at_witness => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
        })?;
        Ok(ExactInfo {
            inside: smallest_margin > 0.,
            smallest_margin,
            at,
            witness,
            pieces: margins.len().saturating_sub(1),
            crossings_by_stage,
            residual: found.residual,
            margins,
            evaluations: found.evaluations,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }
}
