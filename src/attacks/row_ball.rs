//! The ball around one image on the host, intersected with the bounds of the pixels.

use candle_core::{DType, Device};
use pulp::Arch;

use super::goal::Norm;
use super::rows::Pixel;
use crate::checks::Bounds;
use crate::error::Result;
use crate::ops::{self, vectorised};
use crate::rng::Rng;

/// The floor under a norm that divides; the reference implementation's.
const FLOOR: f64 = 1e-12;

/// All images that an attack on one image may return.
pub(super) struct RowBall<T> {
    pub norm: Norm,
    pub eps: f64,
    min: T,
    max: T,
    arch: Arch,
}

impl<T: Pixel> RowBall<T> {
    pub fn new(norm: Norm, eps: f64, bounds: Option<Bounds>) -> Result<Self> {
        let (min, max) = bounds.map_or((f64::NEG_INFINITY, f64::INFINITY), |b| (b.min, b.max));
        Ok(Self {
            norm,
            eps,
            min: T::from_f64(min),
            max: T::from_f64(max),
            arch: ops::arch()?,
        })
    }

    /// A random point on the surface of the ball, clipped to the bounds.
    ///
    /// L∞: uniform in the cube, scaled until its largest change is ε; L2: any direction alike.
    pub fn random(&self, centre: &[T], rng: &mut Rng) -> Result<Vec<T>> {
        let (n, device) = (centre.len(), Device::Cpu);
        let noise = match self.norm {
            Norm::LInf => rng.uniform(n, -1., 1., DType::F64, &device)?,
            Norm::L2 => rng.normal(n, 0., 1., DType::F64, &device)?,
        };
        let noise: Vec<f64> = noise.to_vec1()?;
        let length = match self.norm {
            Norm::LInf => noise.iter().fold(0., |most: f64, t| most.max(t.abs())),
            Norm::L2 => noise.iter().map(|t| t * t).sum::<f64>().sqrt(),
        };
        let scale = self.eps / length.max(FLOOR);
        let mut point: Vec<T> = centre
            .iter()
            .zip(&noise)
            .map(|(c, t)| *c + T::from_f64(scale * t))
            .collect();
        self.project(centre, &mut point);
        Ok(point)
    }

    /// Moves `x` into the ball and the bounds.
    pub fn project(&self, centre: &[T], x: &mut [T]) {
        vectorised!(
            self.arch,
            match self.norm {
                Norm::LInf => {
                    let eps = T::from_f64(self.eps);
                    for (x, c) in x.iter_mut().zip(centre) {
                        *x = within(*x, *c - eps, *c + eps, self.min, self.max);
                    }
                }
                Norm::L2 => self.shorten(centre, x),
            }
        );
    }

    /// One step of APGD: x + share · (z − x) + (1 − share) · (x − before), where z = x + size ·
    /// normalise(gradient), both projected. Leaves x in `before`.
    pub fn step(
        &self,
        centre: &[T],
        (x, before): (&mut [T], &mut [T]),
        gradient: &[T],
        (size, share): (f64, f64),
    ) {
        let [momentum, share_] = [1. - share, share].map(T::from_f64);
        vectorised!(
            self.arch,
            match self.norm {
                Norm::LInf => {
                    let [eps, size] = [self.eps, size].map(T::from_f64);
                    let points = x.iter_mut().zip(before.iter_mut());
                    for (((x, before), g), c) in points.zip(gradient).zip(centre) {
                        let [low, high] = [*c - eps, *c + eps];
                        let to = within(*x + size * sign(*g), low, high, self.min, self.max);
                        let next = *x + (to - *x) * share_ + (*x - *before) * momentum;
                        *before = *x;
                        *x = within(next, low, high, self.min, self.max);
                    }
                }
                Norm::L2 => {
                    let scale = T::from_f64(size / (norm(gradient.iter().copied()) + FLOOR));
                    let mut to: Vec<T> = Vec::with_capacity(x.len());
                    to.extend(x.iter().zip(gradient).map(|(x, g)| *x + scale * *g));
                    self.shorten(centre, &mut to);
                    for ((x, before), to) in x.iter_mut().zip(before.iter_mut()).zip(to) {
                        let next = *x + (to - *x) * share_ + (*x - *before) * momentum;
                        *before = *x;
                        *x = next;
                    }
                    self.shorten(centre, x);
                }
            }
        );
    }

    /// Projects onto the Euclidean ball, then clips.
    #[inline(always)]
    fn shorten(&self, centre: &[T], x: &mut [T]) {
        let length = norm(x.iter().zip(centre).map(|(x, c)| *x - *c));
        if length <= self.eps {
            for x in x.iter_mut() {
                *x = between(*x, self.min, self.max);
            }
            return;
        }
        let scale = T::from_f64(self.eps / length);
        for (x, c) in x.iter_mut().zip(centre) {
            *x = between(*c + (*x - *c) * scale, self.min, self.max);
        }
    }
}

/// 1, −1, or 0 for 0.
#[inline(always)]
fn sign<T: Pixel>(x: T) -> T {
    let up = if x > T::zero() { T::one() } else { T::zero() };
    let down = if x < T::zero() { T::one() } else { T::zero() };
    up - down
}

#[inline(always)]
fn between<T: Pixel>(x: T, low: T, high: T) -> T {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

#[inline(always)]
fn within<T: Pixel>(x: T, low: T, high: T, min: T, max: T) -> T {
    between(between(x, low, high), min, max)
}

/// The Euclidean norm, summed in f64 in one fixed order.
#[inline(always)]
pub(super) fn norm<T: Pixel>(values: impl ExactSizeIterator<Item = T>) -> f64 {
    const LANES: usize = 16;
    let mut sums = [0f64; LANES];
    for (at, value) in values.enumerate() {
        let value = value.to_f64();
        sums[at % LANES] += value * value;
    }
    sums.iter().sum::<f64>().sqrt()
}
